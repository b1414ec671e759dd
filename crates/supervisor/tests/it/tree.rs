//! No process of a command outlives it, however it tried to get away.

use std::time::Duration;

use dogwatch_supervisor::{Cause, ControlError, Rung, SupervisorError, TreeState};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::case::{Case, escape, eventually, everywhere, marked, marked_seconds, running};

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_got_away_is_counted_named_and_ended_on_success_too() {
    everywhere(|setting| async move {
        let mark = marked_seconds();
        let case = Case::sh(setting, &format!("{} exit 0", escape(&mark)));
        let record = case.run().await;
        assert_eq!(record.cause, Cause::Exited { code: 0 });
        assert_eq!(running(&mark), 0);
        assert!(record.leftovers.count >= 1, "{record:?}");
        let names = &record.leftovers.names;
        // The shell makes its mark just before it becomes the sleep.
        let known = |name: &String| name == "sh" || name == "sleep";
        assert!(!names.is_empty() && names.iter().all(known), "{names:?}");
        assert_eq!(record.leftovers.unknown, None);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_got_away_is_ended_on_a_stall() {
    everywhere(|setting| async move {
        let mark = marked_seconds();
        let mut case = Case::sh(setting, &format!("{} sleep 600", escape(&mark)));
        case.spec.stall_ms = Some(1500);
        let record = case.run().await;
        assert!(matches!(record.cause, Cause::Stalled { .. }), "{record:?}");
        assert_eq!(running(&mark), 0);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_whole_crowd_of_stubborn_orphans_is_ended() {
    everywhere(|setting| async move {
        let mark = marked_seconds();
        let script = format!(
            "for n in 1 2 3 4 5 6 7 8 9 10 11 12; do \
               (setsid sh -c 'trap \"\" TERM; touch up.'$n'; while :; do sleep {mark}; done' &); \
             done; \
             for n in 1 2 3 4 5 6 7 8 9 10 11 12; do until [ -e up.$n ]; do sleep 0.02; done; done"
        );
        let mut case = Case::sh(setting, &script);
        case.spec.grace_ms = 200;
        let record = case.run().await;
        assert_eq!(record.cause, Cause::Exited { code: 0 });
        assert!(record.leftovers.count >= 12, "{record:?}");
        assert_eq!(record.leftovers.names.len(), 10);
        assert_eq!(running(&mark), 0);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_process_is_ended_as_well() {
    everywhere(|setting| async move {
        let mark = marked_seconds();
        let script = format!("{} kill -STOP $$", escape(&mark));
        let case = Case::sh(setting, &script);
        let mut supervised = case.spawn().await;
        case.made("up").await;
        supervised.stop("enough").await.unwrap();
        let record = supervised.wait().await.unwrap();
        assert!(matches!(record.cause, Cause::Stopped { .. }), "{record:?}");
        assert_eq!(running(&mark), 0);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_wide_signal_of_the_command_does_not_reach_the_shim() {
    everywhere(|setting| async move {
        let record = Case::sh(setting, "kill -KILL 0; sleep 60").run().await;
        assert_eq!(record.cause, Cause::Signalled { signal: 9 });
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_shim_takes_the_tree_along() {
    everywhere(|setting| async move {
        let mark = marked_seconds();
        let script = format!("{} exec sleep {mark}", escape(&mark));
        let case = Case::sh(setting, &script);
        let mut supervised = case.spawn().await;
        let progress = supervised.progress();
        eventually("the command has started", || {
            progress.borrow().started.is_some()
        })
        .await;
        eventually("both processes run", || running(&mark) == 2).await;
        kill(Pid::from_raw(supervised.shim().pid), Signal::SIGKILL).unwrap();
        let error = supervised.wait().await.unwrap_err();
        let SupervisorError::NoRecord { started, tree, .. } = error else {
            panic!("{error:?}");
        };
        let started = started.unwrap();
        assert!(!started.main.is_alive().unwrap());
        match setting.rung {
            Rung::PidNamespace => {
                assert_eq!(tree, TreeState::Gone);
                assert_eq!(running(&mark), 0);
            }
            Rung::Subreaper => {
                // Without a namespace only the main process is tied to the shim, and the error says so.
                assert_eq!(tree, TreeState::MainGone);
                end_escaped(&mark).await;
            }
        }
        let error = supervised.stop("too late").await.unwrap_err();
        assert!(matches!(error, ControlError::Gone { .. }), "{error:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shim_sleeps_while_nothing_happens() {
    everywhere(|setting| async move {
        let case = Case::sh(setting, "echo begun; until [ -e go ]; do sleep 0.2; done");
        let mut supervised = case.spawn().await;
        let progress = supervised.progress();
        eventually("the command has begun", || {
            progress.borrow().output.is_some()
        })
        .await;
        let before = processor_ticks(supervised.shim().pid);
        // SLEEP: the time over which idleness is measured.
        tokio::time::sleep(Duration::from_secs(2)).await;
        let used = processor_ticks(supervised.shim().pid) - before;
        // A loop that turned without a reason would use most of two seconds, even on a busy machine.
        assert!(used < 20, "{used} ticks");
        case.make("go");
        assert_eq!(
            supervised.wait().await.unwrap().cause,
            Cause::Exited { code: 0 }
        );
    })
    .await;
}

/// User and system time of a process whose name has no spaces.
fn processor_ticks(pid: i32) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields: Vec<&str> = stat.split(' ').collect();
    fields[13].parse::<u64>().unwrap() + fields[14].parse::<u64>().unwrap()
}

/// What the test itself left running is ended by name, for nobody else knows it any more.
async fn end_escaped(mark: &str) {
    for pid in marked(mark) {
        kill(Pid::from_raw(pid), Signal::SIGKILL).unwrap();
    }
    eventually("the escaped process is gone", || running(mark) == 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_first_process_is_a_loss_and_not_a_success() {
    everywhere(|setting| async move {
        if setting.rung != Rung::PidNamespace {
            return;
        }
        let mark = marked_seconds();
        let case = Case::sh(setting, &format!("{} exec sleep {mark}", escape(&mark)));
        let mut supervised = case.spawn().await;
        let progress = supervised.progress();
        eventually("the command has started", || {
            progress.borrow().started.is_some()
        })
        .await;
        let root = progress.borrow().started.clone().unwrap().root;
        kill(Pid::from_raw(root.pid), Signal::SIGKILL).unwrap();
        let record = supervised.wait().await.unwrap();
        assert_eq!((record.cause, record.main_status), (Cause::Lost, None));
        assert_eq!(running(&mark), 0);
    })
    .await;
}
