//! Clients that hang up, handlers that panic, servers that stop.

use std::time::Duration;

use dogwatch_api::Caller;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use super::bench::Bench;
use super::routes::{Shared, shared};
use super::wire::PATIENCE;
use crate::{AuthFailure, Drained, Limits};

async fn reaches(shared: &Shared, wanted: u32) {
    let mut stage = shared.stage.subscribe();
    timeout(PATIENCE, stage.wait_for(|stage| *stage == wanted))
        .await
        .unwrap()
        .unwrap();
}

#[tokio::test]
async fn a_mutation_finishes_without_its_client() {
    let bench = Bench::new(Limits::default()).await;
    let work = shared("hung up");
    let mut wire = bench.connect().await;
    wire.send(&bench.post("/work", r#"{"name": "hung up"}"#))
        .await;
    reaches(&work, 1).await;
    drop(wire);
    // The server has seen it: nothing is under way for that client any more.
    let gone = async {
        while bench.activity.idle_for().is_none() {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, gone).await.unwrap();
    work.gate.send_replace(1);
    reaches(&work, 2).await;
}

#[tokio::test]
async fn waiting_ends_with_its_client() {
    let bench = Bench::new(Limits::default()).await;
    let work = shared("no longer waiting");
    let mut wire = bench.connect().await;
    wire.send(&bench.post("/waits", r#"{"name": "no longer waiting"}"#))
        .await;
    reaches(&work, 1).await;
    drop(wire);
    reaches(&work, 3).await;
}

#[tokio::test]
async fn waiting_ends_with_its_token() {
    let bench = Bench::new(Limits::default()).await;
    let work = shared("no longer allowed");
    let mut wire = bench.connect().await;
    wire.send(&bench.post("/waits", r#"{"name": "no longer allowed"}"#))
        .await;
    reaches(&work, 1).await;
    bench.tokens.set("good", Err(AuthFailure::Revoked));
    let revoked = Instant::now();
    assert_eq!(wire.answer().await.code(), "token_revoked");
    assert!(
        revoked.elapsed() < Duration::from_secs(1),
        "{:?}",
        revoked.elapsed()
    );
    reaches(&work, 3).await;
}

#[tokio::test]
async fn a_panic_is_a_problem_and_the_connection_goes_on() {
    let bench = Bench::new(Limits::default()).await;
    let mut wire = bench.connect().await;
    for request in [bench.get("/panics"), bench.post("/breaks", "{}")] {
        wire.send(&request).await;
        let answer = wire.answer().await;
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (500, "internal_error")
        );
        assert!(
            !answer.body.contains("a defect"),
            "the text is for the log: {answer:?}"
        );
    }
    wire.send(&bench.get("/open")).await;
    assert_eq!(wire.answer().await.status, 204);
}

#[tokio::test]
async fn a_stopping_server_lets_requests_end() {
    let mut bench = Bench::new(Limits::default()).await;
    let work = shared("at the stop");
    let mut wire = bench.connect().await;
    wire.send(&bench.post("/work", r#"{"name": "at the stop"}"#))
        .await;
    reaches(&work, 1).await;
    let mut idle = bench.connect().await;
    idle.send(&bench.get("/open")).await;
    assert_eq!(idle.answer().await.status, 204);
    bench.stop();
    // The idle connection is closed at once, and nothing new is accepted.
    assert_eq!(idle.rest().await, "");
    let closed = async {
        while TcpStream::connect(bench.tcp).await.is_ok() {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, closed).await.unwrap();
    assert!(!bench.unix.exists());
    work.gate.send_replace(1);
    assert_eq!(wire.answer().await.status, 204);
    assert_eq!(bench.ended().await, Drained::Whole);
}

#[tokio::test]
async fn the_patience_of_a_stopping_server_has_an_end() {
    let limits = Limits {
        drain: Duration::from_millis(200),
        ..Limits::default()
    };
    let mut bench = Bench::new(limits).await;
    let work = shared("never");
    let mut wire = bench.connect().await;
    wire.send(&bench.post("/work", r#"{"name": "never"}"#))
        .await;
    reaches(&work, 1).await;
    bench.stop();
    assert_eq!(bench.ended().await, Drained::Cut);
}

#[tokio::test]
async fn both_doors_lead_to_the_same_server() {
    let bench = Bench::new(Limits::default()).await;
    bench
        .tokens
        .set("other", Ok(Caller::local_user("user:other")));
    let mut unix = bench.connect_unix().await;
    unix.send("GET /open HTTP/1.1\r\nhost: localhost\r\n\r\n")
        .await;
    assert_eq!(unix.answer().await.status, 204);
    // Being able to open the socket is no permission.
    unix.send("GET /panics HTTP/1.1\r\nhost: localhost\r\n\r\n")
        .await;
    assert_eq!(unix.answer().await.code(), "unauthenticated");
    unix.send(&bench.get("/open")).await;
    assert_eq!(unix.answer().await.code(), "host_forbidden");
    assert_eq!(bench.ask(&bench.get("/open")).await.status, 204);
}
