//! Making a repository out of a directory dogwatch has just written, for the demo.

use std::path::Path;

use crate::git::{GitCommand, GitError};
use crate::object_id::ObjectFormat;

/// Makes `directory` a repository whose one commit, on `main`, holds everything in it.
pub fn commit_everything(directory: &Path, message: &str) -> Result<(), GitError> {
    GitCommand::init(directory, ObjectFormat::Sha1, "main", false)?.run()?;
    let git_dir = directory.join(".git");
    GitCommand::trusted(&git_dir, "add")?
        .work_tree(directory)
        .args(["--all", "--", "."])
        .run()?;
    GitCommand::trusted(&git_dir, "commit")?
        .work_tree(directory)
        .args(["--quiet", "--no-gpg-sign"])
        .arg(format!("--message={message}"))
        .run()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Checkout;

    #[test]
    fn everything_in_the_directory_is_committed() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("sub dir")).unwrap();
        std::fs::write(dir.path().join("sub dir/a"), "a\n").unwrap();
        commit_everything(dir.path(), "first").unwrap();
        let checkout = Checkout::discover(dir.path()).unwrap();
        assert!(checkout.dirty().unwrap().is_clean());
        let head = checkout.resolve("HEAD").unwrap();
        assert_eq!(
            checkout.file_at(head, "sub dir/a").unwrap().unwrap(),
            b"a\n"
        );
    }
}
