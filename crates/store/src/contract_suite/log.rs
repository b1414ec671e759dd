//! What is written down.

use dogwatch_core::event::{ENVELOPE_VERSION, Envelope, StreamId, Via};
use dogwatch_core::ids::EventId;
use dogwatch_core::job::{JobEvent, JobStream, RunOutcome};

use super::bench::Bench;
use super::commands::Held;

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
        assert_eq!(envelope.project, bench.project);
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
