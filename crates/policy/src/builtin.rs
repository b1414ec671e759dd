//! The policy of a server that has been given none. It is a real snapshot with a name and a digest, so that every decision says
//! under which rules it was made.

use dogwatch_core::Sha256Digest;
use dogwatch_core::job::DecisionEffect;

use crate::decider::{PolicyDecider, PolicyDecision, PolicyError, PolicyRequest};

const NAME: &str = "builtin:allow-all@1";

/// Allows everything that the contract and the caller's scopes allow.
#[derive(Clone, Copy, Debug, Default)]
pub struct AllowAll;

impl PolicyDecider for AllowAll {
    fn name(&self) -> &str {
        NAME
    }

    fn digest(&self) -> Sha256Digest {
        Sha256Digest::of(NAME.as_bytes())
    }

    fn decide(&self, _request: &PolicyRequest) -> Result<PolicyDecision, PolicyError> {
        Ok(PolicyDecision {
            effect: DecisionEffect::Allow,
            reason: "no policy is configured".to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Action;

    fn request() -> PolicyRequest {
        PolicyRequest {
            action: Action::Submit,
            principal: "user:ana".to_owned(),
            project: "prj".to_owned(),
            topic: "task".to_owned(),
            agent: "scripted".to_owned(),
            contract: Sha256Digest::of(b"contract"),
            machine: None,
        }
    }

    #[derive(Debug)]
    struct Broken;

    impl PolicyDecider for Broken {
        fn name(&self) -> &str {
            "test:broken@1"
        }
        fn digest(&self) -> Sha256Digest {
            Sha256Digest::of(b"broken")
        }
        fn decide(&self, _: &PolicyRequest) -> Result<PolicyDecision, PolicyError> {
            Err(PolicyError("rules are unreadable".to_owned()))
        }
    }

    #[test]
    fn an_error_is_a_denial_that_says_so() {
        let decision = Broken.decide_closed(&request());
        assert_eq!(decision.effect, DecisionEffect::Deny);
        assert!(decision.reason.contains("unreadable"));
    }

    #[test]
    fn every_part_of_a_request_is_in_its_digest() {
        let mut other = request();
        other.agent = "codex".to_owned();
        assert_ne!(request().digest().unwrap(), other.digest().unwrap());
    }

    #[test]
    fn the_snapshot_has_a_fixed_digest() {
        assert_eq!(AllowAll.digest(), Sha256Digest::of(b"builtin:allow-all@1"));
    }
}
