//! `dogwatch init`: the identity of a repository's project, and a configuration to fill in.

mod template;

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use clap::Args;
use dogwatch_workspace::Checkout;
use serde_json::json;

use super::config::PROJECT_FILE;
use super::reading::line;
use super::run::{checkout_error, know_project};
use crate::context::Context;
use crate::error::CliError;
use crate::exit::Exit;
use crate::output::{print, print_json};

/// Prepare a repository: its identity and a configuration to fill in.
#[derive(Debug, Args)]
#[command(
    after_help = "Writes dogwatch.toml at the top of the repository unless there is one, and .git/dogwatch/link/project.json. An
existing dogwatch.toml is left as it is. Safe to repeat."
)]
pub(crate) struct InitArgs {}

pub(crate) fn run(context: &Context, _args: &InitArgs) -> Result<Exit, CliError> {
    let checkout =
        Checkout::discover(&context.directory).map_err(|error| checkout_error(&error))?;
    make_data_directory(context.layout.root())?;
    let project = know_project(context, &checkout)?;
    let path = checkout.top_level().join(PROJECT_FILE);
    let gates = template::gates(checkout.top_level());
    let created = write_new(&path, &template::text(&gates)).map_err(|error| {
        CliError::new(
            "config_unwritable",
            format!("{} cannot be written: {error}", path.display()),
        )
        .next("mend the permissions of the repository")
    })?;
    if context.json {
        print_json(&json!({
            "project_id": project,
            "config": path.to_string_lossy(),
            "created": created,
        }));
        return Ok(Exit::Success);
    }
    line("project", &project.to_string());
    if created {
        line("wrote", &path.to_string_lossy());
        match gates.first() {
            Some(gate) => line(
                "gate",
                &format!("{} ({} was found)", gate.run, gate.because),
            ),
            None => line(
                "gate",
                "none was found: add [[acceptance]], or a success is only the agent's word",
            ),
        }
    } else {
        line(
            "kept",
            &format!("{}, which was there already", path.to_string_lossy()),
        );
    }
    print("\nNext:");
    if created {
        print(&format!(
            "  1. define an agent in {PROJECT_FILE}, or in {} for all your projects",
            context.places.user_config().display()
        ));
        print(&format!(
            "  2. git add {PROJECT_FILE} && git commit -m \"Configure dogwatch\"    a run reads the committed file"
        ));
        print("  3. dogwatch doctor && dogwatch run \"fix the flaky test\"");
    } else {
        print("  dogwatch doctor && dogwatch run \"fix the flaky test\"");
    }
    Ok(Exit::Success)
}

/// The data directory is its owner's alone from the beginning, whoever makes it first.
fn make_data_directory(root: &Path) -> Result<(), CliError> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(root)
        .map_err(|error| {
            CliError::new(
                "data_directory",
                format!("{} cannot be used: {error}", root.display()),
            )
            .next("mend its permissions, or set DOGWATCH_HOME to another directory")
        })
}

/// Writes a file unless something has its name; says whether it did.
fn write_new(path: &Path, text: &str) -> io::Result<bool> {
    match OpenOptions::new().write(true).create_new(true).open(path) {
        Ok(mut file) => file
            .write_all(text.as_bytes())
            .and_then(|()| file.sync_all())
            .map(|()| true),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error),
    }
}
