//! Finding the control plane: the one the environment names, the one of this data directory, or a new one of it.

mod find;
mod start;

use std::sync::Arc;

use dogwatch_api::{ControlPlane, JobRef};
use dogwatch_client::Client;
use dogwatch_core::ids::JobId;

pub(crate) use find::{connect, connect_living, elsewhere};
pub(crate) use start::start_to_stay;

use crate::error::CliError;

/// A control plane that answers.
#[derive(Clone)]
pub(crate) struct Connection {
    /// It, typed.
    pub(crate) client: Arc<Client>,
    /// Whether it is the one of this data directory, so that its bundles are here.
    pub(crate) local: bool,
    /// The jobs whose dead runners it had to speak for, if this command started it.
    pub(crate) mended: Arc<[JobId]>,
}

impl Connection {
    /// The control plane as every caller sees it.
    pub(crate) fn plane(&self) -> Arc<dyn ControlPlane> {
        self.client.clone()
    }

    /// Whether the server, when this command started it, had to mend this job first.
    pub(crate) fn mended(&self, job: JobId) -> bool {
        self.mended.contains(&job)
    }

    /// The job that a person means, by its id or that of one of its runs.
    pub(crate) async fn job_named(&self, text: &str) -> Result<JobId, CliError> {
        match self.client.resolve(text).await? {
            JobRef::Job(id) => Ok(id),
            JobRef::Run(id) => Ok(self.client.run(id).await?.job),
        }
    }
}

/// Runs what talks to the control plane.
pub(crate) fn block_on<T>(work: impl Future<Output = Result<T, CliError>>) -> Result<T, CliError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| CliError::new("runtime", error.to_string()))?;
    let done = runtime.block_on(work);
    // A command that gave up on a server must not wait for the thread that still listens to it.
    runtime.shutdown_background();
    done
}
