//! Random histories, in the store and in a model that only folds events, side by side.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use dogwatch_core::Sha256Digest;
use dogwatch_core::ids::{ApprovalId, JobId, MachineId, RunId, TokenId};
use dogwatch_core::job::{
    Cleanup, CleanupState, DecisionEffect, JobCommand, JobState, JobStatus, JobStream, Refusal,
    StartApproval, Timer, Verdict, decide,
};
use dogwatch_core::queue::Offer;
use dogwatch_core::server::{self, ServerCommand, ServerState};
use dogwatch_store::contract_suite::{Bench, Held, JournalWriter};
use dogwatch_store::{
    ApprovalFilter, JobFilter, JobTimer, PageRequest, RunFilter, RunLog, StoreError,
};
use proptest::prelude::*;

use crate::place::Place;
use crate::steps::{Step, step};

struct Journal {
    held: Held,
    writer: JournalWriter,
    lines: Vec<Vec<u8>>,
}

/// What the store has to look like.
#[derive(Default)]
struct Model {
    streams: BTreeMap<JobId, JobStream>,
    leases: Vec<Held>,
    runs: Vec<(Held, RunId)>,
    journals: BTreeMap<RunId, Journal>,
    server: ServerState,
    tokens: Vec<TokenId>,
}

impl Model {
    /// The jobs that a machine may be given, in the order they are given out.
    fn ready(&self, bench: &Bench, machine: MachineId) -> Vec<JobId> {
        let mut ready: Vec<_> = self
            .streams
            .values()
            .filter_map(|stream| stream.job.as_ref())
            .filter(|job| match &job.state {
                JobState::Queued { backoff_ms, .. } => {
                    backoff_ms.is_none() && job.not_before.is_none_or(|at| at <= bench.now())
                }
                JobState::Parked {
                    machine: parked_on,
                    due,
                    ..
                } => *due && *parked_on == machine,
                _ => false,
            })
            .map(|job| {
                let schedule = job.not_before.unwrap_or(job.created_at);
                (
                    std::cmp::Reverse(job.priority),
                    schedule,
                    job.created_at,
                    job.id,
                )
            })
            .collect();
        ready.sort_unstable();
        ready.into_iter().map(|(_, _, _, id)| id).collect()
    }

    /// Gives a claim to the first ready job that takes it.
    fn claim(&mut self, bench: &Bench, offer: &Offer, command: &JobCommand) -> Option<JobId> {
        for job in self.ready(bench, offer.machine) {
            match self.carry_out(bench, job, command) {
                Ok(_) => return Some(job),
                Err(
                    Refusal::Unmet(_)
                    | Refusal::NotYet(_)
                    | Refusal::BackingOff(_)
                    | Refusal::Policy,
                ) => {}
                Err(other) => panic!("a claim of {job}: {other}"),
            }
        }
        None
    }

    /// Every approval there is.
    fn approvals(&self) -> Vec<(JobId, ApprovalId)> {
        self.streams
            .values()
            .filter_map(|stream| stream.job.as_ref())
            .flat_map(|job| job.approvals.iter().map(|approval| (job.id, approval.id)))
            .collect()
    }

    /// What a command has to lead to, which is then true of the model.
    fn carry_out(
        &mut self,
        bench: &Bench,
        job: JobId,
        command: &JobCommand,
    ) -> Result<usize, Refusal> {
        let stream = self.streams.get(&job).cloned().unwrap_or_default();
        let events = decide(&stream, command, bench.now())?;
        let after = events
            .iter()
            .fold(stream, |stream, event| stream.apply(event, bench.now()));
        if !events.is_empty() {
            self.streams.insert(job, after);
        }
        Ok(events.len())
    }
}

fn pick<T: Clone>(items: &[T], number: usize) -> Option<T> {
    (!items.is_empty()).then(|| items[number % items.len()].clone())
}

/// Gives a command to both and compares the answers.
async fn both(bench: &Bench, model: &mut Model, job: JobId, command: JobCommand) -> bool {
    let expected = model.carry_out(bench, job, &command);
    let given = bench.command(job, command).await;
    match (expected, given) {
        (Ok(events), Ok(updated)) => {
            assert_eq!(updated.events.len(), events);
            assert_eq!(updated.stream, model.streams[&job]);
            true
        }
        (Err(expected), Err(StoreError::Refused(given))) => {
            assert_eq!(given, expected);
            false
        }
        (expected, given) => panic!("{expected:?} expected, {given:?} given"),
    }
}

/// The machine that claims now and then.
const OTHER_MACHINE: &str = "mch_00000000000000000000000000000001";

fn parked(model: &Model) -> impl Iterator<Item = JobId> {
    model
        .streams
        .iter()
        .filter(|(_, stream)| stream.status() == Some(JobStatus::Parked))
        .map(|(job, _)| *job)
}

/// Gives a command about the server itself to both.
async fn server(bench: &Bench, model: &mut Model, command: ServerCommand) {
    for event in server::decide(&model.server, &command).unwrap() {
        model.server = std::mem::take(&mut model.server).apply(&event, bench.now());
    }
    let updated = bench.server(command).await.unwrap();
    assert_eq!(updated.state, model.server);
}

async fn take(bench: &mut Bench, place: &Place, model: &mut Model, step: &Step) {
    let jobs: Vec<JobId> = model.streams.keys().copied().collect();
    match *step {
        Step::Submit {
            priority,
            delay_ms,
            deadline_ms,
            attempts,
            approved,
        } => {
            let job = bench.new_job();
            let mut facts = bench.facts(job);
            facts.priority = priority;
            facts.max_attempts = attempts;
            facts.not_before =
                (delay_ms > 0).then(|| bench.now().plus(Duration::from_millis(delay_ms)));
            facts.deadline =
                (deadline_ms > 0).then(|| bench.now().plus(Duration::from_millis(deadline_ms)));
            facts.approval = approved.then_some(StartApproval { ttl_ms: 1000 });
            let command = bench.submission(facts);
            both(bench, model, job, command).await;
        }
        Step::Claim {
            elsewhere,
            deny,
            new_policy,
        } => {
            let offer = if elsewhere {
                Offer::anything(OTHER_MACHINE.parse().unwrap())
            } else {
                bench.offer()
            };
            let mut command = bench.claim_command_of(offer.clone());
            if let JobCommand::Claim(claim) = &mut command {
                if deny {
                    claim.decision = bench.decided("job.dispatch", DecisionEffect::Deny);
                }
                if new_policy {
                    claim.decision.policy_digest = Sha256Digest::of(b"another policy");
                }
            }
            let update = bench.update(command.clone());
            let expected = model.claim(bench, &offer, &command);
            let claimed = bench.store.update_next_ready(offer, update).await.unwrap();
            let job = claimed
                .as_ref()
                .and_then(|claimed| claimed.stream.job.as_ref());
            assert_eq!(job.map(|job| job.id), expected);
            if let Some(job) = job {
                assert_eq!(claimed.as_ref().unwrap().stream, model.streams[&job.id]);
                let lease = job.active_lease();
                model
                    .leases
                    .extend(lease.map(|lease| Held::of(job.id, lease)));
            }
        }
        // Leases are chosen among all there ever were, so most of these are stale.
        Step::Start(number) => {
            let Some(held) = pick(&model.leases, number) else {
                return;
            };
            let run = RunId::mint(bench.clock.as_ref(), bench.entropy.as_ref());
            let command = bench.start_command(held, run);
            if both(bench, model, held.job, command).await {
                model.runs.push((held, run));
                let writer = JournalWriter::new(held, run);
                let lines = Vec::new();
                model.journals.insert(
                    run,
                    Journal {
                        held,
                        writer,
                        lines,
                    },
                );
            }
        }
        Step::Resume(number) => {
            let Some(held) = pick(&model.leases, number) else {
                return;
            };
            let open = model.streams[&held.job]
                .job
                .as_ref()
                .and_then(|job| job.open_run());
            if let Some(run) = open.map(|run| run.id) {
                let command = bench.start_command(held, run);
                if both(bench, model, held.job, command).await {
                    model.runs.push((held, run));
                    model.journals.get_mut(&run).unwrap().held = held;
                }
            }
        }
        Step::Park(number, ms) => {
            if let Some((held, run)) = pick(&model.runs, number) {
                let until = bench.now().plus(Duration::from_millis(ms));
                let command = bench.park_command(held, run, Some(until), None);
                both(bench, model, held.job, command).await;
            }
        }
        Step::ParkForApproval(number) => {
            if let Some((held, run)) = pick(&model.runs, number) {
                let approval = bench.new_approval();
                let request = bench.request_command(held, run, approval);
                if both(bench, model, held.job, request).await {
                    let park = bench.park_command(held, run, None, Some(approval));
                    assert!(both(bench, model, held.job, park).await);
                }
            }
        }
        Step::Request(number) => {
            if let Some((held, run)) = pick(&model.runs, number) {
                let command = bench.request_command(held, run, bench.new_approval());
                both(bench, model, held.job, command).await;
            }
        }
        Step::Decide(number, yes) => {
            if let Some((job, approval)) = pick(&model.approvals(), number) {
                let verdict = if yes {
                    Verdict::Approve
                } else {
                    Verdict::Reject
                };
                let command = bench.decide_command(approval, verdict);
                both(bench, model, job, command).await;
            }
        }
        Step::ExpireApproval(number) => {
            if let Some((job, approval)) = pick(&model.approvals(), number) {
                both(bench, model, job, JobCommand::ExpireApproval { approval }).await;
            }
        }
        Step::MakeDue(number) => {
            // Of those that wait, where there are any.
            let timers = bench.store.steady_timers().await.unwrap();
            let waiting: Vec<JobId> = timers
                .iter()
                .filter(|timer| matches!(timer.timer, Timer::Backoff { .. }))
                .map(|timer| timer.job)
                .chain(parked(model))
                .collect();
            if let Some(job) = pick(&waiting, number).or_else(|| pick(&jobs, number)) {
                both(bench, model, job, JobCommand::MakeDue {}).await;
            }
        }
        Step::ExpireJob(number) => {
            if let Some(job) = pick(&jobs, number) {
                both(bench, model, job, JobCommand::ExpireJob {}).await;
            }
        }
        Step::Message(number) => {
            if let Some((held, run)) = pick(&model.runs, number) {
                let command = JobCommand::Message {
                    lease: held.lease,
                    epoch: held.epoch,
                    run,
                    topic: "progress".to_owned(),
                    text: "half way".to_owned(),
                };
                both(bench, model, held.job, command).await;
            }
        }
        Step::ExpireLease(number) => {
            if let Some(held) = pick(&model.leases, number) {
                let command = bench.expire_command(held);
                both(bench, model, held.job, command).await;
            }
        }
        Step::Token => {
            let id = TokenId::mint(bench.clock.as_ref(), bench.entropy.as_ref());
            model.tokens.push(id);
            server(bench, model, bench.token_command(id)).await;
        }
        Step::RevokeToken(number) => {
            if let Some(id) = pick(&model.tokens, number) {
                server(bench, model, ServerCommand::RevokeToken { id }).await;
            }
        }
        Step::Close(number, outcome) => {
            if let Some((held, run)) = pick(&model.runs, number) {
                let command = bench.close_command(held, run, outcome);
                both(bench, model, held.job, command).await;
            }
        }
        Step::Release(number) => {
            if let Some(held) = pick(&model.leases, number) {
                let command = bench.release_command(held);
                both(bench, model, held.job, command).await;
            }
        }
        Step::Revoke(number) => {
            if let Some(held) = pick(&model.leases, number) {
                let command = bench.revoke_command(held);
                both(bench, model, held.job, command).await;
            }
        }
        Step::Cancel(number) => {
            if let Some(job) = pick(&jobs, number) {
                let command = bench.cancel_command();
                both(bench, model, job, command).await;
            }
        }
        Step::Retry(number) => {
            if let Some(job) = pick(&jobs, number) {
                let command = bench.retry_command();
                both(bench, model, job, command).await;
            }
        }
        Step::CleanUp(number) => {
            if let Some((held, run)) = pick(&model.runs, number) {
                let cleanup = Cleanup {
                    state: CleanupState::Removed,
                    hook_error: None,
                    removal_error: None,
                };
                both(bench, model, held.job, JobCommand::CleanUp { run, cleanup }).await;
            }
        }
        Step::Lines(number, count) => {
            let Some((_, run)) = pick(&model.runs, number) else {
                return;
            };
            let journal = model.journals.get_mut(&run).unwrap();
            let mut writer = journal.writer.clone();
            // The last line is sent again each time.
            let mut lines: Vec<Vec<u8>> = journal.lines.last().cloned().into_iter().collect();
            for index in 0..count {
                lines.push(if index == 0 && journal.lines.is_empty() {
                    writer.started(bench)
                } else {
                    writer.note(bench, "note")
                });
            }
            let fresh = lines[lines.len() - count..].to_vec();
            let held = journal.held;
            let job = model.streams[&held.job].job.as_ref().unwrap();
            let sent = bench.send(held, run, lines).await;
            assert_eq!(sent.is_ok(), job.is_held_by(held.lease, held.epoch));
            if sent.is_ok() {
                journal.writer = writer;
                journal.lines.extend(fresh);
            }
        }
        Step::Wait(ms) => bench.clock.advance(Duration::from_millis(ms)),
        Step::SetBack(ms) => {
            let back = bench.now().as_micros() - i64::try_from(ms * 1000).unwrap();
            bench.clock.set(dogwatch_core::Timestamp::from_micros(back));
        }
        Step::Reopen => {
            // Two stores on one file for a moment: SQLite's locks keep them apart.
            let store = place.open(bench).unwrap();
            bench.store = std::sync::Arc::new(store);
        }
    }
}

async fn compare(bench: &Bench, model: &Model) {
    let everything = PageRequest {
        limit: 500,
        cursor: None,
    };
    let jobs = bench
        .store
        .jobs(JobFilter::default(), everything.clone())
        .await
        .unwrap()
        .items;
    assert_eq!(jobs.len(), model.streams.len());
    for job in &jobs {
        assert_eq!(Some(job), model.streams[&job.id].job.as_ref());
    }
    for status in JobStatus::ALL {
        let filter = JobFilter {
            project: Some(bench.project),
            statuses: vec![status],
        };
        let listed = bench.store.jobs(filter, everything.clone()).await.unwrap();
        let expected = jobs
            .iter()
            .filter(|job| job.state.status() == status)
            .count();
        assert_eq!(listed.items.len(), expected, "{status}");
    }
    let active = bench.store.active_leases().await.unwrap();
    let expected: Vec<_> = model
        .streams
        .values()
        .filter_map(|stream| stream.job.as_ref())
        .filter_map(|job| Some((job.id, job.active_lease()?.clone())))
        .collect();
    assert_eq!(active, expected);
    let jobs: Vec<_> = model
        .streams
        .values()
        .filter_map(|stream| stream.job.as_ref())
        .collect();
    let unfinished = jobs
        .iter()
        .filter(|job| !job.state.status().is_terminal())
        .count();
    assert_eq!(
        bench.store.unfinished().await.unwrap(),
        u64::try_from(unfinished).unwrap()
    );
    let listed = bench
        .store
        .approvals(ApprovalFilter::default(), everything.clone())
        .await
        .unwrap()
        .items;
    assert_eq!(listed.len(), model.approvals().len());
    for row in listed {
        let job = model.streams[&row.job].job.as_ref().unwrap();
        assert_eq!(job.approval(row.approval.id), Some(&row.approval));
        assert_eq!((row.project, &row.title), (job.project, &job.title));
    }
    let expected: BTreeSet<(JobId, Timer)> = jobs
        .iter()
        .flat_map(|job| job.timers().into_iter().map(|timer| (job.id, timer)))
        .collect();
    let end_of_time = dogwatch_core::Timestamp::from_micros(i64::MAX);
    let mut timers = bench.store.steady_timers().await.unwrap();
    timers.extend(bench.store.wall_timers(end_of_time, 10_000).await.unwrap());
    assert_eq!(timers.len(), expected.len());
    let timers: BTreeSet<(JobId, Timer)> = timers
        .into_iter()
        .map(|JobTimer { job, timer }| (job, timer))
        .collect();
    assert_eq!(timers, expected);
    assert_eq!(bench.store.server_state().await.unwrap(), model.server);
    let runs = bench
        .store
        .runs(RunFilter::default(), everything)
        .await
        .unwrap()
        .items;
    assert_eq!(runs.len(), model.journals.len());
    for view in runs {
        let mut log = RunLog::empty(view.header.id);
        for line in &model.journals[&view.header.id].lines {
            log.push(line).unwrap();
        }
        assert_eq!(view.state, log.state);
        let job = model.streams[&view.job].job.as_ref().unwrap();
        assert_eq!(job.run(view.header.id), Some(&view.header));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn the_store_is_the_fold_of_its_events(steps in prop::collection::vec(step(), 1..90)) {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .build()
            .unwrap();
        runtime.block_on(async {
            let place = Place::new();
            let mut bench = place.bench().await;
            let mut model = Model::default();
            for step in &steps {
                take(&mut bench, &place, &mut model, step).await;
            }
            compare(&bench, &model).await;
            let report = bench.store.rebuild().await.unwrap();
            assert_eq!(report.differences, Vec::<String>::new());
            assert_eq!(bench.store.check_chains().await.unwrap(), Vec::<String>::new());
            bench.store = std::sync::Arc::new(place.open(&bench).unwrap());
            compare(&bench, &model).await;
        });
    }
}
