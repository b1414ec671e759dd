//! Sending a sealed bundle to a control plane that does not share the data directory.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use dogwatch_api::{ControlPlane, DeclareBundle, HeldLease};
use dogwatch_bundle::{BundleLayout, BundleReader, ReadError};
use dogwatch_core::Sha256Digest;
use dogwatch_core::ids::RunId;

use crate::error::RunnerError;
use crate::files::blocking;
use crate::patience::Patience;

/// Sends every file of the sealed bundle as a blob, then says which files they are. Repeating it changes nothing.
///
/// The bundle on this machine is the evidence; a control plane that takes no copy of it, because it is too large, does not change how
/// the run ended.
pub(crate) async fn send(
    plane: &dyn ControlPlane,
    patience: &Patience,
    held: HeldLease,
    run: RunId,
    bundle: &BundleLayout,
) -> Result<(), RunnerError> {
    let layout = bundle.clone();
    let paths = blocking(move || paths(&layout)).await?;
    let mut files = BTreeMap::new();
    for path in paths {
        let absolute = bundle.root().join(&path);
        let read = absolute.clone();
        let bytes = blocking(move || fs::read(&read))
            .await
            .map_err(RunnerError::file("read", absolute))?;
        let digest = Sha256Digest::of(&bytes);
        match patience.ask(|| plane.put_blob(digest, bytes.clone())).await {
            Ok(()) => {}
            Err(RunnerError::Plane(problem)) => {
                tracing::warn!(code = problem.code, path, "the bundle stays here only");
                return Ok(());
            }
            Err(error) => return Err(error),
        }
        files.insert(path, digest);
    }
    let request = DeclareBundle { held, run, files };
    match patience.ask(|| plane.declare_bundle(request.clone())).await {
        Err(RunnerError::Plane(problem)) => {
            tracing::warn!(code = problem.code, "the bundle stays here only");
            Ok(())
        }
        other => other,
    }
}

/// Every sealed file by its path in the bundle: those in the manifest, the manifest and its signature.
fn paths(bundle: &BundleLayout) -> Result<Vec<String>, RunnerError> {
    let unreadable = |error: ReadError| {
        RunnerError::file("read", bundle.root().to_owned())(std::io::Error::other(error))
    };
    let reader = BundleReader::open(bundle.root()).map_err(unreadable)?;
    let mut paths: Vec<String> = reader
        .manifest()
        .map(|manifest| manifest.files.keys().cloned().collect())
        .unwrap_or_default();
    for own in [bundle.manifest(), bundle.attestation()] {
        paths.push(name_of(&own));
    }
    Ok(paths)
}

fn name_of(path: &Path) -> String {
    path.file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default()
}
