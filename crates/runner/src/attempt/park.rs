//! Setting a run aside while it waits for a person or for room, so that its slot is free.

use dogwatch_api::ParkRun;
use dogwatch_core::ids::ApprovalId;
use dogwatch_core::job::{Approval, ParkReason};
use dogwatch_core::run::{Phase, RunEvent, RunParked, RunResumed, Step, before_turn};
use dogwatch_core::turn::{ResponseStatus, TurnVerdict};

use super::Attempt;
use super::approvals::{self, Requests};
use super::prepare::Prepared;
use crate::crash_point::crash_point;
use crate::disk::LowDisk;
use crate::ended::Parked;
use crate::error::RunnerError;
use crate::patience::Patience;

/// The code of the note that an agent is told a decision. Whoever resumes a run reads from it what the agent knows.
pub(super) const TOLD: &str = "approval_told";

/// The code of the note that says how much room there is.
const DISK_LOW: &str = "disk_low";

/// What a run waits for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Wait {
    /// A person's decision.
    Decision(ApprovalId),
    /// Room where the data directory is.
    Room(LowDisk),
}

/// What a run does after a turn.
pub(super) enum Next {
    /// It goes on here.
    Step(Step),
    /// It waits for a person's decision.
    Park(ApprovalId),
}

impl Attempt<'_> {
    /// What the agent's requests make of the step that would follow its turn.
    pub(super) async fn heed_requests(
        &mut self,
        prepared: &mut Prepared,
        verdict: &TurnVerdict,
        step: Step,
    ) -> Result<Next, RunnerError> {
        let waits = matches!(
            verdict.response_status,
            Some(ResponseStatus::Continue | ResponseStatus::Blocked)
        );
        // An answer is of use only to an agent that gets another turn.
        let state = self.recorder.state();
        if !waits || before_turn(state, &self.contract.limits, self.now()).is_some() {
            return Ok(Next::Step(step));
        }
        let plane = &self.parts.plane;
        let job = self.patience.ask(|| plane.job(self.held.job)).await?.job;
        match approvals::requests(&job.approvals, self.run, &self.told) {
            Requests::Nothing => Ok(Next::Step(step)),
            Requests::Waiting(approval) => Ok(Next::Park(approval)),
            // The person was quicker than the turn.
            Requests::Decided(decided) => {
                self.tell(prepared, &decided).await?;
                Ok(Next::Step(match step {
                    Step::Turn { .. } => step,
                    Step::Restart { .. } | Step::Gates | Step::Finish { .. } => {
                        Step::Turn { next_task: None }
                    }
                }))
            }
        }
    }

    /// Makes the next turn begin with the answers, and puts on record that it does.
    pub(super) async fn tell(
        &mut self,
        prepared: &mut Prepared,
        decided: &[&Approval],
    ) -> Result<(), RunnerError> {
        prepared.hint = Some(approvals::hint(decided));
        for approval in decided {
            let text = format!("{} {}", approval.id, approvals::answer(approval));
            self.recorder.note("approval_told", text).await?;
            self.told.insert(approval.id);
        }
        Ok(())
    }

    /// Sets the run aside. Its snapshot was taken after the turn; the workspace stays for when it goes on.
    pub(super) async fn park(
        &mut self,
        prepared: Option<&Prepared>,
        wait: Wait,
    ) -> Result<Parked, RunnerError> {
        if let Some(prepared) = prepared {
            // What the user does to the repository while the run waits is no concern of the run.
            self.compare_host(prepared).await?;
        }
        let (reason, approval, until) = match wait {
            Wait::Decision(approval) => (ParkReason::Approval, Some(approval), None),
            Wait::Room(low) => {
                self.remember_goes_on().await?;
                self.recorder.note(DISK_LOW, low.to_string()).await?;
                let now = self.parts.clock.now();
                let until = self.parts.reserve.again(now, self.parts.entropy.bytes());
                (ParkReason::Disk, None, Some(until))
            }
        };
        self.recorder
            .record(RunEvent::Parked(RunParked {
                reason,
                until,
                approval,
            }))
            .await?;
        crash_point!("runner.before_park");
        // From the answer on another task may have the run, and with it the journal.
        self.recorder.close();
        let request = ParkRun {
            held: self.held,
            run: self.run,
            reason,
            until,
            approval,
        };
        let plane = &self.parts.plane;
        Patience::for_last_words()
            .ask(|| plane.park(request.clone()))
            .await?;
        crash_point!("runner.after_park");
        Ok(Parked {
            job: self.held.job,
            run: self.run,
            reason,
            approval,
        })
    }

    /// Leaves `parked`, which no run ends in.
    pub(super) async fn leave_parked(&mut self, because: &str) -> Result<(), RunnerError> {
        if self.recorder.state().phase != Phase::Parked {
            return Ok(());
        }
        self.recorder
            .record(RunEvent::Resumed(RunResumed {
                epoch: self.held.epoch,
                because: dogwatch_core::failure::clip(because, 600),
            }))
            .await
    }
}
