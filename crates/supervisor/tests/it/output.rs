//! Capture: every byte exactly, or exactly how many are missing.

use std::fs::{self, OpenOptions};

use dogwatch_core::frame::decode_all;
use dogwatch_supervisor::{Cause, StreamCounts};
use nix::libc;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::case::{Case, eventually, everywhere};

#[tokio::test(flavor = "multi_thread")]
async fn bytes_that_are_not_text_are_kept_exactly() {
    everywhere(|setting| async move {
        let case = Case::sh(setting, r"printf 'a\377\000\nb'; printf '\200\r\n' >&2");
        let record = case.run().await;
        let plain = case.plain();
        assert_eq!(plain.stdout, b"a\xff\x00\nb");
        assert_eq!(plain.stderr, b"\x80\r\n");
        let counts = |bytes| StreamCounts {
            seen: bytes,
            stored: bytes,
            dropped: 0,
        };
        assert_eq!((record.stdout, record.stderr), (counts(5), counts(3)));
        let length = fs::metadata(case.spec.frames_path.as_path()).unwrap().len();
        assert_eq!(record.frames_bytes, length);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pipe_held_open_from_outside_does_not_hold_the_end() {
    everywhere(|setting| async move {
        let case = Case::sh(setting, "echo begun; until [ -e go ]; do sleep 0.05; done");
        let mut supervised = case.spawn().await;
        let progress = supervised.progress();
        eventually("the command has begun", || {
            let progress = progress.borrow();
            progress.started.is_some() && progress.output.is_some()
        })
        .await;
        let main = progress.borrow().started.clone().unwrap().main;
        let path = format!("/proc/{}/fd/1", main.pid);
        let held = OpenOptions::new().write(true).open(path).unwrap();
        case.make("go");
        let record = supervised.wait().await.unwrap();
        assert_eq!(record.cause, Cause::Exited { code: 0 });
        assert!(record.pipes_left_open);
        assert_eq!(case.plain().stdout, b"begun\n");
        drop(held);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_shim_had_stored_can_be_read() {
    everywhere(|setting| async move {
        let mut case = Case::sh(setting, "n=0; while :; do n=$((n+1)); echo line $n; done");
        case.spec.output_cap = 64 << 20;
        let mut supervised = case.spawn().await;
        let path = case.spec.frames_path.as_path().to_owned();
        let length = || fs::metadata(&path).map_or(0, |meta| meta.len());
        eventually("something is stored", || length() > 50_000).await;
        kill(Pid::from_raw(supervised.shim().pid), Signal::SIGKILL).unwrap();
        supervised.wait().await.unwrap_err();
        let bytes = fs::read(&path).unwrap();
        let whole = decode_all(&bytes).unwrap().records;
        let torn = decode_all(&bytes[..bytes.len() - 1]).unwrap().records;
        assert!(torn.len() <= whole.len() && whole.starts_with(&torn));
        let text = dogwatch_core::frame::plain_streams(&whole).stdout;
        assert!(text.starts_with(b"line 1\nline 2\nline 3\n"));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn output_that_cannot_be_stored_ends_the_command() {
    everywhere(|setting| async move {
        // The limits of another user's process are not ours to change.
        if setting.as_nobody {
            return;
        }
        let case = Case::sh(
            setting,
            "touch up; until [ -e go ]; do sleep 0.05; done; yes",
        );
        let mut supervised = case.spawn().await;
        case.made("up").await;
        // A limit on file size fails writes the way a full disk does.
        limit_file_size(supervised.shim().pid);
        case.make("go");
        let record = supervised.wait().await.unwrap();
        assert!(
            matches!(record.cause, Cause::CaptureFailed { .. }),
            "{record:?}"
        );
        assert_eq!(
            record.stdout.stored + record.stdout.dropped,
            record.stdout.seen
        );
        assert!(record.stdout.dropped > 0);
    })
    .await;
}

/// Lets the process write files of at most 8 KiB from now on.
fn limit_file_size(pid: i32) {
    let limit = libc::rlimit {
        rlim_cur: 8192,
        rlim_max: 8192,
    };
    // SAFETY: the new limit is a valid structure and the old one is not asked for.
    let done = unsafe {
        libc::prlimit(
            pid,
            libc::RLIMIT_FSIZE,
            &raw const limit,
            std::ptr::null_mut(),
        )
    };
    assert_eq!(done, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_line_is_told_safely() {
    everywhere(|setting| async move {
        let script = r"printf 'first\n\033[2J\007last'; until [ -e go ]; do sleep 0.05; done; echo; echo bye >&2";
        let case = Case::sh(setting, script);
        let mut supervised = case.spawn().await;
        let progress = supervised.progress();
        let last_line = || {
            let progress = progress.borrow();
            progress.output.as_ref().map(|output| output.last_line.clone())
        };
        let expected = "\u{fffd}[2J\u{fffd}last";
        eventually("the line is told", || last_line().as_deref() == Some(expected)).await;
        case.make("go");
        supervised.wait().await.unwrap();
        // What came last is told before the end, however little time there was.
        assert_eq!(last_line().as_deref(), Some("bye"));
        let output = progress.borrow().output.clone().unwrap();
        assert_eq!((output.stdout, output.stderr), (16, 4));
    })
    .await;
}
