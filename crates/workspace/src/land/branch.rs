//! Branches of the user's repository.

use super::LandError;
use crate::checkout::Checkout;
use crate::clone::check_branch;
use crate::git::GitError;
use crate::object_id::ObjectId;

/// The full name of a branch to be made. Only names that no shell, option parser or file system takes for something else.
pub(super) fn new_branch(name: &str) -> Result<String, LandError> {
    let plain = check_branch(name).is_ok()
        && name != "HEAD"
        && !name.starts_with("refs/")
        && !name.split('/').any(|part| part == "HEAD" || part == "@");
    if plain {
        Ok(format!("refs/heads/{name}"))
    } else {
        Err(LandError::BranchName {
            name: name.to_owned(),
        })
    }
}

/// Where a branch is; none if there is no such branch. The name is taken as it is and never as an expression.
pub(super) fn tip(checkout: &Checkout, reference: &str) -> Result<Option<ObjectId>, LandError> {
    let output = checkout
        .command("show-ref")?
        .args(["--verify", "--hash", "--", reference])
        .output(&[])?;
    // The failure of a missing ref and of an impossible name is the same.
    if matches!(output.status.code(), Some(1 | 128)) {
        return Ok(None);
    }
    let id = output.success("show-ref")?;
    ObjectId::from_hex(id.trim_ascii_end())
        .map(Some)
        .map_err(|error| GitError::unexpected("show-ref", error.to_string()).into())
}

/// Whether the branch is only another name for a different ref.
pub(super) fn is_symbolic(checkout: &Checkout, reference: &str) -> Result<bool, LandError> {
    let output = checkout
        .command("symbolic-ref")?
        .args(["--quiet", reference])
        .output(&[])?;
    Ok(output.status.success())
}

/// Whether `old` is `new` or comes before it.
pub(super) fn is_ancestor(
    checkout: &Checkout,
    old: ObjectId,
    new: ObjectId,
) -> Result<bool, LandError> {
    let output = checkout
        .command("merge-base")?
        .args(["--is-ancestor", &old.to_string(), &new.to_string()])
        .output(&[])?;
    Ok(output.status.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_mean_something_to_somebody_are_refused() {
        for name in ["fix", "dogwatch/run-1", "a.b/c_d"] {
            assert!(new_branch(name).is_ok(), "{name}");
        }
        for name in [
            "",
            "-f",
            "--force",
            "a b",
            "a;id",
            "`id`",
            "$(id)",
            "a|b",
            "a&&b",
            "a${IFS}b",
            "../x",
            "a/../b",
            "HEAD",
            "a/HEAD",
            "refs/heads/x",
            "x.lock",
            "x/.y",
            "x..y",
            "x~1",
            "x^",
            "x:y",
            "x@{1}",
            "@",
            "x\\y",
            "x\ny",
            "x\u{3000}y",
            "caf\u{e9}",
            "/x",
            "x/",
            "a//b",
            "x.",
        ] {
            assert!(new_branch(name).is_err(), "{name}");
        }
        assert!(new_branch(&"x".repeat(201)).is_err());
    }
}
