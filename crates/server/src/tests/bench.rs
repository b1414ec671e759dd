//! A server on real sockets.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use dogwatch_api::{Caller, ControlPlane};
use dogwatch_core::event::Via;
use dogwatch_engine::Hint;
use dogwatch_testkit::{SeqEntropy, SimClock};
use tempfile::TempDir;
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::{broadcast, oneshot};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::routes::TABLE;
use super::wire::{Answer, PATIENCE, Wire};
use crate::{
    Activity, AllowedHosts, AuthFailure, Authenticate, Drained, Limits, Listen, Listening, Metrics,
    NotReady, Parts, Planes, Readiness, Server,
};

#[derive(Default)]
pub(super) struct Tokens(Mutex<BTreeMap<String, Result<Caller, AuthFailure>>>);

impl Tokens {
    pub(super) fn set(&self, token: &str, answer: Result<Caller, AuthFailure>) {
        self.0.lock().unwrap().insert(token.to_owned(), answer);
    }
}

#[async_trait]
impl Authenticate for Tokens {
    async fn authenticate(&self, token: &str, via: Via) -> Result<Caller, AuthFailure> {
        assert_eq!(via, Via::Http);
        let known = self.0.lock().unwrap().get(token).cloned();
        known.unwrap_or(Err(AuthFailure::Unknown))
    }
}

struct NoPlanes;

impl Planes for NoPlanes {
    fn plane(&self, _: Caller) -> Arc<dyn ControlPlane> {
        panic!("no route here has one")
    }

    fn hints(&self) -> broadcast::Receiver<Hint> {
        broadcast::Sender::new(1).subscribe()
    }
}

struct Ready;

#[async_trait]
impl Readiness for Ready {
    async fn ready(&self) -> Result<(), NotReady> {
        Ok(())
    }
}

/// A running server.
pub(super) struct Bench {
    pub(super) tokens: Arc<Tokens>,
    pub(super) tcp: SocketAddr,
    pub(super) unix: PathBuf,
    pub(super) activity: Activity,
    stop: Option<oneshot::Sender<()>>,
    running: JoinHandle<Drained>,
    _home: TempDir,
}

impl Bench {
    pub(super) async fn new(limits: Limits) -> Self {
        let home = tempfile::tempdir().unwrap();
        let unix = home.path().join("run/server.sock");
        let tokens = Arc::new(Tokens::default());
        tokens.set("good", Ok(Caller::local_user("user:test")));
        let parts = Parts {
            planes: Arc::new(NoPlanes),
            tokens: tokens.clone(),
            readiness: Arc::new(Ready),
            clock: Arc::new(SimClock::new()),
            entropy: Arc::new(SeqEntropy::new()),
            limits,
            hosts: AllowedHosts::default(),
            metrics: Metrics::new("test"),
            extra: None,
        };
        let places = [
            Listen::Tcp {
                address: "127.0.0.1:0".parse().unwrap(),
                allow_remote: false,
            },
            Listen::Unix(unix.clone()),
        ];
        let server = Server::bind_table(parts, &places, TABLE.iter())
            .await
            .unwrap();
        let Listening::Tcp(tcp) = server.listening()[0].clone() else {
            panic!("the first place is a TCP one");
        };
        let activity = server.activity();
        let (stop, stopped) = oneshot::channel::<()>();
        let running = tokio::spawn(server.run(async move {
            let _ = stopped.await;
        }));
        Self {
            tokens,
            tcp,
            unix,
            activity,
            stop: Some(stop),
            running,
            _home: home,
        }
    }

    /// Tells the server to stop.
    pub(super) fn stop(&mut self) {
        let _ = self.stop.take().unwrap().send(());
    }

    /// Waits for its end.
    pub(super) async fn ended(self) -> Drained {
        timeout(PATIENCE, self.running).await.unwrap().unwrap()
    }

    pub(super) async fn connect(&self) -> Wire<TcpStream> {
        Wire::new(TcpStream::connect(self.tcp).await.unwrap())
    }

    pub(super) async fn connect_unix(&self) -> Wire<UnixStream> {
        Wire::new(UnixStream::connect(&self.unix).await.unwrap())
    }

    /// The head of a request with the right host and token, without its last line end.
    pub(super) fn head(&self, line: &str) -> String {
        let host = self.tcp;
        format!("{line} HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer good\r\n")
    }

    pub(super) fn get(&self, path: &str) -> String {
        self.head(&format!("GET {path}")) + "\r\n"
    }

    pub(super) fn post(&self, path: &str, body: &str) -> String {
        let head = self.head(&format!("POST {path}"));
        let length = body.len();
        format!("{head}content-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}")
    }

    /// Sends a request on a connection of its own.
    pub(super) async fn ask(&self, request: &str) -> Answer {
        let mut wire = self.connect().await;
        wire.send(request).await;
        wire.answer().await
    }
}
