//! Who gets which job, and what is said of those that wait.

use std::collections::BTreeSet;
use std::time::Duration;

use dogwatch_api::{Caller, Claim, ControlPlane, JobRef, Scope, StartRun, Submit, SyncRunner};
use dogwatch_core::event::Via;
use dogwatch_core::ids::{JobId, MachineId, ProjectId, RunId, SessionId, TokenId};
use dogwatch_core::job::{RunOutcome, StartFrom};
use dogwatch_core::queue::{
    Constraint, Offer, OfferedSession, QueueState, SlaState, WaitingReason,
};
use dogwatch_core::{Clock, Timestamp};
use dogwatch_store::{LogFilter, Reads};

use crate::bench::Bench;

/// A runner that calls over the network.
fn remote(bench: &Bench) -> Caller {
    Caller {
        token: Some(TokenId::mint(&bench.clock, &*bench.entropy)),
        via: Via::Http,
        scopes: [Scope::Read, Scope::Runner].into(),
        ..Caller::local_runner("runner:remote")
    }
}

async fn take(bench: &Bench, caller: &Caller) -> Vec<JobId> {
    let request = bench.claim_request(None, 10);
    let claimed = bench.caller(caller.clone()).claim(request).await.unwrap();
    claimed.jobs.into_iter().map(|job| job.job.id).collect()
}

async fn queue(bench: &Bench, job: JobId) -> dogwatch_core::queue::QueueView {
    bench.user().job(job).await.unwrap().queue
}

async fn submit(bench: &Bench, change: impl FnOnce(&mut Submit)) -> JobId {
    let mut request = bench.request("one");
    change(&mut request);
    bench.user().submit(request).await.unwrap().job_id
}

#[tokio::test]
async fn every_state_against_schedule_and_deadline_is_reached_and_nothing_is_written_for_it() {
    let bench = Bench::new();
    let now = bench.clock.now();
    let after = |hours: u64| Some(now.plus(Duration::from_secs(hours * 3_600)));
    let scheduled = submit(&bench, |job| job.not_before = after(1)).await;
    let on_track = submit(&bench, |job| job.deadline = after(5)).await;
    let (running, done, ended) = (
        bench.running("running").await,
        bench.running("done").await,
        bench.running("ended").await,
    );
    bench.ended(&done, RunOutcome::Succeeded).await;
    bench.ended(&ended, RunOutcome::Failed).await;
    let written = async || {
        let everything = LogFilter {
            limit: 1_000,
            ..LogFilter::default()
        };
        bench.store.log(everything).await.unwrap().len()
    };
    let before = written().await;
    let sla = async |job| queue(&bench, job).await.sla_state;
    assert_eq!(sla(scheduled).await, SlaState::Scheduled);
    assert_eq!(sla(on_track).await, SlaState::OnTrack);
    assert_eq!(sla(running.job).await, SlaState::InProgress);
    assert_eq!(sla(done.job).await, SlaState::Completed);
    assert_eq!(sla(ended.job).await, SlaState::Ended);
    bench.clock.advance(Duration::from_secs(4 * 3_600));
    assert_eq!(sla(on_track).await, SlaState::AtRisk);
    assert_eq!(sla(scheduled).await, SlaState::OnTrack);
    bench.clock.advance(Duration::from_secs(3_600));
    assert_eq!(sla(on_track).await, SlaState::Breached);
    assert_eq!(written().await, before);
}

#[tokio::test]
async fn a_list_says_of_every_job_where_it_is_in_the_queue() {
    let bench = Bench::new();
    bench
        .runner()
        .sync(bench.sync_request(Offer::anything(bench.machine)))
        .await
        .unwrap();
    let later = Some(bench.clock.now().plus(Duration::from_secs(60)));
    let waiting = submit(&bench, |job| job.not_before = later).await;
    let running = bench.running("one").await;
    let ready = bench.submitted("ready").await;
    let user = bench.user();
    let list = user.list_jobs(dogwatch_api::ListJobs::default()).await;
    let list = list.unwrap().items;
    let of = |id| &list.iter().find(|view| view.job.id == id).unwrap().queue;
    assert_eq!(of(waiting).queue_state, QueueState::Waiting);
    assert_eq!(
        of(waiting).waiting_reason,
        Some(WaitingReason::ScheduledForFuture)
    );
    assert!(!of(waiting).eligible);
    assert_eq!(of(running.job).queue_state, QueueState::Claimed);
    assert_eq!(of(ready).queue_state, QueueState::Eligible);
    assert_eq!(
        of(ready).waiting_reason,
        Some(WaitingReason::WaitingForRunner)
    );
    bench.clock.advance(Duration::from_secs(60));
    assert!(queue(&bench, waiting).await.eligible);
}

#[tokio::test]
async fn the_greatest_priority_comes_first_and_then_the_oldest() {
    let bench = Bench::new();
    let mut jobs = Vec::new();
    for priority in [0, 5, 0, 9, 5] {
        jobs.push(submit(&bench, |job| job.priority = priority).await);
        bench.clock.advance(Duration::from_secs(1));
    }
    let order = [3, 1, 4, 0, 2].map(|index| jobs[index]);
    let runner = Caller::local_runner("runner:test");
    assert_eq!(take(&bench, &runner).await, order);
}

#[tokio::test]
async fn a_machine_takes_what_it_has_the_checkout_the_topic_and_the_agent_for() {
    let bench = Bench::new();
    let caller = remote(&bench);
    let plane = bench.caller(caller.clone());
    let early = plane.claim(bench.claim_request(None, 1)).await.unwrap_err();
    assert_eq!(early.code, "runner_not_synced");
    let elsewhere = ProjectId::mint(&bench.clock, &*bench.entropy);
    let offers = [
        (
            Offer {
                projects: Some([elsewhere].into()),
                ..Offer::anything(bench.machine)
            },
            "project_not_linked",
        ),
        (
            Offer {
                topics: ["other".to_owned()].into(),
                ..Offer::anything(bench.machine)
            },
            "topic_not_served",
        ),
        (
            Offer {
                agents: Some(["codex".to_owned()].into()),
                ..Offer::anything(bench.machine)
            },
            "agent_not_there",
        ),
    ];
    let job = bench.submitted("one").await;
    for (offer, code) in offers {
        plane.sync(bench.sync_request(offer)).await.unwrap();
        assert!(take(&bench, &caller).await.is_empty(), "{code}");
        let named = plane.claim(bench.claim_request(Some(job), 1)).await;
        assert_eq!(named.unwrap_err().code, code);
        assert_eq!(
            queue(&bench, job).await.waiting_reason,
            Some(WaitingReason::NoEligibleRunner)
        );
        let why = bench.user().why(JobRef::Job(job)).await.unwrap();
        assert_eq!(why.unmet[0].code(), code);
    }
    let anything = bench.sync_request(Offer::anything(bench.machine));
    plane.sync(anything).await.unwrap();
    assert_eq!(take(&bench, &caller).await, [job]);
}

#[tokio::test]
async fn what_nobody_can_take_stands_in_nobodys_way() {
    let bench = Bench::new();
    let stuck = submit(&bench, |job| {
        job.topic = "special".to_owned();
        job.priority = 9;
    })
    .await;
    let usual = bench.submitted("usual").await;
    let caller = remote(&bench);
    let offer = Offer {
        topics: ["task".to_owned()].into(),
        ..Offer::anything(bench.machine)
    };
    let plane = bench.caller(caller.clone());
    plane.sync(bench.sync_request(offer)).await.unwrap();
    assert_eq!(take(&bench, &caller).await, [usual]);
    assert!(queue(&bench, stuck).await.eligible, "it is never dropped");
}

#[tokio::test]
async fn a_runner_of_other_projects_takes_nothing_of_this_one() {
    let bench = Bench::new();
    let job = bench.submitted("one").await;
    let elsewhere = ProjectId::mint(&bench.clock, &*bench.entropy);
    let mut caller = remote(&bench);
    caller.projects = Some([elsewhere].into());
    let plane = bench.caller(caller.clone());
    let anything = bench.sync_request(Offer::anything(bench.machine));
    plane.sync(anything).await.unwrap();
    assert!(take(&bench, &caller).await.is_empty());
    let named = plane.claim(bench.claim_request(Some(job), 1)).await;
    assert_eq!(named.unwrap_err().code, "project_forbidden");
    caller.projects = Some([elsewhere, bench.project].into());
    assert_eq!(take(&bench, &caller).await, [job]);
}

#[tokio::test]
async fn saying_the_same_again_writes_nothing_and_a_restart_forgets_nothing() {
    let mut bench = Bench::new();
    let events = async |bench: &Bench| {
        let everything = LogFilter {
            limit: 100,
            ..LogFilter::default()
        };
        bench.store.log(everything).await.unwrap().len()
    };
    let offer = Offer {
        agents: Some(["codex".to_owned()].into()),
        ..Offer::anything(bench.machine)
    };
    let said = bench.sync_request(offer);
    let synced = bench.runner().sync(said.clone()).await.unwrap();
    assert_eq!((synced.protocol, synced.lease_ttl_ms), (1, 30_000));
    assert_eq!(events(&bench).await, 1);
    bench.clock.advance(Duration::from_secs(5));
    bench.runner().sync(said.clone()).await.unwrap();
    assert_eq!(events(&bench).await, 1);
    let seen = bench.user().list_runners().await.unwrap().items;
    assert_eq!(seen[0].seen_at, bench.clock.now());

    bench.restart();
    let known = bench.user().list_runners().await.unwrap().items;
    assert_eq!(known.len(), 1);
    assert_eq!(known[0].runner.offer, said.offer);
    assert_eq!(known[0].seen_at, Timestamp::EPOCH, "not by this process");
    bench.submitted("one").await;
    let taken = take(&bench, &Caller::local_runner("runner:test")).await;
    assert!(
        taken.is_empty(),
        "the offer counts for the machine's own runner too"
    );
    bench.runner().sync(said).await.unwrap();
    assert_eq!(events(&bench).await, 3, "one of the runner, two of the job");
}

#[tokio::test]
async fn a_runner_that_is_too_old_is_told_so() {
    let bench = Bench::new();
    let old = SyncRunner {
        protocol: 0,
        ..bench.sync_request(Offer::anything(bench.machine))
    };
    let refused = bench.runner().sync(old).await.unwrap_err();
    assert_eq!(refused.code, "protocol_too_old");
    assert!(bench.user().list_runners().await.unwrap().items.is_empty());
}

#[tokio::test]
async fn runners_are_listed_with_what_they_do() {
    let bench = Bench::new();
    let anything = bench.sync_request(Offer::anything(bench.machine));
    bench.runner().sync(anything).await.unwrap();
    let running = bench.running("one").await;
    let listed = bench.user().list_runners().await.unwrap().items;
    assert_eq!(listed[0].jobs, [running.job]);
    let elsewhere = ProjectId::mint(&bench.clock, &*bench.entropy);
    let stranger = bench.caller(Caller {
        projects: Some([elsewhere].into()),
        ..Caller::local_user("user:stranger")
    });
    let listed = stranger.list_runners().await.unwrap().items;
    assert!(listed[0].jobs.is_empty());
}

fn session(bench: &Bench, archived: bool) -> OfferedSession {
    OfferedSession {
        id: SessionId::mint(&bench.clock, &*bench.entropy),
        project: bench.project,
        archived,
        primary: false,
    }
}

#[tokio::test]
async fn a_job_that_demands_a_session_goes_to_its_machine_or_is_refused() {
    let bench = Bench::new();
    let (active, archived) = (session(&bench, false), session(&bench, true));
    let owner = remote(&bench);
    let offer = Offer {
        sessions: vec![active.clone(), archived.clone()],
        ..Offer::anything(bench.machine)
    };
    let plane = bench.caller(owner.clone());
    plane.sync(bench.sync_request(offer)).await.unwrap();
    let other_machine = MachineId::mint(&bench.clock, &*bench.entropy);
    let without = bench.sync_request(Offer::anything(other_machine));
    plane.sync(without).await.unwrap();

    let exact = |session: SessionId| {
        let mut request = bench.request("one");
        request.session = Some(session);
        request.exact = true;
        request
    };
    for refused in [archived.id, SessionId::mint(&bench.clock, &*bench.entropy)] {
        let problem = bench.user().submit(exact(refused)).await.unwrap_err();
        assert_eq!(problem.code, "session_archived");
    }
    let job = bench.user().submit(exact(active.id)).await.unwrap().job_id;
    let elsewhere = Claim {
        machine: other_machine,
        ..bench.claim_request(None, 1)
    };
    let taken = plane.claim(elsewhere).await.unwrap();
    assert!(taken.jobs.is_empty());
    assert_eq!(take(&bench, &owner).await, [job]);
}

#[tokio::test]
async fn a_job_whose_session_is_gone_falls_back_and_that_is_on_record() {
    let bench = Bench::new();
    let gone = session(&bench, true);
    let stands_in = session(&bench, false);
    let offer = Offer {
        sessions: vec![gone.clone(), stands_in.clone()],
        ..Offer::anything(bench.machine)
    };
    bench
        .runner()
        .sync(bench.sync_request(offer))
        .await
        .unwrap();
    let job = submit(&bench, |job| job.session = Some(gone.id)).await;
    let why = bench.user().why(JobRef::Job(job)).await.unwrap();
    assert!(why.summary.contains("archived"), "{}", why.summary);
    assert!(why.constraints.contains(&Constraint::Session {
        session: gone.id,
        exact: false
    }));
    let (_, held) = bench.claimed(job).await;
    let start = StartRun {
        held,
        run: RunId::mint(&bench.clock, &*bench.entropy),
        session: Some(stands_in.id),
        continues: None,
        start_from: StartFrom::Base,
    };
    bench.runner().start(start).await.unwrap();
    let why = bench.user().why(JobRef::Job(job)).await.unwrap();
    assert!(
        why.summary.contains(&stands_in.id.to_string())
            && why.summary.contains(&gone.id.to_string()),
        "{}",
        why.summary
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_claimers_get_each_job_once() {
    let bench = std::sync::Arc::new(Bench::new());
    for n in 0..12 {
        bench.submitted(&format!("job {n}")).await;
    }
    let claimers: Vec<_> = (0..6)
        .map(|_| {
            let bench = bench.clone();
            tokio::spawn(async move {
                let request = bench.claim_request(None, 3);
                let claimed = bench.runner().claim(request).await.unwrap();
                claimed.jobs.into_iter().map(|job| job.job.id).collect()
            })
        })
        .collect();
    let mut granted = BTreeSet::new();
    for claimer in claimers {
        let jobs: Vec<JobId> = claimer.await.unwrap();
        for job in jobs {
            assert!(granted.insert(job), "{job} was granted twice");
        }
    }
    assert_eq!(granted.len(), 12);
}
