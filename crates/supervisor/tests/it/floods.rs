//! More output than anybody wants: counted exactly, in bounded memory, whatever it looks like.

use std::fs;

use dogwatch_core::frame::{Dropped, Record, Stream};
use dogwatch_core::redact::SecretSet;
use dogwatch_supervisor::{Cause, StreamCounts};

use crate::case::{Case, Setting, eventually, everywhere, settings};

/// What is kept of a stream's end.
const TAIL: u64 = 64 * 1024;

const CAP: u64 = 100_000;

/// What a shim may use, whatever is printed.
const MEMORY_KIB: u64 = 64 * 1024;

/// How many MiB the largest flood has: `DOGWATCH_TEST_FLOOD_MIB`, or few.
fn flood() -> u64 {
    let wanted = std::env::var("DOGWATCH_TEST_FLOOD_MIB").ok();
    wanted.and_then(|mib| mib.parse().ok()).unwrap_or(256_u64) << 20
}

fn secrets() -> SecretSet {
    SecretSet::new([("TOKEN", "flood-secret-0123456789")]).0
}

/// Runs a script that floods and then waits for `go`, and gives the shim's peak memory once `seen` bytes of its standard output were
/// counted.
async fn flooded(case: &Case, seen: u64) -> (dogwatch_supervisor::ExitRecord, u64) {
    let mut supervised = case.spawn().await;
    let mut progress = supervised.progress();
    // However long it takes; a flood that stops coming ends by the command's budget.
    progress
        .wait_for(|progress| {
            let output = progress.output.as_ref();
            output.is_some_and(|output| output.stdout >= seen)
        })
        .await
        .unwrap();
    let peak = peak_memory_kib(supervised.shim().pid);
    case.make("go");
    (supervised.wait().await.unwrap(), peak)
}

fn peak_memory_kib(pid: i32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

const WAIT: &str = "until [ -e go ]; do sleep 0.05; done";

fn beyond_cap(seen: u64) -> StreamCounts {
    StreamCounts {
        seen,
        stored: CAP + TAIL,
        dropped: seen - CAP - TAIL,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_is_counted_exactly_in_little_memory() {
    let flood = flood();
    let setting = *settings().await.last().unwrap();
    for secrets in [SecretSet::default(), secrets()] {
        let script = format!("head -c {} /dev/zero; printf 'the end'; {WAIT}", flood - 7);
        let mut case = Case::sh(setting, &script);
        case.spec.output_cap = CAP;
        case.spec.budget_ms = 3_600_000;
        case.secrets = secrets;
        let (record, peak) = flooded(&case, flood).await;
        assert!(peak < MEMORY_KIB, "{peak} KiB");
        assert_eq!(record.cause, Cause::Exited { code: 0 });
        assert_eq!(record.stdout, beyond_cap(flood));
        let dropped = flood - CAP - TAIL;
        let gaps: Vec<Dropped> = case
            .records()
            .into_iter()
            .filter_map(|record| match record {
                Record::Dropped(dropped) => Some(dropped),
                Record::Frame(_) => None,
            })
            .collect();
        assert_eq!(gaps.len(), 1);
        assert_eq!((gaps[0].stream, gaps[0].bytes), (Stream::Stdout, dropped));
        let plain = case.plain().stdout;
        assert!(plain.ends_with(b"\0the end"));
        let marker = format!("\n[dogwatch: {dropped} bytes not stored]\n");
        let place = usize::try_from(CAP).unwrap();
        assert!(plain[place..].starts_with(marker.as_bytes()));
        assert_eq!(plain.len() as u64, CAP + TAIL + marker.len() as u64);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_of_ten_megabytes_need_no_more_memory_than_short_ones() {
    const LINE: u64 = 10 << 20;
    let script =
        format!("for n in 1 2 3; do head -c {LINE} /dev/zero | tr '\\0' x; echo; done; {WAIT}");
    let mut case = Case::sh(Setting::here(), &script);
    case.spec.output_cap = CAP;
    case.secrets = secrets();
    let (record, peak) = flooded(&case, 3 * (LINE + 1)).await;
    assert!(peak < MEMORY_KIB, "{peak} KiB");
    assert_eq!(record.stdout, beyond_cap(3 * (LINE + 1)));
    assert!(case.plain().stdout.ends_with(b"xxx\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_secrets_is_a_flood_of_names() {
    const TIMES: u64 = 200_000;
    let script = format!("yes flood-secret-0123456789 | head -n {TIMES}; {WAIT}");
    let mut case = Case::sh(Setting::here(), &script);
    case.spec.output_cap = CAP;
    case.secrets = secrets();
    let line = b"[redacted:TOKEN]\n";
    let seen = TIMES * line.len() as u64;
    let (record, peak) = flooded(&case, seen).await;
    assert!(peak < MEMORY_KIB, "{peak} KiB");
    assert_eq!(record.stdout, beyond_cap(seen));
    let plain = case.plain().stdout;
    assert!(plain.starts_with(line) && plain.ends_with(line));
    assert!(!String::from_utf8_lossy(&plain).contains("flood-secret"));
}

#[tokio::test(flavor = "multi_thread")]
async fn both_streams_at_once_are_counted_each() {
    const EACH: u64 = 16 << 20;
    everywhere(|setting| async move {
        // At the end a line break: what could begin a secret would be held back for as long as the command waits.
        let random = format!("head -c {} /dev/urandom; echo", EACH - 1);
        let script = format!("({random}) >&2 & {random}; wait; {WAIT}");
        let mut case = Case::sh(setting, &script);
        case.spec.output_cap = CAP;
        case.secrets = secrets();
        let (record, peak) = flooded(&case, EACH).await;
        assert!(peak < MEMORY_KIB, "{peak} KiB");
        assert_eq!(record.stdout, beyond_cap(EACH));
        assert_eq!(record.stderr, beyond_cap(EACH));
        assert_eq!(record.cause, Cause::Exited { code: 0 });
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn terminal_escapes_and_binary_data_stay_the_bytes_they_are() {
    let odd = b"\x1b]0;title\x07\x1b[2J\x1b[31mred\x1b[0m\r\n\0\xff\xfe\x80\xc3".repeat(5000);
    let mut case = Case::sh(Setting::here(), "cat odd; cat odd >&2");
    case.secrets = secrets();
    fs::write(case.work().join("odd"), &odd).unwrap();
    let record = case.run().await;
    let plain = case.plain();
    assert!(plain.stdout == odd && plain.stderr == odd);
    assert_eq!(record.stdout.dropped + record.stderr.dropped, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_short_line_is_stored_while_the_command_waits() {
    everywhere(|setting| async move {
        let mut case = Case::sh(setting, &format!("echo one; printf 'two? '; {WAIT}"));
        case.secrets = secrets();
        let mut supervised = case.spawn().await;
        let path = case.spec.frames_path.as_path().to_owned();
        eventually("the prompt is stored", || {
            let bytes = fs::read(&path).unwrap_or_default();
            bytes.ends_with(b"two? ")
        })
        .await;
        case.make("go");
        supervised.wait().await.unwrap();
        assert_eq!(case.plain().stdout, b"one\ntwo? ");
    })
    .await;
}
