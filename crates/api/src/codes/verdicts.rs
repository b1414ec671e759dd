//! What people say about closed runs.

use super::info::codes;

codes! {
    run_not_closed(409) "The run is not over" {
        "A verdict is about sealed evidence, and the run is still at work or waits."
        next "Wait until it is over (`dogwatch wait`), then judge what it left."
    }
    evidence_incomplete(409) "There is no evidence to judge by" {
        "The run closed without a sealed bundle, or files of its bundle are missing or damaged, so a verdict would be about nothing."
        next "Look at what is there with `dogwatch verify`; run the job again with `dogwatch jobs retry`."
    }
    evidence_changed(409) "The evidence is not the one that was looked at" {
        "The verdict names the manifest it is about, and the run's bundle has another one."
        next "Look at the run again, and judge what it really left."
    }
    not_promotable(409) "Only a success can be promoted" {
        "The run did not succeed, so its change never lands."
        next "`dogwatch jobs retry --continue` goes on from where it stopped; `dogwatch restore` brings its files back."
    }
    already_landed(409) "The change has landed" {
        "The change of this run is in the repository already, and a verdict does not take it back."
        next "Take it back with git, for example with `git revert`."
    }
    not_promoted(409) "Nobody promoted the run" {
        "Only a promoted change lands, and this run was not promoted or was rejected since."
        next "Promote it first: `dogwatch promote`."
    }
}
