//! How fast a command's output is captured, with and without secrets to look for: `cargo bench -p dogwatch-supervisor --bench capture`.
//!
//! The command is this program again, printing lines. `MIB` says how much it prints per measurement. "raw" is the same command read by a
//! loop that throws everything away: the fastest that any capture could be.
#![expect(clippy::print_stdout, reason = "a measurement is printed")]

use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use dogwatch_core::redact::SecretSet;
use dogwatch_supervisor::{
    DEFAULT_MAX_PROCESSES, SPEC_VERSION, ShimProgram, ShimSpec, Supervised, WantedRung,
};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike as _;
use serde_json::json;

/// What makes this program the command.
const PRINT: &str = "--print";

/// How the command writes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Writes {
    Blocks,
    Lines,
}

struct Workload {
    name: &'static str,
    writes: Writes,
    line: usize,
    cap: u64,
    share: usize,
}

const WORKLOADS: [Workload; 5] = [
    Workload {
        name: "80-byte lines in blocks, capped",
        writes: Writes::Blocks,
        line: 80,
        cap: 8 << 20,
        share: 1,
    },
    Workload {
        name: "80-byte lines in blocks, stored",
        writes: Writes::Blocks,
        line: 80,
        cap: 1 << 40,
        share: 1,
    },
    Workload {
        name: "10-byte lines in blocks, capped",
        writes: Writes::Blocks,
        line: 10,
        cap: 8 << 20,
        share: 1,
    },
    Workload {
        name: "80-byte lines, one write each",
        writes: Writes::Lines,
        line: 80,
        cap: 8 << 20,
        share: 8,
    },
    Workload {
        name: "10-byte lines, one write each",
        writes: Writes::Lines,
        line: 10,
        cap: 8 << 20,
        share: 64,
    },
];

/// The workload that the goal is about.
const GOAL_OF: &str = "80-byte lines in blocks, capped";

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if let Some(place) = arguments.iter().position(|word| word == PRINT) {
        print_lines(&arguments[place + 1..]);
        return;
    }
    let mib: usize = std::env::var("MIB").map_or(512, |mib| mib.parse().expect("MIB is a number"));
    let only = std::env::var("ONLY").unwrap_or_default();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    println!(
        "{:34} {:>11} {:>9} {:>11} {:>9} {:>9}",
        "workload", "secrets", "wall ms", "lines/s", "MB/s", "cpu ms"
    );
    for workload in WORKLOADS
        .iter()
        .filter(|workload| workload.name.contains(&only))
    {
        let bytes = (mib << 20) / workload.share;
        let count = bytes / workload.line;
        report(
            workload,
            "raw",
            count,
            best(|| (raw(workload, count), Duration::ZERO)),
        );
        for secrets in [0, 1, 5, 50] {
            let set = secrets_of(secrets);
            let measured = best(|| runtime.block_on(captured(workload, count, &set)));
            report(workload, &secrets.to_string(), count, measured);
            if workload.name == GOAL_OF && secrets == 5 {
                let rate = count as f64 / measured.0.as_secs_f64() / 1e6;
                let name = "capture of 80-byte lines, 5 secrets";
                println!(
                    "{}",
                    json!({"name": name, "value": rate, "unit": "M lines/s", "goal": ">= 2.5"})
                );
            }
        }
    }
}

/// The fastest of three.
fn best(mut once: impl FnMut() -> (Duration, Duration)) -> (Duration, Duration) {
    (0..3).map(|_| once()).min().expect("three measurements")
}

fn report(workload: &Workload, how: &str, count: usize, (wall, shim): (Duration, Duration)) {
    let lines = count as f64 / wall.as_secs_f64();
    println!(
        "{:34} {how:>11} {:>9} {:>10.2}M {:>9.0} {:>9}",
        workload.name,
        wall.as_millis(),
        lines / 1e6,
        lines * workload.line as f64 / 1e6,
        shim.as_millis(),
    );
}

/// Tokens as they are given out, none of which the lines contain.
fn secrets_of(count: usize) -> SecretSet {
    let digits = |seed: usize, length: usize| -> String {
        let mut state = seed as u64 * 0x9e37_79b9_7f4a_7c15 + 1;
        let mut digit = || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
                [(state >> 33) as usize % 62] as char
        };
        (0..length).map(|_| digit()).collect()
    };
    let secret = |number: usize| match number % 5 {
        0 => format!("sk-ant-api03-{}", digits(number, 80)),
        1 => format!("ghp_{}", digits(number, 36)),
        2 => format!(
            "postgres://user:{}@db.internal:5432/app",
            digits(number, 16)
        ),
        3 => format!("AKIA{}", digits(number, 16)),
        _ => digits(number, 40),
    };
    let (set, refused) =
        SecretSet::new((0..count).map(|number| (format!("K{number}"), secret(number))));
    assert!(refused.is_empty());
    set
}

/// Lines that look like a log.
fn some_lines(line: usize) -> Vec<u8> {
    let words = [
        "compiling",
        "test",
        "ok",
        "src/main.rs:42",
        "warning",
        "GET /api/v1/jobs",
        "0x7ffe12ab",
        "passed",
        "in 1.2s",
    ];
    let mut text = Vec::new();
    let mut state = 7_usize;
    while text.len() < 1 << 20 {
        let begin = text.len();
        while text.len() - begin < line - 1 {
            state = state.wrapping_mul(25_214_903_917).wrapping_add(11);
            text.extend_from_slice(words[(state >> 20) % words.len()].as_bytes());
            text.push(b' ');
        }
        text.truncate(begin + line - 1);
        text.push(b'\n');
    }
    text
}

/// The command: prints this many lines of this length.
fn print_lines(arguments: &[String]) {
    let [writes, line, count] = arguments else {
        panic!("{PRINT} takes three arguments");
    };
    let line: usize = line.parse().expect("a length");
    let mut left = count.parse::<usize>().expect("a number of lines") * line;
    let text = some_lines(line);
    let step = if writes == "blocks" { 64 * 1024 } else { line };
    // Unbuffered: a line buffer would split blocks.
    let mut out = std::fs::File::from(nix::unistd::dup(std::io::stdout()).expect("stdout"));
    while left > 0 {
        for piece in text.chunks(step) {
            let piece = &piece[..piece.len().min(left)];
            out.write_all(piece).expect("somebody reads");
            left -= piece.len();
        }
    }
}

fn command_line(workload: &Workload, count: usize) -> Vec<String> {
    let program = std::env::current_exe().expect("this program");
    let writes = match workload.writes {
        Writes::Blocks => "blocks",
        Writes::Lines => "lines",
    };
    [
        program.to_str().expect("a plain path"),
        PRINT,
        writes,
        &workload.line.to_string(),
        &count.to_string(),
    ]
    .map(str::to_owned)
    .to_vec()
}

fn raw(workload: &Workload, count: usize) -> Duration {
    let argv = command_line(workload, count);
    let begun = Instant::now();
    let mut child = Command::new(&argv[0])
        .args(&argv[1..])
        .stdout(Stdio::piped())
        .spawn()
        .expect("the command starts");
    let mut stdout = child.stdout.take().expect("a pipe");
    let mut buffer = vec![0; 64 * 1024];
    let mut seen = 0;
    loop {
        match stdout.read(&mut buffer).expect("output") {
            0 => break,
            got => seen += got,
        }
    }
    assert_eq!(seen, count * workload.line);
    assert!(child.wait().expect("its end").success());
    begun.elapsed()
}

/// The time until the record is there, and the processor time of shim and command together.
async fn captured(workload: &Workload, count: usize, secrets: &SecretSet) -> (Duration, Duration) {
    let directory = tempfile::tempdir().expect("a directory");
    let spec = spec(workload, count, directory.path());
    let program =
        ShimProgram::with_arguments::<&str>(env!("CARGO_BIN_EXE_dogwatch-shim-for-tests"), []);
    let before = children_time();
    let begun = Instant::now();
    let mut supervised = Supervised::spawn(&program, &spec, secrets, directory.path())
        .await
        .expect("a shim");
    let record = supervised.wait().await.expect("a record");
    let wall = begun.elapsed();
    assert_eq!(
        record.stdout.seen,
        (count * workload.line) as u64,
        "{record:?}"
    );
    (wall, children_time() - before)
}

fn children_time() -> Duration {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).expect("usage");
    let micros = usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
    Duration::from_micros(u64::try_from(micros).expect("time goes forward"))
}

fn spec(workload: &Workload, count: usize, directory: &Path) -> ShimSpec {
    ShimSpec {
        v: SPEC_VERSION,
        argv: command_line(workload, count)
            .into_iter()
            .map(Into::into)
            .collect(),
        cwd: directory.into(),
        env: Vec::new(),
        frames_path: directory.join("output.frames").into(),
        exit_path: directory.join("exit.json").into(),
        control_path: directory.join("control.sock").into(),
        budget_ms: 600_000,
        stall_ms: None,
        grace_ms: 1000,
        output_cap: workload.cap,
        rung: WantedRung::Auto,
        deadline_boottime_ns: None,
        view: None,
        max_processes: DEFAULT_MAX_PROCESSES,
    }
}
