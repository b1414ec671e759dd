//! The refs that keep what a run left.

use dogwatch_core::ids::RunId;

use super::refs::Marker;
use super::{Vault, VaultError};
use crate::git::GitError;
use crate::object_id::ObjectId;

/// Where the refs of a run are.
pub(crate) fn run_ref(run: RunId, name: &str) -> String {
    format!("refs/dogwatch/runs/{run}/{name}")
}

/// The names under a run's refs that are not snapshots.
pub(crate) const HISTORY: &str = "history";
/// See [`HISTORY`].
pub(crate) const RESULT: &str = "result";

/// A snapshot of a run that can be restored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnapshotRef {
    /// Its label, such as `turn-001`.
    pub label: String,
    /// The commit.
    pub commit: ObjectId,
    /// Tree T as it was.
    pub tree: ObjectId,
    /// What was kept beside it.
    pub ignored: Option<ObjectId>,
}

impl Vault {
    /// The snapshots of a run that were finished, by label.
    pub fn snapshots(&self, run: RunId) -> Result<Vec<SnapshotRef>, VaultError> {
        let prefix = run_ref(run, "");
        let listed = self
            .command("for-each-ref")?
            .args([
                "--sort=refname",
                "--format=%(objectname) %(tree) %(refname)",
            ])
            .arg(&prefix)
            .run()?;
        let unexpected = |line: &str| GitError::unexpected("for-each-ref", format!("`{line}`"));
        let text = String::from_utf8_lossy(&listed);
        let mut found = Vec::new();
        for line in text.lines() {
            let mut fields = line.splitn(3, ' ');
            let (Some(commit), Some(tree), Some(name)) =
                (fields.next(), fields.next(), fields.next())
            else {
                return Err(unexpected(line).into());
            };
            let label = name.strip_prefix(&prefix).ok_or_else(|| unexpected(line))?;
            // A label has no dot, so this is what lies beside a snapshot, finished or not.
            if label.contains('.') || [HISTORY, RESULT].contains(&label) {
                continue;
            }
            let id = |text: &str| text.parse::<ObjectId>().map_err(|_| unexpected(line));
            found.push(SnapshotRef {
                label: label.to_owned(),
                commit: id(commit)?,
                tree: id(tree)?,
                ignored: self.read_ref(&format!("{name}.ignored"))?,
            });
        }
        Ok(found)
    }

    /// Lets a ref name `id`, durably, with the objects that were stored since `since`. False if it names something else already, which
    /// is left as it is.
    pub(crate) fn keep(
        &self,
        name: &str,
        id: ObjectId,
        since: &Marker,
    ) -> Result<bool, VaultError> {
        if let Some(before) = self.read_ref(name)? {
            return Ok(before == id);
        }
        let none = "0".repeat(self.object_format().hex_len());
        self.command("update-ref")?
            .args(["--no-deref", name])
            .args([id.to_string(), none])
            .run()?;
        self.sync_directories(since, name)?;
        Ok(true)
    }

    /// Removes every ref of a run, snapshots included, and says how many there were. What they named is gone with the next collection,
    /// so this is for a run whose evidence nobody needs any more; a rejected run keeps its refs until then.
    pub fn drop_run_refs(&self, run: RunId) -> Result<u64, VaultError> {
        self.drop_refs(&[
            format!("refs/dogwatch/runs/{run}/"),
            format!("refs/dogwatch/again/{run}/"),
        ])
    }

    /// Removes the refs of a run that are nobody's evidence: snapshots that were taken again and came out differently.
    pub fn tidy_run_refs(&self, run: RunId) -> Result<u64, VaultError> {
        self.drop_refs(&[format!("refs/dogwatch/again/{run}/")])
    }

    fn drop_refs(&self, prefixes: &[String]) -> Result<u64, VaultError> {
        let found = self
            .command("for-each-ref")?
            .arg("--format=delete %(refname) %(objectname)")
            .args(prefixes)
            .run()?;
        let count = found.iter().filter(|byte| **byte == b'\n').count() as u64;
        if count > 0 {
            // One transaction: all of them or none.
            self.command("update-ref")?
                .args(["--no-deref", "--stdin"])
                .run_with_input(&found)?;
        }
        Ok(count)
    }
}
