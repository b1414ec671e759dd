//! The socket that running agents are shown: only their routes, only tokens of runs, and each only for its own run.

use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use dogwatch_api::Scope;
use dogwatch_server::{Access, Payload, Verb, table};
use tokio::net::UnixStream;

use crate::bench::{Bench, MARK};
use crate::wire::{Answer, Wire};

async fn ask(bench: &Bench, verb: &str, path: &str, token: &str, body: &str) -> Answer {
    let mut wire = Wire::new(UnixStream::connect(&bench.agent_socket).await.unwrap());
    let content = match body {
        "" => String::new(),
        body => format!(
            "content-type: application/json\r\ncontent-length: {}\r\n",
            body.len()
        ),
    };
    wire.send(format!(
        "{verb} {path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {token}\r\n{content}\r\n{body}"
    ))
    .await;
    wire.answer().await
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_a_run_may_do_is_served() {
    let bench = Bench::new().await;
    let running = bench.running().await;
    let (mut served, mut absent) = (0, 0);
    for route in table() {
        let path: String = route
            .path
            .split('/')
            .map(|part| match part {
                "{run}" => running.run.to_string(),
                "{job}" => running.held.job.to_string(),
                part if part.starts_with('{') => "x".to_owned(),
                part => part.to_owned(),
            })
            .collect::<Vec<_>>()
            .join("/");
        let verb = match route.verb {
            Verb::Get => "GET",
            Verb::Post => "POST",
            Verb::Put => "PUT",
        };
        let body = match route.payload {
            Payload::None => "",
            _ => "{}",
        };
        let answer = ask(&bench, verb, &path, &running.agent, body).await;
        let for_agents = match route.access {
            Access::Public => false,
            Access::AnyOf(scopes) => scopes.contains(&Scope::Agent),
        };
        if for_agents {
            served += 1;
            // Whatever is wrong with such a request, it is not that the door does not know it.
            assert_ne!(answer.status, 405, "{}: {answer:?}", route.id);
            let unknown = answer.status == 404 && answer.code() == "route_not_found";
            assert!(!unknown, "{}: {answer:?}", route.id);
        } else {
            absent += 1;
            assert!(
                matches!(answer.status, 404 | 405),
                "{}: {answer:?}",
                route.id
            );
        }
    }
    assert!(served >= 4 && absent >= 40, "{served} {absent}");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_other_token_counts_and_none_reaches_another_run() {
    let bench = Bench::new().await;
    let (first, second) = (bench.running().await, bench.running().await);
    let everything = bench.everything().await;
    let (_, runner) = bench.token(&[Scope::Runner, Scope::Read], None, None).await;
    let (own, other) = (
        format!("/v1/runs/{}", first.run),
        format!("/v1/runs/{}", second.run),
    );
    let seen = ask(&bench, "GET", &own, &first.agent, "").await;
    assert_eq!(seen.status, 200, "{seen:?}");
    for token in [&everything, &runner] {
        let refused = ask(&bench, "GET", &own, token, "").await;
        assert_eq!(
            (refused.status, refused.code().as_str()),
            (401, "token_unknown")
        );
    }
    let refused = ask(&bench, "GET", &other, &first.agent, "").await;
    assert_eq!(refused.status, 403, "{refused:?}");
    assert!(!refused.body.contains(MARK));
    // It dies with its run.
    for seconds in [0, 31] {
        bench
            .engine
            .tick(Duration::from_secs(seconds))
            .await
            .unwrap();
    }
    let dead = ask(&bench, "GET", &own, &first.agent, "").await;
    assert_eq!(dead.status, 401, "{dead:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_shown_the_socket_may_open_it_and_nobody_else_comes_to_it() {
    let bench = Bench::new().await;
    let mode =
        |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&bench.agent_socket), 0o666);
    assert_eq!(mode(bench.agent_socket.parent().unwrap()), 0o700);
}
