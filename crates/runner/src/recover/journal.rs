//! The journal of a dead runner's run: the control plane's copy is the truth, and what never arrived there is kept beside it.

use std::fs;
use std::path::Path;

use dogwatch_api::{ControlPlane, Problem};
use dogwatch_bundle::{BundleLayout, JournalWriter};
use dogwatch_core::event::Envelope;
use dogwatch_core::ids::RunId;
use dogwatch_core::run::RunEvent;

use crate::error::RunnerError;
use crate::files::{make_bundle, write_durably};

/// Every line of a run that the control plane has.
pub(crate) async fn all_lines(
    plane: &dyn ControlPlane,
    run: RunId,
) -> Result<Vec<Vec<u8>>, Problem> {
    let mut lines = Vec::new();
    loop {
        let more = plane.run_lines(run, lines.len() as u64).await?;
        if more.is_empty() {
            return Ok(lines);
        }
        lines.extend(more);
    }
}

/// How the journal here stands to the control plane's copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Line for line the same.
    Same,
    /// Not the same.
    Differs,
}

/// Compares the journal here with the control plane's lines.
pub(crate) fn compare(bundle: &BundleLayout, lines: &[Vec<u8>]) -> Result<Standing, RunnerError> {
    let path = bundle.journal();
    match fs::read(&path) {
        Ok(local) if local == file_of(lines) => Ok(Standing::Same),
        Ok(_) => Ok(Standing::Differs),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Standing::Differs),
        Err(error) => Err(RunnerError::file("read", &path)(error)),
    }
}

fn file_of(lines: &[Vec<u8>]) -> Vec<u8> {
    let mut file = Vec::new();
    for line in lines {
        file.extend_from_slice(line);
        file.push(b'\n');
    }
    file
}

/// The journal as the control plane has it, open for more unless it has its last line.
pub(crate) fn restore_journal(
    bundle: &BundleLayout,
    run: RunId,
    lines: &[Vec<u8>],
    contract: &[u8],
) -> Result<Option<JournalWriter>, RunnerError> {
    let over = lines.last().is_some_and(|line| is_end(line));
    if over && bundle.manifest().exists() {
        // Sealed, or about to be: nothing may change any more, and sealing again checks that nothing did.
        return Ok(None);
    }
    make_bundle(bundle)?;
    // These are written before the first line, so they can only be missing where the run had hardly begun.
    for (path, bytes) in [
        (bundle.contract(), contract),
        (
            bundle.profile(),
            &b"{\"error\":\"the runner died before it fixed the configuration\"}"[..],
        ),
    ] {
        // Without a first line the crash may have cut them off.
        let torn = lines.is_empty() && path == bundle.contract();
        if torn || !path.exists() {
            write_durably(&path, bytes)?;
        }
    }
    let path = bundle.journal();
    let local = match fs::read(&path) {
        Ok(local) => local,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(RunnerError::file("read", &path)(error)),
    };
    let server = file_of(lines);
    if local != server {
        let late = match local.strip_prefix(server.as_slice()) {
            Some(late) => late,
            // The control plane's copy is the truth; whatever else stands here is kept as it is.
            None => &local,
        };
        if !late.is_empty() {
            keep_late_lines(&bundle.root().join("journal.late.jsonl"), late)?;
        }
        let draft = path.with_extension("jsonl.new");
        write_durably(&draft, &server)?;
        fs::rename(&draft, &path).map_err(RunnerError::file("rename", &draft))?;
    }
    if over {
        return Ok(None);
    }
    Ok(Some(JournalWriter::open(path, run)?))
}

fn is_end(line: &[u8]) -> bool {
    serde_json::from_slice::<Envelope>(line)
        .ok()
        .and_then(|envelope| RunEvent::from_parts(&envelope.kind, &envelope.data).ok())
        .is_some_and(|event| matches!(event, RunEvent::Ended(_)))
}

/// Adds to what an earlier recovery kept, which may itself have been cut short.
fn keep_late_lines(path: &Path, late: &[u8]) -> Result<(), RunnerError> {
    let mut kept = match fs::read(path) {
        Ok(kept) => kept,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(RunnerError::file("read", path)(error)),
    };
    if !kept.ends_with(late) {
        kept.extend_from_slice(late);
    }
    let draft = path.with_extension("jsonl.new");
    write_durably(&draft, &kept)?;
    fs::rename(&draft, path).map_err(RunnerError::file("rename", &draft))
}
