//! The run that is judged, and the evidence that is looked at for it.

use std::path::PathBuf;

use dogwatch_api::{JobRef, JudgeRun, RunDetail, RunVerdict};
use dogwatch_bundle::Manifest;
use dogwatch_core::Sha256Digest;
use dogwatch_core::ids::RunId;

use super::super::verify::verify_run;
use crate::connect::Connection;
use crate::context::Context;
use crate::error::CliError;

/// A closed run whose bundle is here and verifies.
pub(in crate::commands) struct Subject {
    /// The run.
    pub(in crate::commands) run: RunDetail,
    /// What its evidence says, checked.
    pub(in crate::commands) manifest: Manifest,
    /// The digest of that.
    pub(in crate::commands) digest: Sha256Digest,
    /// The bundle.
    pub(in crate::commands) bundle: PathBuf,
}

impl Subject {
    /// Finds a run, or the latest run of a job, and checks its evidence as `dogwatch verify` does.
    pub(in crate::commands) async fn find(
        context: &Context,
        connection: &Connection,
        text: &str,
    ) -> Result<Self, CliError> {
        let run = named(connection, text).await?;
        let short = run.id.short();
        let Some(closure) = &run.header.closed else {
            return Err(
                CliError::new("run_not_closed", format!("{} is not over", run.id))
                    .next(format!("wait for its end: dogwatch wait {short}")),
            );
        };
        let incomplete = |what: String, next: String| {
            CliError::new("evidence_incomplete", format!("{}: {what}", run.id)).next(next)
        };
        let Some(recorded) = closure.manifest else {
            return Err(incomplete(
                "it closed without a sealed bundle".to_owned(),
                format!("run its job again: dogwatch jobs retry {}", run.job.short()),
            ));
        };
        let bundle = context.layout.bundle(run.id);
        if !bundle.is_dir() {
            return Err(incomplete(
                format!("its bundle is not at {}", bundle.display()),
                "judge it on the machine that ran it, or restore the bundle".to_owned(),
            ));
        }
        let verification = verify_run(context, &run)?;
        if !verification.valid {
            let what = verification.findings.first().map_or_else(
                || "its bundle does not verify".to_owned(),
                |finding| {
                    format!(
                        "its bundle does not verify: {}: {} ({})",
                        finding.path, finding.detail, finding.code
                    )
                },
            );
            return Err(incomplete(
                what,
                format!("dogwatch verify {short} names everything that is wrong"),
            ));
        }
        match (verification.manifest, verification.manifest_digest) {
            (Some(manifest), Some(digest)) if digest == recorded => Ok(Self {
                run,
                manifest,
                digest,
                bundle,
            }),
            (_, found) => Err(CliError::new(
                "evidence_changed",
                format!(
                    "{}: {recorded} was recorded when the run ended, and its bundle has {}",
                    run.id,
                    found.map_or_else(|| "no manifest".to_owned(), |found| found.to_string())
                ),
            )
            .next(format!("dogwatch verify {short}"))),
        }
    }

    /// Puts the verdict on record, before anything follows from it. Saying it again changes nothing.
    pub(in crate::commands) async fn judge(
        &mut self,
        connection: &Connection,
        verdict: RunVerdict,
        reason: Option<String>,
    ) -> Result<(), CliError> {
        self.run = connection
            .plane()
            .judge_run(JudgeRun {
                run: self.run.id,
                verdict,
                manifest: self.digest,
                reason,
            })
            .await?;
        Ok(())
    }
}

async fn named(connection: &Connection, text: &str) -> Result<RunDetail, CliError> {
    let plane = connection.plane();
    let run: RunId = match plane.resolve(text.trim()).await? {
        JobRef::Run(run) => run,
        JobRef::Job(job) => {
            let job = plane.job(job).await?.job;
            let latest = job.runs.last().map(|run| run.id);
            latest.ok_or_else(|| {
                CliError::new(
                    "no_run",
                    format!("{} has no run: it is {}", job.id, job.state.status()),
                )
                .next(format!("dogwatch jobs show {}", job.id.short()))
            })?
        }
    };
    Ok(plane.run(run).await?)
}
