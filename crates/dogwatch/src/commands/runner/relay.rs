//! The control channel of a runner whose server is somewhere else: its agents speak to a socket here, which passes on what they may ask.
//!
//! The tokens of runs are checked by the server, with every call. What is made sure here is only that nothing but what an agent may do is passed
//! on, and that an agent without a network of its own still reaches its control plane.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use dogwatch_api::{Caller, ControlPlane, Scope};
use dogwatch_client::{Client, Target, Token};
use dogwatch_core::Sha256Digest;
use dogwatch_core::event::Via;
use dogwatch_engine::{Hint, unproved_claim};
use dogwatch_server::{
    AllowedHosts, AuthFailure, Authenticate, Limits, Metrics, NotReady, Parts, Planes, Readiness,
    Server,
};
use dogwatch_supervisor::os::clock::{SystemClock, SystemEntropy};
use tokio::sync::{broadcast, oneshot};

use crate::error::CliError;

/// How many tokens are remembered; more agents than this at once ask again.
const REMEMBERED: usize = 256;

/// The server, as its agents reach it from here.
struct Relay {
    target: Target,
    /// A client that the server lets do nothing.
    nobody: Client,
    /// The latest tokens by their digests, so that a connection is used again.
    clients: Mutex<VecDeque<(String, Arc<Client>)>>,
    hints: broadcast::Sender<Hint>,
}

impl Relay {
    fn client(&self, name: &str) -> Option<Arc<Client>> {
        let clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        let found = clients.iter().find(|(known, _)| known == name);
        found.map(|(_, client)| client.clone())
    }
}

#[async_trait]
impl Authenticate for Relay {
    async fn authenticate(&self, token: &str, via: Via) -> Result<Caller, AuthFailure> {
        let secret = Token::new(token).map_err(|_| AuthFailure::Unknown)?;
        let name = format!("agent:{}", Sha256Digest::of(token.as_bytes()));
        let claim = unproved_claim(token).ok_or(AuthFailure::Unknown)?;
        if self.client(&name).is_none() {
            let client = Client::new(&self.target, secret).map_err(|_| AuthFailure::Unknown)?;
            let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
            clients.push_back((name.clone(), Arc::new(client)));
            while clients.len() > REMEMBERED {
                clients.pop_front();
            }
        }
        Ok(Caller {
            principal: name,
            token: None,
            scopes: [Scope::Agent].into(),
            projects: None,
            lease: Some(claim),
            via,
        })
    }
}

impl Planes for Relay {
    fn plane(&self, caller: Caller) -> Arc<dyn ControlPlane> {
        match self.client(&caller.principal) {
            Some(client) => client,
            // So many agents at once that this one was forgotten since a moment ago: a client without a token is refused by the server.
            None => Arc::new(self.nobody.clone()),
        }
    }

    fn hints(&self) -> broadcast::Receiver<Hint> {
        self.hints.subscribe()
    }
}

#[async_trait]
impl Readiness for Relay {
    async fn ready(&self) -> Result<(), NotReady> {
        Ok(())
    }
}

/// An open channel; it closes when this is dropped.
pub(super) struct Channel {
    _close: oneshot::Sender<()>,
}

/// Opens the channel at a socket, for the agents of `target`.
pub(super) async fn open(target: &Target, socket: PathBuf) -> Result<Channel, CliError> {
    let unreachable =
        |error: &dogwatch_client::ConnectError| CliError::from_error(error.code(), error);
    let nobody =
        Token::new("nobody").map_err(|error| CliError::from_error(error.code(), &error))?;
    let relay = Arc::new(Relay {
        target: target.clone(),
        nobody: Client::new(target, nobody).map_err(|error| unreachable(&error))?,
        clients: Mutex::default(),
        hints: broadcast::Sender::new(1),
    });
    let parts = Parts {
        planes: relay.clone(),
        tokens: relay.clone(),
        readiness: relay,
        clock: Arc::new(SystemClock),
        entropy: Arc::new(SystemEntropy),
        limits: Limits::default(),
        hosts: AllowedHosts::default(),
        metrics: Metrics::new(env!("CARGO_PKG_VERSION")),
        extra: None,
    };
    let server = Server::bind_for_agents(parts, socket)
        .await
        .map_err(|error| {
            CliError::from_error("listen", &error).next(
                "end the other runner of this data directory, or set DOGWATCH_HOME to another one",
            )
        })?;
    let (close, closed) = oneshot::channel();
    tokio::spawn(server.run(async {
        let _ = closed.await;
    }));
    Ok(Channel { _close: close })
}
