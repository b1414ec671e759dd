//! Streams that break, fall silent, end, or are none.

use dogwatch_api::{ControlPlane as _, Wakeup};
use dogwatch_core::ids::MachineId;

use crate::scripted_server::{Act, ScriptedServer, hasty};

fn machine() -> MachineId {
    "mch_018f0000000070008000000000000001".parse().unwrap()
}

const JOB_AVAILABLE: &str = "event: job.available\ndata: {\"event\":\"job_available\"}\n\n";

async fn heard(server: &ScriptedServer) -> Vec<Wakeup> {
    let mut wakeups = server.client().wakeups(machine()).await.unwrap();
    let mut heard = Vec::new();
    while let Some(wakeup) = wakeups.next().await {
        heard.push(wakeup);
        assert!(heard.len() < 100);
    }
    heard
}

#[tokio::test]
async fn a_broken_stream_goes_on_after_what_was_heard() {
    let server = ScriptedServer::tcp([
        Act::events(&format!("retry: 1\n\nid: 7\n{JOB_AVAILABLE}")),
        Act::HangUp,
        Act::events(&format!(
            ": alive\n\n{JOB_AVAILABLE}id: 9\n{JOB_AVAILABLE}data: {{\"ev"
        )),
        Act::events("event: end\ndata: {\"reason\":\"all_was_said\"}\n\n"),
    ])
    .await;
    assert_eq!(heard(&server).await, [Wakeup::JobAvailable; 3]);
    let after: Vec<_> = server
        .seen()
        .iter()
        .map(|seen| seen.header("last-event-id").map(str::to_owned))
        .collect();
    let expected = [None, Some("7"), Some("7"), Some("9")];
    assert_eq!(after, expected.map(|id| id.map(str::to_owned)));
    for seen in server.seen() {
        assert_eq!(seen.header("accept"), Some("text/event-stream"));
        assert!(seen.line.contains(&machine().to_string()), "{}", seen.line);
    }
}

#[tokio::test]
async fn a_stream_that_fell_silent_is_opened_again() {
    let server = ScriptedServer::unix([
        Act::silent_events(JOB_AVAILABLE),
        Act::Stay(String::new()),
        Act::events(&format!(
            "{JOB_AVAILABLE}event: end\ndata: {{\"reason\":\"all_was_said\"}}\n\n"
        )),
    ])
    .await;
    assert_eq!(heard(&server).await, [Wakeup::JobAvailable; 2]);
    assert_eq!(server.seen().len(), 3);
}

/// A stream that ended because of a problem is asked whether it still stands.
#[tokio::test]
async fn a_revoked_token_ends_a_stream() {
    let server = ScriptedServer::tcp([
        Act::events(&format!(
            "{JOB_AVAILABLE}event: end\ndata: {{\"reason\":\"token_revoked\"}}\n\n"
        )),
        Act::problem(
            "401 Unauthorized",
            r#"{"kind":"unauthenticated","code":"token_revoked"}"#,
        ),
    ])
    .await;
    assert_eq!(heard(&server).await, [Wakeup::JobAvailable]);
    assert_eq!(server.seen().len(), 2);
}

#[tokio::test]
async fn opening_again_has_an_end() {
    for act in [
        Act::HangUp,
        Act::events("retry: 1\n\n"),
        Act::events("event: end\ndata: {\"reason\":\"server_stopping\"}\n\n"),
    ] {
        let server = ScriptedServer::tcp([Act::events(JOB_AVAILABLE), act]).await;
        assert_eq!(heard(&server).await, [Wakeup::JobAvailable]);
        assert_eq!(server.seen().len(), 1 + hasty().stream_repeats);
    }
}

/// What breaks now and then and says something in between goes on for ever.
#[tokio::test]
async fn what_was_heard_forgives_what_broke() {
    let acts = (0..20).flat_map(|_| [Act::events(JOB_AVAILABLE), Act::HangUp]);
    let over = Act::events("event: end\ndata: {\"reason\":\"all_was_said\"}\n\n");
    let server = ScriptedServer::tcp(acts.chain([over])).await;
    assert_eq!(heard(&server).await, [Wakeup::JobAvailable; 20]);
}

#[tokio::test]
async fn a_hint_that_cannot_be_read_is_left_out() {
    let server = ScriptedServer::tcp([Act::events(&format!(
        "data: nonsense\n\nevent: later\ndata: {{\"event\":\"later\"}}\n\n{JOB_AVAILABLE}\
         event: end\ndata: {{\"reason\":\"all_was_said\"}}\n\n"
    ))])
    .await;
    assert_eq!(heard(&server).await, [Wakeup::JobAvailable]);
}

#[tokio::test]
async fn what_is_wrong_with_the_request_is_said_at_once() {
    for (act, code) in [
        (
            Act::problem("403 Forbidden", r#"{"code":"scope_missing"}"#),
            "scope_missing",
        ),
        (Act::json("{}"), "server_answer_invalid"),
        (Act::HangUp, "server_unreachable"),
        (Act::Stay(String::new()), "server_unreachable"),
    ] {
        let server = ScriptedServer::tcp([act]).await;
        let Err(problem) = server.client().wakeups(machine()).await else {
            panic!("it opened");
        };
        assert_eq!(problem.code, code);
    }
}

/// Neither a line nor an event may grow without end.
#[tokio::test]
async fn an_event_without_an_end_is_a_problem() {
    let endless = format!("data: {}\n", "x".repeat(1 << 20)).repeat(10);
    let server = ScriptedServer::tcp([Act::events(&endless)]).await;
    assert_eq!(heard(&server).await, []);
    assert_eq!(server.seen().len(), 1);
}
