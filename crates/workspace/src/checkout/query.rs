//! Questions to a checkout.

use serde::{Deserialize, Serialize};

use super::{Checkout, CheckoutError};
use crate::git::GitError;
use crate::object_id::ObjectId;
use crate::path_bytes::{PathBytes, PathList};
use crate::tree::{Mode, parse_ls_tree};

/// What is in the checkout but not in its commit, and so not part of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DirtySummary {
    /// How many paths differ; an untracked directory counts once.
    pub count: u64,
    /// The first of them.
    pub sample: Vec<PathBytes>,
}

impl DirtySummary {
    const SAMPLE: usize = 20;

    /// Whether nothing is left out.
    pub const fn is_clean(&self) -> bool {
        self.count == 0
    }
}

impl Checkout {
    /// The commit `base_ref` names.
    pub fn resolve(&self, base_ref: &str) -> Result<ObjectId, CheckoutError> {
        match self.commit_named(base_ref)? {
            Some(commit) => Ok(commit),
            None => Err(CheckoutError::RefNotFound {
                base_ref: base_ref.to_owned(),
                nearest: self.nearest_refs(base_ref)?,
            }),
        }
    }

    pub(super) fn commit_named(&self, name: &str) -> Result<Option<ObjectId>, GitError> {
        if name.is_empty() || name.contains(['\0', '\n']) {
            return Ok(None);
        }
        let output = self
            .command("rev-parse")?
            .args(["--verify", "--quiet", "--end-of-options"])
            .arg(format!("{name}^{{commit}}"))
            .output(&[])?;
        match output.status.code() {
            Some(0) => {}
            // 1 is a quiet "no", 128 a ref expression that does not parse.
            Some(1 | 128) => return Ok(None),
            Some(_) | None => return output.success("rev-parse").map(|_| None),
        }
        parse_id(output.stdout.trim_ascii()).map(Some)
    }

    pub(super) fn has_any_ref(&self) -> Result<bool, GitError> {
        let found = self
            .command("for-each-ref")?
            .args(["--count=1", "--format=%(objectname)"])
            .run()?;
        Ok(!found.is_empty())
    }

    fn nearest_refs(&self, wanted: &str) -> Result<Vec<String>, GitError> {
        const SHOWN: usize = 3;
        let names = self
            .command("for-each-ref")?
            .args([
                "--format=%(refname:short)",
                "refs/heads",
                "refs/tags",
                "refs/remotes",
            ])
            .run()?;
        let mut scored: Vec<(f64, String)> = String::from_utf8_lossy(&names)
            .lines()
            .map(|name| (strsim::jaro_winkler(wanted, name), name.to_owned()))
            .filter(|(score, _)| *score > 0.75)
            .collect();
        scored.sort_by(|left, right| {
            right
                .0
                .total_cmp(&left.0)
                .then_with(|| left.1.cmp(&right.1))
        });
        Ok(scored
            .into_iter()
            .take(SHOWN)
            .map(|(_, name)| name)
            .collect())
    }

    /// What a run from the commit would not include.
    pub fn dirty(&self) -> Result<DirtySummary, CheckoutError> {
        let status = self
            .command("status")?
            .args([
                "--porcelain=v2",
                "-z",
                "--no-renames",
                "--untracked-files=normal",
            ])
            // Looking into submodules would run git under their configuration.
            .arg("--ignore-submodules=dirty")
            .run()?;
        let mut found = PathList::default();
        for record in status
            .split(|byte| *byte == 0)
            .filter(|record| !record.is_empty())
        {
            // The number of fields before the path is fixed per kind of record.
            let fields = match record[0] {
                b'1' => 9,
                b'u' => 11,
                b'?' => 2,
                _ => return Err(unreadable_status(record).into()),
            };
            let path = record.splitn(fields, |byte| *byte == b' ').nth(fields - 1);
            found.push_within(
                path.ok_or_else(|| unreadable_status(record))?,
                DirtySummary::SAMPLE,
            );
        }
        Ok(DirtySummary {
            count: found.count,
            sample: found.sample,
        })
    }

    /// The content of a file at a commit; none if there is no such file. The path is relative to the top level. Anything else of that
    /// name, a link say, is an error.
    pub fn file_at(&self, commit: ObjectId, path: &str) -> Result<Option<Vec<u8>>, CheckoutError> {
        // The entry is looked up first, because an object that is missing must not look like a file that is.
        let listing = self
            .command("ls-tree")?
            .args(["-z", "--full-tree"])
            .arg(commit.to_string())
            .args(["--", path])
            .run()?;
        let Some(entry) = parse_ls_tree(&listing).next().transpose()? else {
            return Ok(None);
        };
        match entry {
            (Mode::File | Mode::Executable, id, found) if found == path.as_bytes() => Ok(Some(
                self.command("cat-file")?
                    .arg("blob")
                    .arg(id.to_string())
                    .run()?,
            )),
            (Mode::File | Mode::Executable | Mode::Symlink | Mode::Submodule, ..) => {
                let path = PathBytes::from(path);
                Err(GitError::unexpected("ls-tree", format!("`{path}` is not a plain file")).into())
            }
        }
    }

    /// The branch that is checked out; none when HEAD is detached.
    pub fn branch_name(&self) -> Result<Option<PathBytes>, CheckoutError> {
        let output = self
            .command("symbolic-ref")?
            .args(["--quiet", "--short", "HEAD"])
            .output(&[])?;
        if output.status.code() == Some(1) {
            return Ok(None);
        }
        let name = output.success("symbolic-ref")?;
        Ok(Some(PathBytes::new(name.trim_ascii_end())))
    }
}

fn parse_id(text: &[u8]) -> Result<ObjectId, GitError> {
    ObjectId::from_hex(text).map_err(|error| GitError::unexpected("rev-parse", error.to_string()))
}

fn unreadable_status(record: &[u8]) -> GitError {
    GitError::unexpected(
        "status",
        format!("`{}`", PathBytes::new(&record[..record.len().min(200)])),
    )
}
