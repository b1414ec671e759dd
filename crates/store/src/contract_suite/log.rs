//! What is written down.

use dogwatch_core::event::{ENVELOPE_VERSION, Envelope, StreamId, Via};
use dogwatch_core::ids::{EventId, JobId, ProjectId};
use dogwatch_core::job::{JobEvent, JobStream, RunOutcome};
use dogwatch_core::server::ServerCommand;

use super::bench::Bench;
use super::commands::Held;
use crate::LogFilter;

/// A job with two leases and two closed runs.
async fn history(bench: &Bench) -> Held {
    let (held, _) = bench.running().await;
    bench
        .command(held.job, bench.revoke_command(held))
        .await
        .unwrap();
    bench.tick();
    let again = bench.claim(held.job).await;
    let run = bench.start(again).await;
    bench.close(again, run, RunOutcome::Succeeded).await;
    again
}

/// Who, when, why, for what, under which epoch: from the first commit on.
pub async fn every_event_is_complete(bench: &Bench) {
    let held = history(bench).await;
    let cause = EventId::mint(bench.clock.as_ref(), bench.entropy.as_ref());
    let job = bench.new_job();
    let mut update = bench.update(bench.submission(bench.facts(job)));
    update.context.cause = Some(cause);
    update.context.trace = Some("00-trace".to_owned());
    let caused = bench.store.update(job, update).await.unwrap();
    for event in &caused.events {
        assert_eq!(event.envelope.cause, Some(cause));
        assert_eq!(event.envelope.trace.as_deref(), Some("00-trace"));
    }

    let lines = bench.log(held.job).await;
    let envelopes: Vec<Envelope> = lines
        .iter()
        .map(|line| serde_json::from_slice(&line.line).unwrap())
        .collect();
    let kinds: Vec<_> = envelopes
        .iter()
        .map(|envelope| {
            let about_run = envelope.run.is_some();
            let epoch = envelope.epoch.map(|epoch| epoch.0);
            (envelope.kind.as_str(), about_run, epoch)
        })
        .collect();
    assert_eq!(
        kinds,
        [
            ("policy.decided.v1", false, None),
            ("job.submitted.v1", false, None),
            ("policy.decided.v1", false, None),
            ("lease.granted.v1", false, Some(1)),
            ("run.created.v1", true, Some(1)),
            ("lease.revoked.v1", false, Some(1)),
            ("run.closed.v1", true, Some(1)),
            ("job.requeued.v1", false, None),
            ("policy.decided.v1", false, None),
            ("lease.granted.v1", false, Some(2)),
            ("run.created.v1", true, Some(2)),
            ("run.closed.v1", true, Some(2)),
            ("lease.released.v1", false, Some(2)),
            ("job.succeeded.v1", false, None),
        ]
    );
    for envelope in &envelopes {
        assert_eq!(envelope.v, ENVELOPE_VERSION);
        assert_eq!(envelope.actor.via, Via::Cli);
        assert_eq!(envelope.project, Some(bench.project));
        assert_eq!(envelope.job, Some(held.job));
    }
    // What a decision led to names it.
    assert_eq!(envelopes[0].cause, None);
    assert_eq!(envelopes[1].cause, Some(envelopes[0].id));
    assert_eq!(envelopes[3].cause, Some(envelopes[2].id));
    assert_eq!(envelopes[7].cause, Some(envelopes[5].id));
}

/// Recomputed here, from nothing but the lines; and their fold is the state.
pub async fn the_chain_holds(bench: &Bench) {
    let held = history(bench).await;
    let stream = StreamId::Job(held.job);
    let mut prev = stream.genesis();
    let mut state = JobStream::default();
    for (line, seq) in bench.log(held.job).await.iter().zip(1..) {
        let envelope: Envelope = serde_json::from_slice(&line.line).unwrap();
        assert_eq!((line.seq, envelope.seq), (seq, seq));
        assert_eq!(envelope.stream, stream);
        assert_eq!(envelope.prev, prev);
        prev = stream.link(seq, &line.line);
        let event = JobEvent::from_parts(&envelope.kind, &envelope.data).unwrap();
        state = state.apply(&event, envelope.at);
        assert_eq!(envelope.seal().unwrap().line, line.line);
    }
    assert_eq!(state.job, Some(bench.job(held.job).await));
    assert!(bench.store.check_chains().await.unwrap().is_empty());
}

/// What an update returns is what is stored.
pub async fn events_are_read_from_a_position(bench: &Bench) {
    let job = bench.submit().await;
    let updated = bench.command(job, bench.cancel_command()).await.unwrap();
    let tail = bench.store.events(job, 2, 10).await.unwrap();
    assert_eq!(tail.len(), 1);
    assert_eq!(tail[0].line, updated.events[0].line);
    assert_eq!(tail[0].seq, 3);
    assert_eq!(bench.store.events(job, 0, 2).await.unwrap().len(), 2);
    assert!(bench.store.events(job, 3, 10).await.unwrap().is_empty());
    let beyond = bench.store.events(job, u64::MAX, 10).await.unwrap();
    assert!(beyond.is_empty());
}

/// One order over all streams, those of jobs and the server's own: that of the commits.
pub async fn the_log_is_in_the_order_of_commits(bench: &Bench) {
    let other = ProjectId::mint(bench.clock.as_ref(), bench.entropy.as_ref());
    let mut lines: Vec<(Option<JobId>, Option<ProjectId>, Vec<u8>)> = Vec::new();
    let mut keep = |events: Vec<dogwatch_core::event::SealedEvent>| {
        lines.extend(events.into_iter().map(|event| {
            let envelope = &event.envelope;
            (envelope.job, envelope.project, event.line)
        }));
    };
    let start = ServerCommand::Start {
        version: "1".to_owned(),
    };
    let (first, second) = (bench.new_job(), bench.new_job());
    keep(bench.server(start).await.unwrap().events);
    let submission = bench.submission(bench.facts(first));
    keep(bench.command(first, submission).await.unwrap().events);
    let mut facts = bench.facts(second);
    facts.project = other;
    keep(
        bench
            .command(second, bench.submission(facts))
            .await
            .unwrap()
            .events,
    );
    let stop = ServerCommand::Stop {
        reason: "idle".to_owned(),
    };
    keep(bench.server(stop).await.unwrap().events);
    for job in [first, second] {
        let cancel = bench.cancel_command();
        keep(bench.command(job, cancel).await.unwrap().events);
    }
    assert_eq!(lines.len(), 8);

    let read = async |job: Option<JobId>, project: Option<ProjectId>, limit: u32| {
        let mut filter = LogFilter {
            after: 0,
            job,
            project,
            limit,
        };
        let mut read: Vec<Vec<u8>> = Vec::new();
        loop {
            let page = bench.store.log(filter.clone()).await.unwrap();
            assert!(page.len() <= limit as usize);
            for line in page.iter() {
                assert!(line.position > filter.after, "positions only grow");
                filter.after = line.position;
            }
            if page.is_empty() {
                return read;
            }
            read.extend(page.into_iter().map(|line| line.line));
        }
    };
    let own = Some(bench.project);
    for (job, project) in [
        (None, None),
        (Some(first), None),
        (Some(second), None),
        (None, own),
        (None, Some(other)),
        (Some(first), own),
        (Some(first), Some(other)),
    ] {
        let expected: Vec<Vec<u8>> = lines
            .iter()
            .filter(|(of, _, _)| job.is_none() || *of == job)
            .filter(|(_, of, _)| project.is_none() || *of == project)
            .map(|(_, _, line)| line.clone())
            .collect();
        for limit in [1, 3, 100] {
            assert_eq!(read(job, project, limit).await, expected);
        }
    }
    let beyond = LogFilter {
        after: u64::MAX,
        limit: 10,
        ..LogFilter::default()
    };
    assert!(bench.store.log(beyond).await.unwrap().is_empty());
    // Whatever is appended later comes after all that was read before.
    let last = bench.control_log().await.last().unwrap().0;
    bench.submit().await;
    let log = bench.control_log().await;
    assert!(log[lines.len()].0 > last);
}
