//! The lines of a run's journal, as a runner writes them.

use dogwatch_api::HeldLease;
use dogwatch_core::event::{Actor, StreamId, Via};
use dogwatch_core::ids::{EventId, ProjectId, RunId};
use dogwatch_core::job::{Assurance, RunOutcome, StartFrom};
use dogwatch_core::journal::{JournalDraft, JournalHead};
use dogwatch_core::run::{Phase, RunEnded, RunEvent, RunStarted, SURFACE_UNATTENDED};
use dogwatch_core::{Clock as _, Sha256Digest};

use super::bench::{Bench, failure};

/// A journal that grows.
#[derive(Clone, Debug)]
pub struct JournalText {
    project: ProjectId,
    held: HeldLease,
    run: RunId,
    head: JournalHead,
}

impl JournalText {
    /// An empty one.
    pub fn new(project: ProjectId, held: HeldLease, run: RunId) -> Self {
        Self {
            project,
            held,
            run,
            head: JournalHead {
                seq: 0,
                link: StreamId::Run(run).genesis(),
            },
        }
    }

    /// The same journal, written on under another lease.
    pub fn under(mut self, held: HeldLease) -> Self {
        self.held = held;
        self
    }

    /// The next line.
    pub fn line(&mut self, bench: &Bench, event: RunEvent) -> Vec<u8> {
        let (kind, data) = event.into_parts();
        let draft = JournalDraft {
            id: EventId::mint(&bench.clock, &bench.entropy),
            kind,
            at: bench.clock.now(),
            actor: Actor::new("runner:bench", Via::Runner),
            cause: None,
            trace: None,
            project: self.project,
            job: Some(self.held.job),
            epoch: Some(self.held.epoch),
            data,
        };
        let sealed = draft.into_envelope(self.run, self.head).seal().unwrap();
        self.head = JournalHead {
            seq: sealed.envelope.seq,
            link: sealed.head,
        };
        sealed.line
    }

    /// The line that a journal begins with.
    pub fn started(&mut self, bench: &Bench) -> Vec<u8> {
        self.line(
            bench,
            RunEvent::Started(RunStarted {
                attempt: 1,
                contract: Sha256Digest::of(b"contract"),
                profile: Sha256Digest::of(b"profile"),
                base: "a".repeat(40),
                agent: "scripted".to_owned(),
                driver: "exec".to_owned(),
                session_id: None,
                continues: None,
                start_from: StartFrom::Base,
                surface: SURFACE_UNATTENDED.to_owned(),
            }),
        )
    }

    /// A line that says which phase comes.
    pub fn phase(&mut self, bench: &Bench, phase: Phase) -> Vec<u8> {
        self.line(bench, RunEvent::PhaseEntered { phase })
    }

    /// The lines from here to the end, which is `outcome`.
    pub fn whole(&mut self, bench: &Bench, outcome: RunOutcome) -> Vec<Vec<u8>> {
        let mut lines = Vec::new();
        if self.head.seq == 0 {
            lines.push(self.started(bench));
        }
        lines.push(self.phase(bench, Phase::Sealing));
        lines.push(self.line(
            bench,
            RunEvent::Ended(RunEnded {
                outcome,
                failure: failure(outcome),
                tree: None,
                assurance: Assurance::None,
                turns: 0,
            }),
        ));
        lines
    }
}
