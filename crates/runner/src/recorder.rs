//! The one writer of a run's journal: a fact is checked, appended and synced locally, then mirrored to the control plane.

use std::io;
use std::sync::Arc;

use dogwatch_api::{AppendEvents, ControlPlane, HeldLease};
use dogwatch_bundle::JournalWriter;
use dogwatch_core::event::{Actor, Envelope, Via};
use dogwatch_core::ids::{EventId, MachineId, ProjectId, RunId};
use dogwatch_core::journal::JournalDraft;
use dogwatch_core::run::{self, Note, Phase, RunEvent, RunRefusal, RunState};
use dogwatch_core::{Clock, Entropy};

use crate::error::RunnerError;
use crate::observe::Observer;
use crate::patience::Patience;

/// Where lines go after they are durable here.
pub(crate) struct Copy {
    pub(crate) plane: Arc<dyn ControlPlane>,
    pub(crate) patience: Patience,
}

pub(crate) struct Recorder {
    /// None once the journal is closed for sealing.
    writer: Option<JournalWriter>,
    state: RunState,
    run: RunId,
    project: ProjectId,
    held: HeldLease,
    actor: Actor,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    copy: Option<Copy>,
    observer: Arc<dyn Observer>,
    /// Lines that are on disk and not yet with the control plane.
    unsent: Vec<Vec<u8>>,
}

/// What a recorder is made of.
pub(crate) struct RecorderParts {
    /// Without one, nothing more can be recorded.
    pub(crate) writer: Option<JournalWriter>,
    pub(crate) run: RunId,
    pub(crate) project: ProjectId,
    pub(crate) held: HeldLease,
    pub(crate) machine: MachineId,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
    /// Without one, lines stay here: the control plane has closed the run, and its copy is complete.
    pub(crate) copy: Option<Copy>,
    pub(crate) observer: Arc<dyn Observer>,
}

impl Recorder {
    pub(crate) fn new(parts: RecorderParts) -> Self {
        Self {
            writer: parts.writer,
            state: RunState::default(),
            run: parts.run,
            project: parts.project,
            held: parts.held,
            actor: Actor::new(format!("runner:{}", parts.machine), Via::Runner),
            clock: parts.clock,
            entropy: parts.entropy,
            copy: parts.copy,
            observer: parts.observer,
            unsent: Vec::new(),
        }
    }

    /// What the journal says so far.
    pub(crate) fn state(&self) -> &RunState {
        &self.state
    }

    /// A recorder that goes on after lines the control plane has. They are known to be good: it checked them.
    pub(crate) fn resume(parts: RecorderParts, lines: &[Vec<u8>]) -> Result<Self, RunnerError> {
        let mut recorder = Self::new(parts);
        for line in lines {
            let unreadable = |error: serde_json::Error| {
                RunnerError::file("understand", "journal.jsonl")(io::Error::other(error))
            };
            let envelope: Envelope = serde_json::from_slice(line).map_err(unreadable)?;
            let event = RunEvent::from_parts(&envelope.kind, &envelope.data).map_err(unreadable)?;
            recorder.state = std::mem::take(&mut recorder.state).apply(&event, envelope.at);
        }
        Ok(recorder)
    }

    pub(crate) fn project(&self) -> ProjectId {
        self.project
    }

    /// Records a fact. It is durable here before it is sent anywhere.
    pub(crate) async fn record(&mut self, fact: RunEvent) -> Result<(), RunnerError> {
        for event in run::decide(&self.state, fact)? {
            let at = self.clock.now();
            let (kind, data) = event.clone().into_parts();
            let writer = self.writer.as_mut().ok_or(RunRefusal::Ended)?;
            let sealed = writer.append(JournalDraft {
                id: EventId::mint(&*self.clock, &*self.entropy),
                kind,
                at,
                actor: self.actor.clone(),
                cause: None,
                trace: None,
                project: self.project,
                job: Some(self.held.job),
                epoch: Some(self.held.epoch),
                data,
            })?;
            self.state = std::mem::take(&mut self.state).apply(&event, at);
            self.observer.line(self.run, &sealed.line);
            if let RunEvent::PhaseEntered { phase } = event {
                self.observer.phase(self.run, phase, &self.state.checkpoint);
            }
            self.unsent.push(sealed.line);
        }
        self.send().await
    }

    pub(crate) async fn enter(&mut self, phase: Phase) -> Result<(), RunnerError> {
        self.record(RunEvent::PhaseEntered { phase }).await
    }

    pub(crate) async fn note(
        &mut self,
        code: &str,
        text: impl AsRef<str>,
    ) -> Result<(), RunnerError> {
        self.record(RunEvent::Noted(Note {
            code: code.to_owned(),
            text: dogwatch_core::failure::clip(text.as_ref(), 1500),
        }))
        .await
    }

    /// Closes the journal, so that it can be sealed.
    pub(crate) fn close(&mut self) {
        self.writer = None;
    }

    /// Mirrors what has not been sent. Sending again what arrived before changes nothing.
    async fn send(&mut self) -> Result<(), RunnerError> {
        let Some(copy) = self.copy.as_ref().filter(|_| !self.unsent.is_empty()) else {
            return Ok(());
        };
        let request = AppendEvents {
            held: self.held,
            run: self.run,
            lines: self.unsent.clone(),
        };
        copy.patience
            .ask(|| copy.plane.append_events(request.clone()))
            .await?;
        self.unsent.clear();
        Ok(())
    }
}
