//! Streams over the real control log, with real tokens.

use std::time::{Duration, Instant};

use dogwatch_api::{AppendOutput, ControlPlane, OutputStream, Scope};
use tokio::net::TcpStream;

use crate::bench::{Bench, MARK, until};
use crate::wire::Wire;

async fn opened(bench: &Bench, path: &str, token: &str, after: &str) -> Wire<TcpStream> {
    let mut head = bench.head(&format!("GET {path}"), token) + "connection: close\r\n";
    if !after.is_empty() {
        head += &format!("last-event-id: {after}\r\n");
    }
    let mut wire = bench.connect().await;
    wire.send(head + "\r\n").await;
    let head = wire.until("\r\n\r\n").await;
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    wire
}

/// The cursor of the next event.
async fn cursor(wire: &mut Wire<TcpStream>) -> String {
    wire.until("id: ").await;
    wire.until("\n").await.trim().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_control_log_is_followed_and_replayed() {
    let bench = Bench::new().await;
    let token = bench.everything().await;
    let mut wire = opened(&bench, "/v1/events/stream", &token, "").await;
    bench.owner().submit(bench.submit()).await.unwrap();
    wire.until("event: entry\ndata: ").await;
    wire.until("job.submitted").await;
    drop(wire);
    // Everything again from the start, then from the first cursor on without it.
    let mut wire = opened(&bench, "/v1/events/stream", &token, "").await;
    let (first, second) = (cursor(&mut wire).await, cursor(&mut wire).await);
    drop(wire);
    let mut wire = opened(&bench, "/v1/events/stream", &token, &first).await;
    assert_eq!(cursor(&mut wire).await, second);
    // A job that is submitted later is there soon, and not only at the next look.
    let mut wire = opened(&bench, "/v1/events/stream", &token, &bench.log().await).await;
    wire.until("retry: 1000\n\n").await;
    bench.owner().submit(bench.submit()).await.unwrap();
    wire.until("job.submitted").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_projects_token_sees_nothing_of_it() {
    let bench = Bench::new().await;
    let elsewhere = dogwatch_core::ids::ProjectId::mint(&bench.clock, &*bench.entropy);
    let (_, other) = bench.token(&[Scope::Read], Some(elsewhere), None).await;
    let mut wire = opened(&bench, "/v1/events/stream", &other, "").await;
    let job = bench.owner().submit(bench.submit()).await.unwrap().job_id;
    let mut theirs = bench.submit();
    theirs.project = elsewhere;
    bench.owner().submit(theirs).await.unwrap();
    let seen = wire.until(&elsewhere.to_string()).await;
    assert!(
        !seen.contains(&job.to_string()) && !seen.contains(&bench.project.to_string()),
        "{seen}"
    );
    let list = bench.get("/v1/jobs", &other).await;
    assert!(
        !list.body.contains(&job.to_string()) && list.body.contains(MARK),
        "{list:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_token_ends_its_streams_within_a_second() {
    let bench = Bench::new().await;
    let running = bench.running().await;
    let admin = bench.everything().await;
    let (id, token) = bench.token(&[Scope::Read, Scope::Runner], None, None).await;
    let run = running.run;
    let mut wires = Vec::new();
    for path in [
        "/v1/events/stream".to_owned(),
        format!("/v1/runs/{run}/journal/stream"),
        format!("/v1/runs/{run}/logs/stream"),
        format!("/v1/runner/events/stream?machine={}", bench.machine),
    ] {
        wires.push(opened(&bench, &path, &token, "").await);
    }
    let revoked = bench
        .post(
            &format!("/v1/tokens/{id}/revoke"),
            &admin,
            &serde_json::json!({}),
        )
        .await;
    assert_eq!(revoked.status, 200, "{revoked:?}");
    let since = Instant::now();
    for wire in &mut wires {
        let last = wire.rest().await;
        assert!(
            since.elapsed() < Duration::from_secs(1),
            "{:?}",
            since.elapsed()
        );
        assert!(
            last.contains("event: end\ndata: {\"reason\":\"token_revoked\"}"),
            "{last}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn output_is_followed_and_replayed() {
    let bench = Bench::new().await;
    let token = bench.everything().await;
    let running = bench.running().await;
    let append = |turn, stream, offset, bytes: &[u8]| AppendOutput {
        held: running.held,
        run: running.run,
        turn,
        stream,
        offset,
        bytes: bytes.to_vec(),
    };
    let runner = dogwatch_engine::InProcess::new(
        bench.engine.clone(),
        dogwatch_api::Caller::local_runner("runner:test"),
    );
    let path = format!("/v1/runs/{}/logs/stream", running.run);
    let mut wire = opened(&bench, &path, &token, "").await;
    wire.until("retry: 1000\n\n").await;
    runner
        .append_output(append(1, OutputStream::Stdout, 0, b"one"))
        .await
        .unwrap();
    let first = cursor(&mut wire).await;
    assert_eq!(first, "1.3.0");
    wire.until("\"bytes\":\"b25l\"").await;
    runner
        .append_output(append(2, OutputStream::Stderr, 0, b"two"))
        .await
        .unwrap();
    wire.until("\"bytes\":\"dHdv\"").await;
    drop(wire);
    let mut wire = opened(&bench, &path, &token, &first).await;
    let second = wire.until("\"bytes\":\"dHdv\"").await;
    assert!(
        second.contains("id: 1.3.0-2.0.3\n") && !second.contains("b25l"),
        "{second}"
    );
    drop(wire);
    until("nobody is connected", async || {
        bench.activity.idle_for().is_some()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_runner_is_woken_and_never_given_anything() {
    let bench = Bench::new().await;
    let (_, token) = bench.token(&[Scope::Runner], None, None).await;
    let path = format!("/v1/runner/events/stream?machine={}", bench.machine);
    let mut wire = opened(&bench, &path, &token, "").await;
    wire.until("event: ready\ndata: {\"event\":\"ready\"}\n\n")
        .await;
    let job = bench.owner().submit(bench.submit()).await.unwrap().job_id;
    let woken = wire
        .until("event: job.available\ndata: {\"event\":\"job_available\"}\n\n")
        .await;
    assert!(!woken.contains(&job.to_string()), "{woken}");
}
