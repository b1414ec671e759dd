//! The refs that keep what a run left.

use dogwatch_core::ids::RunId;

use super::refs::Marker;
use super::{Vault, VaultError};
use crate::object_id::ObjectId;

/// Where the refs of a run are.
pub(crate) fn run_ref(run: RunId, name: &str) -> String {
    format!("refs/dogwatch/runs/{run}/{name}")
}

impl Vault {
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
