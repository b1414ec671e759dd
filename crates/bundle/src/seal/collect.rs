//! Taking stock of a bundle: every file is digested and made durable, everything else is refused by name.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io;
use std::path::Path;

use super::error::SealError;
use crate::digest::digest_file;
use crate::durable::sync_directory;
use crate::journal_file::MAX_JOURNAL_BYTES;
use crate::journal_scan::{Ending, EndingFault, scan_journal};
use crate::layout::{self, BundleLayout, CONTRACT, JOURNAL, PROFILE};
use crate::manifest::{FileFacts, JournalFacts, ManifestFacts};
use crate::walk::{BundleDir, Found};

/// What stands in a bundle.
pub(super) struct Stock {
    pub(super) files: BTreeMap<String, FileFacts>,
    pub(super) journal: JournalFacts,
}

/// Digests every file of the bundle and checks that together they are what `facts` say.
pub(super) fn take_stock(
    layout: &BundleLayout,
    dir: &BundleDir,
    facts: &ManifestFacts,
) -> Result<Stock, SealError> {
    let mut files = BTreeMap::new();
    let mut journal = None;
    dir.walk(&mut |path, found| {
        if layout::is_seal_file(path) {
            return Ok(());
        }
        let at = || layout.root().join(path);
        let file = match found {
            Found::File(file) => file,
            Found::EmptyDirectory => return refuse(path, "an empty directory"),
            Found::ForeignDirectory => return refuse(path, "a directory outside the layout"),
            Found::Refused(what) => return refuse(path, what),
            Found::Unreadable(source) => return Err(io_error("read", &at())(source)),
        };
        let facts_of_file = if path == JOURNAL {
            let (scanned, facts_of_file) = scan(&file, facts, &at())?;
            journal = Some(scanned);
            facts_of_file
        } else {
            let (sha256, bytes) = digest_file(&file, u64::MAX).map_err(io_error("read", &at()))?;
            FileFacts { sha256, bytes }
        };
        file.sync_all().map_err(io_error("sync", &at()))?;
        files.insert(path.to_owned(), facts_of_file);
        Ok(())
    })?;
    for (name, wanted) in [
        (CONTRACT, facts.contract_hash),
        (PROFILE, facts.profile_hash),
    ] {
        let file = files.get(name).ok_or(SealError::Missing(name))?;
        if file.sha256 != wanted {
            return Err(SealError::WrongContent(name));
        }
    }
    sync_directories(layout.root(), files.keys())?;
    let journal = journal.ok_or(SealError::Missing(JOURNAL))?;
    Ok(Stock { files, journal })
}

fn refuse(path: &str, what: &'static str) -> Result<(), SealError> {
    Err(SealError::Foreign {
        path: path.to_owned(),
        what,
    })
}

fn scan(
    file: &File,
    facts: &ManifestFacts,
    path: &Path,
) -> Result<(JournalFacts, FileFacts), SealError> {
    let size = file.metadata().map_err(io_error("look at", path))?.len();
    if size > MAX_JOURNAL_BYTES {
        return Err(SealError::TooLarge {
            what: JOURNAL,
            bytes: size,
            limit: MAX_JOURNAL_BYTES,
        });
    }
    let mut foreign = None;
    let scan = scan_journal(file, facts.run_id, MAX_JOURNAL_BYTES, &mut |envelope| {
        let ours = envelope.project == Some(facts.project_id)
            && envelope.job.is_none_or(|job| job == facts.job_id);
        if !ours && foreign.is_none() {
            foreign = Some(envelope.seq);
        }
    })
    .map_err(io_error("read", path))?;
    if let Some(finding) = scan.verdict.findings.into_iter().next() {
        return Err(SealError::Journal(finding));
    }
    if foreign.is_some() {
        return Err(SealError::WrongContent(JOURNAL));
    }
    let ending = Ending {
        outcome: &facts.outcome,
        tree: facts.tree.as_deref(),
        assurance: facts.assurance,
    };
    ending
        .check(scan.last.as_ref())
        .map_err(|fault| match fault {
            EndingFault::NotAnEnd => SealError::NoOutcome,
            EndingFault::Differs(what) => SealError::OutcomeDiffers(what),
        })?;
    Ok((
        JournalFacts {
            count: scan.verdict.lines,
            head: scan.verdict.head.link,
        },
        FileFacts {
            sha256: scan.digest,
            bytes: scan.bytes,
        },
    ))
}

/// Makes the entries of every directory that holds a file durable, the root last.
fn sync_directories<'a>(
    root: &Path,
    files: impl Iterator<Item = &'a String>,
) -> Result<(), SealError> {
    let mut directories = BTreeSet::new();
    for path in files {
        let mut path = path.as_str();
        while let Some((parent, _)) = path.rsplit_once('/') {
            directories.insert(parent);
            path = parent;
        }
    }
    for directory in directories.into_iter().rev() {
        let path = root.join(directory);
        sync_directory(&path).map_err(io_error("sync", &path))?;
    }
    sync_directory(root).map_err(io_error("sync", root))
}

/// Removes directories of turns and gates in which nothing was ever written: a manifest of files cannot name them.
pub(super) fn remove_empty_directories(layout: &BundleLayout) -> Result<(), SealError> {
    for parent in [layout.turns(), layout.gates()] {
        match fs::symlink_metadata(&parent) {
            Ok(metadata) if metadata.is_dir() => {}
            // What is not a directory is refused by name later on.
            Ok(_) => continue,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(io_error("look at", &parent)(error)),
        }
        for entry in fs::read_dir(&parent).map_err(io_error("list", &parent))? {
            let entry = entry.map_err(io_error("list", &parent))?;
            let kind = entry.file_type().map_err(io_error("look at", &parent))?;
            if kind.is_dir() {
                remove_if_empty(&entry.path())?;
            }
        }
        remove_if_empty(&parent)?;
    }
    Ok(())
}

fn remove_if_empty(path: &Path) -> Result<(), SealError> {
    match fs::remove_dir(path) {
        Err(error) if error.kind() != io::ErrorKind::DirectoryNotEmpty => {
            Err(io_error("remove", path)(error))
        }
        _ => Ok(()),
    }
}

pub(super) fn io_error(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> SealError {
    let path = path.to_owned();
    move |source| SealError::Io {
        doing,
        path,
        source,
    }
}
