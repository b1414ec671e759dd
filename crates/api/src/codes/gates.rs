//! What a gate said.

use super::info::codes;

codes! {
    passed "The gate passed" {
        "The check was made on the tree and found nothing wrong."
        next "Nothing to do here."
    }
    gate_failed "The gate failed" {
        "The gate's command exited with a code other than zero."
        next "Read the gate's output (`dogwatch logs RUN --gate NAME`), then retry or raise limits.max_turns."
    }
    gate_signal "A signal ended the gate" {
        "The gate's process was killed by a signal that dogwatch did not send."
        next "Look at the gate's output and at the machine's memory, then retry."
    }
    gate_timeout "The gate took too long" {
        "The gate's command did not end within its time."
        next "Raise the gate's `timeout`, or make the check faster."
    }
    gate_stopped "The gate was stopped" {
        "The gate's command was ended from outside, so it said nothing about the tree."
        next "Nothing if the job is queued again; else `dogwatch jobs retry`."
    }
    gate_not_runnable "The gate's command could not be run" {
        "The command was not found or could not be started. That blocks the run, because nobody knows what the gate would have said."
        next "Mend the gate's `run` or install what it needs, then `dogwatch jobs retry`."
    }
    gate_evidence "The gate's output could not be kept" {
        "What the gate printed could not be stored, so its verdict does not count."
        next "Check free space and permissions of the data directory, then retry."
    }
    gate_lost "The gate's process vanished" {
        "The gate's process ended without an exit status that anyone saw, so it said nothing about the tree."
        next "Look for what kills processes on the machine, then `dogwatch jobs retry`."
    }
    empty_diff "Nothing was changed" {
        "The tree is that of the base, and the contract does not say `allow_empty`."
        next "Make the task clearer, or set `allow_empty = true` where no change is a good answer."
    }
    path_forbidden "A forbidden path was changed" {
        "The tree differs from the base in a path that `forbidden_paths` names."
        next "Look at the paths that are named; change the task or the contract, then retry."
    }
    path_not_allowed "A path outside the allowed ones was changed" {
        "The tree differs from the base in a path that `allowed_paths` does not name."
        next "Look at the paths that are named; change the task or the contract, then retry."
    }
    path_rule_invalid "A path rule cannot be used" {
        "A rule of the contract is no valid pattern, so nothing could be checked against it."
        next "Mend the rule that is named, then submit again."
    }
}
