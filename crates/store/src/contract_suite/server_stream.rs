//! The server's own stream: tokens, runners, starts.

use std::collections::BTreeSet;

use dogwatch_core::Sha256Digest;
use dogwatch_core::event::{Envelope, StreamId};
use dogwatch_core::ids::{MachineId, TokenId};
use dogwatch_core::server::{
    RunnerSynced, ServerCommand, ServerRefusal, ServerState, TokenCreated, TokenStatus, decide,
};

use super::bench::Bench;
use super::commands::context;
use crate::{RunnerRow, ServerUpdate, ServerUpdated, StoreError};

impl Bench {
    /// An update of the server's stream that carries out a command.
    pub fn server_update(&self, command: ServerCommand) -> ServerUpdate {
        ServerUpdate {
            context: context(),
            runner: None,
            decide: Box::new(move |state, _| decide(state, &command)),
        }
    }

    /// Carries out a command to the server's stream.
    pub async fn server(&self, command: ServerCommand) -> Result<ServerUpdated, StoreError> {
        self.store.update_server(self.server_update(command)).await
    }

    /// The command that makes a token.
    pub fn token_command(&self, id: TokenId) -> ServerCommand {
        ServerCommand::CreateToken(TokenCreated {
            id,
            label: "laptop".to_owned(),
            principal: "user:ana".to_owned(),
            secret: Sha256Digest::of(id.to_string().as_bytes()),
            scopes: BTreeSet::from(["read".to_owned(), "submit".to_owned()]),
            projects: None,
            expires_at: None,
        })
    }
}

fn new_token(bench: &Bench) -> TokenId {
    TokenId::mint(bench.clock.as_ref(), bench.entropy.as_ref())
}

/// Made, taken back, and known for ever.
pub async fn tokens_come_and_go(bench: &Bench) {
    assert_eq!(
        bench.store.server_state().await.unwrap(),
        ServerState::default()
    );
    let (kept, revoked) = (new_token(bench), new_token(bench));
    for id in [kept, revoked] {
        bench.tick();
        let updated = bench.server(bench.token_command(id)).await.unwrap();
        assert_eq!(updated.events.len(), 1);
        assert_eq!(updated.state, bench.store.server_state().await.unwrap());
        let record = &updated.state.tokens[&id];
        assert_eq!((record.created_at, record.revoked_at), (bench.now(), None));
    }
    bench.tick();
    for events in [1, 0] {
        let command = ServerCommand::RevokeToken { id: revoked };
        let updated = bench.server(command).await.unwrap();
        assert_eq!(updated.events.len(), events);
    }
    let state = bench.store.server_state().await.unwrap();
    let status = |id| state.tokens[&id].status(bench.now());
    assert_eq!(status(kept), TokenStatus::Active);
    assert_eq!(status(revoked), TokenStatus::Revoked);
    assert_eq!(state.tokens[&revoked].revoked_at, Some(bench.now()));
}

/// Neither does one that panics.
pub async fn a_refused_update_changes_nothing(bench: &Bench) {
    let id = new_token(bench);
    bench.server(bench.token_command(id)).await.unwrap();
    let before = bench.store.server_state().await.unwrap();
    let error = bench.server(bench.token_command(id)).await.unwrap_err();
    assert!(
        matches!(error, StoreError::ServerRefused(ServerRefusal::TokenExists(of)) if of == id),
        "{error:?}"
    );
    let mut update = bench.server_update(ServerCommand::Stop {
        reason: "x".to_owned(),
    });
    update.runner = Some((bench.machine, b"said".to_vec()));
    update.decide = Box::new(|_, _| panic!("a decision that panics on purpose"));
    let error = bench.store.update_server(update).await.unwrap_err();
    assert!(error.to_string().contains("on purpose"), "{error}");
    assert_eq!(bench.store.server_state().await.unwrap(), before);
    assert_eq!(bench.control_log().await.len(), 1);
    assert!(bench.store.runners().await.unwrap().is_empty());
}

/// What a runner said last, byte for byte, and only when it said something new.
pub async fn a_runner_is_kept_by_what_it_said_last(bench: &Bench) {
    let say = async |machine: MachineId, bytes: &[u8], digest_of: &[u8]| {
        let mut update = bench.server_update(ServerCommand::SyncRunner(RunnerSynced {
            machine,
            name: "build-1".to_owned(),
            version: "0.1.0".to_owned(),
            digest: Sha256Digest::of(digest_of),
        }));
        update.runner = Some((machine, bytes.to_vec()));
        let updated = bench.store.update_server(update).await.unwrap();
        updated.events.len()
    };
    let said = async || {
        let rows = bench.store.runners().await.unwrap();
        let said: Vec<(MachineId, Vec<u8>)> = rows
            .into_iter()
            .map(|RunnerRow { machine, bytes }| (machine, bytes))
            .collect();
        said
    };
    let other = MachineId::mint(bench.clock.as_ref(), bench.entropy.as_ref());
    let one: &[u8] = b"{\"topics\":[\"\xc3\xa4\"]}";
    assert_eq!(say(bench.machine, one, one).await, 1);
    assert_eq!(say(bench.machine, b"not looked at", one).await, 0);
    assert_eq!(said().await, [(bench.machine, one.to_vec())]);
    assert_eq!(say(other, b"other", b"other").await, 1);
    assert_eq!(say(bench.machine, b"two", b"two").await, 1);
    let mut expected = vec![(bench.machine, b"two".to_vec()), (other, b"other".to_vec())];
    expected.sort();
    assert_eq!(said().await, expected);
    let state = bench.store.server_state().await.unwrap();
    assert_eq!(
        state.runners[&bench.machine].digest,
        Sha256Digest::of(b"two")
    );
}

/// Recomputed here, from nothing but the lines; and their fold is the state.
pub async fn the_servers_chain_holds(bench: &Bench) {
    let id = new_token(bench);
    for command in [
        ServerCommand::Start {
            version: "1".to_owned(),
        },
        bench.token_command(id),
        ServerCommand::RevokeToken { id },
        ServerCommand::Stop {
            reason: "idle".to_owned(),
        },
    ] {
        bench.submit().await;
        bench.server(command).await.unwrap();
    }
    let own: Vec<Envelope> = bench
        .control_log()
        .await
        .into_iter()
        .map(|(_, envelope)| envelope)
        .filter(|envelope| envelope.stream == StreamId::Server)
        .collect();
    let kinds: Vec<&str> = own.iter().map(|envelope| envelope.kind.as_str()).collect();
    assert_eq!(
        kinds,
        [
            "server.started.v1",
            "token.created.v1",
            "token.revoked.v1",
            "server.stopped.v1"
        ]
    );
    let mut prev = StreamId::Server.genesis();
    let mut state = ServerState::default();
    for (envelope, seq) in own.into_iter().zip(1..) {
        assert_eq!((envelope.seq, envelope.prev), (seq, prev));
        assert_eq!(
            (envelope.project, envelope.job, envelope.run),
            (None, None, None)
        );
        let event =
            dogwatch_core::server::ServerEvent::from_parts(&envelope.kind, &envelope.data).unwrap();
        state = state.apply(&event, envelope.at);
        prev = envelope.seal().unwrap().head;
    }
    assert_eq!(bench.store.server_state().await.unwrap(), state);
    assert_eq!(
        bench.store.check_chains().await.unwrap(),
        Vec::<String>::new()
    );
    let report = bench.store.rebuild().await.unwrap();
    assert_eq!(report.differences, Vec::<String>::new());
    assert_eq!((report.streams, report.events), (5, 12));
}
