//! Where a change lands: the user's checkout of the run's project, and the vault the result is in.

use std::fs;
use std::io;

use dogwatch_core::ids::{ProjectId, RunId};
use dogwatch_runner::{ProjectError, ProjectRecord};
use dogwatch_workspace::object_id::ParseObjectIdError;
use dogwatch_workspace::{Checkout, ObjectId, Vault, link};

use super::super::run::checkout_error;
use crate::context::Context;
use crate::error::CliError;

/// A checkout and a vault of one project.
pub(in crate::commands) struct Place {
    /// The user's repository.
    pub(in crate::commands) checkout: Checkout,
    /// The project's vault.
    pub(in crate::commands) vault: Vault,
}

impl Place {
    /// The checkout the command stands in if it is one of the project, else the one that was used last.
    pub(in crate::commands) fn find(
        context: &Context,
        project: ProjectId,
    ) -> Result<Self, CliError> {
        let checkout = match Checkout::discover(&context.directory) {
            Ok(here) if belongs(&here, project)? => here,
            Ok(_) | Err(_) => recorded(context, project)?,
        };
        Ok(Self {
            checkout,
            vault: open_vault(context, project)?,
        })
    }

    /// The last of the agent's own commits, where they were kept.
    pub(in crate::commands) fn history(&self, run: RunId) -> Result<Option<ObjectId>, CliError> {
        let name = format!("refs/dogwatch/runs/{run}/history");
        let unusable = |error: &dyn std::fmt::Display| {
            CliError::new(
                "vault_failed",
                format!("{name} in {}: {error}", self.vault.path().display()),
            )
            .next("restore the vault from where it came from")
        };
        let text = match fs::read_to_string(self.vault.path().join(&name)) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let packed = match fs::read_to_string(self.vault.path().join("packed-refs")) {
                    Ok(packed) => packed,
                    Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
                    Err(error) => return Err(unusable(&error)),
                };
                let found = packed
                    .lines()
                    .find_map(|line| line.strip_suffix(&*name)?.strip_suffix(' '));
                match found {
                    Some(id) => id.to_owned(),
                    None => return Ok(None),
                }
            }
            Err(error) => return Err(unusable(&error)),
        };
        let id = text.trim().parse();
        id.map(Some)
            .map_err(|error: ParseObjectIdError| unusable(&error))
    }
}

/// The vault of a project. Without it there is neither a result to land nor a snapshot to restore.
pub(in crate::commands) fn open_vault(
    context: &Context,
    project: ProjectId,
) -> Result<Vault, CliError> {
    let next = "restore <data>/vaults from where it came from; the patch is in the bundle too: dogwatch diff";
    Vault::open(context.layout.root(), project)
        .map_err(|error| CliError::from_error("vault_failed", &error).next(next))?
        .ok_or_else(|| {
            let message = format!("{project} has no vault in this data directory");
            CliError::new("vault_failed", message).next(next)
        })
}

fn belongs(checkout: &Checkout, project: ProjectId) -> Result<bool, CliError> {
    let link = link::read(checkout).map_err(|error| {
        CliError::from_error("project_link", &error)
            .next("mend .git/dogwatch/link/project.json or its permissions")
    })?;
    Ok(link.is_some_and(|link| link.project_id == project))
}

fn recorded(context: &Context, project: ProjectId) -> Result<Checkout, CliError> {
    let next = "go into a checkout of the project and give the command there";
    let record = ProjectRecord::read(&context.layout, project).map_err(|error| match error {
        ProjectError::Unknown(_) => CliError::from_error("project_moved", &error).next(next),
        ProjectError::Io { .. } | ProjectError::Malformed { .. } => {
            CliError::from_error("data_directory", &error).next(next)
        }
    })?;
    let directory = record.directory();
    let checkout = Checkout::discover(&directory).map_err(|error| checkout_error(&error))?;
    if belongs(&checkout, project)? {
        return Ok(checkout);
    }
    let message = format!(
        "{} is no checkout of {project} any more",
        directory.display()
    );
    Err(CliError::new("project_moved", message).next(next))
}
