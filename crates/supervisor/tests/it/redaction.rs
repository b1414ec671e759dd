//! Secrets: nowhere on the disk, in no argument, no environment but the command's, and in no memory that others may read.

use std::fs;
use std::path::Path;
use std::process::Command;

use dogwatch_core::redact::SecretSet;
use dogwatch_supervisor::{Cause, ExitRecord, Rung};

use crate::case::{Case, Setting, eventually, everywhere, settings, variable};

const SECRET: &str = "sk-Xy12/zQ+\"9 end";

fn with_secret(setting: Setting, script: &str) -> Case {
    let mut case = Case::sh(setting, script);
    case.spec.env.push(variable("S", SECRET));
    case.secrets = SecretSet::new([("API_KEY", SECRET)]).0;
    case
}

/// Fails if a file below the directory holds a part of the secret that says something.
fn assert_clean(directory: &Path) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            assert_clean(&path);
        } else if let Ok(bytes) = fs::read(&path) {
            let text = String::from_utf8_lossy(&bytes);
            for part in ["Xy12", "c2stWHkx", "WHkxMi", "736b2d58", "%73%6b"] {
                assert!(!text.contains(part), "{part} in {}: {text}", path.display());
            }
        }
    }
}

const WAIT: &str = "until [ -e go ]; do sleep 0.05; done";

#[tokio::test(flavor = "multi_thread")]
async fn what_a_command_prints_of_a_secret_is_its_name() {
    everywhere(|setting| async move {
        let script = r#"
            echo "plain $S"
            printf %s "$S" | base64
            printf 'ab%s' "$S" | base64 -w0; echo
            printf %s "$S" | od -An -v -tx1 | tr -d ' \n'; echo
            printf %s "$S" | od -An -v -tx1 | tr -d '\n' | tr ' ' %; echo
            echo "err $S" >&2
            printf 'in pieces '
            for n in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17; do
                printf %s "$S" | cut -c "$n" | tr -d '\n'
            done"#;
        let script = format!("{script}\n{WAIT}");
        let case = with_secret(setting, &script);
        let mut supervised = case.spawn().await;
        let progress = supervised.progress();
        let last_line = || {
            let progress = progress.borrow();
            progress
                .output
                .as_ref()
                .map(|output| output.last_line.clone())
        };
        let expected = "in pieces [redacted:API_KEY]";
        eventually("the name is told", || {
            last_line().as_deref() == Some(expected)
        })
        .await;
        let pid = supervised.shim().pid;
        for file in ["cmdline", "environ"] {
            let seen = fs::read(format!("/proc/{pid}/{file}")).unwrap();
            assert!(!String::from_utf8_lossy(&seen).contains("Xy12"));
        }
        assert_clean(case.path());
        case.make("go");
        let record = supervised.wait().await.unwrap();
        assert_clean(case.path());
        let plain = case.plain();
        let stdout = String::from_utf8(plain.stdout).unwrap();
        let lines: Vec<&str> = stdout.lines().collect();
        let name = "[redacted:API_KEY]";
        assert_eq!(lines.len(), 6, "{stdout}");
        assert_eq!(lines[0], format!("plain {name}"));
        assert_eq!(lines[1], name);
        assert!(
            lines[2].starts_with("YWJ") && lines[2].contains(name),
            "{stdout}"
        );
        assert_eq!(&lines[3..], [name, name, expected]);
        assert_eq!(plain.stderr, format!("err {name}\n").as_bytes());
        // Counted as stored, so that offsets mean the same everywhere.
        assert_eq!(record.stdout.seen, stdout.len() as u64);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_record_names_secrets_and_does_not_say_them() {
    everywhere(|setting| async move {
        let mut case = with_secret(setting, "true");
        case.spec.argv = vec![format!("/no/such/{SECRET}").as_str().into()];
        let record = case.run().await;
        let Cause::SpawnFailed { message, .. } = &record.cause else {
            panic!("{record:?}");
        };
        assert!(message.contains("/no/such/[redacted:API_KEY]"), "{message}");
        assert_clean(case.path());

        let case = with_secret(setting, "touch up; exec sleep 60");
        let mut supervised = case.spawn().await;
        case.made("up").await;
        supervised.stop(&format!("because {SECRET}")).await.unwrap();
        let record = supervised.wait().await.unwrap();
        let reason = "because [redacted:API_KEY]".to_owned();
        assert_eq!(record.cause, Cause::Stopped { reason });
        assert_clean(case.path());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_named_after_a_secret_is_recorded_by_the_secrets_name() {
    everywhere(|setting| async move {
        // As long as a process's name may be, and no other's.
        let place = 2 * u8::from(setting.as_nobody) + u8::from(setting.rung == Rung::Subreaper);
        let name = format!("tok-7f3a9c2e51{place}");
        let script = format!(
            "cp /bin/sleep ./{name}; (setsid ./{name} 60 & ) ; until grep -qs {name} /proc/[0-9]*/comm; do sleep 0.02; done"
        );
        let mut case = Case::sh(setting, &script);
        case.secrets = SecretSet::new([("NAME", &name)]).0;
        let record: ExitRecord = case.run().await;
        assert_eq!(record.leftovers.names, ["[redacted:NAME]"]);
        let stored = fs::read_to_string(case.spec.exit_path.as_path()).unwrap();
        assert!(!stored.contains(&name), "{stored}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_and_long_secrets_arrive() {
    let long = |number: usize| format!("{number:04}-{}", "k".repeat(4000));
    let mut case = Case::sh(Setting::here(), "printf %s \"$S\"");
    case.spec.env.push(variable("S", &long(57)));
    let values = (0..100).map(|number| (format!("K{number}"), long(number)));
    case.secrets = SecretSet::new(values).0;
    case.run().await;
    assert_eq!(case.plain().stdout, b"[redacted:K57]");
}

/// What another process of the same user sees of a process's memory.
fn others_can_read(pid: i32) -> bool {
    let seen = Command::new("/usr/bin/setpriv")
        .args(["--reuid=65534", "--regid=65534", "--clear-groups", "cat"])
        .arg(format!("/proc/{pid}/maps"))
        .output()
        .unwrap();
    seen.status.success() && !seen.stdout.is_empty()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_memory_that_holds_secrets_is_for_nobody_else() {
    for setting in settings().await {
        if !setting.as_nobody {
            continue;
        }
        let case = with_secret(setting, &format!("ulimit -c; touch up; {WAIT}"));
        let mut supervised = case.spawn().await;
        case.made("up").await;
        let started = supervised.progress().borrow().started.clone();
        let started = started.unwrap();
        assert!(!others_can_read(supervised.shim().pid));
        if setting.rung == Rung::PidNamespace {
            assert!(!others_can_read(started.root.pid));
        }
        // The command itself is an ordinary process, which shows that the look would have told.
        assert!(others_can_read(started.main.pid));
        case.make("go");
        supervised.wait().await.unwrap();
        assert_eq!(case.plain().stdout, b"0\n");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn private_memory_costs_an_ordinary_user_no_namespace() {
    let probed = dogwatch_supervisor::probe();
    let found = settings().await;
    let has = |as_nobody, rung| found.contains(&Setting { as_nobody, rung });
    let possible = probed.pid_namespace.available && probed.user_namespace.available;
    if possible && has(true, Rung::Subreaper) {
        assert!(has(true, Rung::PidNamespace), "{found:?}");
    }
}
