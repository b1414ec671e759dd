//! Who gets which job.

use std::collections::BTreeSet;
use std::time::Duration;

use dogwatch_core::event::Epoch;
use dogwatch_core::ids::{JobId, ProjectId, SessionId};
use dogwatch_core::job::Refusal;
use dogwatch_core::queue::{Offer, OfferedSession};

use super::bench::{Bench, ManualClock};
use super::commands::{Held, held};
use super::concurrently::concurrently;
use crate::StoreError;

/// And nothing else decides.
pub async fn the_greatest_priority_then_the_oldest(bench: &Bench) {
    let mut jobs = Vec::new();
    for priority in [0, 5, -3, 5, 0, i32::MAX, i32::MIN, 5] {
        let job = bench.submit_with(|facts| facts.priority = priority).await;
        jobs.push((std::cmp::Reverse(priority), job));
    }
    // The sort is stable, so the older of two equals stays in front.
    jobs.sort_by_key(|(priority, _)| *priority);
    for (_, job) in jobs {
        bench.claim(job).await;
    }
    assert_eq!(bench.try_claim().await, None);
}

/// However important it will be.
pub async fn a_scheduled_job_waits_and_blocks_nobody(bench: &Bench) {
    let later = bench.now().plus(Duration::from_secs(60));
    let scheduled = bench
        .submit_with(|facts| {
            facts.not_before = Some(later);
            facts.priority = 100;
        })
        .await;
    let plain = bench.submit().await;
    let last = bench.submit().await;
    bench.claim(plain).await;
    bench.clock.set(later);
    bench.claim(scheduled).await;
    bench.claim(last).await;
    assert_eq!(bench.try_claim().await, None);

    // A clock that is set back takes a job's turn away, and nobody else's.
    let later = bench.now().plus(Duration::from_secs(60));
    let scheduled = bench
        .submit_with(|facts| {
            facts.not_before = Some(later);
            facts.priority = 100;
        })
        .await;
    bench.clock.set(later);
    let urgent = bench.submit_with(|facts| facts.priority = 200).await;
    bench.claim(urgent).await;
    bench.clock.set(ManualClock::START);
    let plain = bench.submit().await;
    bench.claim(plain).await;
    assert_eq!(bench.try_claim().await, None);
    bench.clock.set(later);
    bench.claim(scheduled).await;
}

/// The schedule decides between equals, and who was there first between those with the same.
pub async fn priority_then_schedule_then_age(bench: &Bench) {
    let start = bench.now();
    let at = |seconds| start.plus(Duration::from_secs(seconds));
    let scheduled = async |seconds, priority| {
        bench
            .submit_with(|facts| {
                facts.not_before = Some(at(seconds));
                facts.priority = priority;
            })
            .await
    };
    let late = scheduled(50, 0).await;
    let urgent = scheduled(90, 1).await;
    let plain = bench.submit().await;
    let late_too = scheduled(50, 0).await;
    let soon = scheduled(20, 0).await;
    bench.clock.set(at(30));
    let newer = bench.submit().await;
    // Its time had come before it was submitted.
    let overdue = scheduled(0, 0).await;
    bench.clock.set(at(100));
    for job in [urgent, overdue, plain, soon, newer, late, late_too] {
        bench.claim(job).await;
    }
    assert_eq!(bench.try_claim().await, None);
}

/// An offer names the projects whose jobs may be taken.
pub async fn a_claim_keeps_to_its_projects(bench: &Bench) {
    let other = ProjectId::mint(bench.clock.as_ref(), bench.entropy.as_ref());
    let third = ProjectId::mint(bench.clock.as_ref(), bench.entropy.as_ref());
    let foreign = bench
        .submit_with(|facts| {
            facts.project = other;
            facts.priority = 9;
        })
        .await;
    let own = bench.submit().await;
    let last = bench.submit_with(|facts| facts.project = other).await;
    let offering = |projects: &[ProjectId]| Offer {
        projects: Some(projects.iter().copied().collect()),
        ..bench.offer()
    };
    assert_eq!(bench.try_claim_of(offering(&[])).await, None);
    assert_eq!(bench.try_claim_of(offering(&[third])).await, None);
    let claimed = bench.try_claim_of(offering(&[bench.project, third])).await;
    assert_eq!(claimed.unwrap().job, own);
    assert_eq!(bench.try_claim_of(offering(&[bench.project])).await, None);
    // The events of a stream are of the stream's project, whoever writes them.
    let claimed = bench
        .store
        .update_next_ready(offering(&[bench.project, other]), bench.claiming())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(held(&claimed).job, foreign);
    assert!(
        claimed
            .events
            .iter()
            .all(|event| event.envelope.project == Some(other))
    );
    bench.claim(last).await;
}

/// A job that nobody here can do stands in nobody's way, however important it is.
pub async fn an_unmet_job_blocks_nobody(bench: &Bench) {
    let session = SessionId::mint(bench.clock.as_ref(), bench.entropy.as_ref());
    let topic = bench
        .submit_with(|facts| {
            facts.topic = "gpu".to_owned();
            facts.priority = 9;
        })
        .await;
    let agent = bench
        .submit_with(|facts| {
            facts.agent = "codex".to_owned();
            facts.priority = 8;
        })
        .await;
    let elsewhere = bench
        .submit_with(|facts| {
            facts.session = Some(session);
            facts.exact = true;
            facts.priority = 7;
        })
        .await;
    let plain = bench.submit().await;
    let small = Offer {
        topics: ["default".to_owned()].into(),
        agents: Some(["scripted".to_owned()].into()),
        ..bench.offer()
    };
    assert_eq!(bench.try_claim_of(small.clone()).await.unwrap().job, plain);
    assert_eq!(bench.try_claim_of(small.clone()).await, None);
    for job in [topic, agent, elsewhere] {
        assert_eq!(bench.log(job).await.len(), 2);
    }

    let with_topic = Offer {
        topics: BTreeSet::new(),
        ..small.clone()
    };
    assert_eq!(bench.try_claim_of(with_topic).await.unwrap().job, topic);
    let with_agent = Offer {
        agents: None,
        ..small.clone()
    };
    assert_eq!(bench.try_claim_of(with_agent).await.unwrap().job, agent);
    let owner = Offer {
        sessions: vec![OfferedSession {
            id: session,
            project: bench.project,
            archived: false,
            primary: true,
        }],
        ..small
    };
    assert_eq!(bench.try_claim_of(owner).await.unwrap().job, elsewhere);
}

/// Eight claimers, forty jobs: every job once, and each claimer in order.
pub async fn many_claimers_get_each_job_once(bench: &Bench) {
    let mut jobs = Vec::new();
    for number in 0..40 {
        let priority = number % 3;
        let job = bench.submit_with(|facts| facts.priority = priority).await;
        jobs.push((std::cmp::Reverse(priority), job));
    }
    jobs.sort_by_key(|(priority, _)| *priority);
    let order: Vec<JobId> = jobs.into_iter().map(|(_, job)| job).collect();

    let claimers = (0..8).map(|_| async {
        let mut claimed: Vec<Held> = Vec::new();
        while let Some(held) = bench.try_claim().await {
            claimed.push(held);
        }
        claimed
    });
    let claimed = concurrently(claimers).await;
    for one in &claimed {
        let places: Vec<_> = one
            .iter()
            .map(|held| order.iter().position(|job| *job == held.job).unwrap())
            .collect();
        assert!(places.is_sorted(), "{places:?}");
    }
    let all: Vec<Held> = claimed.into_iter().flatten().collect();
    let distinct: BTreeSet<JobId> = all.iter().map(|held| held.job).collect();
    assert_eq!((all.len(), distinct.len()), (40, 40));
    // One after the other, as the log has it.
    let granted: Vec<JobId> = bench
        .control_log()
        .await
        .iter()
        .filter(|(_, envelope)| envelope.kind == "lease.granted.v1")
        .filter_map(|(_, envelope)| envelope.job)
        .collect();
    assert_eq!(granted, order);
    let mut active: Vec<Held> = bench
        .store
        .active_leases()
        .await
        .unwrap()
        .iter()
        .map(|(job, lease)| Held::of(*job, lease))
        .collect();
    let mut all = all;
    all.sort_by_key(|held| held.job);
    active.sort_by_key(|held| held.job);
    assert_eq!(active, all);
}

/// Over every way a lease can end.
pub async fn epochs_only_grow(bench: &Bench) {
    let job = bench.submit_with(|facts| facts.max_attempts = 9).await;
    let mut last = Epoch::default();
    for round in 0..6 {
        let held = bench.claim(job).await;
        assert!(held.epoch > last, "{} after {last}", held.epoch);
        last = held.epoch;
        let end = if round % 2 == 0 {
            bench.release_command(held)
        } else {
            bench.revoke_command(held)
        };
        bench.command(job, end).await.unwrap();
        assert_eq!(bench.job(job).await.epoch, last);
    }
}

/// What is not about this job alone comes back, and nothing was written.
pub async fn a_refused_claim_leaves_the_job_ready(bench: &Bench) {
    let job = bench.submit().await;
    let refusing = bench.deciding(move |_, _| Err(Refusal::WrongRun));
    let error = bench
        .store
        .update_next_ready(bench.offer(), refusing)
        .await
        .unwrap_err();
    assert!(
        matches!(error, StoreError::Refused(Refusal::WrongRun)),
        "{error:?}"
    );
    let at = bench.now();
    for refusal in [Refusal::NotYet(at), Refusal::BackingOff(1), Refusal::Policy] {
        let passing = bench.deciding(move |_, _| Err(refusal.clone()));
        let claimed = bench
            .store
            .update_next_ready(bench.offer(), passing)
            .await
            .unwrap();
        assert!(claimed.is_none());
    }
    assert_eq!(bench.log(job).await.len(), 2);
    bench.claim(job).await;
}
