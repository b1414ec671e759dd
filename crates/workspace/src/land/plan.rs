//! Looking and deciding. Nothing of the user's is written here.

use std::path::Path;

use dogwatch_core::ids::RunId;

use super::branch::{is_ancestor, is_symbolic, new_branch, tip};
use super::files::{Difference, clean, differences, tracked};
use super::merge::{are_related, merge_trees};
use super::obstacles::in_the_way;
use super::record::Record;
use super::worktrees::{Worktree, holding};
use super::{LandError, Mode, PromotionRequest, commit};
use crate::checkout::Checkout;
use crate::object_id::ObjectId;
use crate::path_bytes::PathList;
use crate::vault::Vault;

/// What a promotion will do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlanKind {
    /// The branch moves on from base.
    FastForward,
    /// A branch is made.
    NewBranch,
    /// The branch gets a merge commit.
    Merge,
    /// What was interrupted is finished.
    Resume,
    /// The branch has it already, so nothing is done.
    Landed,
}

/// A promotion that nothing speaks against, as things are now.
#[derive(Clone, Debug)]
pub struct Plan {
    pub(super) kind: PlanKind,
    pub(super) run: RunId,
    pub(super) base: ObjectId,
    pub(super) reference: String,
    pub(super) old: Option<ObjectId>,
    pub(super) new: ObjectId,
    pub(super) worktree: Option<Worktree>,
}

impl Plan {
    /// What it does.
    pub const fn kind(&self) -> PlanKind {
        self.kind
    }

    /// The full name of the branch.
    pub fn reference(&self) -> &str {
        &self.reference
    }

    /// Where the branch is now; none if it is made.
    pub const fn before(&self) -> Option<ObjectId> {
        self.old
    }

    /// Where it will be.
    pub const fn commit(&self) -> ObjectId {
        self.new
    }

    /// The directory whose files follow, if the branch is checked out somewhere.
    pub fn worktree(&self) -> Option<&Path> {
        self.worktree
            .as_ref()
            .map(|worktree| worktree.files.as_path())
    }
}

/// Finds out how `request` would land in the repository of `checkout`, and refuses what would not.
pub fn plan(
    checkout: &Checkout,
    vault: &Vault,
    request: &PromotionRequest<'_>,
) -> Result<Plan, LandError> {
    if let Some(record) = Record::read(checkout)? {
        if record.run != request.run {
            return Err(record.interrupted());
        }
        return Ok(Plan {
            kind: PlanKind::Resume,
            run: record.run,
            base: request.base,
            worktree: Some(record.worktree()),
            reference: record.reference,
            old: Some(record.old),
            new: record.new,
        });
    }
    // Discovered anew, as the checkout may have been looked at before the run.
    if Checkout::discover(checkout.top_level())?.is_shallow() {
        return Err(LandError::Shallow);
    }
    refuse_submodules(&differences(vault, request.base, request.tree)?)?;
    let landing = commit::landing(vault, request)?;
    let draft = |kind, reference, old, new| Plan {
        kind,
        run: request.run,
        base: request.base,
        reference,
        old,
        new,
        worktree: None,
    };
    if let Mode::Branch(name) = &request.mode {
        let reference = new_branch(name)?;
        return match tip(checkout, &reference)? {
            None => Ok(draft(PlanKind::NewBranch, reference, None, landing)),
            Some(at) if at == landing => Ok(draft(PlanKind::Landed, reference, Some(at), landing)),
            Some(at) => Err(LandError::BranchExists {
                branch: name.as_str().into(),
                at,
            }),
        };
    }
    let (reference, at) = target(checkout, request)?;
    if has_landed(checkout, landing, at)? {
        return Ok(draft(PlanKind::Landed, reference, Some(at), at));
    }
    let worktree = holding(checkout, &reference)?;
    let mut plan = if at == request.base {
        draft(PlanKind::FastForward, reference, Some(at), landing)
    } else if request.mode == Mode::Merge {
        let new = merged(checkout, vault, request, &reference, at, landing)?;
        draft(PlanKind::Merge, reference, Some(at), new)
    } else {
        return Err(LandError::Moved {
            branch: short(&reference).into(),
            at,
            base: request.base,
        });
    };
    plan.worktree = worktree;
    if let Some(worktree) = &plan.worktree {
        refuse_occupied(vault, worktree, at, plan.new)?;
    }
    Ok(plan)
}

/// The branch to land on and where it is.
fn target(
    checkout: &Checkout,
    request: &PromotionRequest<'_>,
) -> Result<(String, ObjectId), LandError> {
    let reference = match request.target {
        Some(name) => format!(
            "refs/heads/{}",
            name.strip_prefix("refs/heads/").unwrap_or(name)
        ),
        None => {
            let name = checkout.branch_name()?.ok_or(LandError::Detached)?;
            let name = name.as_str().ok_or_else(|| LandError::NoBranch {
                branch: name.clone(),
            })?;
            format!("refs/heads/{name}")
        }
    };
    let branch = || short(&reference).into();
    let at = tip(checkout, &reference)?.ok_or_else(|| LandError::NoBranch { branch: branch() })?;
    if is_symbolic(checkout, &reference)? {
        return Err(LandError::SymbolicBranch { branch: branch() });
    }
    Ok((reference, at))
}

/// Whether the branch contains the commit that would land. It can only if the repository knows it.
fn has_landed(checkout: &Checkout, landing: ObjectId, at: ObjectId) -> Result<bool, LandError> {
    Ok(at == landing || is_ancestor(checkout, landing, at)?)
}

fn merged(
    checkout: &Checkout,
    vault: &Vault,
    request: &PromotionRequest<'_>,
    reference: &str,
    at: ObjectId,
    landing: ObjectId,
) -> Result<ObjectId, LandError> {
    vault.fetch_base(checkout, at)?;
    if !are_related(vault, at, landing)? {
        return Err(LandError::Unrelated {
            branch: short(reference).into(),
        });
    }
    match merge_trees(vault, at, landing)? {
        Ok(tree) => commit::merge(vault, request, tree, at, landing),
        Err(paths) => Err(LandError::Conflicts {
            branch: short(reference).into(),
            paths,
        }),
    }
}

fn refuse_submodules(differences: &[Difference]) -> Result<(), LandError> {
    let mut paths = PathList::default();
    for difference in differences.iter().filter(|found| found.submodule) {
        paths.push(&difference.path);
    }
    if paths.is_empty() {
        Ok(())
    } else {
        Err(LandError::Submodule { paths })
    }
}

/// Refuses a worktree with changes of its own or with untracked files where the result has some.
pub(super) fn refuse_occupied(
    vault: &Vault,
    worktree: &Worktree,
    old: ObjectId,
    new: ObjectId,
) -> Result<(), LandError> {
    clean(worktree)?;
    let added: Vec<Vec<u8>> = differences(vault, old, new)?
        .into_iter()
        .filter(|difference| difference.old.is_none())
        .map(|difference| difference.path)
        .collect();
    let paths = in_the_way(&worktree.files, &tracked(vault, old)?, &added)?;
    if paths.is_empty() {
        return Ok(());
    }
    Err(LandError::InTheWay {
        worktree: worktree.files.as_path().into(),
        paths,
    })
}

pub(super) fn short(reference: &str) -> &str {
    reference.strip_prefix("refs/heads/").unwrap_or(reference)
}
