//! Why a run ended as it did, and what was noticed on the way.

use super::info::codes;

codes! {
    cancelled "The run was cancelled" {
        "A person or a program asked for the job to be cancelled, and its processes were ended."
        next "`dogwatch jobs retry` starts it again from its base."
    }
    stopped "The turn was stopped" {
        "The agent's processes were ended from outside before it was done, for example because the runner was stopped."
        next "Nothing if the job is queued again; else `dogwatch jobs retry`."
    }
    fenced "The lease ran out under the agent" {
        "The lease could not be renewed in time, so the agent's processes were ended before another holder could start."
        next "Nothing: the job is queued again. Look at the way from the runner to the server if it recurs."
    }
    max_turns "The turns are used up" {
        "The agent was given as many turns as the run may have and did not finish."
        next "Raise limits.max_turns, or make the task smaller."
    }
    wall_clock "The run took too long" {
        "The run's time by the wall clock is over, whatever it was doing."
        next "Raise limits.wall_ms, or make the task smaller."
    }
    unexplained "Nobody said why" {
        "Something ended without success and without a reason. That is a defect: everything that fails has to say why."
        next "Look at the run's bundle and report the defect with it."
    }
    containment_missing "The run cannot be contained as required" {
        "The contract requires a level of containment that this machine does not give, or no longer gives, so nothing was started. It is never lowered silently."
        next "`dogwatch doctor` says what is missing and how to get it; then `dogwatch jobs retry`. Or run the task anew and ask for less with `--containment`."
    }
    history_kept "The agent's commits are kept" {
        "The commits that the agent made lead to the result, passed every check, and land with it."
        next "Nothing: `dogwatch promote` brings them along."
    }
    history_left "The agent's commits are not kept" {
        "The commits that the agent made do not lead to the result, or did not pass the checks. The result itself is complete."
        next "Nothing: `dogwatch promote` lands the result as one commit."
    }
    ignored_not_kept "Some ignored files are not in the snapshot" {
        "Ignored files beyond the cap of a snapshot are listed with size and digest instead of kept."
        next "Nothing, if they can be made again; else set keep_workspace and look in the workspace."
    }
    secret_in_change "The change shows a secret" {
        "A value that must not be stored stands in the files of the result. The patch of the bundle is withheld; the tree itself is in the vault."
        next "Look at the change with care (`dogwatch restore`), change the secret, and have the work done again without it."
    }
    secret_unprotected "A secret is not looked for" {
        "A value given to the agent is too short or too long to be found in what it prints, or a file with its login could not be read, so nothing takes it out."
        next "Use a longer secret, mend the file that is named, or do not give it to the agent."
    }
    workspace "The workspace could not be prepared" {
        "The private clone of the run could not be made or changed."
        next "Look at the message; `dogwatch doctor` checks git and the data directory."
    }
    snapshot "The workspace could not be read" {
        "What the agent left could not be turned into a tree. The workspace is kept as it is."
        next "Look at the file that could not be read, then retry."
    }
    snapshot_failed "A last snapshot failed" {
        "After an error the workspace could not be read for a snapshot, so the workspace itself is kept."
        next "Look into the workspace that the run names; nothing in it was deleted."
    }
    supervisor "The process could not be supervised" {
        "The shim that owns an agent's or a gate's processes could not be started or reached."
        next "`dogwatch doctor` says what this machine can isolate; then retry."
    }
    disk_low "The run waits for room" {
        "Less is free where the data directory is than a run wants before it begins a workspace, a turn or its gates. It holds no slot and looks again in about a minute."
        next "Make room there. The reserve is 1 GiB, or 2 % of a file system that is smaller than 50 GiB; DOGWATCH_DISK_RESERVE sets it in bytes."
    }
    disk_full "The disk is full" {
        "A workspace, a fact or an output of the run could not be written for want of room."
        next "Make room where the data directory is, then retry."
    }
    evidence_write "Evidence could not be written" {
        "A fact or an output of the run could not be stored. A run whose evidence is incomplete fails, whatever it did."
        next "Check free space and permissions of the data directory, then retry."
    }
    evidence_lost "The evidence cannot be sealed" {
        "What a dead process left of a run is damaged, so nothing is believed of it."
        next "Look at the bundle and at who else writes to the data directory."
    }
    output_truncated "Output was cut" {
        "A turn or a gate printed more than is kept. The beginning and the end are there, the rest was counted."
        next "Nothing; raise limits.output_bytes if the middle matters."
    }
    kill_grace_elapsed "The processes had to be killed" {
        "The processes were asked to end and did not within their grace, so they were killed."
        next "Nothing; raise limits.kill_grace_ms if the agent needs longer to put its work in order."
    }
    host_git_changed "The user's .git changed during the run" {
        "Without containment an agent can reach the user's repository, and something in its .git is not as it was."
        next "Look at the differences that the run names before you trust hooks and configuration there."
    }
    host_git_unknown "The user's .git could not be compared" {
        "Whether the run changed something in the user's .git could not be found out."
        next "Look at hooks and configuration there yourself."
    }
    nested_repository "There is a repository inside the tree" {
        "A directory of the workspace is a git repository of its own. Its files were stored as plain files."
        next "Look whether it belongs there before you take the result over."
    }
    submodule_content "A submodule has content" {
        "The place of a submodule holds files. They were stored as plain files."
        next "Look whether they belong there before you take the result over."
    }
    special_file_skipped "A special file was left out" {
        "Something in the workspace is no file, directory or link, so it is not part of the tree."
        next "Nothing, unless the result needs it; git cannot carry it either."
    }
    newly_ignored "Files are ignored that were not before" {
        "The run changed a .gitignore, and files that the base did not ignore are left out of the tree now."
        next "Look at the change of the .gitignore and at the files that are named."
    }
    ignore_file_disregarded "A .gitignore was not obeyed" {
        "A .gitignore is too large or too complicated to be obeyed, so what it would ignore is part of the tree."
        next "Look at the file before you take the result over."
    }
    ignored_unreadable "An ignored file could not be read" {
        "A file that is ignored could not be read, so its size and digest are not listed."
        next "Nothing, unless the file matters."
    }
    path_escaped "A file has a name that git forbids" {
        "A name such as `.git` cannot stand in a git tree, so the file is stored under another, reversible name."
        next "Look at the file before you take the result over."
    }
    snapshot_missing "The last snapshot is not here" {
        "The run was to go on from the snapshot of another, and this machine does not have it."
        next "Retry without going on to start from the base, or retry where that run's project data is."
    }
    output_not_mirrored "Some output is on the runner's machine only" {
        "What the agent printed could not all be sent to the control plane. The bundle has all of it."
        next "Read it from the bundle: `dogwatch logs` without `-f`."
    }
    workspace_restored "The workspace was made again" {
        "The workspace of a parked run was gone and was made again from its last snapshot. Ignored files that were in no snapshot are not there."
        next "Nothing, unless the agent relied on files that are ignored."
    }
    approval_told "The agent was told what was decided" {
        "A decision that a run waited for came, and the next turn begins with it."
        next "Nothing: the run goes on by itself."
    }
}
