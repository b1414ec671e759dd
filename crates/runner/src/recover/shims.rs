//! The processes of a dead runner's run.

use std::fs;
use std::path::Path;
use std::time::Duration;

use dogwatch_supervisor::ShimFile;

use crate::error::RunnerError;
use crate::files::blocking;

/// How long a left-over shim gets to end its tree before it is killed, and its namespace with it.
const SHIM_GRACE: Duration = Duration::from_secs(5);

/// Ends every shim a run left running. No two process trees of one job ever live at once.
pub(super) async fn end_shims(shims: &Path) -> Result<(), RunnerError> {
    let shims = shims.to_owned();
    blocking(move || {
        let entries = match fs::read_dir(&shims) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(RunnerError::file("list", &shims)(error)),
        };
        for entry in entries {
            let entry = entry.map_err(RunnerError::file("list", &shims))?;
            let directory = entry.path();
            let file = ShimFile::read(&directory)
                .map_err(std::io::Error::other)
                .map_err(RunnerError::file("read the shim of", &directory))?;
            let Some(file) = file else { continue };
            file.shim
                .terminate(SHIM_GRACE)
                .map_err(std::io::Error::other)
                .map_err(RunnerError::file("end the shim of", &directory))?;
        }
        Ok(())
    })
    .await
}
