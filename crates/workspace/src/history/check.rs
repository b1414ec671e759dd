//! Reading everything that would enter the vault, in the quarantine.

use std::collections::{HashMap, HashSet};

use super::error::{HistoryRefusal, Stop};
use super::import::HistoryRequest;
use super::quarantine::Quarantine;
use super::trees::TreeRules;
use crate::commit_object::{CommitObject, is_hostile, speaks_for_dogwatch};
use crate::git::{Bounds, Feed, GitCommand, GitError};
use crate::object_id::ObjectId;

/// The longest identity line and message that are kept.
const MAX_IDENTITY: usize = 1024;
const MAX_MESSAGE: usize = 64 * 1024;

/// One check of one history.
pub(super) struct Check<'a> {
    pub(super) quarantine: &'a Quarantine,
    pub(super) request: &'a HistoryRequest<'a>,
    pub(super) bounds: Bounds,
    pub(super) rules: TreeRules,
}

/// What git says no to is the history's fault; that git could not be run is ours.
pub(super) fn blame(error: GitError) -> Stop {
    match error {
        GitError::Failed { .. } | GitError::Stopped { .. } | GitError::Unexpected { .. } => {
            HistoryRefusal::Objects(error).into()
        }
        GitError::Missing
        | GitError::TooOld { .. }
        | GitError::Spawn { .. }
        | GitError::Pipe { .. } => error.into(),
    }
}

impl Check<'_> {
    /// Checks all that is reachable from `tip` and not from base. Returns the number of new commits.
    pub(super) fn run(&self, tip: ObjectId) -> Result<u64, Stop> {
        let commits = self.commits(tip)?;
        let trees = self.objects(tip)?;
        self.trees(trees)?;
        Ok(commits)
    }

    fn ask(&self, command: GitCommand, input: &[u8]) -> Result<Vec<u8>, Stop> {
        command
            .run_within(Feed::Bytes(input), &self.bounds)
            .map_err(blame)
    }

    fn commits(&self, tip: ObjectId) -> Result<u64, Stop> {
        let limit = self.request.limits.commits;
        let base = self.request.base;
        let listed = self.ask(
            self.quarantine
                .command("rev-list")?
                .arg(format!("--max-count={}", limit.saturating_add(1)))
                .arg(tip.to_string())
                .arg(format!("^{base}")),
            &[],
        )?;
        let ids = ids(&listed)?;
        let too_much = HistoryRefusal::TooMuch {
            what: "commits",
            limit,
        };
        if ids.len() as u64 > limit {
            return Err(too_much.into());
        }
        let new: HashSet<ObjectId> = ids.iter().copied().collect();
        for (commit, raw) in self.read(&ids, b"commit")? {
            let parsed = check_commit(commit, &raw)?;
            if parsed.parents.is_empty() {
                return Err(HistoryRefusal::ForeignParent {
                    commit,
                    parent: "none".into(),
                }
                .into());
            }
            for parent in &parsed.parents {
                if *parent != base && !new.contains(parent) {
                    return Err(HistoryRefusal::ForeignParent {
                        commit,
                        parent: parent.to_string().as_str().into(),
                    }
                    .into());
                }
            }
            if commit == tip && parsed.tree != self.request.tree {
                return Err(HistoryRefusal::OtherTree {
                    found: parsed.tree,
                    tree: self.request.tree,
                }
                .into());
            }
        }
        if !new.contains(&tip) {
            return Err(HistoryRefusal::NoBundle.into());
        }
        Ok(ids.len() as u64)
    }

    /// Kinds and sizes of all new objects. Returns the trees.
    fn objects(&self, tip: ObjectId) -> Result<Vec<ObjectId>, Stop> {
        let limits = &self.request.limits;
        let listed = self.ask(
            self.quarantine
                .command("rev-list")?
                .args(["--objects", "--no-object-names"])
                .arg(tip.to_string())
                .arg(format!("^{}", self.request.base)),
            &[],
        )?;
        let all = ids(&listed)?;
        let too_much = |what, limit| HistoryRefusal::TooMuch { what, limit };
        if all.len() as u64 > limits.objects {
            return Err(too_much("objects", limits.objects).into());
        }
        let included = self.request.included;
        if all.iter().any(|id| included.contains(id)) {
            return Err(HistoryRefusal::Included.into());
        }
        let kinds = self.ask(
            self.quarantine
                .command("cat-file")?
                .arg("--batch-check=%(objecttype) %(objectsize)"),
            &listed,
        )?;
        let mut trees = Vec::new();
        let mut bytes: u64 = 0;
        let mut lines = kinds.split(|byte| *byte == b'\n');
        for id in all {
            let (kind, size) = lines
                .next()
                .and_then(kind_and_size)
                .ok_or_else(unreadable)?;
            bytes = bytes.saturating_add(size);
            if bytes > limits.unpacked_bytes {
                return Err(too_much("bytes of content", limits.unpacked_bytes).into());
            }
            if kind == b"tree" {
                trees.push(id);
            }
        }
        Ok(trees)
    }

    /// Checks every new tree once, and that a few of them do not stand for a million paths.
    fn trees(&self, trees: Vec<ObjectId>) -> Result<(), Stop> {
        let limit = self.request.limits.paths;
        let mut known: HashMap<ObjectId, (Vec<ObjectId>, u64)> = HashMap::new();
        // In portions, so that not all of them are in memory at a time.
        for portion in trees.chunks(4096) {
            for (id, raw) in self.read(portion, b"tree")? {
                known.insert(id, self.rules.check(id, &raw)?);
            }
        }
        let mut paths: HashMap<ObjectId, u64> = HashMap::new();
        for tree in trees {
            let mut pending = vec![(tree, false)];
            while let Some((id, children_done)) = pending.pop() {
                let Some((subtrees, own)) = known.get(&id) else {
                    continue;
                };
                if children_done {
                    let below = subtrees
                        .iter()
                        .map(|sub| paths.get(sub).copied().unwrap_or(1));
                    let sum = below.fold(*own, u64::saturating_add);
                    if sum > limit {
                        return Err(HistoryRefusal::TooMuch {
                            what: "paths in one tree",
                            limit,
                        }
                        .into());
                    }
                    paths.insert(id, sum);
                } else if !paths.contains_key(&id) {
                    pending.push((id, true));
                    pending.extend(subtrees.iter().map(|sub| (*sub, false)));
                }
            }
        }
        Ok(())
    }

    /// The raw content of objects of one kind.
    fn read(&self, ids: &[ObjectId], kind: &[u8]) -> Result<Vec<(ObjectId, Vec<u8>)>, Stop> {
        let input: String = ids.iter().map(|id| format!("{id}\n")).collect();
        let answer = self.ask(
            self.quarantine
                .command("cat-file")?
                .arg("--batch=%(objecttype) %(objectsize)"),
            input.as_bytes(),
        )?;
        let mut rest = answer.as_slice();
        ids.iter()
            .map(|id| {
                let end = rest.iter().position(|byte| *byte == b'\n');
                let (header, after) = rest.split_at(end.ok_or_else(unreadable)?);
                let (found, size) = kind_and_size(header).ok_or_else(unreadable)?;
                let size = usize::try_from(size).map_err(|_| unreadable())?;
                let content = after.get(1..=size).ok_or_else(unreadable)?.to_vec();
                if found != kind {
                    return Err(unreadable());
                }
                rest = after.get(size + 2..).ok_or_else(unreadable)?;
                Ok((*id, content))
            })
            .collect()
    }
}

fn unreadable() -> Stop {
    blame(GitError::unexpected("cat-file", "it broke off"))
}

fn ids(listed: &[u8]) -> Result<Vec<ObjectId>, Stop> {
    listed
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| {
            ObjectId::from_hex(line)
                .map_err(|error| blame(GitError::unexpected("rev-list", error.to_string())))
        })
        .collect()
}

fn kind_and_size(line: &[u8]) -> Option<(&[u8], u64)> {
    let space = line.iter().position(|byte| *byte == b' ')?;
    let size = std::str::from_utf8(&line[space + 1..]).ok()?.parse().ok()?;
    Some((&line[..space], size))
}

/// What a commit may say. It is not rewritten: a history with other ids is not the agent's.
fn check_commit(commit: ObjectId, raw: &[u8]) -> Result<CommitObject, HistoryRefusal> {
    let refused = |detail| HistoryRefusal::Commit { commit, detail };
    let parsed = CommitObject::parse(raw).ok_or(refused("is not a plain commit in UTF-8"))?;
    for line in [&parsed.author, &parsed.committer] {
        if line.len() > MAX_IDENTITY || line.chars().any(is_hostile) {
            return Err(refused("has an author or committer that is not plain text"));
        }
    }
    if parsed
        .extra
        .iter()
        .any(|name| !matches!(name.as_str(), "gpgsig" | "gpgsig-sha256"))
    {
        return Err(refused("has a header that is not kept"));
    }
    if parsed.message.len() > MAX_MESSAGE || parsed.message.chars().any(is_hostile) {
        return Err(refused(
            "has a message that is not plain text of some length",
        ));
    }
    if parsed.message.lines().any(speaks_for_dogwatch) {
        return Err(refused("speaks for dogwatch in its message"));
    }
    Ok(parsed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_commit_may_say() {
        let of = |author: &str, headers: &str, message: &str| {
            let raw = format!(
                "tree {}\nauthor {author} <a@b> 1 +0000\ncommitter B <b> 2 +0000\n{headers}\n{message}",
                "1".repeat(40)
            );
            check_commit(ObjectId::Sha1([3; 20]), raw.as_bytes()).is_ok()
        };
        assert!(of("Zoë", "gpgsig x\n y\n", "Fix it 👩‍🔧\n\n\tand more\n"));
        assert!(!of("A\u{1b}[31m", "", "x\n"));
        assert!(!of("A\u{202e}B", "", "x\n"));
        assert!(!of(&"A".repeat(2000), "", "x\n"));
        assert!(!of("A", "mergetag x\n", "x\n"));
        assert!(!of("A", "encoding latin1\n", "x\n"));
        assert!(!of("A", "", "x\u{7}\n"));
        assert!(!of("A", "", "x\r\n"));
        assert!(!of("A", "", "x\n\nDogwatch-Bundle: 0000\n"));
        assert!(!of("A", "", &"x".repeat(70_000)));
    }
}
