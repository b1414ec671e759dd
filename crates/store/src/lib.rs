//! What dogwatch asks of a store, by audience, and the contract suite every backend passes.
//!
//! The store owns transactions and nothing else: a pure closure decides, the backend appends what it decided and updates every
//! projection in the same transaction, and acknowledges after the commit.

mod blobs;
#[cfg(feature = "contract-suite")]
pub mod contract_suite;
mod error;
mod output;
mod query;
mod run_log;
mod streams;
mod update;

pub use blobs::{BlobError, Blobs};
pub use error::StoreError;
pub use output::{Output, OutputError, OutputKey, OutputPart};
pub use query::{
    ApprovalFilter, ApprovalRow, ContractBytes, JobFilter, JobTimer, LogFilter, LogLine, Page,
    PageRequest, RunFilter, RunView, RunnerRow, StoredLine,
};
pub use run_log::{RunLog, RunLogError};
pub use streams::{Maintenance, Reads, RebuildReport, Store, Streams};
pub use update::{
    Decide, DecideServer, Decision, EventContext, Idempotency, ServerUpdate, ServerUpdated, Side,
    Update, Updated,
};
