//! A runner's journal, line by line.

use dogwatch_core::Sha256Digest;
use dogwatch_core::event::{Actor, ENVELOPE_VERSION, Envelope, StreamId, Via};
use dogwatch_core::ids::{EventId, RunId};
use dogwatch_core::job::{Assurance, RunOutcome, StartFrom};
use dogwatch_core::run::{Note, RunEnded, RunEvent, RunStarted, SURFACE_UNATTENDED};

use super::bench::Bench;
use super::commands::Held;
use crate::{Decision, Side, StoreError, Updated};

/// Writes the lines of a run.
#[derive(Clone, Debug)]
pub struct JournalWriter {
    held: Held,
    run: RunId,
    seq: u64,
    prev: Sha256Digest,
}

impl JournalWriter {
    /// An empty journal.
    pub fn new(held: Held, run: RunId) -> Self {
        Self {
            held,
            run,
            seq: 0,
            prev: StreamId::Run(run).genesis(),
        }
    }

    /// The next line.
    pub fn line(&mut self, bench: &Bench, event: RunEvent) -> Vec<u8> {
        let (kind, data) = event.into_parts();
        let sealed = Envelope {
            v: ENVELOPE_VERSION,
            id: EventId::mint(bench.clock.as_ref(), bench.entropy.as_ref()),
            stream: StreamId::Run(self.run),
            seq: self.seq + 1,
            kind,
            at: bench.now(),
            actor: Actor::new("runner:suite", Via::Runner),
            cause: None,
            trace: None,
            project: Some(bench.project),
            job: Some(self.held.job),
            run: Some(self.run),
            epoch: Some(self.held.epoch),
            data,
            prev: self.prev,
        }
        .seal()
        .unwrap();
        self.seq += 1;
        self.prev = sealed.head;
        sealed.line
    }

    /// The first line of every journal.
    pub fn started(&mut self, bench: &Bench) -> Vec<u8> {
        self.line(
            bench,
            RunEvent::Started(RunStarted {
                attempt: 1,
                contract: Sha256Digest::of(b"contract"),
                profile: Sha256Digest::of(b"profile"),
                base: "0".repeat(40),
                agent: "scripted".to_owned(),
                driver: "exec".to_owned(),
                session_id: None,
                continues: None,
                start_from: StartFrom::Base,
                surface: SURFACE_UNATTENDED.to_owned(),
            }),
        )
    }

    /// A line that decides nothing.
    pub fn note(&mut self, bench: &Bench, text: &str) -> Vec<u8> {
        self.line(
            bench,
            RunEvent::Noted(Note {
                code: "note".to_owned(),
                text: text.to_owned(),
            }),
        )
    }

    /// The last line.
    pub fn ended(&mut self, bench: &Bench) -> Vec<u8> {
        self.line(
            bench,
            RunEvent::Ended(RunEnded {
                outcome: RunOutcome::Succeeded,
                failure: None,
                tree: Some("a".repeat(40)),
                assurance: Assurance::Gates,
                turns: 1,
            }),
        )
    }

    /// Sends lines of this run, under its lease.
    pub async fn send(&self, bench: &Bench, lines: Vec<Vec<u8>>) -> Result<Updated, StoreError> {
        bench.send(self.held, self.run, lines).await
    }
}

impl Bench {
    /// Sends lines of a run under a lease.
    pub async fn send(
        &self,
        held: Held,
        run: RunId,
        lines: Vec<Vec<u8>>,
    ) -> Result<Updated, StoreError> {
        let mut update = self.deciding(move |stream, _| {
            let job = stream
                .job
                .as_ref()
                .ok_or(dogwatch_core::job::Refusal::NoSuchJob)?;
            dogwatch_core::job::decide::fence(job, held.lease, held.epoch)?;
            Ok(Decision::default())
        });
        update.side = Side::RunLines { run, lines };
        self.store.update(held.job, update).await
    }
}
