//! Decisions of people.

use super::info::codes;

codes! {
    approval_not_found(404) "There is no such approval" {
        "No approval has this id, or the caller may not see the project it belongs to."
        next "List what waits with `dogwatch approvals list`."
    }
    approval_not_pending(409) "The approval waits for nobody" {
        "It was decided, used, superseded, or it expired. The first decision stands."
        next "Look at it with `dogwatch approvals show`; what is still wanted asks again by itself."
    }
    approval_self(403) "Nobody approves their own request" {
        "The one who asks is the one who would decide, or the decision came from the token of the agent that is judged."
        next "Have another person decide."
    }
    approval_too_large(400) "The action is too large to be approved" {
        "A person approves exact bytes and must be able to read them, and these are more than anyone is shown."
        next "Ask for a smaller action, or put the material into the workspace and ask for what is done with it."
    }
    approval_rejected "A person said no" {
        "The approval that was asked for was denied."
        next "Read the reason that was given; change the request, then submit again."
    }
    approval_expired "Nobody decided in time" {
        "The approval was not decided before its end, and an approval that expires is a denial."
        next "Submit again, and tell those who decide; `dogwatch approvals list` shows what waits."
    }
    approval_superseded "What was to be approved has changed" {
        "The contract, the policy, the attempt or the action is not the one that was shown to the one who decides, so the approval counts for nothing."
        next "Decide on the approval that took its place (`dogwatch approvals list`)."
    }
}
