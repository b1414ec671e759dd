//! Landing a change in the user's repository, and bringing a snapshot back to files.

use super::info::codes;

codes! {
    target_detached "No branch is checked out" {
        "The change would land on the branch that is checked out, and HEAD is detached."
        next "Name a branch with `--into BRANCH`, or make a new one with `--branch NAME`."
    }
    target_missing "There is no such branch" {
        "The branch that the change is to land on does not exist, or has no commit yet."
        next "Name another one with `--into BRANCH`, or make a new one with `--branch NAME`."
    }
    target_symbolic "The branch is another name for a different one" {
        "The branch is a symbolic ref, and moving it would move the branch it stands for."
        next "Name the branch it stands for with `--into BRANCH`."
    }
    branch_name "The name cannot be that of a new branch" {
        "Names of new branches are made of letters, digits, `.`, `_`, `-` and `/`, and mean nothing special to git or a shell."
        next "Give `--branch` another name."
    }
    branch_exists "The branch exists already" {
        "A new branch was asked for, and there is one of that name at another commit. It was not touched."
        next "Give `--branch` another name, or land on the existing one with `--into BRANCH`."
    }
    target_moved "The branch is not where the run started" {
        "Others have committed to the branch since the run took its base, so it cannot simply move forward."
        next "Promote with `--merge` to join both, or with `--branch NAME` to look at it first."
    }
    target_dirty "The files there have uncommitted changes" {
        "The branch is checked out in a worktree with changes of its own, and those are never overwritten or mixed in."
        next "Commit or stash them and promote again, or promote to a new branch with `--branch NAME`."
    }
    target_untracked_in_the_way "Untracked files are in the way" {
        "The change adds files where the worktree has some that git does not know. They would be overwritten."
        next "Move them away and promote again, or promote to a new branch with `--branch NAME`."
    }
    target_in_progress "Something else is half done there" {
        "A merge, rebase, cherry-pick or the like is in progress in the worktree that has the branch."
        next "Finish or abort it and promote again, or promote to a new branch with `--branch NAME`."
    }
    target_checked_out_twice "More than one worktree has the branch" {
        "The files of only one worktree could follow the branch, and the other would look changed."
        next "Switch one of them to another branch, or promote to a new branch with `--branch NAME`."
    }
    target_worktree_missing "The worktree of the branch is missing" {
        "git has on record that the branch is checked out in a directory that is not there."
        next "`git worktree prune` forgets it; then promote again."
    }
    merge_conflicts "The merge has conflicts" {
        "The branch and the run changed the same places. Nothing was written: the merge was tried outside your files."
        next "Promote to a new branch with `--branch NAME`, and merge that by hand."
    }
    merge_unrelated "The branch has nothing in common with the run" {
        "The branch and the run have no commit in common, so there is nothing to merge from."
        next "Name the branch the run started from with `--into BRANCH`, or make one with `--branch NAME`."
    }
    target_shallow "The repository is shallow" {
        "The history of the repository is cut off, so it cannot be told what the branch contains."
        next "`git fetch --unshallow` completes it; then promote again."
    }
    submodule_changed "The change would change a submodule" {
        "The result has another commit or another kind of entry where the base has a submodule, and no run can vouch for that."
        next "Change submodules by hand; `dogwatch diff` shows what the run did."
    }
    history_other_tree "The agent's commits do not end in the result" {
        "The history that was kept for the run leads to other files than those that were checked."
        next "Look at it with `dogwatch diff`, and run the job again; the evidence of the run is not affected."
    }
    target_raced "Somebody else moved the branch meanwhile" {
        "The branch was moved, locked or checked out elsewhere between looking and landing. Nothing of the change is in it."
        next "Look at what happened to it, then promote again. If git names a lock and no git command is running, remove it first."
    }
    index_locked "Another git command is at work there" {
        "git's index of the worktree is locked."
        next "Wait for the other command and promote again; if none is running, remove the lock that the message names."
    }
    landing_interrupted "A promotion was interrupted" {
        "Files of a worktree were being changed when a promotion died, and it has to be finished before anything else lands."
        next "Promote the run that the message names again: that finishes it. If files were changed since, put those right first."
    }
    objects_refused "git refuses the objects of the result" {
        "The commits or files of the result do not pass git's own checks, so nothing was sent to the repository."
        next "Look at the result with `dogwatch diff`; run the job again without what git names."
    }
    landing_io "Files of the landing cannot be read or written" {
        "A file that the landing needs, in the repository or in the data directory, cannot be used."
        next "Mend what the message names, then promote again: it finishes what was begun."
    }
    vault_failed "The vault of the project cannot be used" {
        "The repository in the data directory that holds bases and results is missing, damaged, or was changed by somebody else."
        next "Restore `<data>/vaults` from where it came from; the patch of a run stands in its bundle too (`dogwatch diff`)."
    }
    verdict_failed "The verdict cannot be written into the bundle" {
        "The decision is on record, and its signed statement could not be put beside the evidence."
        next "Mend what the message names, then give the same command again: it adds what is missing and changes nothing else."
    }
    snapshot_not_found "There is no such snapshot" {
        "The run left no snapshot, or none of this name. One is taken after every turn that was completed."
        next "The snapshots there are stand in the message; `dogwatch runs show` tells the story of the run."
    }
    restore_not_empty "The directory has something in it" {
        "A snapshot is only written into a directory that is empty or not there yet, so that nothing is overwritten."
        next "Give another directory with `--to DIR`."
    }
    restore_repository "The snapshot would write a repository's own files" {
        "The snapshot has a `.git` at its top, which would make the directory a repository of the agent's making."
        next "Look at single files of it with git in `<data>/vaults`."
    }
    restore_io "The snapshot cannot be written out" {
        "A file or directory of the snapshot could not be made. What was written before it is still there."
        next "Mend what the message names, remove the directory, and restore again."
    }
}
