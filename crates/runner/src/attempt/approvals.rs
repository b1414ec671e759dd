//! What an agent asked a person for, and what it is told of the answer.

use std::collections::BTreeSet;

use dogwatch_core::ids::{ApprovalId, RunId};
use dogwatch_core::job::{Approval, ApprovalKind, ApprovalState};

/// Where the requests of a run stand after one of its turns.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Requests<'a> {
    /// There is none that the agent does not know all about.
    Nothing,
    /// Nobody has decided on this one.
    Waiting(ApprovalId),
    /// These were decided, and the agent has not been told.
    Decided(Vec<&'a Approval>),
}

/// Where the requests of `run` stand. `told` are those whose answer the agent knows.
pub(super) fn requests<'a>(
    approvals: &'a [Approval],
    run: RunId,
    told: &BTreeSet<ApprovalId>,
) -> Requests<'a> {
    let own = || {
        approvals.iter().filter(|approval| {
            approval.kind == ApprovalKind::AgentAction && approval.run == Some(run)
        })
    };
    if let Some(waiting) = own().find(|approval| approval.state == ApprovalState::Pending) {
        return Requests::Waiting(waiting.id);
    }
    let decided: Vec<_> = own()
        .filter(|approval| !told.contains(&approval.id))
        .collect();
    if decided.is_empty() {
        Requests::Nothing
    } else {
        Requests::Decided(decided)
    }
}

/// The answer to a request in a word, with the decider's own words after a no.
pub(super) fn answer(approval: &Approval) -> String {
    let note = approval
        .decision
        .as_ref()
        .and_then(|decision| decision.note.as_deref())
        .filter(|note| !note.trim().is_empty());
    let word = match approval.state {
        ApprovalState::Pending => "pending",
        ApprovalState::Approved | ApprovalState::Used => "approved",
        ApprovalState::Rejected => "rejected",
        ApprovalState::Expired => "expired",
        ApprovalState::Superseded => "superseded",
    };
    match note {
        Some(note) => format!("{word}: {note}"),
        None => word.to_owned(),
    }
}

/// What the agent is told: each action exactly as it was asked for, and its answer.
pub(super) fn hint(decided: &[&Approval]) -> String {
    let mut text = String::from("You asked a person for a decision, and this is the answer.\n");
    for approval in decided {
        text.push_str(&format!(
            "\nRequest {}: {}\nAction: {}\n",
            approval.id,
            answer(approval),
            approval.action
        ));
        text.push_str(match approval.state {
            ApprovalState::Approved | ApprovalState::Used => {
                "You may do exactly this action, once.\n"
            }
            ApprovalState::Pending
            | ApprovalState::Rejected
            | ApprovalState::Expired
            | ApprovalState::Superseded => {
                "Do not do it; find another way or say that you are blocked.\n"
            }
        });
    }
    text.push_str("\nResume from the current workspace state; do not start over.");
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use dogwatch_core::event::Epoch;
    use dogwatch_core::ids::uuid_v7;
    use dogwatch_core::job::ApprovalDecision;
    use dogwatch_core::{Sha256Digest, Timestamp};

    fn run(byte: u8) -> RunId {
        RunId::from_uuid(uuid_v7(Timestamp::EPOCH, &[byte; 10]))
    }

    fn approval(byte: u8, state: ApprovalState) -> Approval {
        Approval {
            id: ApprovalId::from_uuid(uuid_v7(Timestamp::EPOCH, &[byte; 10])),
            kind: ApprovalKind::AgentAction,
            run: Some(run(1)),
            action: r#"{"do":"it"}"#.to_owned(),
            reason: String::new(),
            contract: Sha256Digest::of(b""),
            policy: Sha256Digest::of(b""),
            epoch: Epoch(1),
            requested_by: "agent".to_owned(),
            requested_token: None,
            requested_at: Timestamp::EPOCH,
            ttl_ms: 1,
            state,
            decision: None,
            superseded: None,
        }
    }

    #[test]
    fn a_request_that_waits_comes_before_answers_and_answers_are_told_once() {
        let pending = approval(1, ApprovalState::Pending);
        let approved = approval(2, ApprovalState::Approved);
        let other = Approval {
            run: Some(run(2)),
            ..approval(3, ApprovalState::Pending)
        };
        let start = Approval {
            kind: ApprovalKind::StartRun,
            ..approval(4, ApprovalState::Pending)
        };
        let none = BTreeSet::new();
        let all = [approved.clone(), pending.clone(), other.clone()];
        assert_eq!(requests(&all, run(1), &none), Requests::Waiting(pending.id));
        let decided = [other, start, approved.clone()];
        assert_eq!(
            requests(&decided, run(1), &none),
            Requests::Decided(vec![&approved])
        );
        let told = BTreeSet::from([approved.id]);
        assert_eq!(requests(&decided, run(1), &told), Requests::Nothing);
    }

    #[test]
    fn the_agent_is_told_the_exact_action_and_the_words_of_a_no() {
        let rejected = Approval {
            decision: Some(ApprovalDecision {
                by: "user:ana".to_owned(),
                token: None,
                note: Some("not on a Friday".to_owned()),
                at: Timestamp::EPOCH,
            }),
            ..approval(1, ApprovalState::Rejected)
        };
        assert_eq!(answer(&rejected), "rejected: not on a Friday");
        let text = hint(&[&rejected]);
        assert!(text.contains(r#"Action: {"do":"it"}"#), "{text}");
        assert!(
            text.contains("not on a Friday") && text.contains("Do not do it"),
            "{text}"
        );
        assert_eq!(answer(&approval(1, ApprovalState::Expired)), "expired");
        assert_eq!(answer(&approval(1, ApprovalState::Used)), "approved");
    }
}
