//! Answers, and what is done when there is none.

use dogwatch_api::{CancelJob, ControlPlane as _, ListJobs, ProblemCode, Submit};
use dogwatch_client::{Client, ConnectError, Target, Token};
use dogwatch_core::Sha256Digest;
use dogwatch_core::ids::{JobId, ProjectId};
use dogwatch_core::job::JobStatus;

use crate::scripted_server::{Act, ScriptedServer, hasty, nobody};

const JOB: &str = "job_018f0000000070008000000000000001";

fn job() -> JobId {
    JOB.parse().unwrap()
}

fn submission(key: Option<&str>) -> Submit {
    Submit {
        project: "prj_018f0000000070008000000000000001"
            .parse::<ProjectId>()
            .unwrap(),
        session: None,
        exact: false,
        topic: "task".to_owned(),
        contract: b"{}".to_vec(),
        contract_hash: Sha256Digest::of(b"{}"),
        priority: 0,
        not_before: None,
        deadline: None,
        context: None,
        idempotency_key: key.map(str::to_owned),
        trace: Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".to_owned()),
    }
}

fn submitted() -> Act {
    Act::json(&format!(r#"{{"job_id":"{JOB}","replayed":false}}"#))
}

#[tokio::test]
async fn a_request_says_who_asks_over_both_doors() {
    for server in [
        ScriptedServer::tcp([submitted()]).await,
        ScriptedServer::unix([submitted()]).await,
    ] {
        let answer = server
            .client()
            .submit(submission(Some("key-1")))
            .await
            .unwrap();
        assert_eq!(answer.job_id, job());
        let seen = &server.seen()[0];
        assert_eq!(seen.line, "POST /v1/jobs HTTP/1.1");
        assert_eq!(seen.header("authorization"), Some("Bearer hidden-token"));
        assert_eq!(seen.header("content-type"), Some("application/json"));
        assert_eq!(seen.header("idempotency-key"), Some("key-1"));
        assert!(seen.header("traceparent").unwrap().starts_with("00-0af7"));
        assert!(!seen.body.contains("key-1"), "the key is said once");
        match &server.target {
            Target::Unix(_) => assert_eq!(seen.header("host"), Some("localhost")),
            Target::Url(url) => {
                let host = format!("127.0.0.1:{}", url.port().unwrap());
                assert_eq!(seen.header("host"), Some(host.as_str()));
            }
        }
    }
}

#[tokio::test]
async fn a_problem_document_is_the_problem_it_was() {
    let document = r#"{"type":"/docs/errors/log_gap","title":"log gap","status":409,"kind":"conflict","code":"log_gap",
        "detail":"bytes are missing","next_action":"send them","facts":{"expected":7},"later":true}"#;
    let server = ScriptedServer::tcp([Act::problem("409 Conflict", document)]).await;
    let problem = server.client().job(job()).await.unwrap_err();
    assert_eq!(problem.kind, ProblemCode::Conflict);
    assert_eq!(problem.code, "log_gap");
    assert_eq!(problem.detail, "bytes are missing");
    assert_eq!(problem.next_action, "send them");
    assert_eq!(problem.facts["expected"], 7);
    assert_eq!(server.seen().len(), 1, "asking again would not help");
}

/// A later server may have kinds that are not known here.
#[tokio::test]
async fn the_status_says_what_an_unknown_kind_does_not() {
    for (status, code, kind) in [
        ("400 Bad Request", "x", ProblemCode::Invalid),
        ("401 Unauthorized", "x", ProblemCode::Unauthenticated),
        ("403 Forbidden", "x", ProblemCode::Forbidden),
        ("404 Not Found", "x", ProblemCode::NotFound),
        ("409 Conflict", "x", ProblemCode::Conflict),
        ("409 Conflict", "lease_lost", ProblemCode::LeaseLost),
        ("413 Payload Too Large", "x", ProblemCode::TooLarge),
        ("415 Unsupported Media Type", "x", ProblemCode::Unsupported),
        ("429 Too Many Requests", "x", ProblemCode::TooMany),
        ("500 Internal Server Error", "x", ProblemCode::Internal),
        ("503 Service Unavailable", "x", ProblemCode::Unavailable),
    ] {
        let document = format!(r#"{{"kind":"unheard_of","code":"{code}"}}"#);
        let server = ScriptedServer::tcp([Act::problem(status, &document)]).await;
        let problem = server.client().job(job()).await.unwrap_err();
        assert_eq!((problem.kind, problem.code.as_str()), (kind, code));
    }
}

#[tokio::test]
async fn an_answer_that_is_none_is_a_problem_of_its_own() {
    let deep = "[".repeat(100_000);
    for (act, code) in [
        (Act::json("{\"job_id\":"), "server_answer_invalid"),
        (Act::json("[]"), "server_answer_invalid"),
        (Act::json(""), "server_answer_invalid"),
        (Act::json(&deep), "server_answer_invalid"),
        (
            Act::answer("200 OK", "text/html", "<html>"),
            "server_answer_invalid",
        ),
        (
            Act::answer("302 Found", "text/html", ""),
            "server_answer_invalid",
        ),
        (
            Act::answer("404 Not Found", "text/html", "<html>"),
            "server_answer_invalid",
        ),
        (
            Act::problem("404 Not Found", "not json"),
            "server_answer_invalid",
        ),
        (
            Act::problem("404 Not Found", r#"{"code":"Has Spaces"}"#),
            "server_answer_invalid",
        ),
        (
            Act::answer(
                "500 Internal Server Error",
                "application/json",
                r#"{"code":"x"}"#,
            ),
            "server_answer_invalid",
        ),
        (
            Act::answer("502 Bad Gateway", "text/html", "<html>"),
            "server_unreachable",
        ),
        (
            Act::Answer("not HTTP at all\r\n\r\n".to_owned()),
            "server_unreachable",
        ),
    ] {
        let server = ScriptedServer::tcp([act.clone()]).await;
        let problem = server.client().submit(submission(None)).await.unwrap_err();
        assert_eq!(problem.code, code, "{act:?}: {problem:?}");
        assert!(!problem.next_action.is_empty());
        assert_eq!(server.seen().len(), 1, "{act:?}");
    }
}

/// A redirect would send the token elsewhere.
#[tokio::test]
async fn redirects_are_not_followed() {
    let other = ScriptedServer::tcp([submitted()]).await;
    let to = format!(
        "HTTP/1.1 307 Temporary Redirect\r\nlocation: {}/v1/jobs\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
        other.target
    );
    let server = ScriptedServer::tcp([Act::Answer(to)]).await;
    let problem = server
        .client()
        .submit(submission(Some("key")))
        .await
        .unwrap_err();
    assert_eq!(problem.code, "server_answer_invalid");
    assert!(other.seen().is_empty());
}

#[tokio::test]
async fn what_is_harmless_is_asked_again() {
    let unavailable = r#"{"kind":"unavailable","code":"not_ready","detail":"d","next_action":"n"}"#;
    for failing in [
        Act::HangUp,
        Act::Stay(String::new()),
        Act::Stay("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{".to_owned()),
        Act::problem("503 Service Unavailable", unavailable),
        Act::problem(
            "429 Too Many Requests",
            r#"{"kind":"too_many","code":"too_many_requests"}"#,
        ),
    ] {
        let server = ScriptedServer::tcp([failing.clone(), failing.clone(), submitted()]).await;
        let answer = server.client().submit(submission(Some("key"))).await;
        assert_eq!(answer.unwrap().job_id, job(), "{failing:?}");
        assert_eq!(server.seen().len(), 3);
        for seen in server.seen() {
            assert_eq!(seen.header("idempotency-key"), Some("key"));
        }
    }
}

#[tokio::test]
async fn what_might_be_done_twice_is_asked_once() {
    let unavailable = r#"{"kind":"unavailable","code":"request_timeout"}"#;
    for failing in [
        Act::HangUp,
        Act::Stay(String::new()),
        Act::problem("503 Service Unavailable", unavailable),
    ] {
        let server = ScriptedServer::tcp([failing.clone(), submitted()]).await;
        let problem = server.client().submit(submission(None)).await.unwrap_err();
        assert_eq!(problem.kind, ProblemCode::Unavailable, "{failing:?}");
        let request = CancelJob {
            job: job(),
            reason: "r".to_owned(),
        };
        let server = ScriptedServer::tcp([failing]).await;
        server.client().cancel(request).await.unwrap_err();
        assert_eq!(server.seen().len(), 1);
    }
}

#[tokio::test]
async fn asking_again_has_an_end() {
    let server = ScriptedServer::tcp([Act::HangUp]).await;
    let problem = server.client().job(job()).await.unwrap_err();
    assert_eq!(problem.kind, ProblemCode::Unavailable);
    assert_eq!(problem.code, "server_unreachable");
    assert_eq!(server.seen().len(), 1 + hasty().repeats);
}

/// It cannot have arrived, so nothing is done twice.
#[tokio::test]
async fn a_server_that_is_not_there_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let target = nobody(directory.path());
    let client = crate::scripted_server::client(&target);
    let problem = client.submit(submission(None)).await.unwrap_err();
    assert_eq!(problem.kind, ProblemCode::Unavailable);
    assert_eq!(problem.code, "server_unreachable");
    assert!(problem.detail.contains("nobody.sock"), "{}", problem.detail);
}

#[tokio::test]
async fn filters_are_said_in_the_query() {
    let server = ScriptedServer::tcp([Act::json(r#"{"items":[],"next_cursor":null}"#)]).await;
    let request = ListJobs {
        statuses: vec![JobStatus::Queued, JobStatus::Running],
        limit: Some(7),
        cursor: Some("a b&limit=9".to_owned()),
        ..ListJobs::default()
    };
    server.client().list_jobs(request).await.unwrap();
    let line = &server.seen()[0].line;
    assert!(
        line.contains("limit=7") && line.contains("cursor=a+b%26limit%3D9"),
        "{line}"
    );
    assert!(
        line.contains("queued") && line.contains("running"),
        "{line}"
    );
    assert!(!line.contains("project"), "{line}");
}

/// Bytes are named by their digest, and believed only if they have it.
#[tokio::test]
async fn bytes_that_are_not_those_asked_for_are_refused() {
    let server = ScriptedServer::tcp([Act::answer(
        "200 OK",
        "application/octet-stream",
        "other bytes",
    )])
    .await;
    let digest = Sha256Digest::of(b"the bytes");
    for problem in [
        server.client().blob(digest).await.unwrap_err(),
        server.client().contract(digest).await.unwrap_err(),
    ] {
        assert_eq!(problem.code, "server_answer_invalid");
    }
    let digest = Sha256Digest::of(b"other bytes");
    assert_eq!(server.client().blob(digest).await.unwrap(), b"other bytes");
}

#[tokio::test]
async fn a_token_does_not_leave_the_machine_in_plain_text() {
    let target: Target = "http://192.0.2.1:80".parse().unwrap();
    let token = Token::new("hidden-token").unwrap();
    let error = Client::new(&target, token.clone()).unwrap_err();
    assert!(matches!(error, ConnectError::PlainText));
    assert_eq!(error.code(), "server_plain_text");
    let options = dogwatch_client::Options {
        plain_text: true,
        ..hasty()
    };
    Client::with_options(&target, token.clone(), options).unwrap();
    Client::new(&"https://192.0.2.1".parse().unwrap(), token).unwrap();
}
