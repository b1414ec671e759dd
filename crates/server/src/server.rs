//! The server: bound, then run until told to stop.

use std::path::PathBuf;
use std::sync::Arc;

use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

use crate::activity::Activity;
use crate::agent_door::{RunTokensOnly, agent_table};
use crate::app::{App, Parts};
use crate::dispatch;
use crate::listen::{Listen, ListenError, Listener, Listening};
use crate::pipeline::Pipeline;
use crate::route::Route;
use crate::routes;
use crate::stop::{self, Pending, Stop, Unfinished};

/// How the last requests ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drained {
    /// All were answered.
    Whole,
    /// Some had not ended in time and were cut off.
    Cut,
}

/// A server that is bound and not yet running.
#[derive(Debug)]
pub struct Server {
    listeners: Vec<Listener>,
    pipeline: Pipeline,
    activity: Activity,
    stop: Stop,
    unfinished: Unfinished,
    pending: Pending,
    drain: std::time::Duration,
}

impl Server {
    /// Binds every place, or none.
    pub async fn bind(parts: Parts, places: &[Listen]) -> Result<Self, ListenError> {
        Self::bind_table(parts, places, routes::table()).await
    }

    /// Binds the socket for running agents. It serves only the routes of [`agent_table`] and knows only the tokens of runs.
    pub async fn bind_for_agents(parts: Parts, socket: PathBuf) -> Result<Self, ListenError> {
        let parts = Parts {
            tokens: Arc::new(RunTokensOnly(parts.tokens)),
            extra: None,
            ..parts
        };
        Self::bind_table(parts, &[Listen::Shared(socket)], agent_table()).await
    }

    pub(crate) async fn bind_table(
        parts: Parts,
        places: &[Listen],
        table: impl Iterator<Item = &'static Route>,
    ) -> Result<Self, ListenError> {
        let mut listeners = Vec::new();
        for place in places {
            listeners.push(Listener::bind(place).await?);
        }
        let (stop, stopping) = stop::signal();
        let (unfinished, pending) = stop::unfinished();
        let activity = Activity::new();
        let drain = parts.limits.drain;
        let app = Arc::new(App {
            planes: parts.planes,
            tokens: parts.tokens,
            readiness: parts.readiness,
            clock: parts.clock,
            entropy: parts.entropy,
            limits: parts.limits,
            hosts: parts.hosts,
            metrics: parts.metrics,
            activity: activity.clone(),
            stopping,
            unfinished: unfinished.weak(),
        });
        let router = dispatch::router(&app, table, parts.extra);
        Ok(Self {
            listeners,
            pipeline: Pipeline::new(app, router),
            activity,
            stop,
            unfinished,
            pending,
            drain,
        })
    }

    /// Where it listens.
    pub fn listening(&self) -> Vec<Listening> {
        self.listeners.iter().map(Listener::listening).collect()
    }

    /// Whether anyone is using it; to be asked while it runs.
    pub fn activity(&self) -> Activity {
        self.activity.clone()
    }

    /// Serves until `shutdown` resolves. Then nothing new is accepted, streams get their last event, and requests have some time to end.
    /// Dropping the future ends everything at once, apart from mutations that are under way.
    pub async fn run(self, shutdown: impl Future<Output = ()>) -> Drained {
        let Self {
            listeners,
            pipeline,
            activity: _,
            stop,
            unfinished,
            mut pending,
            drain,
        } = self;
        let mut accepting = JoinSet::new();
        for listener in listeners {
            accepting.spawn(listener.serve(pipeline.clone()));
        }
        drop(pipeline);
        shutdown.await;
        tracing::info!(lane = "runtime", event = "server.stopping");
        stop.now();
        let end = Instant::now() + drain;
        let mut drained = Drained::Whole;
        while let Some(accepted) = accepting.join_next().await {
            let Ok(mut open) = accepted else {
                drained = Drained::Cut;
                continue;
            };
            if timeout_at(end, async { while open.join_next().await.is_some() {} })
                .await
                .is_err()
            {
                drained = Drained::Cut;
            }
        }
        drop(unfinished);
        if timeout_at(end, pending.none()).await.is_err() {
            drained = Drained::Cut;
        }
        tracing::info!(lane = "runtime", event = "server.stopped", ?drained);
        drained
    }
}
