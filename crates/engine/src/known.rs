//! What this process knows of the server's own stream: tokens and runners. Read once, replaced with every change.
//!
//! One server has a data directory, so nobody else changes that stream. A change is carried to its end even when whoever asked for it is
//! gone: a token that was taken back in the store and still counted here would be the worst of both.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use dogwatch_api::{Problem, ProblemCode, SyncRunner};
use dogwatch_core::Timestamp;
use dogwatch_core::ids::MachineId;
use dogwatch_core::queue::Offer;
use dogwatch_core::server::ServerState;
use dogwatch_store::{RunnerRow, ServerUpdate, Store};
use tokio::sync::RwLock;

use crate::problems;

/// The server's own stream at one moment.
#[derive(Debug)]
pub(crate) struct ServerView {
    pub(crate) state: ServerState,
    pub(crate) runners: BTreeMap<MachineId, SyncRunner>,
}

impl ServerView {
    fn new(state: ServerState, rows: &[RunnerRow]) -> Result<Self, Problem> {
        let runners = rows
            .iter()
            .map(|row| {
                serde_json::from_slice(&row.bytes)
                    .map(|runner| (row.machine, runner))
                    .map_err(|error| {
                        Problem::new(
                            ProblemCode::Internal,
                            "store_corrupt",
                            format!("what {} said of itself cannot be read: {error}", row.machine),
                            "nothing was changed; keep a copy of the data directory and run `dogwatch doctor`",
                        )
                    })
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { state, runners })
    }
}

/// See the module.
pub(crate) struct Known {
    store: Arc<dyn Store>,
    view: RwLock<Option<Arc<ServerView>>>,
    /// When each machine was last heard of. Of this process only: it is shown, and decides nothing.
    seen: Mutex<BTreeMap<MachineId, Timestamp>>,
    /// Machines that work in this process and never said what they have.
    unsynced: Mutex<BTreeSet<MachineId>>,
}

impl Known {
    pub(crate) fn new(store: Arc<dyn Store>) -> Self {
        Self {
            store,
            view: RwLock::new(None),
            seen: Mutex::new(BTreeMap::new()),
            unsynced: Mutex::new(BTreeSet::new()),
        }
    }

    /// The server's stream as it stands.
    pub(crate) async fn view(&self) -> Result<Arc<ServerView>, Problem> {
        if let Some(view) = &*self.view.read().await {
            return Ok(Arc::clone(view));
        }
        let mut slot = self.view.write().await;
        if let Some(view) = &*slot {
            return Ok(Arc::clone(view));
        }
        let view = Arc::new(self.read().await?);
        *slot = Some(Arc::clone(&view));
        Ok(view)
    }

    async fn read(&self) -> Result<ServerView, Problem> {
        let state = self.store.server_state().await;
        let rows = self.store.runners().await;
        ServerView::new(
            state.map_err(problems::from_store)?,
            &rows.map_err(problems::from_store)?,
        )
    }

    /// Changes the server's stream and answers how it stands then, and how many events that took.
    pub(crate) async fn update(
        self: &Arc<Self>,
        update: ServerUpdate,
    ) -> Result<(Arc<ServerView>, usize), Problem> {
        let known = Arc::clone(self);
        let task = tokio::spawn(async move {
            let mut slot = known.view.write().await;
            // Whatever happens to the update, nobody goes on with what was known before it.
            *slot = None;
            let updated = known
                .store
                .update_server(update)
                .await
                .map_err(problems::from_store)?;
            let view = Arc::new(known.read().await?);
            *slot = Some(Arc::clone(&view));
            Ok((view, updated.events.len()))
        });
        task.await.unwrap_or_else(|error| {
            Err(Problem::new(
                ProblemCode::Unavailable,
                "unavailable",
                format!("the update did not come to its end: {error}"),
                "look whether it was made, then try again",
            ))
        })
    }

    /// The machine was heard of.
    pub(crate) fn touch(&self, machine: MachineId, now: Timestamp) {
        self.seen
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(machine, now);
    }

    /// When the machine was last heard of by this process.
    pub(crate) fn seen(&self, machine: MachineId) -> Option<Timestamp> {
        self.seen
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&machine)
            .copied()
    }

    /// A machine works in this process without having said what it has.
    pub(crate) fn works_here(&self, machine: MachineId) {
        self.unsynced
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(machine);
    }

    /// What every machine has to offer.
    pub(crate) async fn offers(&self) -> Result<Vec<Offer>, Problem> {
        let view = self.view().await?;
        let mut offers: Vec<Offer> = view
            .runners
            .values()
            .map(|runner| runner.offer.clone())
            .collect();
        let unsynced = self.unsynced.lock().unwrap_or_else(PoisonError::into_inner);
        offers.extend(
            unsynced
                .iter()
                .filter(|machine| !view.runners.contains_key(machine))
                .map(|machine| Offer::anything(*machine)),
        );
        Ok(offers)
    }
}
