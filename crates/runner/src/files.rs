//! Writing a run's files, and blocking work off the async threads.

use std::fs;
use std::io::Write;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use dogwatch_bundle::BundleLayout;
use tokio::task::spawn_blocking;

use crate::error::RunnerError;

/// A directory that only its owner may use, with its parents.
pub(crate) fn make_private(directory: &Path) -> Result<(), RunnerError> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory)
        .map_err(RunnerError::file("create", directory))
}

/// The directories every bundle has.
pub(crate) fn make_bundle(bundle: &BundleLayout) -> Result<(), RunnerError> {
    for directory in [
        bundle.root().to_owned(),
        bundle.turns(),
        bundle.gates(),
        bundle.reports(),
    ] {
        make_private(&directory)?;
    }
    Ok(())
}

/// A whole file, on disk before this returns.
pub(crate) fn write_durably(path: &Path, bytes: &[u8]) -> Result<(), RunnerError> {
    let written = fs::File::create(path).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()
    });
    written.map_err(RunnerError::file("write", path))
}

/// Runs blocking work; a panic in it is a panic here.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    spawn_blocking(work)
        .await
        .unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))
}
