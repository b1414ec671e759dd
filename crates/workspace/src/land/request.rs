//! What is to land, and where.

use dogwatch_core::ids::RunId;
use dogwatch_core::{Sha256Digest, Timestamp};

use crate::commit_object::DOGWATCH;
use crate::object_id::ObjectId;

/// How a branch gets the result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mode {
    /// The branch is still where the run started and moves on.
    FastForward,
    /// A new branch of this name, which no worktree has checked out; everything else stays as it is.
    Branch(String),
    /// As fast-forward, or by a merge commit if the branch has moved.
    Merge,
}

/// Whom the landing commit names as its author.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Author(String);

impl Author {
    /// A person, as git would write one. None for text that cannot stand in a commit.
    pub fn new(name: &str, email: &str) -> Option<Self> {
        let plain = |text: &str| {
            !text.trim().is_empty()
                && text.len() <= 256
                && !text.chars().any(|character| {
                    matches!(character, '<' | '>' | '\n' | '\t')
                        || crate::commit_object::is_hostile(character)
                })
        };
        (plain(name) && plain(email)).then(|| Self(format!("{} <{}>", name.trim(), email.trim())))
    }

    pub(super) fn line(&self, seconds: i64) -> String {
        format!("{} {seconds} +0000", self.0)
    }
}

impl Default for Author {
    fn default() -> Self {
        Self(DOGWATCH.to_owned())
    }
}

/// A result that is to land.
#[derive(Clone, Debug)]
pub struct PromotionRequest<'a> {
    /// The run.
    pub run: RunId,
    /// Tree T.
    pub tree: ObjectId,
    /// The commit the run started from.
    pub base: ObjectId,
    /// The last commit of the agent's own history, if it was kept.
    pub history: Option<ObjectId>,
    /// What the landing commit says; with a history its last commit keeps its own words, and this is for a merge only.
    pub message: &'a str,
    /// Whom it names as its author; with a history its last commit keeps its own.
    pub author: Author,
    /// The digest of the bundle's manifest.
    pub bundle: Sha256Digest,
    /// The date of the commits that are made. The end of the run, say: the same request again then makes the same commits.
    pub at: Timestamp,
    /// How.
    pub mode: Mode,
    /// The branch, without `refs/heads/`; none for the one that is checked out. A new branch needs none.
    pub target: Option<&'a str>,
}
