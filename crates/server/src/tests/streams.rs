//! Streams: replay, signs of life, and what ends them.

use std::time::Duration;

use dogwatch_api::{Caller, Scope};
use tokio::net::TcpStream;
use tokio::time::Instant;

use super::bench::Bench;
use super::routes::shared;
use super::wire::Wire;
use crate::{AuthFailure, Drained, Limits};

/// The end of a chunked body.
const LAST_CHUNK: &str = "\r\n0\r\n\r\n";

async fn opened(bench: &Bench, name: &str, after: Option<u64>) -> Wire<TcpStream> {
    let mut head = bench.head(&format!("GET /numbers/{name}"));
    if let Some(after) = after {
        head += &format!("last-event-id: {after}\r\n");
    }
    let mut wire = bench.connect().await;
    wire.send(&(head + "\r\n")).await;
    let head = wire.until("\r\n\r\n").await;
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    assert!(head.contains("content-type: text/event-stream"), "{head}");
    wire.until("retry: 1000\n\n").await;
    wire
}

#[tokio::test]
async fn events_come_as_they_happen_and_again_after_a_cursor() {
    let bench = Bench::new(Limits::default()).await;
    let numbers = shared("replay");
    numbers.gate.send_replace(2);
    let mut wire = opened(&bench, "replay", None).await;
    wire.until("id: 1\nevent: number\ndata: 1\n\n").await;
    wire.until("id: 2\nevent: number\ndata: 2\n\n").await;
    drop(wire);
    numbers.gate.send_replace(4);
    let mut wire = opened(&bench, "replay", Some(2)).await;
    let third = wire.until("data: 3\n\n").await;
    assert!(!third.contains("data: 2"), "{third}");
    wire.until("data: 4\n\n").await;
    numbers.gate.send_replace(5);
    wire.until("data: 5\n\n").await;
    // More than one batch, to the last.
    numbers.gate.send_replace(1000);
    let all = wire.until(LAST_CHUNK).await;
    assert_eq!(all.matches("event: number").count(), 995);
    assert!(
        all.contains("event: end\ndata: {\"reason\":\"counted\"}\n\n"),
        "{}",
        &all[all.len() - 100..]
    );
}

#[tokio::test]
async fn a_cursor_that_is_none_is_refused_before_the_stream() {
    let bench = Bench::new(Limits::default()).await;
    let head = bench.head("GET /numbers/bad");
    for bad in ["x", "-1", "1.5", "99999999999999999999", ""] {
        let answer = bench
            .ask(&format!("{head}last-event-id: {bad}\r\n\r\n"))
            .await;
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (400, "header_invalid"),
            "{bad}"
        );
    }
}

#[tokio::test]
async fn a_token_that_is_no_longer_good_ends_its_streams_within_a_second() {
    for (failure, reason) in [
        (Err(AuthFailure::Revoked), "token_revoked"),
        (Err(AuthFailure::Expired), "token_expired"),
        (Err(AuthFailure::Unknown), "token_unknown"),
        (
            Ok(Caller {
                scopes: [Scope::Submit].into(),
                ..Caller::local_user("user:test")
            }),
            "scope_missing",
        ),
    ] {
        let bench = Bench::new(Limits::default()).await;
        let mut wire = opened(&bench, "revoked", None).await;
        bench.tokens.set("good", failure);
        let since = Instant::now();
        let last = wire.until(LAST_CHUNK).await;
        assert!(
            since.elapsed() < Duration::from_secs(1),
            "{:?}",
            since.elapsed()
        );
        assert!(
            last.contains(&format!("data: {{\"reason\":\"{reason}\"}}\n\n")),
            "{last}"
        );
    }
}

#[tokio::test]
async fn a_quiet_stream_shows_that_it_lives() {
    let limits = Limits {
        keep_alive: Duration::from_millis(50),
        ..Limits::default()
    };
    let bench = Bench::new(limits).await;
    let mut wire = opened(&bench, "quiet", None).await;
    wire.until(": alive\n\n").await;
    wire.until(": alive\n\n").await;
    shared("quiet").gate.send_replace(1);
    wire.until("data: 1\n\n").await;
    assert_eq!(bench.activity.idle_for(), None);
}

#[tokio::test]
async fn a_stopping_server_says_so_as_the_last_event() {
    let mut bench = Bench::new(Limits::default()).await;
    let mut wire = opened(&bench, "stopping", None).await;
    bench.stop();
    let last = wire.until(LAST_CHUNK).await;
    assert!(
        last.contains("event: end\ndata: {\"reason\":\"server_stopping\"}\n\n"),
        "{last}"
    );
    assert_eq!(bench.ended().await, Drained::Whole);
}
