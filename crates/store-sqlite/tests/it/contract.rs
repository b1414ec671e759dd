//! The contract suite.

use std::sync::Arc;

use dogwatch_core::{Clock, Entropy};
use dogwatch_store::contract_suite::Opened;
use dogwatch_store_sqlite::SqliteStore;

async fn open(clock: Arc<dyn Clock>, entropy: Arc<dyn Entropy>) -> Opened {
    let directory = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(&directory.path().join("store.db"), clock, entropy).unwrap();
    Opened {
        store: Arc::new(store),
        keep: Box::new(directory),
    }
}

dogwatch_store::contract_suite!(open);
