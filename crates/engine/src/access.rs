//! Who may do what. A token of a running agent is bound to its run, and passes only where a use-case asks for it by name.

use dogwatch_api::{Caller, HeldLease, LeaseClaim, Problem, Scope};
use dogwatch_core::event::Via;
use dogwatch_core::ids::{ProjectId, RunId};

use crate::Engine;
use crate::problems;

impl Engine {
    /// The caller has the scope, and does not speak for a running agent.
    pub(crate) fn allow(caller: &Caller, scope: Scope) -> Result<(), Problem> {
        Self::allow_any(caller, &[scope])
    }

    /// The caller has one of the scopes, and does not speak for a running agent.
    pub(crate) fn allow_any(caller: &Caller, scopes: &[Scope]) -> Result<(), Problem> {
        if caller.lease.is_none() && scopes.iter().any(|scope| caller.may(*scope)) {
            Ok(())
        } else {
            Err(problems::forbidden(scopes))
        }
    }

    pub(crate) fn allow_project(caller: &Caller, project: ProjectId) -> Result<(), Problem> {
        if caller.may_see(project) {
            Ok(())
        } else {
            Err(problems::foreign_project(project))
        }
    }

    /// The project that a list is of: the one that was asked for, or the only one that the caller sees.
    pub(crate) fn listed_project(
        caller: &Caller,
        asked: Option<ProjectId>,
    ) -> Result<Option<ProjectId>, Problem> {
        if let Some(project) = asked {
            Self::allow_project(caller, project)?;
            return Ok(Some(project));
        }
        Ok(caller
            .projects
            .as_ref()
            .filter(|projects| projects.len() == 1)
            .and_then(|projects| projects.first().copied()))
    }
}

/// The run that a running agent's token speaks for; nothing for everyone else.
pub(crate) fn agent(caller: &Caller) -> Option<LeaseClaim> {
    caller.lease.filter(|_| caller.may(Scope::Agent))
}

/// A running agent's token speaks for this run only.
pub(crate) fn own_run(claim: LeaseClaim, run: RunId) -> Result<(), Problem> {
    if claim.run == run {
        Ok(())
    } else {
        Err(problems::other_run(claim.run))
    }
}

/// The same for a lease that was named beside the token.
pub(crate) fn own_lease(claim: LeaseClaim, held: HeldLease) -> Result<(), Problem> {
    if (claim.job, claim.lease, claim.epoch) == (held.job, held.lease, held.epoch) {
        Ok(())
    } else {
        Err(problems::other_run(claim.run))
    }
}

/// Whether a person calls. What runs, claims or judges itself is not one, whatever else its token may do.
pub(crate) fn is_person(caller: &Caller) -> bool {
    let runs = caller.may(Scope::Runner) && caller.token.is_some();
    caller.lease.is_none()
        && !caller.may(Scope::Agent)
        && !runs
        && matches!(caller.via, Via::Cli | Via::Http)
}

/// Whether the owner of the data directory calls: not through a token that somebody made, and without bounds.
pub(crate) fn is_owner(caller: &Caller) -> bool {
    caller.token.is_none()
        && caller.projects.is_none()
        && caller.may(Scope::Admin)
        && is_person(caller)
}
