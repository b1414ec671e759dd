//! What every driver does.

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;

use async_trait::async_trait;
use dogwatch_core::limits::Limits;
use dogwatch_core::turn::{AgentRequest, Exit, MissingResponse, ResponseReading};
use dogwatch_supervisor::containment::View;
use dogwatch_supervisor::{ExitRecord, Oversight, ShimPlaces, SupervisorError};

use crate::secrets::Secrets;

/// Where a turn's files go. The agent sees the exchange directory only; the rest is evidence.
#[derive(Clone, Debug)]
pub struct TurnFiles {
    /// The directory the agent reads its request from and writes its response to.
    pub exchange: PathBuf,
    /// The evidence copy of the prompt.
    pub prompt: PathBuf,
    /// The evidence copy of the request.
    pub request: PathBuf,
    /// The evidence copy of the response.
    pub response: PathBuf,
    /// What the shim leaves.
    pub shim: ShimPlaces,
}

/// One turn to be had.
#[derive(Clone, Debug)]
pub struct TurnInput {
    /// What is asked.
    pub request: AgentRequest,
    /// The agent's working directory.
    pub workspace: PathBuf,
    /// Its environment beyond the allow-list.
    pub env: Vec<(OsString, OsString)>,
    /// What its environment holds that nobody else may see.
    pub secrets: Secrets,
    /// Where the files go.
    pub files: TurnFiles,
    /// What the agent may see and write; nothing means everything its user may.
    pub view: Option<View>,
    /// The limits of the run.
    pub limits: Limits,
    /// How long this turn may take: the turn budget or what is left of the wall clock.
    pub budget_ms: u64,
}

/// A turn that was had.
#[derive(Clone, Debug)]
pub struct TurnReport {
    /// How the process ended.
    pub exit: Exit,
    /// What the agent answered.
    pub response: ResponseReading,
    /// The shim's record.
    pub record: ExitRecord,
}

/// A turn that could not be had for reasons that are not the agent's.
#[derive(Debug, thiserror::Error)]
pub enum DriverError {
    /// A file of the turn could not be written or read.
    #[error("{action} {path}")]
    File {
        /// What was tried.
        action: &'static str,
        /// Where.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// The request has no JSON form.
    #[error("write the request")]
    Request(#[source] serde_json::Error),
    /// The agent's output could not be kept. Evidence that is missing fails the run, whatever the agent did.
    #[error("keep the agent's output: {0}")]
    Capture(String),
    /// The agent could not be contained as required, so it was not started.
    #[error("contain the agent as required ({}); it was not started", .0.join("; "))]
    Containment(Vec<String>),
    /// The shim.
    #[error("supervise the agent")]
    Supervisor(#[from] SupervisorError),
}

/// An agent that can be given turns.
#[async_trait]
pub trait AgentDriver: Send + Sync {
    /// The driver's name in contracts, manifests and lists.
    fn kind(&self) -> &'static str;

    /// What it means that the agent exits well without a response.
    fn missing_response(&self) -> MissingResponse;

    /// Gives the agent one turn and waits until no process of it is left.
    async fn turn(&self, input: TurnInput, oversight: Oversight)
    -> Result<TurnReport, DriverError>;
}
