//! The closure and its surroundings.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use dogwatch_core::job::{JobEvent, JobStatus, Refusal};
use serde_json::json;

use super::bench::Bench;
use crate::{Decision, StoreError};

/// And its answer comes back.
pub async fn the_closure_sees_the_state_and_the_clock(bench: &Bench) {
    let job = bench.submit().await;
    bench.clock.advance(Duration::from_secs(7));
    let update = bench.deciding(|stream, now| {
        Ok(Decision {
            events: Vec::new(),
            reply: json!({"status": stream.status(), "now": now}),
        })
    });
    let updated = bench.store.update(job, update).await.unwrap();
    assert_eq!(
        updated.reply,
        json!({"status": JobStatus::Queued, "now": bench.now()})
    );
    assert_eq!(updated.stream.job, Some(bench.job(job).await));
    assert!(!updated.replayed);
}

/// Events about a job that does not exist have nowhere to go.
pub async fn a_stream_begins_with_a_job(bench: &Bench) {
    let job = bench.new_job();
    let update = bench.deciding(|_, _| {
        Ok(Decision::events(vec![JobEvent::Cancelled {
            reason: "early".to_owned(),
        }]))
    });
    let error = bench.store.update(job, update).await.unwrap_err();
    assert!(
        matches!(error, StoreError::Refused(Refusal::NoSuchJob)),
        "{error:?}"
    );
    assert!(bench.log(job).await.is_empty());
    assert_eq!(bench.store.job(job).await.unwrap(), None);
}

/// A decision cannot put one job into the stream of another.
pub async fn a_stream_holds_its_own_job(bench: &Bench) {
    let (job, other) = (bench.new_job(), bench.new_job());
    let result = bench
        .command(job, bench.submission(bench.facts(other)))
        .await;
    assert!(result.is_err());
    for id in [job, other] {
        assert_eq!(bench.store.job(id).await.unwrap(), None);
        assert!(bench.log(id).await.is_empty());
    }
}

/// The store goes on, and nothing of the request is left.
pub async fn a_panic_is_one_requests_fault(bench: &Bench) {
    let job = bench.submit().await;
    let update = bench.deciding(|_, _| panic!("a decision that panics on purpose"));
    let error = bench.store.update(job, update).await.unwrap_err();
    assert!(error.to_string().contains("on purpose"), "{error}");
    assert_eq!(bench.log(job).await.len(), 2);
    bench.claim(job).await;
}

/// Of two events neither is stored if the second does not fit.
pub async fn an_oversized_event_is_refused_whole(bench: &Bench) {
    let job = bench.submit().await;
    let update = bench.deciding(|_, _| {
        Ok(Decision::events(vec![
            JobEvent::CancelRequested {
                reason: "short".to_owned(),
            },
            JobEvent::Cancelled {
                reason: "long ".repeat(1000),
            },
        ]))
    });
    let error = bench.store.update(job, update).await.unwrap_err();
    assert!(matches!(error, StoreError::Event(_)), "{error:?}");
    assert_eq!(bench.log(job).await.len(), 2);
    assert_eq!(bench.job(job).await.state.status(), JobStatus::Queued);
}

/// Whoever hangs up after asking has asked.
pub async fn an_update_outlives_its_caller(bench: &Bench) {
    let job = bench.submit().await;
    {
        let mut asked = pin!(bench.command(job, bench.cancel_command()));
        poll_fn(|context| {
            // Whether or not the answer is there already, nobody waits for it any more.
            let _ = asked.as_mut().poll(context);
            Poll::Ready(())
        })
        .await;
    }
    // The next request is carried out after the one before it.
    let update = bench.deciding(|_, _| Ok(Decision::default()));
    let updated = bench.store.update(job, update).await.unwrap();
    assert_eq!(updated.stream.status(), Some(JobStatus::Cancelled));
}
