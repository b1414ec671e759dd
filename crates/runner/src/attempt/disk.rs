//! Waiting for room: whether there is enough, and what a run has to remember that has not begun.

use std::fs;
use std::io;

use dogwatch_core::ids::RunId;
use dogwatch_core::job::GoOn;

use super::Attempt;
use crate::disk::LowDisk;
use crate::error::RunnerError;
use crate::files::{blocking, make_private, write_durably};

impl Attempt<'_> {
    /// Whether there is too little room to begin anything. A run that is to be stopped needs none and waits for none.
    pub(super) async fn low_disk(&self) -> Result<Option<LowDisk>, RunnerError> {
        if self.recorder.state().cancel.is_some() {
            return Ok(None);
        }
        let (reserve, data) = (self.parts.reserve, self.parts.layout.root().to_owned());
        blocking(move || {
            reserve
                .look(&data)
                .map_err(RunnerError::file("look for free space in", &data))
        })
        .await
    }

    /// Keeps what only the first lease of a run says: which run it continues, and what was said about that.
    pub(super) async fn remember_goes_on(&self) -> Result<(), RunnerError> {
        let Some(goes_on) = self.goes_on.as_ref() else {
            return Ok(());
        };
        let path = self.parts.layout.goes_on(self.run);
        let bytes = serde_json::to_vec(goes_on)
            .map_err(io::Error::from)
            .map_err(RunnerError::file("encode", &path))?;
        let work = self.parts.layout.work(self.run);
        blocking(move || {
            make_private(&work)?;
            write_durably(&path, &bytes)
        })
        .await
    }

    /// What [`remember_goes_on`](Self::remember_goes_on) kept. On another machine only the run itself is known.
    pub(super) async fn recall_goes_on(
        &self,
        continues: Option<RunId>,
    ) -> Result<Option<GoOn>, RunnerError> {
        let Some(run) = continues else {
            return Ok(None);
        };
        let path = self.parts.layout.goes_on(self.run);
        blocking(move || match fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .map(Some)
                .map_err(io::Error::from)
                .map_err(RunnerError::file("understand", &path)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Ok(Some(GoOn { run, say: None }))
            }
            Err(error) => Err(RunnerError::file("read", &path)(error)),
        })
        .await
    }
}
