//! The control log: who did what, in the order of commits.

use dogwatch_api::{Caller, ControlPlane, CreateToken, ListEvents, Scope};
use dogwatch_core::event::{StreamId, Via};
use dogwatch_core::ids::{ProjectId, TokenId};
use dogwatch_store::Reads;

use crate::bench::Bench;

fn token() -> CreateToken {
    CreateToken {
        label: "ci".to_owned(),
        principal: None,
        scopes: [Scope::Read].into(),
        projects: None,
        expires_at: None,
    }
}

#[tokio::test]
async fn every_change_stands_there_with_who_made_it() {
    let bench = Bench::new();
    let token_id = TokenId::mint(&bench.clock, &*bench.entropy);
    let ana = bench.caller(Caller {
        token: Some(token_id),
        via: Via::Http,
        ..Caller::local_user("user:ana")
    });
    let job = ana.submit(bench.request("one")).await.unwrap().job_id;
    bench.engine.record_start("0.1.0").await.unwrap();
    bench.user().create_token(token()).await.unwrap();
    bench.engine.record_stop("asked to").await.unwrap();
    let page = bench
        .user()
        .list_events(ListEvents::default())
        .await
        .unwrap();
    let kinds: Vec<_> = page
        .items
        .iter()
        .map(|item| item.event.kind.as_str())
        .collect();
    assert_eq!(
        kinds,
        [
            "policy.decided.v1",
            "job.submitted.v1",
            "server.started.v1",
            "token.created.v1",
            "server.stopped.v1"
        ]
    );
    let submitted = &page.items[1].event;
    assert_eq!(submitted.actor.principal, "user:ana");
    assert_eq!(submitted.actor.token_id, Some(token_id));
    assert_eq!(submitted.job, Some(job));
    let positions: Vec<_> = page.items.iter().map(|item| item.position).collect();
    assert!(positions.is_sorted());
    assert_eq!(page.next_cursor, positions.last().unwrap().to_string());
}

#[tokio::test]
async fn the_log_is_read_on_from_where_it_ended() {
    let bench = Bench::new();
    for n in 0..5 {
        bench.submitted(&format!("job {n}")).await;
    }
    let mut after = None;
    let mut seen = Vec::new();
    loop {
        let request = ListEvents {
            after,
            limit: Some(3),
            ..ListEvents::default()
        };
        let page = bench.user().list_events(request).await.unwrap();
        if page.items.is_empty() {
            assert_eq!(page.next_cursor, after.unwrap().to_string());
            break;
        }
        assert!(page.items.len() <= 3);
        seen.extend(page.items.iter().map(|item| item.event.id));
        after = Some(page.next_cursor.parse().unwrap());
    }
    assert_eq!(seen.len(), 10);
    bench.submitted("one more").await;
    let request = ListEvents {
        after,
        ..ListEvents::default()
    };
    let page = bench.user().list_events(request).await.unwrap();
    assert_eq!(page.items.len(), 2);
}

#[tokio::test]
async fn a_caller_sees_its_projects_and_only_administrators_see_the_server() {
    let bench = Bench::new();
    let job = bench.submitted("one").await;
    bench.user().create_token(token()).await.unwrap();
    let elsewhere = ProjectId::mint(&bench.clock, &*bench.entropy);
    let second = ProjectId::mint(&bench.clock, &*bench.entropy);
    let seen = async |projects: Option<Vec<ProjectId>>, scopes: &[Scope]| {
        let caller = Caller {
            projects: projects.map(|projects| projects.into_iter().collect()),
            scopes: scopes.iter().copied().collect(),
            ..Caller::local_user("user:x")
        };
        let plane = bench.caller(caller);
        let page = plane.list_events(ListEvents::default()).await.unwrap();
        let server = page
            .items
            .iter()
            .filter(|item| item.event.stream == StreamId::Server);
        (page.items.len(), server.count())
    };
    assert_eq!(seen(None, &[Scope::Read, Scope::Admin]).await, (3, 1));
    assert_eq!(seen(None, &[Scope::Read]).await, (2, 0));
    let here = Some(vec![bench.project]);
    assert_eq!(seen(here, &[Scope::Read, Scope::Admin]).await, (2, 0));
    let foreign = Some(vec![elsewhere, second]);
    assert_eq!(seen(foreign, &[Scope::Read, Scope::Admin]).await, (0, 0));
    let of_the_job = ListEvents {
        job: Some(job),
        ..ListEvents::default()
    };
    let stranger = bench.caller(Caller {
        projects: Some([elsewhere].into()),
        ..Caller::local_user("user:stranger")
    });
    let refused = stranger.list_events(of_the_job.clone()).await.unwrap_err();
    assert_eq!(refused.code, "project_forbidden");
    let page = bench.user().list_events(of_the_job).await.unwrap();
    assert_eq!(page.items.len(), 2);
    assert_eq!(bench.store.server_state().await.unwrap().tokens.len(), 1);
}
