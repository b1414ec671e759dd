//! The first lines of a run: its fixed configuration, its bundle, and its start with the control plane.

use std::collections::BTreeSet;
use std::time::Duration;

use dogwatch_api::{ClaimedJob, HeldLease, StartRun};
use dogwatch_bundle::{BundleLayout, JournalWriter};
use dogwatch_config::EffectiveProfile;
use dogwatch_core::Sha256Digest;
use dogwatch_core::canonical;
use dogwatch_core::contract::Contract;
use dogwatch_core::ids::RunId;
use dogwatch_core::job::StartFrom;
use dogwatch_core::redact::SecretSet;
use dogwatch_core::run::{RunEvent, RunStarted, SURFACE_UNATTENDED};
use dogwatch_workspace::{Checkout, ObjectId};
use serde_json::json;

use super::{Attempt, Hold};
use crate::error::RunnerError;
use crate::files::{blocking, make_bundle, write_durably};
use crate::patience::Patience;
use crate::profile::load_project_config;
use crate::project::ProjectRecord;
use crate::recorder::{Copy, Recorder, RecorderParts};
use crate::runner::RunnerParts;
use crate::secrets;

/// The fixed configuration of a run, or why there is none: the run then fails with that reason, on record.
pub(super) type Profile = Result<FoundProfile, RunnerError>;

pub(super) struct FoundProfile {
    pub(super) checkout: Checkout,
    pub(super) base: ObjectId,
    pub(super) profile: EffectiveProfile,
}

fn find(parts: &RunnerParts, claimed: &ClaimedJob, contract: &Contract) -> Profile {
    let record = ProjectRecord::read(&parts.layout, claimed.job.project)?;
    let checkout = Checkout::discover(&record.directory())?;
    let base = super::base(contract)?;
    let config = load_project_config(&checkout, base, &parts.profile)?;
    let profile = config
        .profile(&contract.agent)
        .map_err(|error| RunnerError::Profile(error.to_string()))?;
    Ok(FoundProfile {
        checkout,
        base,
        profile,
    })
}

/// The configuration of the project at the contract's base.
pub(super) async fn found(
    parts: &RunnerParts,
    claimed: &ClaimedJob,
    contract: &Contract,
) -> Profile {
    let (parts, claimed, contract) = (parts.clone(), claimed.clone(), contract.clone());
    blocking(move || find(&parts, &claimed, &contract)).await
}

impl<'a> Attempt<'a> {
    /// Fixes the configuration, starts the run with the control plane, and writes the first line.
    pub(super) async fn start(
        parts: &'a RunnerParts,
        claimed: &ClaimedJob,
        contract: Contract,
        hold: Hold<'_>,
    ) -> Result<(Self, Profile), RunnerError> {
        let found = found(parts, claimed, &contract).await;
        let profile_bytes = match &found {
            Ok(found) => found
                .profile
                .to_stored()
                .map(|stored| stored.bytes)
                .map_err(|error| RunnerError::Profile(error.to_string()))?,
            Err(error) => canonical::value_to_bytes(&json!({ "error": error.chain() }))
                .map_err(|error| RunnerError::Profile(error.to_string()))?,
        };
        let run = RunId::mint(&*parts.clock, &*parts.entropy);
        let continues = claimed.goes_on.as_ref().map(|goes_on| goes_on.run);
        let start_from = match continues {
            Some(_) => StartFrom::Snapshot,
            None => StartFrom::Base,
        };
        let held = hold.held;
        let patience = Patience::WhileHeld(hold.pulse.clone());
        let request = StartRun {
            held,
            run,
            session: claimed.job.session,
            continues,
            start_from,
        };
        let started = patience.ask(|| parts.plane.start(request.clone())).await?;
        *hold.started = Some(run);
        let bundle = BundleLayout::new(parts.layout.bundle(run));
        let profile_hash = Sha256Digest::of(&profile_bytes);
        let writer = {
            let (bundle, contract) = (bundle.clone(), claimed.contract.clone());
            blocking(move || open_bundle(&bundle, run, &contract, &profile_bytes)).await?
        };
        let mut recorder =
            Recorder::new(recorder_parts(parts, claimed, held, run, writer, &patience));
        recorder
            .record(RunEvent::Started(RunStarted {
                attempt: started.run.attempt,
                contract: claimed.job.contract,
                profile: profile_hash,
                base: contract.base_commit.clone(),
                agent: contract.agent.clone(),
                driver: found.as_ref().map_or_else(
                    |_| "none".to_owned(),
                    |found| found.profile.agent.driver.to_string(),
                ),
                session_id: claimed.job.session,
                continues,
                start_from,
                surface: SURFACE_UNATTENDED.to_owned(),
            }))
            .await?;
        let attempt = Self {
            parts,
            contract,
            held,
            run,
            number: started.run.attempt,
            bundle,
            recorder,
            orders: hold.control.orders.subscribe(),
            pulse: hold.pulse,
            patience,
            token: started.token,
            trace: claimed.job.trace.clone(),
            context: claimed.job.context,
            goes_on: claimed.goes_on.clone(),
            parked: Duration::ZERO,
            told: BTreeSet::new(),
            kill_rung: "none".to_owned(),
            secrets: SecretSet::default(),
            canary: secrets::canary(&*parts.entropy),
            shims: 0,
        };
        Ok((attempt, found))
    }
}

/// A recorder that sends its lines on for as long as the lease may be alive.
pub(super) fn recorder_parts(
    parts: &RunnerParts,
    claimed: &ClaimedJob,
    held: HeldLease,
    run: RunId,
    writer: JournalWriter,
    patience: &Patience,
) -> RecorderParts {
    RecorderParts {
        writer: Some(writer),
        run,
        project: claimed.job.project,
        held,
        machine: parts.machine,
        clock: parts.clock.clone(),
        entropy: parts.entropy.clone(),
        copy: Some(Copy {
            plane: parts.plane.clone(),
            patience: patience.clone(),
        }),
        observer: parts.observer.clone(),
    }
}

/// Makes the bundle's directory with the bytes the run is held to, and its journal.
fn open_bundle(
    bundle: &BundleLayout,
    run: RunId,
    contract: &[u8],
    profile: &[u8],
) -> Result<JournalWriter, RunnerError> {
    make_bundle(bundle)?;
    for (path, bytes) in [(bundle.contract(), contract), (bundle.profile(), profile)] {
        write_durably(&path, bytes)?;
    }
    Ok(JournalWriter::create(bundle.journal(), run)?)
}
