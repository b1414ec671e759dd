//! Sending objects from the vault to the user's repository.

use std::io::Write as _;
use std::process::Stdio;

use super::LandError;
use crate::checkout::Checkout;
use crate::git::GitCommand;
use crate::object_id::ObjectId;
use crate::vault::Vault;

/// Sends what is reachable from `wanted` and not from those of `known` that the checkout has. Every object is checked as by `git fsck
/// --strict` before it is stored. Until a branch names them they are nobody's, and git collects them if none ever does.
pub(super) fn send(
    vault: &Vault,
    checkout: &Checkout,
    wanted: ObjectId,
    known: &[ObjectId],
) -> Result<(), LandError> {
    let mut revisions = format!("{wanted}\n--not\n");
    for commit in known {
        let there = checkout
            .command("cat-file")?
            .args(["-e", &format!("{commit}^{{commit}}")])
            .output(&[])?;
        if there.status.success() {
            revisions.push_str(&format!("{commit}\n"));
        }
    }
    let mut sender = vault
        .command("pack-objects")?
        .args(["--revs", "--stdout", "--thin", "--delta-base-offset", "-q"])
        .start(Stdio::piped())?;
    let mut input = sender.take_stdin()?;
    let pack = sender.take_stdout()?;
    let receiver = GitCommand::landing_in(checkout.top_level(), "index-pack")?
        .args(["--stdin", "--fix-thin", "--strict"])
        .start(pack.into())?;
    let told = input
        .write_all(revisions.as_bytes())
        .map_err(|source| sender.pipe_error(source));
    drop(input);
    // A receiver that refuses an object breaks the sender's pipe, so its reason comes first.
    let sent = sender.finish();
    receiver.finish().map_err(LandError::Objects)?;
    sent.and(told)?;
    Ok(())
}
