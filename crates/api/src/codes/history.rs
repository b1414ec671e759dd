//! Why an agent's own commits are not kept. The result they led to always is.

use super::info::codes;

codes! {
    history_none "There are no commits to keep" {
        "The agent committed nothing, or git could not pack its commits where it worked."
        next "Nothing: the result lands as one commit."
    }
    history_unreadable "The packed commits cannot be read" {
        "Something else than a file lies where the agent's commits were to be packed, or it cannot be read."
        next "Nothing: the result lands as one commit."
    }
    history_too_large "The agent's commits are too much to check" {
        "There are more commits, objects or bytes than a history may have, or checking them took too long."
        next "Nothing: the result lands as one commit."
    }
    history_bundle_form "The packed commits have an unexpected form" {
        "The file is not the one bundle of commits that was asked for, so it was not read."
        next "Nothing: the result lands as one commit. Look at what the agent did in its workspace."
    }
    history_objects_refused "git refuses the agent's commits" {
        "The objects are broken, incomplete, or of a kind that `git fsck --strict` does not let pass."
        next "Nothing: the result lands as one commit. Look at what the agent did in its workspace."
    }
    history_commit_refused "One of the agent's commits is not accepted" {
        "A commit has text that is not UTF-8, control characters, unknown headers, or lines that speak for dogwatch."
        next "Nothing: the result lands as one commit."
    }
    history_foreign_parent "The agent's commits do not start at the base" {
        "A commit follows one that is neither the base of the run nor new, so the history is not the run's own."
        next "Nothing: the result lands as one commit."
    }
    history_tree_refused "A tree of the agent's commits is not accepted" {
        "A tree has a name that must not be in one, such as `.git` or `..`, or a submodule that was not there."
        next "Nothing: the result lands as one commit. Look at what the agent did in its workspace."
    }
    history_included_file "The agent committed a file that must not leave" {
        "A commit holds the content of a file that `.worktreeinclude` brought along."
        next "Nothing: the result lands as one commit, without that file."
    }
}
