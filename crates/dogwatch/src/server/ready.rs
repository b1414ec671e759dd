//! Whether the control plane can do its work: its store answers.

use std::sync::Arc;

use async_trait::async_trait;
use dogwatch_server::{NotReady, Readiness};
use dogwatch_store::Reads;
use dogwatch_store_sqlite::SqliteStore;

pub(super) struct StoreReady(Arc<SqliteStore>);

impl StoreReady {
    pub(super) fn new(store: Arc<SqliteStore>) -> Self {
        Self(store)
    }
}

#[async_trait]
impl Readiness for StoreReady {
    async fn ready(&self) -> Result<(), NotReady> {
        match self.0.server_state().await {
            Ok(_) => Ok(()),
            Err(error) => Err(NotReady {
                reason: error.to_string(),
            }),
        }
    }
}
