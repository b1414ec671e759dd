//! Requests that are made more than once.

use std::time::Duration;

use dogwatch_core::ids::{JobId, ProjectId};
use dogwatch_core::job::{Refusal, decide};
use serde_json::json;

use super::bench::Bench;
use super::commands::held;
use super::concurrently::concurrently;
use crate::{Decision, Idempotency, JobFilter, PageRequest, StoreError, Update, Updated};

fn submitting(bench: &Bench, job: JobId, key: Idempotency) -> Update {
    let command = bench.submission(bench.facts(job));
    let mut update = bench.deciding(move |stream, now| {
        Ok(Decision {
            events: decide(stream, &command, now)?,
            reply: json!({"job": job.to_string()}),
        })
    });
    update.idempotency = Some(key);
    update
}

async fn submit(bench: &Bench, key: Idempotency) -> Result<(JobId, Updated), StoreError> {
    let job = bench.new_job();
    let updated = bench.store.update(job, submitting(bench, job, key)).await?;
    Ok((job, updated))
}

async fn count(bench: &Bench) -> usize {
    let page = PageRequest {
        limit: 100,
        cursor: None,
    };
    bench
        .store
        .jobs(JobFilter::default(), page)
        .await
        .unwrap()
        .items
        .len()
}

/// Also when the caller minted another id for it, and when the job has moved on since.
pub async fn the_same_request_gets_the_same_answer(bench: &Bench) {
    let (job, first) = submit(bench, bench.key("k", "request")).await.unwrap();
    assert!(!first.replayed);
    assert_eq!(first.events.len(), 2);
    bench.claim(job).await;

    let (other, again) = submit(bench, bench.key("k", "request")).await.unwrap();
    assert!(again.replayed);
    assert_eq!(again.reply, first.reply);
    assert!(again.events.is_empty());
    let stream = again.stream.job.unwrap();
    assert_eq!(stream, bench.job(job).await);
    assert_eq!(bench.store.job(other).await.unwrap(), None);
    assert_eq!(count(bench).await, 1);
}

/// A key stands for one request.
pub async fn another_request_under_the_key_is_refused(bench: &Bench) {
    submit(bench, bench.key("k", "request")).await.unwrap();
    let error = submit(bench, bench.key("k", "another")).await.unwrap_err();
    assert!(
        matches!(&error, StoreError::IdempotencyConflict { key } if key == "k"),
        "{error:?}"
    );
    assert_eq!(count(bench).await, 1);
}

/// What was refused may be asked again, and be granted.
pub async fn a_refused_request_keeps_no_key(bench: &Bench) {
    let job = bench.new_job();
    let mut update = bench.update(bench.cancel_command());
    update.idempotency = Some(bench.key("k", "cancel"));
    let error = bench.store.update(job, update).await.unwrap_err();
    assert!(
        matches!(error, StoreError::Refused(Refusal::NoSuchJob)),
        "{error:?}"
    );
    let (_, updated) = submit(bench, bench.key("k", "submit")).await.unwrap();
    assert!(!updated.replayed);
}

/// An answer without events is an answer.
pub async fn a_request_that_changed_nothing_keeps_its_answer(bench: &Bench) {
    let job = bench.submit().await;
    for replayed in [false, true] {
        let mut update = bench.deciding(|_, _| {
            Ok(Decision {
                events: Vec::new(),
                reply: json!({"seen": [1, null, "ä"]}),
            })
        });
        update.idempotency = Some(bench.key("k", "look"));
        let updated = bench.store.update(job, update).await.unwrap();
        assert_eq!(updated.replayed, replayed);
        assert_eq!(updated.reply, json!({"seen": [1, null, "ä"]}));
    }
    assert_eq!(bench.log(job).await.len(), 2);
}

/// Two projects may use the same key.
pub async fn keys_of_projects_are_apart(bench: &Bench) {
    let other = ProjectId::mint(bench.clock.as_ref(), bench.entropy.as_ref());
    submit(bench, bench.key("k", "request")).await.unwrap();
    let (_, updated) = submit(bench, bench.key_of(other, "k", "another"))
        .await
        .unwrap();
    assert!(!updated.replayed);
    assert_eq!(count(bench).await, 2);
}

/// Sixteen callers with one key: one job, one answer.
pub async fn a_key_used_at_once_makes_one_job(bench: &Bench) {
    let answers = concurrently((0..16).map(|_| submit(bench, bench.key("k", "request")))).await;
    let answers: Vec<Updated> = answers
        .into_iter()
        .map(|answer| answer.unwrap().1)
        .collect();
    assert_eq!(answers.len(), 16);
    assert_eq!(answers.iter().filter(|answer| !answer.replayed).count(), 1);
    assert!(
        answers
            .iter()
            .all(|answer| answer.reply == answers[0].reply)
    );
    assert_eq!(count(bench).await, 1);
}

/// A lost reply to a claim is asked for again.
pub async fn a_claim_asked_again_is_the_same_claim(bench: &Bench) {
    let first = bench.submit().await;
    let second = bench.submit().await;
    let mut claims = Vec::new();
    for replayed in [false, true] {
        let mut update = bench.claiming();
        update.idempotency = Some(bench.key("claim", "1"));
        let claimed = bench
            .store
            .update_next_ready(bench.offer(), update)
            .await
            .unwrap()
            .unwrap();
        assert_eq!(claimed.replayed, replayed);
        claims.push(held(&claimed));
    }
    assert_eq!(claims[0], claims[1]);
    assert_eq!(claims[0].job, first);
    bench.claim(second).await;
}

/// The key of a submission stands for its job as long as there is one; any other is free again after seven days.
pub async fn keys_live_as_long_as_they_are_needed(bench: &Bench) {
    let (job, _) = submit(bench, bench.key("submit", "request")).await.unwrap();
    let look = async || {
        let mut update = bench.deciding(|_, now| {
            Ok(Decision {
                events: Vec::new(),
                reply: json!({"at": now}),
            })
        });
        update.idempotency = Some(bench.key("look", "look"));
        bench.store.update(job, update).await.unwrap()
    };
    let first = look().await;
    let day = Duration::from_secs(24 * 3600);
    bench.clock.advance(day * 7 - Duration::from_millis(1));
    let again = look().await;
    assert!(again.replayed);
    assert_eq!(again.reply, first.reply);

    bench.clock.advance(Duration::from_millis(1));
    let later = look().await;
    assert!(!later.replayed);
    assert_ne!(later.reply, first.reply);
    bench.clock.advance(day);
    let again = look().await;
    assert!(again.replayed);
    assert_eq!(again.reply, later.reply);

    bench.clock.advance(day * 400);
    let (_, submitted) = submit(bench, bench.key("submit", "request")).await.unwrap();
    assert!(submitted.replayed);
    assert_eq!(count(bench).await, 1);
}
