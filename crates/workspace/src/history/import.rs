//! From a bundle file to commits in the vault, or to one commit of our own.

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, BufReader, Read as _, Seek as _};
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use dogwatch_core::Timestamp;
use dogwatch_core::ids::RunId;

use super::check::{Check, blame};
use super::error::{HistoryError, HistoryRefusal, Stop, io_error};
use super::header::{self, BundleHeader};
use super::quarantine::Quarantine;
use super::trees::TreeRules;
use crate::commit_object::{CommitObject, DOGWATCH};
use crate::git::{Bounds, Feed};
use crate::object_id::ObjectId;
use crate::os;
use crate::tree::{Mode, parse_ls_tree};
use crate::vault::{HISTORY, RESULT, Vault, run_ref};

/// How much of a history is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HistoryLimits {
    /// Bytes of the bundle file.
    pub bytes: u64,
    /// New commits.
    pub commits: u64,
    /// New objects.
    pub objects: u64,
    /// Bytes of the new objects' content.
    pub unpacked_bytes: u64,
    /// Paths in one tree.
    pub paths: u64,
    /// Memory of a git process.
    pub memory: u64,
    /// For everything together.
    pub time: Duration,
}

impl Default for HistoryLimits {
    fn default() -> Self {
        Self {
            bytes: 256 << 20,
            commits: 1_000,
            objects: 500_000,
            unpacked_bytes: 4 << 30,
            paths: 1_000_000,
            memory: 2 << 30,
            time: Duration::from_secs(120),
        }
    }
}

/// A history to bring in.
#[derive(Clone, Debug)]
pub struct HistoryRequest<'a> {
    /// The file that [`bundle_command`](super::bundle_command) made.
    pub bundle: &'a Path,
    /// Where the quarantine may be: a path in the run's directory that is free, on the host's side of it.
    pub quarantine: &'a Path,
    /// The run.
    pub run: RunId,
    /// The commit it started from.
    pub base: ObjectId,
    /// Tree T.
    pub tree: ObjectId,
    /// Blobs of files that came from the user's checkout and must not land.
    pub included: &'a [ObjectId],
    /// The message of the one commit, should the history not be kept.
    pub message: &'a str,
    /// The date of that commit.
    pub at: Timestamp,
    /// When to give up.
    pub limits: HistoryLimits,
}

/// What became of it.
#[derive(Debug)]
pub enum History {
    /// The agent's commits are in the vault, under `refs/dogwatch/runs/<run>/history`.
    Kept {
        /// The last of them; its tree is T.
        tip: ObjectId,
        /// How many there are.
        commits: u64,
    },
    /// None of them is. T is one commit on base, under `refs/dogwatch/runs/<run>/result`.
    OneCommit {
        /// That commit.
        commit: ObjectId,
        /// Why.
        reason: HistoryRefusal,
    },
}

/// Brings the agent's commits into the vault if they deserve it, and makes one commit of T if they do not.
///
/// The same request again gives the same answer and changes nothing.
pub fn import(vault: &Vault, request: &HistoryRequest<'_>) -> Result<History, HistoryError> {
    match import_commits(vault, request) {
        Ok((tip, commits)) => Ok(History::Kept { tip, commits }),
        Err(Stop::Refused(reason)) => {
            let commit = one_commit(vault, request)?;
            Ok(History::OneCommit { commit, reason })
        }
        Err(Stop::Failed(error)) => Err(error),
    }
}

fn import_commits(vault: &Vault, request: &HistoryRequest<'_>) -> Result<(ObjectId, u64), Stop> {
    let limits = &request.limits;
    let bounds = Bounds {
        until: Instant::now() + limits.time,
        memory: limits.memory,
        output: 512 << 20,
    };
    let source = match os::open_foreign_file(request.bundle) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(HistoryRefusal::NoBundle.into());
        }
        other => other.map_err(HistoryRefusal::Unreadable)?,
    };
    let quarantine = Quarantine::create(vault, request.quarantine)?;
    let (mut bundle, header) = take_in(&source, &quarantine, request)?;
    bundle
        .seek(io::SeekFrom::Start(header.length))
        .map_err(io_error("read", request.quarantine))?;
    quarantine
        .command("index-pack")?
        .args(["--stdin", "--fix-thin", "--strict"])
        .arg(format!("--max-input-size={}", limits.bytes))
        .run_within(Feed::File(bundle), &bounds)
        .map_err(blame)?;
    let check = Check {
        quarantine: &quarantine,
        request,
        bounds,
        rules: TreeRules {
            format: vault.object_format(),
            submodules: submodules(vault, request.base)?,
        },
    };
    let commits = check.run(header.tip)?;
    let name = run_ref(request.run, HISTORY);
    match vault.read_ref(&name).map_err(HistoryError::from)? {
        Some(before) if before == header.tip => return Ok((header.tip, commits)),
        Some(_) => return Err(Stop::Failed(HistoryError::Exists { name })),
        None => {}
    }
    let since = vault.marker().map_err(HistoryError::from)?;
    move_to(vault, &quarantine, request.base, header.tip)?;
    let kept = vault.keep(&name, header.tip, &since);
    if kept.map_err(HistoryError::from)? {
        Ok((header.tip, commits))
    } else {
        Err(Stop::Failed(HistoryError::Exists { name }))
    }
}

/// Copies the bundle to where nobody else can change it, and reads its header there.
fn take_in(
    source: &File,
    quarantine: &Quarantine,
    request: &HistoryRequest<'_>,
) -> Result<(File, BundleHeader), Stop> {
    let limit = request.limits.bytes;
    let path = quarantine.path().join("history.bundle");
    let failed = io_error("write", &path);
    let mut copy = File::options()
        .read(true)
        .write(true)
        .create_new(true)
        .open(&path)
        .map_err(&failed)?;
    let copied = io::copy(&mut source.take(limit + 1), &mut copy).map_err(&failed)?;
    if copied > limit {
        return Err(HistoryRefusal::TooMuch {
            what: "bytes",
            limit,
        }
        .into());
    }
    copy.rewind().map_err(&failed)?;
    let header = header::read(&mut BufReader::new(&copy), request.base).map_err(&failed)??;
    if u64::from(header.objects) > request.limits.objects {
        return Err(HistoryRefusal::TooMuch {
            what: "objects",
            limit: request.limits.objects,
        }
        .into());
    }
    Ok((copy, header))
}

fn submodules(vault: &Vault, base: ObjectId) -> Result<HashSet<(Vec<u8>, ObjectId)>, HistoryError> {
    let listing = vault
        .command("ls-tree")?
        .args(["-r", "-z", "--full-tree"])
        .arg(base.to_string())
        .run()?;
    let mut found = HashSet::new();
    for entry in parse_ls_tree(&listing) {
        let (mode, id, path) = entry?;
        if mode == Mode::Submodule {
            let name = path.rsplit(|byte| *byte == b'/').next().unwrap_or(path);
            found.insert((name.to_vec(), id));
        }
    }
    Ok(found)
}

/// Sends what is reachable from the tip, and nothing else that was in the bundle.
fn move_to(
    vault: &Vault,
    quarantine: &Quarantine,
    base: ObjectId,
    tip: ObjectId,
) -> Result<(), HistoryError> {
    let mut sender = quarantine
        .command("pack-objects")?
        .args(["--revs", "--stdout", "--thin", "--delta-base-offset", "-q"])
        .start(Stdio::piped())?;
    let mut input = sender.take_stdin()?;
    let pack = sender.take_stdout()?;
    let receiver = vault
        .command("index-pack")?
        .args(["--stdin", "--fix-thin", "--strict"])
        .start(pack.into())?;
    let told = io::Write::write_all(&mut input, format!("{tip}\n--not\n{base}\n").as_bytes())
        .map_err(|source| sender.pipe_error(source));
    drop(input);
    let sent = sender.finish();
    let received = receiver.finish();
    sent.and(told)?;
    Ok(received?)
}

fn one_commit(vault: &Vault, request: &HistoryRequest<'_>) -> Result<ObjectId, HistoryError> {
    let seconds = request.at.as_micros().div_euclid(1_000_000);
    let identity = format!("{DOGWATCH} {seconds} +0000");
    let since = vault.marker()?;
    let commit = CommitObject {
        tree: request.tree,
        parents: vec![request.base],
        author: identity.clone(),
        committer: identity,
        extra: Vec::new(),
        message: request.message.to_owned(),
    }
    .write(vault)?;
    let name = run_ref(request.run, RESULT);
    if vault.keep(&name, commit, &since)? {
        Ok(commit)
    } else {
        Err(HistoryError::Exists { name })
    }
}
