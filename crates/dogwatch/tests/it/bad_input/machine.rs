//! The data directory, and who else uses it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use dogwatch_testkit::skip;

use super::{case, refused};

#[test]
fn a_data_directory_that_is_a_file() {
    let case = case();
    fs::write(case.home.data(), "in the way").unwrap();
    let place = case.home.data().to_string_lossy().into_owned();
    case.run().expect_refusal(
        "data_directory",
        &[&place, "cannot be used", "set DOGWATCH_HOME"],
    );
    assert_eq!(fs::read_to_string(case.home.data()).unwrap(), "in the way");
}

#[test]
fn a_data_directory_that_may_not_be_written() {
    if nix::unistd::geteuid().is_root() {
        skip(
            "bad_input::a_data_directory_that_may_not_be_written",
            "root may write everywhere",
        );
        return;
    }
    let case = case();
    fs::create_dir(case.home.data()).unwrap();
    let mode = |mode| {
        let permissions = fs::Permissions::from_mode(mode);
        fs::set_permissions(case.home.data(), permissions).unwrap();
    };
    mode(0o500);
    let ended = case.run();
    mode(0o700);
    ended.expect_refusal(
        "data_directory",
        &["Permission denied", "mend its permissions"],
    );
}

#[test]
fn a_data_directory_that_is_not_absolute() {
    let case = case();
    let mut command = case.command(["run", "do it"]);
    command.env("DOGWATCH_HOME", "data");
    let ended = case.start(command).wait();
    refused(&case, &ended, "places", &["DOGWATCH_HOME", "absolute"]);
}

#[test]
fn a_home_with_spaces_serves_as_well() {
    let case = case();
    let data = case.home.root().join("my data");
    let mut command = case.command(["run", "--json", "do it"]);
    command.env("DOGWATCH_HOME", &data);
    let ended = case.start(command).wait();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let bundle = ended.result()["bundle"].as_str().unwrap().to_owned();
    assert!(Path::new(&bundle).starts_with(&data), "{bundle}");
}
