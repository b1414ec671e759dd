//! Promoting and rejecting runs, and where a promoted change landed.

use dogwatch_api::{Caller, JudgeRun, LandRun, Problem, ProblemCode, RunDetail, RunVerdict, Scope};
use dogwatch_core::ids::{DecisionId, RunId};
use dogwatch_core::job::{self, JobCommand};
use dogwatch_policy::{Action, PolicyRequest};

use crate::Engine;
use crate::access::is_person;
use crate::problems;
use crate::reading::detail;
use crate::texts::fit;

/// The longest reason, as it stands in an event.
const MAX_REASON: usize = 400;

impl Engine {
    /// Records what a person says about a closed run. Policy is asked before a promotion, and its answer recorded with it.
    pub async fn judge_run(
        &self,
        caller: &Caller,
        request: JudgeRun,
    ) -> Result<RunDetail, Problem> {
        let run = self.judged(caller, request.run).await?;
        let job = self.load(run.job).await?;
        let verdict = match request.verdict {
            RunVerdict::Reject => job::RunVerdict::Reject,
            RunVerdict::Promote => job::RunVerdict::Promote(Self::decide_policy(
                &*self.policy,
                DecisionId::mint(&*self.clock, &*self.entropy),
                &PolicyRequest {
                    action: Action::Promote,
                    principal: caller.principal.clone(),
                    project: run.project.to_string(),
                    topic: job.topic,
                    agent: job.agent,
                    contract: job.contract,
                    machine: Some(run.header.machine.to_string()),
                },
            )),
        };
        let command = JobCommand::Judge(job::JudgeRun {
            run: request.run,
            verdict: verdict.clone(),
            manifest: request.manifest,
            reason: request.reason.map(|reason| fit(&reason, MAX_REASON)),
            actor: caller.actor(),
        });
        self.carry_out(caller, run.project, run.job, command)
            .await
            .map_err(problems::from_store)?;
        let after = detail(self.run_view(request.run).await?);
        // A denial is on record by now, with its decision.
        if let job::RunVerdict::Promote(decision) = verdict
            && decision.effect == job::DecisionEffect::Deny
        {
            return Err(Problem::new(
                ProblemCode::Forbidden,
                "policy_denied",
                format!(
                    "{} does not let it land: {}",
                    decision.policy, decision.reason
                ),
                "change the policy, or reject the run",
            ));
        }
        Ok(after)
    }

    /// Records where the change of a promoted run is.
    pub async fn land_run(&self, caller: &Caller, request: LandRun) -> Result<RunDetail, Problem> {
        let run = self.judged(caller, request.run).await?;
        let command = JobCommand::Land(job::LandRun {
            run: request.run,
            manifest: request.manifest,
            landed: request.landed,
        });
        self.carry_out(caller, run.project, run.job, command)
            .await
            .map_err(problems::from_store)?;
        Ok(detail(self.run_view(request.run).await?))
    }

    /// The run, for a person who may decide about it. What runs jobs judges none.
    async fn judged(&self, caller: &Caller, run: RunId) -> Result<RunDetail, Problem> {
        Self::allow(caller, Scope::Approve)?;
        if !is_person(caller) {
            return Err(Problem::new(
                ProblemCode::Forbidden,
                "approval_self",
                "what runs jobs does not judge them",
                "have a person decide, with a token that has neither `runner` nor `agent`",
            ));
        }
        let detail = detail(self.run_view(run).await?);
        Self::allow_project(caller, detail.project)?;
        Ok(detail)
    }
}
