//! What an agent finds in its environment, and the payload that came with its job.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::{PermissionsExt, lchown};
use std::path::{Path, PathBuf};

use dogwatch_agents::Secrets;
use dogwatch_config::EffectiveProfile;
use dogwatch_core::Sha256Digest;
use dogwatch_workspace::Owner;

use super::Attempt;
use super::prepare::Prepared;
use crate::confinement::Confinement;
use crate::error::RunnerError;
use crate::files::{blocking, make_private, write_durably};
use crate::secrets;

impl Attempt<'_> {
    /// What anybody may know.
    pub(super) fn run_env(&self, turn: u32, prepared: &Prepared) -> Vec<(OsString, OsString)> {
        let mut env: Vec<(OsString, OsString)> = vec![
            ("DOGWATCH_RUN_ID".into(), self.run.to_string().into()),
            ("DOGWATCH_JOB_ID".into(), self.held.job.to_string().into()),
            ("DOGWATCH_ATTEMPT".into(), self.number.to_string().into()),
            ("DOGWATCH_TURN".into(), turn.to_string().into()),
            (
                "DOGWATCH_WORKSPACE".into(),
                prepared.workspace.path().into(),
            ),
        ];
        if let Some(confinement) = &prepared.workshop.confinement {
            env.extend(confinement.env());
        }
        if let Some(socket) = &self.parts.channel {
            let mut endpoint = OsString::from("unix:");
            endpoint.push(socket);
            env.push(("DOGWATCH_ENDPOINT".into(), endpoint));
        }
        if let Some(trace) = &self.trace {
            env.push(("TRACEPARENT".into(), trace.into()));
        }
        if self.context.is_some() {
            let path = self.parts.layout.context(self.run);
            env.push(("DOGWATCH_CONTEXT_FILE".into(), path.into()));
        }
        env
    }

    /// What only this agent may know: it goes into its environment and nowhere else.
    pub(super) fn run_secrets(&self) -> Secrets {
        Secrets::new(vec![
            ("DOGWATCH_TOKEN".into(), self.token.clone().into()),
            (secrets::CANARY.into(), self.canary.clone().into()),
        ])
    }

    /// Finds out what nothing that is stored may show.
    pub(super) async fn learn_secrets(
        &mut self,
        profile: &EffectiveProfile,
        confinement: Option<&Confinement>,
    ) -> Result<(), RunnerError> {
        let given = [
            ("DOGWATCH_TOKEN", self.token.as_str()),
            (secrets::CANARY, self.canary.as_str()),
        ];
        let home = match confinement {
            Some(confinement) => confinement.home().map(Path::to_owned),
            None => std::env::var_os("HOME").map(PathBuf::from),
        };
        let (secrets, refused) = secrets::of_run(given, &profile.agent.env, home.as_deref());
        self.secrets = secrets;
        for text in refused {
            self.recorder.note("secret_unprotected", text).await?;
        }
        Ok(())
    }

    /// Fetches the payload of the job and puts it where the agent finds it, outside the workspace.
    pub(super) async fn fetch_context(
        &self,
        confinement: Option<&Confinement>,
    ) -> Result<(), RunnerError> {
        let Some(digest) = self.context else {
            return Ok(());
        };
        let plane = &self.parts.plane;
        let bytes = self.patience.ask(|| plane.blob(digest)).await?;
        let path = self.parts.layout.context(self.run);
        let owner = confinement.and_then(Confinement::owner);
        blocking(move || write_context(&path, digest, &bytes, owner)).await
    }
}

fn write_context(
    path: &Path,
    digest: Sha256Digest,
    bytes: &[u8],
    owner: Option<Owner>,
) -> Result<(), RunnerError> {
    if Sha256Digest::of(bytes) != digest {
        let error = std::io::Error::other("it is not the payload that the job names");
        return Err(RunnerError::file("fetch", path)(error));
    }
    if let Some(parent) = path.parent() {
        make_private(parent)?;
    }
    // One that is there already cannot be written to.
    match fs::remove_file(path) {
        Ok(()) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(RunnerError::file("replace", path)(error)),
    }
    write_durably(path, bytes)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o400))
        .map_err(RunnerError::file("protect", path))?;
    // Only its reader may open it, which is not root where root gives its agents to another user.
    match owner {
        Some(Owner { uid, gid }) => lchown(path, Some(uid), Some(gid))
            .map_err(RunnerError::file("change the owner of", path)),
        None => Ok(()),
    }
}
