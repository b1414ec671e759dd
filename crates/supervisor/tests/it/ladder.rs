//! The ways processes try to outlive their command, each tried again and again, also when the command succeeds.
//!
//! `DOGWATCH_TEST_REPEATS` says how often.

use std::path::Path;
use std::time::{Duration, Instant};

use dogwatch_supervisor::{Cause, Rung};

use crate::case::{Case, Setting, marked, marked_seconds, running, say, settings};
use crate::view::{Contained, Who, whoever};

/// A name and a script in which `MARK` is what its processes sleep for. Each makes `up` when its process is there.
const SHAPES: &[(&str, &str)] = &[
    ("the same group", "(touch up; exec sleep MARK) & WAIT"),
    (
        "a new group",
        "sh -mc '(touch up; exec sleep MARK) &'; WAIT",
    ),
    (
        "a new session",
        "setsid sh -c 'touch up; exec sleep MARK' & WAIT",
    ),
    (
        "forked twice",
        "(setsid sh -c '(touch up; exec sleep MARK) &' &); WAIT",
    ),
    (
        "a daemon without environment",
        "(env -i setsid sh -c 'cd /; exec sleep MARK' </dev/null >/dev/null 2>&1 &); touch up",
    ),
    (
        "one that ignores the request",
        "(setsid sh -c 'trap \"\" TERM HUP INT; touch up; while :; do sleep MARK; done' &); WAIT",
    ),
    (
        "a stopped one",
        "(setsid sh -c 'touch up; kill -STOP $$; exec sleep MARK' &); WAIT",
    ),
    (
        "one that forks when asked to end",
        "(setsid sh -c 'trap \"setsid sleep MARK & setsid sleep MARK &\" TERM; touch up; while :; do sleep MARK & wait; done' &); WAIT",
    ),
    (
        "a storm of forks",
        "(setsid sh -c 'touch up; f() { while :; do sleep MARK & n=$((n+1)); [ $n -gt 60 ] && exec sleep MARK; done; }; n=0; f & f & f & f & wait' &); WAIT",
    ),
];

/// Starters of processes that are not the command's children, where they are installed.
const SERVICES: &[(&str, &str, &str)] = &[
    (
        "tmux",
        "/usr/bin/tmux",
        "TMUX_TMPDIR=/tmp SHELL=/bin/sh tmux -f /dev/null new-session -d 'touch up; exec sleep MARK'; WAIT",
    ),
    (
        "systemd-run",
        "/usr/bin/systemd-run",
        "systemd-run --user sleep MARK; touch up",
    ),
    ("at", "/usr/bin/at", "echo 'sleep MARK' | at now; touch up"),
    (
        "cron",
        "/usr/bin/crontab",
        "echo '* * * * * sleep MARK' | crontab -; touch up",
    ),
];

fn repeats() -> usize {
    std::env::var("DOGWATCH_TEST_REPEATS")
        .ok()
        .and_then(|number| number.parse().ok())
        .unwrap_or(3)
}

fn script(shape: &str, mark: &str, end: &str) -> String {
    let wait = "n=0; until [ -e up ]; do sleep 0.01; n=$((n+1)); [ $n -gt 3000 ] && exit 9; done";
    format!(
        "{}; {end}",
        shape.replace("MARK", mark).replace("WAIT", wait)
    )
}

async fn outlive(setting: Setting, name: &str, shape: &str) {
    for round in 0..repeats() {
        let mark = marked_seconds();
        // Every second command succeeds by itself; the others are killed in the middle of it.
        let succeeds = round % 2 == 0;
        let end = if succeeds { "exit 0" } else { "sleep 600" };
        let mut case = Case::sh(setting, &script(shape, &mark, end));
        case.spec.grace_ms = 30;
        case.spec.max_processes = 1024;
        let record = if succeeds {
            case.run().await
        } else {
            let mut supervised = case.spawn().await;
            case.made("up").await;
            supervised.stop("enough").await.unwrap();
            supervised.wait().await.unwrap()
        };
        let expected = if succeeds {
            matches!(record.cause, Cause::Exited { code: 0 })
        } else {
            matches!(record.cause, Cause::Stopped { .. })
        };
        assert!(expected, "{name} {setting:?} {record:?}");
        assert_eq!(marked(&mark), [0_i32; 0], "{name} {setting:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_shape_outlives_its_command() {
    let settings = settings().await;
    for (name, shape) in SHAPES {
        let started = Instant::now();
        for setting in &settings {
            outlive(*setting, name, shape).await;
        }
        let rounds = repeats() * settings.len();
        say(&format!(
            "{name}: {rounds} rounds in {:?}",
            started.elapsed()
        ));
    }
}

/// Without a view these services are the machine's, so whatever they start is theirs. In a view they cannot be reached.
#[tokio::test(flavor = "multi_thread")]
async fn no_service_starts_anything_that_outlives_a_contained_command() {
    for (name, program, shape) in SERVICES {
        if !Path::new(program).exists() {
            say(&format!("SKIPPED: {name} is not installed"));
            continue;
        }
        for who in whoever().await {
            for _ in 0..repeats() {
                let mark = marked_seconds();
                let mut contained = Contained::sh(who, &script(shape, &mark, "exit 0"));
                contained.case.spec.grace_ms = 30;
                let record = contained.case.run().await;
                assert_eq!(record.cause, Cause::Exited { code: 0 }, "{name} {who:?}");
                assert_eq!(marked(&mark), [0_i32; 0], "{name} {who:?}");
                if *name == "tmux" {
                    assert!(record.leftovers.count > 0, "{record:?}");
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_processes_are_killed_quickly() {
    let mut times = Vec::new();
    let setting = Setting {
        as_nobody: false,
        rung: Rung::PidNamespace,
    };
    if !settings().await.contains(&setting) {
        say("SKIPPED: no PID namespace here");
        return;
    }
    for _ in 0..repeats() {
        let mark = marked_seconds();
        let many = format!(
            "n=0; while [ $n -lt 100 ]; do sleep {mark} & n=$((n+1)); done; touch up; sleep {mark}"
        );
        let case = Case::sh(setting, &many);
        let mut supervised = case.spawn().await;
        case.made("up").await;
        let control = supervised.control().clone();
        let asked = Instant::now();
        control.kill().await.unwrap();
        let record = supervised.wait().await.unwrap();
        times.push(asked.elapsed());
        assert!(matches!(record.cause, Cause::Stopped { .. }), "{record:?}");
        assert_eq!(running(&mark), 0);
    }
    times.sort_unstable();
    let p99 = times[(times.len() * 99).div_ceil(100) - 1];
    say(&format!(
        "killing 100 processes: median {:?}, p99 {p99:?}",
        times[times.len() / 2]
    ));
    // A loaded machine is slower than the figure that is measured on a quiet one.
    assert!(p99 < Duration::from_secs(2), "{p99:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fork_bomb_meets_its_limit_and_dies_whole() {
    for who in whoever().await {
        let mark = marked_seconds();
        let script = format!("f() {{ sleep {mark} & f & f; }}; while :; do f 2>/dev/null; done");
        let mut contained = Contained::sh(who, &script);
        contained.case.spec.max_processes = 400;
        contained.case.spec.grace_ms = 30;
        contained.case.spec.budget_ms = 1500;
        let watch = tokio::spawn({
            let mark = mark.clone();
            async move {
                let mut most = 0;
                loop {
                    most = most.max(running(&mark));
                    if most > 800 {
                        return most;
                    }
                    // SLEEP: between two looks.
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            }
        });
        let record = contained.case.run().await;
        assert!(!watch.is_finished(), "{who:?} went past its limit");
        watch.abort();
        assert_eq!(record.max_processes, Some(400), "{record:?}");
        assert!(record.leftovers.count > 100, "{record:?}");
        assert_eq!(marked(&mark), [0_i32; 0], "{who:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn descriptors_and_core_files_are_limited() {
    for who in whoever().await {
        let (record, out, err) = Contained::sh(who, "ulimit -Hn; ulimit -Hc").run().await;
        assert_eq!(record.cause, Cause::Exited { code: 0 }, "{err}");
        let mut lines = out.lines();
        let most: u64 = lines.next().unwrap().parse().unwrap();
        assert!(most <= 16_384, "{out}");
        assert_eq!(lines.next(), Some("0"));
    }
}

/// From the shim's last moment before the command's set-up to the command's first own one, and the whole from spawn to record.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_view_costs() {
    for who in whoever().await {
        let mut plain = Vec::new();
        let mut viewed = Vec::new();
        for _ in 0..repeats() {
            let mut contained = Contained::new(who, &["/bin/date", "+%s%6N"]);
            for times in [&mut viewed, &mut plain] {
                let started = Instant::now();
                let (record, out, err) = contained.run().await;
                assert_eq!(record.cause, Cause::Exited { code: 0 }, "{record:?} {err}");
                let begun: i64 = out.trim().parse().unwrap();
                let set_up = begun.saturating_sub(record.started_at.as_micros());
                times.push((set_up, started.elapsed()));
                contained.case.forget();
                contained.case.spec.view = None;
                contained.case.spec.cwd = "/".into();
            }
        }
        for (what, mut times) in [("without a view", plain), ("with a view", viewed)] {
            times.sort_unstable();
            let p99 = times[(times.len() * 99).div_ceil(100) - 1];
            let median = times[times.len() / 2];
            say(&format!(
                "{who:?} {what}: (set-up in us, whole) median {median:?}, p99 {p99:?}"
            ));
            assert!(median.1 < Duration::from_secs(10), "{median:?}");
        }
    }
    assert!(whoever().await.contains(&Who::Same));
}
