//! The control socket: long paths, strangers' input, and runners that come and go.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Command, Stdio};

use dogwatch_supervisor::control::Notice;
use dogwatch_supervisor::{Cause, ControlClient};

use crate::case::{Case, Setting, eventually, everywhere, settings};

const UNTIL_GO: &str = "touch up; until [ -e go ]; do sleep 0.05; done";

#[tokio::test(flavor = "multi_thread")]
async fn a_socket_path_of_any_length_works() {
    everywhere(|setting| async move {
        let long = Path::new(&"d".repeat(200)).join("e".repeat(200));
        let case = Case::below(setting, &long, &["sh", "-c", UNTIL_GO]);
        let socket = case.spec.control_path.as_path();
        assert!(socket.as_os_str().len() > 400);
        let mut supervised = case.spawn().await;
        let mode = std::fs::metadata(socket).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let progress = supervised.progress();
        eventually("the shim is heard", || progress.borrow().started.is_some()).await;
        let started = progress.borrow().started.clone().unwrap();
        assert!(started.main.is_alive().unwrap());
        assert_eq!(started.rung, setting.rung);
        supervised.stop("heard").await.unwrap();
        let record = supervised.wait().await.unwrap();
        let reason = "heard".to_owned();
        assert_eq!(record.cause, Cause::Stopped { reason });
        assert_eq!(record.main, Some(started.main));
        assert!(!socket.exists());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_runner_that_goes_away_changes_nothing_and_another_may_come() {
    everywhere(|setting| async move {
        let case = Case::sh(setting, UNTIL_GO);
        drop(case.spawn().await);
        case.made("up").await;
        let another = ControlClient::new(case.spec.control_path.as_path());
        let far = dogwatch_supervisor::os::clock::boottime_ns() + 3_600_000_000_000;
        another.set_deadline(far).await.unwrap();
        case.make("go");
        eventually("the record appears", || case.record().is_some()).await;
        assert_eq!(case.record().unwrap().cause, Cause::Exited { code: 0 });
    })
    .await;
}

/// Connects the way any program would, through a directory handle.
fn connect(case: &Case) -> UnixStream {
    let socket = case.spec.control_path.as_path();
    let directory = std::fs::File::open(socket.parent().unwrap()).unwrap();
    let short = format!("/proc/self/fd/{}/control.sock", directory.as_raw_fd());
    UnixStream::connect(short).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn nonsense_is_refused_and_the_command_goes_on() {
    let setting = settings().await[0];
    let case = Case::sh(setting, UNTIL_GO);
    let mut supervised = case.spawn().await;
    case.made("up").await;
    for nonsense in [
        &b"not json\n"[..],
        b"{\"type\":\"explode\"}\n",
        b"{\"type\":\"stop\"}\n",
        b"{\"type\":\"stop\",\"reason\":\"x\",\"more\":1}\n",
        b"\xff\xfe\n",
    ] {
        let mut stream = connect(&case);
        stream.write_all(nonsense).unwrap();
        let refused = BufReader::new(stream)
            .lines()
            .map(|line| serde_json::from_str::<Notice>(&line.unwrap()).unwrap())
            .find(|notice| !matches!(notice, Notice::Started(_)));
        assert!(
            matches!(refused, Some(Notice::Refused { .. })),
            "{refused:?}"
        );
    }
    // A line without end is cut off.
    let mut stream = connect(&case);
    let endless = vec![b'x'; 1 << 20];
    let _ = stream.write_all(&endless);
    let ended = BufReader::new(stream).lines().all(|line| match line {
        Ok(line) => !line.contains("accepted"),
        Err(_) => true,
    });
    assert!(ended);
    assert_eq!(case.record(), None);
    case.make("go");
    assert_eq!(
        supervised.wait().await.unwrap().cause,
        Cause::Exited { code: 0 }
    );
}

#[test]
fn a_shim_that_is_told_nothing_runs_nothing() {
    let spec = serde_json::to_string(&Case::new(Setting::here(), &["true"]).spec).unwrap();
    let cut = format!("{spec}\n\u{1}\0\0");
    for (spec, reason) in [
        ("", "cannot understand the spec"),
        ("{\"v\":1,\"argv\":[\"true\"]", "cannot understand the spec"),
        (&spec, "the pipe ended before they were complete"),
        (&cut, "the pipe ended before they were complete"),
    ] {
        let mut shim = Command::new(env!("CARGO_BIN_EXE_dogwatch-shim-for-tests"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        shim.stdin
            .take()
            .unwrap()
            .write_all(spec.as_bytes())
            .unwrap();
        let output = shim.wait_with_output().unwrap();
        assert!(!output.status.success());
        let said = String::from_utf8(output.stdout).unwrap();
        assert!(said.contains(reason), "{said}");
    }
}
