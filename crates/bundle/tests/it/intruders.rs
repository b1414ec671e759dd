//! Files added, removed, renamed or replaced by something else are named.

use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::Path;

use dogwatch_bundle::{codes, verify};
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;

use crate::fixture::{Bundle, Plan, files_under, trusted};

#[test]
fn every_removed_file_is_named() {
    let bundle = Bundle::sealed(&Plan::reference());
    for name in files_under(&bundle.dir) {
        if name.starts_with("reports/") {
            continue;
        }
        let honest = bundle.read(&name);
        fs::remove_file(bundle.path(&name)).unwrap();
        let code = match name.as_str() {
            "manifest.json" => codes::UNSEALED,
            "attestation.dsse.json" => codes::UNSIGNED,
            _ => codes::MISSING_FILE,
        };
        bundle.expect(code, &name);
        bundle.write(&name, honest);
    }
    assert!(bundle.verify().valid);
}

#[test]
fn every_renamed_file_is_named_twice() {
    let bundle = Bundle::sealed(&Plan::reference());
    for name in files_under(&bundle.dir) {
        if name.starts_with("reports/") || name.starts_with("manifest") {
            continue;
        }
        let renamed = format!("{name}.bak");
        fs::rename(bundle.path(&name), bundle.path(&renamed)).unwrap();
        bundle.expect(codes::UNLISTED_FILE, &renamed);
        if !name.starts_with("attestation") {
            bundle.expect(codes::MISSING_FILE, &name);
        }
        fs::rename(bundle.path(&renamed), bundle.path(&name)).unwrap();
    }
}

#[test]
fn added_files_are_named_wherever_they_are() {
    let bundle = Bundle::sealed(&Plan::reference());
    for name in [
        "extra",
        ".hidden",
        "journal.torn",
        ".manifest.json.draft",
        "turns/note.txt",
        "turns/001/extra",
        "turns/001/.hidden",
        "gates/note.txt",
        "gates/unit/extra",
    ] {
        bundle.write(name, "x");
        bundle.expect(codes::UNLISTED_FILE, name);
        fs::remove_file(bundle.path(name)).unwrap();
    }
    for name in [
        "new",
        ".git",
        "turns/009",
        "turns/1",
        "turns/001/deep",
        "gates/other",
        "gates/.hidden",
    ] {
        fs::create_dir(bundle.path(name)).unwrap();
        bundle.expect(codes::UNLISTED_DIRECTORY, name);
        fs::remove_dir(bundle.path(name)).unwrap();
    }
    fs::create_dir_all(bundle.path("turns/009")).unwrap();
    bundle.write("turns/009/stdout", "x");
    bundle.expect(codes::UNLISTED_FILE, "turns/009/stdout");
    fs::remove_dir_all(bundle.path("turns/009")).unwrap();
    fs::create_dir_all(bundle.path("reports/anything/goes")).unwrap();
    assert!(bundle.verify().valid);
}

#[test]
fn what_is_not_a_file_is_named_and_never_opened() {
    let bundle = Bundle::sealed(&Plan::reference());
    let outside = tempfile::tempdir_in(bundle.dir.parent().unwrap()).unwrap();
    for name in [
        "patch.diff",
        "turns/002/stdout",
        "journal.jsonl",
        "manifest.json",
    ] {
        let copy = outside.path().join("copy");
        fs::rename(bundle.path(name), &copy).unwrap();
        // The bytes behind the link are the right ones, and still it is not the file that was sealed.
        symlink(&copy, bundle.path(name)).unwrap();
        bundle.expect(codes::NOT_A_FILE, name);
        fs::remove_file(bundle.path(name)).unwrap();
        mkfifo(&bundle.path(name), Mode::from_bits_truncate(0o644)).unwrap();
        bundle.expect(codes::NOT_A_FILE, name);
        fs::remove_file(bundle.path(name)).unwrap();
        let socket = UnixListener::bind(bundle.path(name)).unwrap();
        bundle.expect(codes::NOT_A_FILE, name);
        drop(socket);
        fs::remove_file(bundle.path(name)).unwrap();
        fs::create_dir(bundle.path(name)).unwrap();
        bundle.expect(codes::UNLISTED_DIRECTORY, name);
        fs::remove_dir(bundle.path(name)).unwrap();
        fs::rename(&copy, bundle.path(name)).unwrap();
    }
    for name in ["turns", "turns/001", "gates", "gates/unit", "reports"] {
        let copy = outside.path().join("directory");
        fs::rename(bundle.path(name), &copy).unwrap();
        symlink(&copy, bundle.path(name)).unwrap();
        bundle.expect(codes::NOT_A_FILE, name);
        fs::remove_file(bundle.path(name)).unwrap();
        fs::rename(&copy, bundle.path(name)).unwrap();
    }
    assert!(bundle.verify().valid);
}

#[test]
fn names_that_are_not_plain_text_are_shown_escaped() {
    use std::os::unix::ffi::OsStrExt as _;
    let bundle = Bundle::sealed(&Plan::small());
    let name = std::ffi::OsStr::from_bytes(b"bad\xff\x1b[2J\n");
    fs::write(bundle.dir.join(name), "x").unwrap();
    let findings = bundle.verify().findings;
    assert_eq!(findings.len(), 1, "{findings:?}");
    assert_eq!(findings[0].code, codes::NOT_A_FILE);
    assert!(!findings[0].path.chars().any(char::is_control));
}

#[test]
fn an_enemys_text_in_a_manifest_reaches_no_terminal() {
    let bundle = Bundle::sealed(&Plan::small());
    let honest = String::from_utf8(bundle.read("manifest.json")).unwrap();
    let listed = r#""\u001b[2Jgone":{"bytes":1,"sha256":"0000000000000000000000000000000000000000000000000000000000000000"},"#;
    for changed in [
        honest.replacen(r#""files":{"#, &format!(r#""files":{{{listed}"#), 1),
        honest.replacen('{', r#"{"\u001b[2J":1,"#, 1),
    ] {
        assert_ne!(changed, honest);
        bundle.write("manifest.json", changed);
        let verification = bundle.verify();
        assert!(
            verification
                .findings
                .iter()
                .any(|f| f.path == "manifest.json")
        );
        for finding in verification.findings {
            let text = format!("{}{}", finding.path, finding.detail);
            assert!(!text.chars().any(char::is_control), "{text:?}");
        }
    }
}

#[test]
fn no_bundle_at_all_is_a_finding() {
    let empty = tempfile::tempdir().unwrap();
    let file = empty.path().join("file");
    fs::write(&file, "x").unwrap();
    for (path, code) in [
        (Path::new("/nonexistent/bundle"), codes::UNREADABLE),
        (file.as_path(), codes::UNREADABLE),
        (empty.path(), codes::UNSEALED),
    ] {
        let verification = verify(path, &trusted());
        assert!(!verification.valid);
        let found: Vec<_> = verification.findings.iter().map(|f| f.code).collect();
        assert!(found.contains(&code), "{found:?}");
    }
}
