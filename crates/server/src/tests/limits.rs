//! Clients that ask too much, too slowly, or nonsense.

use std::time::Duration;

use super::bench::Bench;
use super::routes::shared;
use crate::{AuthFailure, Limits};

fn quick() -> Limits {
    Limits {
        header_time: Duration::from_millis(300),
        body_time: Duration::from_millis(300),
        body_idle: Duration::from_millis(300),
        request_time: Duration::from_millis(300),
        ..Limits::default()
    }
}

#[tokio::test]
async fn headers_that_trickle_in_are_given_up_with_a_problem() {
    let bench = Bench::new(quick()).await;
    let mut slow = bench.connect().await;
    slow.send("GET /open HTTP/1.1\r\nhost: ").await;
    let answer = slow.answer().await;
    assert_eq!(
        (answer.status, answer.code().as_str()),
        (408, "headers_timeout")
    );
    assert_eq!(slow.rest().await, "");
}

#[tokio::test]
async fn bodies_that_trickle_in_are_given_up_with_a_problem() {
    let bench = Bench::new(quick()).await;
    for (line, media) in [
        ("POST /work", "application/json"),
        ("PUT /store", "application/octet-stream"),
    ] {
        let mut slow = bench.connect().await;
        let head = bench.head(line);
        slow.send(&format!(
            "{head}content-type: {media}\r\ncontent-length: 50\r\n\r\n{{"
        ))
        .await;
        let answer = slow.answer().await;
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (408, "body_timeout")
        );
    }
    assert_eq!(bench.ask(&bench.get("/open")).await.status, 204);
}

#[tokio::test]
async fn what_is_too_large_is_refused_unread() {
    let bench = Bench::new(Limits::default()).await;
    let mut large = bench.connect().await;
    let head = bench.head("POST /work");
    large
        .send(&format!(
            "{head}content-type: application/json\r\ncontent-length: 100000000\r\n\r\n"
        ))
        .await;
    let answer = large.answer().await;
    assert_eq!(
        (answer.status, answer.code().as_str()),
        (413, "body_too_large")
    );
    // Chunked, it is counted as it comes.
    let head = bench.head("PUT /store");
    let head = format!(
        "{head}content-type: application/octet-stream\r\ntransfer-encoding: chunked\r\n\r\n"
    );
    let answer = bench
        .ask(&format!("{head}65\r\n{}\r\n", "a".repeat(0x65)))
        .await;
    assert_eq!(
        (answer.status, answer.code().as_str()),
        (413, "body_too_large")
    );
    let answer = bench
        .ask(&format!("{head}64\r\n{}\r\n0\r\n\r\n", "a".repeat(0x64)))
        .await;
    assert_eq!(answer.status, 204);
    let answer = bench
        .ask(&bench.get(&format!("/open?{}", "a".repeat(5000))))
        .await;
    assert_eq!(
        (answer.status, answer.code().as_str()),
        (414, "url_too_long")
    );
    let many = format!(
        "{}a: {}\r\n\r\n",
        bench.head("GET /open"),
        "a".repeat(40_000)
    );
    let answer = bench.ask(&many).await;
    assert_eq!(
        (answer.status, answer.code().as_str()),
        (431, "headers_too_large")
    );
}

#[tokio::test]
async fn an_answer_that_takes_too_long_is_a_problem_and_its_work_goes_on() {
    let bench = Bench::new(quick()).await;
    let answer = bench.ask(&bench.get("/hangs")).await;
    assert_eq!(
        (answer.status, answer.code().as_str()),
        (503, "request_timeout")
    );
    let work = shared("too long");
    let answer = bench
        .ask(&bench.post("/work", r#"{"name": "too long"}"#))
        .await;
    assert_eq!(answer.code(), "request_timeout");
    work.gate.send_replace(1);
    work.stage
        .subscribe()
        .wait_for(|stage| *stage == 2)
        .await
        .unwrap();
}

#[tokio::test]
async fn connections_beyond_the_limit_wait_on_their_own_listener_only() {
    let limits = Limits {
        connections: 2,
        ..Limits::default()
    };
    let bench = Bench::new(limits).await;
    let mut first = bench.connect().await;
    first.send(&bench.get("/open")).await;
    assert_eq!(first.answer().await.status, 204);
    let mut second = bench.connect().await;
    second.send(&bench.get("/open")).await;
    assert_eq!(second.answer().await.status, 204);
    let mut third = bench.connect().await;
    third.send(&bench.get("/open")).await;
    // The owner's door is open all the same.
    let mut unix = bench.connect_unix().await;
    unix.send("GET /open HTTP/1.1\r\nhost: localhost\r\n\r\n")
        .await;
    assert_eq!(unix.answer().await.status, 204);
    drop(first);
    assert_eq!(third.answer().await.status, 204);
}

#[tokio::test]
async fn nonsense_is_answered_with_a_problem() {
    let bench = Bench::new(Limits::default()).await;
    for (nonsense, status, code) in [
        ("hello\r\n\r\n", 400, "request_malformed"),
        ("GET / HTTP/9.9\r\n\r\n", 400, "request_malformed"),
        ("GET /open HTTP/1.1\r\n\r\n", 400, "host_invalid"),
        ("GET /open HTTP/1.0\r\n\r\n", 400, "host_invalid"),
        (
            "GET http://localhost/open HTTP/1.1\r\nhost: localhost\r\n\r\n",
            400,
            "target_invalid",
        ),
        (
            "CONNECT localhost:1 HTTP/1.1\r\nhost: localhost\r\n\r\n",
            400,
            "target_invalid",
        ),
        (
            "OPTIONS * HTTP/1.1\r\nhost: localhost\r\n\r\n",
            400,
            "target_invalid",
        ),
        (
            "GET /open HTTP/1.1\r\nhost: evil.example\r\n\r\n",
            403,
            "host_forbidden",
        ),
    ] {
        let answer = bench.ask(nonsense).await;
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (status, code),
            "{nonsense:?}"
        );
    }
    for (line, status, code) in [
        ("GET /none", 404, "route_not_found"),
        ("GET /open/", 404, "route_not_found"),
        ("GET //open", 404, "route_not_found"),
        ("GET /numbers/%ff", 400, "path_invalid"),
        ("POST /open", 405, "method_not_allowed"),
        ("OPTIONS /work", 405, "method_not_allowed"),
        ("get /open", 405, "method_not_allowed"),
        ("GET /panics?token=good", 400, "query_invalid"),
        ("POST /work", 415, "content_type_unsupported"),
    ] {
        let answer = bench.ask(&(bench.head(line) + "\r\n")).await;
        assert_eq!(answer.status, status, "{line}: {answer:?}");
        assert_eq!(answer.code(), code, "{line}");
        if status == 405 {
            assert!(answer.head.contains("\r\nallow: "), "{answer:?}");
        }
    }
    let mut wire = bench.connect().await;
    wire.send(&(bench.head("HEAD /open") + "\r\n")).await;
    let head = wire.until("\r\n\r\n").await;
    assert!(head.starts_with("HTTP/1.1 405"), "{head}");
}

#[tokio::test]
async fn a_second_request_on_a_connection_is_judged_like_the_first() {
    let bench = Bench::new(Limits::default()).await;
    let mut wire = bench.connect().await;
    wire.send(&bench.get("/open")).await;
    assert_eq!(wire.answer().await.status, 204);
    wire.send("GET /open HTTP/1.1\r\nhost: evil.example\r\n\r\n")
        .await;
    assert_eq!(wire.answer().await.code(), "host_forbidden");
    bench.tokens.set("good", Err(AuthFailure::Revoked));
    wire.send(&bench.get("/hangs")).await;
    let answer = wire.answer().await;
    assert_eq!(
        (answer.status, answer.code().as_str()),
        (401, "token_revoked")
    );
    assert!(
        answer.head.contains("www-authenticate: bearer"),
        "{answer:?}"
    );
}

#[tokio::test]
async fn every_answer_forbids_keeping_sniffing_and_framing() {
    let bench = Bench::new(Limits::default()).await;
    for request in [bench.get("/open"), bench.get("/none"), bench.get("/panics")] {
        let head = bench.ask(&request).await.head;
        for header in [
            "cache-control: no-store",
            "x-content-type-options: nosniff",
            "x-request-id: req_",
            "referrer-policy: no-referrer",
            "content-security-policy: default-src 'none'; frame-ancestors 'none'",
            "cross-origin-resource-policy: same-origin",
        ] {
            assert!(head.contains(header), "{header} in {head}");
        }
        assert!(!head.contains("access-control-"), "{head}");
    }
}
