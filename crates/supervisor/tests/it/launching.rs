//! How a command starts, what it finds, and how its own end is recorded.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use dogwatch_supervisor::{
    Cause, EnvVar, Leftovers, MainStatus, Rung, SupervisorError, WantedRung, probe,
};

use crate::case::{Case, bytes_of, everywhere, settings, variable};

#[tokio::test(flavor = "multi_thread")]
async fn an_exit_code_is_recorded_with_who_and_how() {
    everywhere(|setting| async move {
        let case = Case::sh(setting, "exit 7");
        let mut supervised = case.spawn().await;
        let shim = supervised.shim().clone();
        let record = supervised.wait().await.unwrap();
        assert_eq!(record.cause, Cause::Exited { code: 7 });
        assert_eq!(record.main_status, Some(MainStatus::Exited(7)));
        assert_eq!(record.rung, Some(setting.rung));
        assert_eq!(record.rung_refused, None);
        assert_eq!(record.shim, shim);
        assert_eq!(record.leftovers, Leftovers::default());
        assert_eq!(record.last_progress_at, None);
        assert_eq!(record.containment, None);
        assert!(!record.pipes_left_open);
        assert!(record.started_at <= record.ended_at);
        let main = record.main.unwrap();
        assert!(main.pid != shim.pid && main.boot_id == shim.boot_id);
        assert!(!main.is_alive().unwrap());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn signals_end_a_command_as_they_would_in_a_fresh_login() {
    // The shim ignores or receives some of these itself, which must not be inherited.
    for (name, number) in [("SEGV", 11), ("HUP", 1), ("PIPE", 13), ("INT", 2)] {
        everywhere(|setting| async move {
            let record = Case::sh(setting, &format!("kill -{name} $$; sleep 60"))
                .run()
                .await;
            assert_eq!(record.cause, Cause::Signalled { signal: number });
            assert_eq!(record.main_status, Some(MainStatus::Signalled(number)));
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_cannot_start_says_why() {
    everywhere(|setting| async move {
        let spawn_failed = |record: dogwatch_supervisor::ExitRecord| {
            assert_eq!((record.main, record.main_status), (None, None));
            match record.cause {
                Cause::SpawnFailed { errno, message } => (errno, message),
                other => panic!("{other:?}"),
            }
        };

        let (errno, message) = spawn_failed(Case::new(setting, &["no-such-agent"]).run().await);
        assert_eq!(errno, 2);
        assert!(
            message.contains("command `no-such-agent` was not found"),
            "{message}"
        );

        let case = Case::new(setting, &["./plain.txt"]);
        fs::write(case.work().join("plain.txt"), "not a program").unwrap();
        let (errno, message) = spawn_failed(case.run().await);
        assert_eq!(errno, 13);
        assert!(
            message.contains("`./plain.txt` is not executable"),
            "{message}"
        );

        let mut case = Case::new(setting, &["true"]);
        case.spec.cwd = "/no/such/directory".into();
        let (errno, message) = spawn_failed(case.run().await);
        assert_eq!(errno, 2);
        assert!(
            message.contains("working directory `/no/such/directory`"),
            "{message}"
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_is_looked_up_in_its_own_path_but_never_in_its_directory() {
    everywhere(|setting| async move {
        let mut case = Case::new(setting, &["tool"]);
        let bin = case.work().join("bin");
        fs::create_dir(&bin).unwrap();
        for (place, code) in [(bin.clone(), 5), (case.work(), 6)] {
            let tool = place.join("tool");
            fs::write(&tool, format!("#!/bin/sh\nexit {code}\n")).unwrap();
            let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
            fs::set_permissions(&tool, executable).unwrap();
        }
        let path = format!(":.:bin:/nowhere:{}", bin.display());
        case.spec.env = vec![variable("PATH", &path)];
        assert_eq!(case.run().await.cause, Cause::Exited { code: 5 });
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn standard_input_is_at_its_end_and_no_other_descriptor_is_there() {
    everywhere(|setting| async move {
        let case = Case::sh(setting, "cat; echo read; ls /proc/$$/fd");
        assert_eq!(case.run().await.cause, Cause::Exited { code: 0 });
        let listed = String::from_utf8(case.plain().stdout).unwrap();
        let mut lines = listed.lines();
        assert_eq!(lines.next(), Some("read"));
        // Without a /proc of its own, the shell's number means nothing in the namespace.
        let fresh = setting.rung == Rung::Subreaper || case.record().unwrap().fresh_proc;
        if fresh {
            assert_eq!(lines.collect::<Vec<_>>(), ["0", "1", "2"]);
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_environment_is_exactly_the_list() {
    everywhere(|setting| async move {
        let mut case = Case::new(setting, &["/usr/bin/env", "-0"]);
        case.spec.env = vec![
            variable("ONE", "1 and\na line"),
            EnvVar {
                name: "BYTES".into(),
                value: OsStr::from_bytes(b"\xff=\xfe").into(),
            },
        ];
        assert_eq!(case.run().await.cause, Cause::Exited { code: 0 });
        assert_eq!(case.plain().stdout, b"ONE=1 and\na line\0BYTES=\xff=\xfe\0");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn any_directory_name_works() {
    everywhere(|setting| async move {
        for name in [&b"with space"[..], b"with\nline", b"not utf-8 \xff\xfe"] {
            let path = Path::new(OsStr::from_bytes(name));
            let case = Case::below(setting, path, &["/bin/pwd", "-P"]);
            assert_eq!(case.run().await.cause, Cause::Exited { code: 0 });
            let expected = fs::canonicalize(case.work()).unwrap();
            assert_eq!(
                case.plain().stdout,
                [bytes_of(&expected), b"\n".to_vec()].concat()
            );
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_keeps_its_user_and_cannot_gain_privileges() {
    everywhere(|setting| async move {
        let case = Case::sh(setting, "id -u; id -g; grep NoNewPrivs /proc/self/status");
        assert_eq!(case.run().await.cause, Cause::Exited { code: 0 });
        let (uid, gid) = if setting.as_nobody {
            (65534, 65534)
        } else {
            (
                nix::unistd::geteuid().as_raw(),
                nix::unistd::getegid().as_raw(),
            )
        };
        let printed = String::from_utf8(case.plain().stdout).unwrap();
        assert_eq!(printed, format!("{uid}\n{gid}\nNoNewPrivs:\t1\n"));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_namespace_has_its_own_numbers_and_its_own_proc() {
    for setting in settings().await {
        if setting.rung != Rung::PidNamespace {
            continue;
        }
        let case = Case::sh(
            setting,
            "echo $$; cat /proc/1/comm; kill -KILL 1; echo survived",
        );
        let record = case.run().await;
        assert_eq!(record.cause, Cause::Exited { code: 0 });
        let printed = String::from_utf8(case.plain().stdout).unwrap();
        let expected = if record.fresh_proc {
            "2\ndogwatch-init\nsurvived\n"
        } else {
            "2\n"
        };
        assert!(printed.starts_with(expected), "{printed}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn auto_takes_the_best_rung_there_is() {
    let offered = settings().await;
    for as_nobody in [false, true] {
        let best = [Rung::PidNamespace, Rung::Subreaper]
            .map(|rung| crate::case::Setting { as_nobody, rung })
            .into_iter()
            .find(|setting| offered.contains(setting));
        let Some(setting) = best else {
            continue;
        };
        let mut case = Case::new(setting, &["true"]);
        case.spec.rung = WantedRung::Auto;
        let record = case.run().await;
        assert_eq!(record.rung, Some(setting.rung));
        assert_eq!(
            record.rung_refused.is_some(),
            setting.rung == Rung::Subreaper
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_probe_agrees_with_what_commands_get() {
    let found = probe();
    let offered = settings().await;
    let namespace = offered
        .iter()
        .find(|setting| !setting.as_nobody && setting.rung == Rung::PidNamespace);
    assert_eq!(
        found.pid_namespace.available,
        namespace.is_some(),
        "{found:?}"
    );
    if let Some(setting) = namespace {
        let record = Case::new(*setting, &["true"]).run().await;
        assert_eq!(record.fresh_proc, found.fresh_proc.available, "{found:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_used_directory_or_a_bad_spec_is_refused_before_anything_runs() {
    everywhere(|setting| async move {
        for existing in ["output.frames", "exit.json", "control.sock"] {
            let case = Case::sh(setting, "touch ran");
            fs::write(case.path().join(existing), "earlier").unwrap();
            match case.try_spawn().await.unwrap_err() {
                SupervisorError::Refused { message } => {
                    assert!(message.contains(existing), "{message}");
                }
                other => panic!("{other:?}"),
            }
            assert!(!case.work().join("ran").exists());
            assert_eq!(fs::read(case.path().join(existing)).unwrap(), b"earlier");
        }
        let mut case = Case::new(setting, &["true"]);
        case.spec.budget_ms = 0;
        let refused = case.try_spawn().await.unwrap_err();
        assert!(matches!(refused, SupervisorError::Spec(_)), "{refused:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shim_program_that_does_not_exist_is_named() {
    let case = Case::new(settings().await[0], &["true"]);
    let program = dogwatch_supervisor::ShimProgram::new("/no/such/dogwatch");
    let error =
        dogwatch_supervisor::Supervised::spawn(&program, &case.spec, &case.secrets, case.path())
            .await
            .unwrap_err();
    assert!(error.to_string().contains("/no/such/dogwatch"), "{error}");
}
