//! Random histories, in the store and in a model that only folds events, side by side.

use std::collections::BTreeMap;
use std::time::Duration;

use dogwatch_core::ids::{JobId, RunId};
use dogwatch_core::job::{
    Cleanup, CleanupState, JobCommand, JobState, JobStatus, JobStream, Refusal, RunOutcome, decide,
};
use dogwatch_store::contract_suite::{Bench, Held, JournalWriter};
use dogwatch_store::{JobFilter, PageRequest, RunFilter, RunLog, StoreError};
use proptest::prelude::*;

use crate::place::Place;

/// A step of a history. Numbers choose among what is there, and wrap around.
#[derive(Clone, Debug)]
enum Step {
    Submit {
        priority: i32,
        delay_ms: u64,
        attempts: u32,
    },
    Claim,
    Start(usize),
    Close(usize, RunOutcome),
    Release(usize),
    Revoke(usize),
    Cancel(usize),
    Retry(usize),
    CleanUp(usize),
    Lines(usize, usize),
    Wait(u64),
    SetBack(u64),
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    let outcome = prop_oneof![
        Just(RunOutcome::Succeeded),
        Just(RunOutcome::Failed),
        Just(RunOutcome::Blocked),
        Just(RunOutcome::Stopped),
        Just(RunOutcome::TimedOut),
    ];
    prop_oneof![
        4 => (-2..3_i32, prop_oneof![Just(0), 0..9000_u64], 1..4_u32)
            .prop_map(|(priority, delay_ms, attempts)| Step::Submit { priority, delay_ms, attempts }),
        6 => Just(Step::Claim),
        6 => (0..8_usize).prop_map(Step::Start),
        5 => (0..8_usize, outcome).prop_map(|(lease, outcome)| Step::Close(lease, outcome)),
        1 => (0..8_usize).prop_map(Step::Release),
        2 => (0..8_usize).prop_map(Step::Revoke),
        1 => (0..8_usize).prop_map(Step::Cancel),
        1 => (0..8_usize).prop_map(Step::Retry),
        1 => (0..8_usize).prop_map(Step::CleanUp),
        4 => (0..8_usize, 0..4_usize).prop_map(|(run, lines)| Step::Lines(run, lines)),
        3 => (1..8000_u64).prop_map(Step::Wait),
        1 => (1..8000_u64).prop_map(Step::SetBack),
        1 => Just(Step::Reopen),
    ]
}

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
}

impl Model {
    fn next_ready(&self, bench: &Bench) -> Option<JobId> {
        self.streams
            .values()
            .filter_map(|stream| stream.job.as_ref())
            .filter(|job| match &job.state {
                JobState::Queued { not_before, .. } => {
                    not_before.is_none_or(|at| at <= bench.now())
                }
                _ => false,
            })
            .min_by_key(|job| (std::cmp::Reverse(job.priority), job.created_at, job.id))
            .map(|job| job.id)
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

async fn take(bench: &mut Bench, place: &Place, model: &mut Model, step: &Step) {
    let jobs: Vec<JobId> = model.streams.keys().copied().collect();
    match *step {
        Step::Submit {
            priority,
            delay_ms,
            attempts,
        } => {
            let job = bench.new_job();
            let mut facts = bench.facts(job);
            facts.priority = priority;
            facts.max_attempts = attempts;
            facts.not_before =
                (delay_ms > 0).then(|| bench.now().plus(Duration::from_millis(delay_ms)));
            let command = bench.submission(facts);
            both(bench, model, job, command).await;
        }
        Step::Claim => {
            let command = bench.claim_command();
            let update = bench.update(command.clone());
            let claimed = bench
                .store
                .update_next_ready(JobFilter::default(), update)
                .await
                .unwrap();
            let expected = model.next_ready(bench);
            let job = claimed
                .as_ref()
                .and_then(|claimed| claimed.stream.job.as_ref());
            assert_eq!(job.map(|job| job.id), expected);
            if let Some(job) = job {
                model.carry_out(bench, job.id, &command).unwrap();
                assert_eq!(claimed.as_ref().unwrap().stream, model.streams[&job.id]);
                model
                    .leases
                    .push(Held::of(job.id, job.active_lease().unwrap()));
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
    #![proptest_config(ProptestConfig { cases: 24, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn the_store_is_the_fold_of_its_events(steps in prop::collection::vec(step(), 1..60)) {
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
