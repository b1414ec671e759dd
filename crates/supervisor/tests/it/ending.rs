//! Clocks, requests and the fencing deadline: each ends the tree, and each is told apart.

use std::time::Duration;

use dogwatch_supervisor::os::clock::boottime_ns;
use dogwatch_supervisor::{Cause, Ended, MainStatus, ShimFile};

use crate::case::{Case, PATIENCE, escape, eventually, everywhere, marked_seconds, running};

const SECOND: u64 = 1_000_000_000;

fn stopped(reason: &str) -> Cause {
    Cause::Stopped {
        reason: reason.to_owned(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chatty_command_outlives_the_stall_window() {
    everywhere(|setting| async move {
        let script = "for n in 1 2 3 4 5 6 7 8 9 10 11 12; do echo $n >&2; sleep 0.4; done";
        let mut case = Case::sh(setting, script);
        case.spec.stall_ms = Some(4000);
        let record = case.run().await;
        assert_eq!(record.cause, Cause::Exited { code: 0 });
        // It would have been ended if its output did not count.
        assert!(record.ended_at.since(record.started_at) > Duration::from_millis(4000));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_command_is_stalled() {
    everywhere(|setting| async move {
        let mut case = Case::sh(setting, "echo begun; sleep 600");
        case.spec.stall_ms = Some(700);
        let record = case.run().await;
        assert!(
            matches!(record.cause, Cause::Stalled { silent_ms } if silent_ms >= 700),
            "{record:?}"
        );
        assert_eq!(record.main_status, Some(MainStatus::Signalled(15)));
        assert!(record.last_progress_at.is_some());
        assert_eq!(case.plain().stdout, b"begun\n");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_budget_ends_even_a_chatty_command() {
    everywhere(|setting| async move {
        let mut case = Case::sh(setting, "while :; do echo on and on; sleep 0.1; done");
        case.spec.stall_ms = Some(60_000);
        case.spec.budget_ms = 1500;
        assert_eq!(case.run().await.cause, Cause::Budget);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_asks_first_and_keeps_the_first_reason() {
    everywhere(|setting| async move {
        let script =
            "trap 'sleep 0.3; echo tidied; exit 3' TERM; echo up; while :; do sleep 0.05; done";
        let case = Case::sh(setting, script);
        let mut supervised = case.spawn().await;
        let progress = supervised.progress();
        eventually("the command is up", || progress.borrow().output.is_some()).await;
        supervised.stop("cancelled by a person").await.unwrap();
        supervised.stop("a later reason").await.unwrap();
        let record = supervised.wait().await.unwrap();
        assert_eq!(record.cause, stopped("cancelled by a person"));
        assert_eq!(record.main_status, Some(MainStatus::Exited(3)));
        assert_eq!(case.plain().stdout, b"up\ntidied\n");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tree_that_ignores_being_asked_is_killed_after_the_grace() {
    everywhere(|setting| async move {
        let mark = marked_seconds();
        let script = format!("trap '' TERM; {} while :; do sleep 1; done", escape(&mark));
        let mut case = Case::sh(setting, &script);
        case.spec.grace_ms = 300;
        let mut supervised = case.spawn().await;
        case.made("up").await;
        supervised.stop("enough").await.unwrap();
        let record = supervised.wait().await.unwrap();
        assert_eq!(record.cause, stopped("enough"));
        assert_eq!(record.main_status, killed_main(&case));
        assert!(record.leftovers.count >= 1, "{record:?}");
        assert_eq!(running(&mark), 0);
    })
    .await;
}

/// In a namespace the command dies with the first process, which can then no longer tell.
fn killed_main(case: &Case) -> Option<MainStatus> {
    match case.setting.rung {
        dogwatch_supervisor::Rung::PidNamespace => None,
        dogwatch_supervisor::Rung::Subreaper => Some(MainStatus::Signalled(9)),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_does_not_wait_for_the_grace() {
    everywhere(|setting| async move {
        let mut case = Case::sh(setting, "trap '' TERM; touch up; while :; do sleep 1; done");
        case.spec.grace_ms = 3_600_000;
        let mut supervised = case.spawn().await;
        case.made("up").await;
        supervised.stop("please").await.unwrap();
        supervised.kill().await.unwrap();
        let record = tokio::time::timeout(PATIENCE, supervised.wait())
            .await
            .unwrap()
            .unwrap();
        assert_eq!(record.cause, stopped("please"));
        assert_eq!(record.main_status, killed_main(&case));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_deadline_ends_the_tree_when_no_runner_is_left() {
    everywhere(|setting| async move {
        let mark = marked_seconds();
        // Neither being asked nor a grace would be in time.
        let script = format!("trap '' TERM; {} while :; do sleep 1; done", escape(&mark));
        let mut case = Case::sh(setting, &script);
        case.spec.grace_ms = 3_600_000;
        case.spec.deadline_boottime_ns = Some(boottime_ns() + 3 * SECOND);
        drop(case.spawn().await);
        case.made("up").await;
        eventually("the record appears", || case.record().is_some()).await;
        assert_eq!(case.record().unwrap().cause, Cause::Fenced);
        assert!(boottime_ns() >= case.spec.deadline_boottime_ns.unwrap());
        assert_eq!(running(&mark), 0);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deadline_moves_both_ways() {
    everywhere(|setting| async move {
        let script = "touch up; until [ -e go ]; do sleep 0.05; done";
        let mut case = Case::sh(setting, script);
        let first = boottime_ns() + 5 * SECOND;
        case.spec.deadline_boottime_ns = Some(first);
        let mut supervised = case.spawn().await;
        supervised
            .set_deadline(boottime_ns() + 3600 * SECOND)
            .await
            .unwrap();
        eventually("the first deadline is over", || {
            boottime_ns() > first + SECOND / 2
        })
        .await;
        assert_eq!(case.record(), None);
        case.make("go");
        assert_eq!(
            supervised.wait().await.unwrap().cause,
            Cause::Exited { code: 0 }
        );

        let mut case = Case::sh(setting, script);
        case.spec.deadline_boottime_ns = Some(boottime_ns() + 3600 * SECOND);
        let mut supervised = case.spawn().await;
        case.made("up").await;
        supervised.set_deadline(boottime_ns()).await.unwrap();
        assert_eq!(supervised.wait().await.unwrap().cause, Cause::Fenced);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_past_its_deadline_is_not_started() {
    everywhere(|setting| async move {
        let mut case = Case::sh(setting, "touch ran");
        case.spec.deadline_boottime_ns = Some(boottime_ns());
        let record = case.run().await;
        assert_eq!((record.cause, record.main), (Cause::Fenced, None));
        assert!(!case.work().join("ran").exists());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn recovery_ends_a_shim_it_did_not_start_by_its_file() {
    everywhere(|setting| async move {
        let mark = marked_seconds();
        let script = format!("{} while :; do sleep 1; done", escape(&mark));
        let case = Case::sh(setting, &script);
        let mut supervised = case.spawn().await;
        let file = ShimFile::read(case.path()).unwrap().unwrap();
        assert_eq!(&file.shim, supervised.shim());
        assert_eq!(file.exit_path, case.spec.exit_path);
        case.made("up").await;
        let shim = file.shim.clone();
        let ended = tokio::task::spawn_blocking(move || shim.terminate(PATIENCE));
        assert_eq!(ended.await.unwrap().unwrap(), Ended::Terminated);
        assert_eq!(case.record().unwrap().cause, stopped("signal"));
        assert_eq!(running(&mark), 0);
        assert_eq!(supervised.wait().await.unwrap().cause, stopped("signal"));
    })
    .await;
}
