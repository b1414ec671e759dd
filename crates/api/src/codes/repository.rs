//! git and the repository a command is about.

use super::info::codes;

codes! {
    not_a_repository "There is no git repository here" {
        "Neither the directory nor any above it is a git repository."
        next "Go into a repository, or run `git init` and commit something."
    }
    bare_repository "The repository has no checkout" {
        "A bare repository has no files to start from."
        next "Use a clone or a worktree of it."
    }
    inside_git_directory "The directory is inside .git" {
        "Commands are given in a checkout, and this directory belongs to git itself."
        next "Go to the top of the checkout."
    }
    empty_repository "The repository has no commit yet" {
        "A run starts from a commit, and there is none."
        next "Commit something, then try again."
    }
    dubious_ownership "git does not trust the owner of the repository" {
        "The repository belongs to another user, and git refuses to read its configuration."
        next "Run as the owner, or add the directory to `safe.directory` (see `git help config`)."
    }
    base_ref_not_found "There is no such commit" {
        "The name given as the base of a run is no branch, no tag and no commit of the repository."
        next "Name a branch, a tag or a commit that `git rev-parse` knows."
    }
    git_missing "git is not installed" {
        "No `git` was found in the PATH."
        next "Install git 2.39 or newer."
    }
    git_too_old "git is too old" {
        "The installed git lacks options that dogwatch relies on for safety."
        next "Install git 2.39 or newer."
    }
    git_failed "git failed" {
        "A git command that should have worked did not. Its own words stand in the message."
        next "Mend what git names; `dogwatch doctor` checks git and the repository."
    }
    project_moved "The checkout of the project is not where it was" {
        "The place that was remembered for the project holds no checkout of it any more, or it cannot be read."
        next "Run any dogwatch command once in the project's present place, then retry the job."
    }
}
