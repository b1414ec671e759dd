//! Tokens that somebody made.

use std::collections::BTreeSet;
use std::time::Duration;

use dogwatch_api::{Caller, ControlPlane, CreateToken, CreatedToken, Scope};
use dogwatch_core::event::Via;
use dogwatch_core::ids::{ProjectId, TokenId};
use dogwatch_core::server::TokenStatus;
use dogwatch_core::{Clock, Sha256Digest};
use dogwatch_engine::{AuthFailure, Hint};
use dogwatch_store::{LogFilter, Reads};

use crate::bench::{Bench, LOCAL_SECRET};

fn wanted(scopes: &[Scope]) -> CreateToken {
    CreateToken {
        label: "Ana's laptop".to_owned(),
        principal: None,
        scopes: scopes.iter().copied().collect(),
        projects: None,
        expires_at: None,
    }
}

async fn made(bench: &Bench, request: CreateToken) -> CreatedToken {
    bench.user().create_token(request).await.unwrap()
}

async fn caller(bench: &Bench, secret: &str) -> Result<Caller, AuthFailure> {
    bench.engine.authenticate(secret, Via::Http).await
}

#[tokio::test]
async fn a_token_opens_what_it_was_made_for_and_its_secret_is_nowhere() {
    let bench = Bench::new();
    let made = made(&bench, wanted(&[Scope::Read, Scope::Submit])).await;
    assert!(made.secret.starts_with("dwt_") && made.secret.len() == 47);
    let caller = caller(&bench, &made.secret).await.unwrap();
    assert_eq!(caller.token, Some(made.token.id));
    assert_eq!(caller.principal, "user:ana-s-laptop");
    assert_eq!(caller.scopes, [Scope::Read, Scope::Submit].into());
    assert_eq!((caller.via, caller.lease), (Via::Http, None));
    let log = LogFilter {
        limit: 100,
        ..LogFilter::default()
    };
    for line in bench.store.log(log).await.unwrap() {
        let text = String::from_utf8(line.line).unwrap();
        assert!(!text.contains(&made.secret[4..]), "{text}");
    }
    assert!(!format!("{made:?}").contains(&made.secret));
}

#[tokio::test]
async fn what_is_no_token_opens_nothing() {
    let bench = Bench::new();
    let made = made(&bench, wanted(&[Scope::Read])).await;
    let digest = Sha256Digest::of(made.secret.as_bytes()).to_string();
    assert_eq!(caller(&bench, "").await, Err(AuthFailure::Unauthenticated));
    let nearly = format!("{}A", &made.secret[..made.secret.len() - 1]);
    let nearly = if nearly == made.secret {
        format!("{nearly}B")
    } else {
        nearly
    };
    for bad in [
        "dwt_",
        "dwr_",
        "x",
        &digest,
        &nearly,
        &made.secret[4..],
        &made.secret.to_uppercase(),
    ] {
        assert_eq!(
            caller(&bench, bad).await,
            Err(AuthFailure::Unknown),
            "{bad}"
        );
    }
    assert_eq!(AuthFailure::Unknown.code(), "token_unknown");
    assert_eq!(AuthFailure::Unauthenticated.code(), "unauthenticated");
}

#[tokio::test]
async fn the_servers_own_token_is_the_owners() {
    let bench = Bench::new();
    let owner = caller(&bench, LOCAL_SECRET).await.unwrap();
    assert_eq!(
        owner,
        Caller {
            via: Via::Http,
            ..Caller::local_user("user:owner")
        }
    );
}

#[tokio::test]
async fn an_expired_token_opens_nothing_any_more() {
    let bench = Bench::new();
    let now = bench.clock.now();
    let past = CreateToken {
        expires_at: Some(now),
        ..wanted(&[Scope::Read])
    };
    let refused = bench.user().create_token(past).await.unwrap_err();
    assert_eq!(refused.code, "request_invalid");
    let brief = CreateToken {
        expires_at: Some(now.plus(Duration::from_secs(60))),
        ..wanted(&[Scope::Read])
    };
    let brief = made(&bench, brief).await;
    caller(&bench, &brief.secret).await.unwrap();
    bench.clock.advance(Duration::from_secs(60));
    let failure = caller(&bench, &brief.secret).await.unwrap_err();
    assert_eq!(failure.code(), "token_expired");
    let listed = bench.user().list_tokens().await.unwrap().items;
    assert_eq!(listed[0].status, TokenStatus::Expired);
}

#[tokio::test]
async fn a_revoked_token_opens_nothing_from_the_answer_on_also_after_a_restart() {
    let mut bench = Bench::new();
    let made = made(&bench, wanted(&[Scope::Read])).await;
    caller(&bench, &made.secret).await.unwrap();
    let mut hints = bench.engine.hints();
    let revoked = bench.user().revoke_token(made.token.id).await.unwrap();
    assert_eq!(revoked.status, TokenStatus::Revoked);
    let failure = caller(&bench, &made.secret).await.unwrap_err();
    assert_eq!(failure.code(), "token_revoked");
    assert_eq!(hints.recv().await.unwrap(), Hint::Log);
    assert_eq!(hints.recv().await.unwrap(), Hint::Tokens);
    let again = bench.user().revoke_token(made.token.id).await.unwrap();
    assert_eq!(again, revoked);
    bench.restart();
    let failure = caller(&bench, &made.secret).await.unwrap_err();
    assert_eq!(failure.code(), "token_revoked");
    let unknown = TokenId::mint(&bench.clock, &*bench.entropy);
    let missing = bench.user().revoke_token(unknown).await.unwrap_err();
    assert_eq!(missing.code, "token_not_found");
}

#[tokio::test]
async fn nobody_gives_more_than_they_have_and_nobody_gives_the_voice_of_an_agent() {
    let bench = Bench::new();
    let here: BTreeSet<ProjectId> = [bench.project].into();
    let elsewhere = ProjectId::mint(&bench.clock, &*bench.entropy);
    let bound = CreateToken {
        projects: Some(here.clone()),
        ..wanted(&[Scope::Read, Scope::Admin])
    };
    let bound = made(&bench, bound).await;
    let bound = bench.caller(caller(&bench, &bound.secret).await.unwrap());
    let narrow = |scopes: &[Scope], projects: Option<BTreeSet<ProjectId>>| CreateToken {
        projects,
        ..wanted(scopes)
    };
    bound
        .create_token(narrow(&[Scope::Read], Some(here.clone())))
        .await
        .unwrap();
    let cases = [
        (
            narrow(&[Scope::Submit], Some(here.clone())),
            "scope_missing",
        ),
        (narrow(&[Scope::Runner], Some(here)), "scope_missing"),
        (narrow(&[Scope::Read], None), "project_forbidden"),
        (
            narrow(&[Scope::Read], Some([elsewhere].into())),
            "project_forbidden",
        ),
        (
            narrow(&[Scope::Read], Some(BTreeSet::new())),
            "request_invalid",
        ),
    ];
    for (request, code) in cases {
        let refused = bound.create_token(request.clone()).await.unwrap_err();
        assert_eq!(refused.code, code, "{request:?}");
    }
    let agent = bench.user().create_token(wanted(&[Scope::Agent])).await;
    assert_eq!(agent.unwrap_err().code, "scope_missing");
    let nothing = bench.user().create_token(wanted(&[])).await;
    assert_eq!(nothing.unwrap_err().code, "request_invalid");
    // The owner of the machine equips its runners.
    made(&bench, wanted(&[Scope::Read, Scope::Runner])).await;
    let plain = made(&bench, wanted(&[Scope::Read])).await;
    let plain = bench.caller(caller(&bench, &plain.secret).await.unwrap());
    let refused = plain.create_token(wanted(&[Scope::Read])).await;
    assert_eq!(refused.unwrap_err().code, "scope_missing");
    assert_eq!(plain.list_tokens().await.unwrap_err().code, "scope_missing");
}

#[tokio::test]
async fn a_token_of_another_project_sees_nothing_of_this_one() {
    let bench = Bench::new();
    let job = bench.submitted("one").await;
    let elsewhere = ProjectId::mint(&bench.clock, &*bench.entropy);
    let request = CreateToken {
        projects: Some([elsewhere].into()),
        ..wanted(&[Scope::Read, Scope::Operate])
    };
    let stranger = made(&bench, request).await;
    let stranger = bench.caller(caller(&bench, &stranger.secret).await.unwrap());
    assert_eq!(
        stranger.job(job).await.unwrap_err().code,
        "project_forbidden"
    );
}

#[tokio::test]
async fn a_token_has_no_name_of_the_control_plane_or_of_an_agent() {
    let bench = Bench::new();
    for bad in [
        "system",
        "contract",
        "agent:run_1",
        "user:",
        "user:a b",
        "user:\u{1b}[2J",
    ] {
        let request = CreateToken {
            principal: Some(bad.to_owned()),
            ..wanted(&[Scope::Read])
        };
        let refused = bench.user().create_token(request).await.unwrap_err();
        assert_eq!(refused.code, "request_invalid", "{bad:?}");
    }
    let named = CreateToken {
        principal: Some("service:ci".to_owned()),
        ..wanted(&[Scope::Read])
    };
    let named = made(&bench, named).await;
    assert_eq!(named.token.principal, "service:ci");
    let list = bench.user().list_tokens().await.unwrap().items;
    assert_eq!(list.len(), 1, "what was refused is not there");
}
