//! `dogwatch config`: the values that apply, and where each comes from.

use clap::{Args, Subcommand};
use dogwatch_config::{Config, ConfigError, FlagValues, Layers, Setting, Source};
use dogwatch_workspace::{Checkout, CheckoutError};
use serde_json::{Value, json};

use super::reading::note;
use super::run::checkout_error;
use crate::context::Context;
use crate::error::CliError;
use crate::exit::Exit;
use crate::output::{Table, print_json};

/// The project's configuration file.
pub(super) const PROJECT_FILE: &str = "dogwatch.toml";

/// Show the configuration.
#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Show the values that apply here.
    Show(ShowArgs),
}

/// Show the values that apply here.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  dogwatch config show --origin
  dogwatch config show --json

Layers, weakest first: defaults, the user's config.toml, the project's dogwatch.toml, DOGWATCH_* variables, flags. The
project's file is read as it is committed, as a run reads it.")]
pub(crate) struct ShowArgs {
    /// Say where each value comes from: the layer, with file and line.
    #[arg(long)]
    origin: bool,
}

pub(crate) fn run(context: &Context, command: ConfigCommand) -> Result<Exit, CliError> {
    match command {
        ConfigCommand::Show(args) => show(context, &args),
    }
}

fn show(context: &Context, args: &ShowArgs) -> Result<Exit, CliError> {
    let project = Project::find(context)?;
    if let Some(remark) = project.remark() {
        note(&remark);
    }
    let config = load(context, project.committed)?.map_err(|error| {
        CliError::new("config_invalid", error.to_string()).next("mend every problem named")
    })?;
    for warning in &config.warnings {
        note(warning);
    }
    if context.json {
        print_json(&json!({
            "settings": config.settings(),
            "sources": config.sources,
            "warnings": config.warnings,
        }));
    } else {
        print_settings(&config.settings(), args.origin);
    }
    Ok(Exit::Success)
}

/// Every layer that applies here, with this file of the project.
pub(super) fn load(
    context: &Context,
    project: Option<Source>,
) -> Result<Result<Config, ConfigError>, CliError> {
    let input = context.profile_input(FlagValues::default())?;
    let layers = Layers {
        user: input.user,
        project,
        env: input.env,
        flags: input.flags,
    };
    Ok(layers.load())
}

/// The project's configuration file, as it is committed and as it lies there.
#[derive(Debug, Default)]
pub(super) struct Project {
    /// The repository, where there is one with a commit.
    pub(super) checkout: Option<Checkout>,
    /// The file at HEAD.
    pub(super) committed: Option<Source>,
    /// The file in the checkout.
    working: Option<Vec<u8>>,
}

impl Project {
    /// Looks for the repository the command stands in. Not to be in one, or in one without commits, is fine.
    pub(super) fn find(context: &Context) -> Result<Self, CliError> {
        let checkout = match Checkout::discover(&context.directory) {
            Ok(checkout) => checkout,
            Err(CheckoutError::NotARepository { .. } | CheckoutError::Empty { .. }) => {
                return Ok(Self::default());
            }
            Err(error) => return Err(checkout_error(&error)),
        };
        let working = std::fs::read(checkout.top_level().join(PROJECT_FILE)).ok();
        let bytes = match checkout.head() {
            Some(head) => checkout
                .file_at(head, PROJECT_FILE)
                .map_err(|error| checkout_error(&error))?,
            None => None,
        };
        let committed = match bytes.map(String::from_utf8).transpose() {
            Ok(text) => text.map(|text| Source {
                path: PROJECT_FILE.to_owned(),
                text,
            }),
            Err(_) => {
                return Err(CliError::new(
                    "config_invalid",
                    format!("{PROJECT_FILE} is not UTF-8"),
                )
                .next("save it as UTF-8 and commit it"));
            }
        };
        Ok(Self {
            checkout: Some(checkout),
            committed,
            working,
        })
    }

    /// Whether what lies there is something else than what a run would use.
    pub(super) fn remark(&self) -> Option<String> {
        let committed = self.committed.as_ref().map(|source| source.text.as_bytes());
        match (committed, self.working.as_deref()) {
            (None, Some(_)) => Some(format!(
                "{PROJECT_FILE} is not committed: a run uses the committed one, so it has no effect yet"
            )),
            (Some(committed), Some(working)) if committed != working => Some(format!(
                "{PROJECT_FILE} has changes that are not committed: a run uses the committed one"
            )),
            (Some(_), None) => Some(format!(
                "{PROJECT_FILE} is gone from the checkout: a run uses the committed one"
            )),
            (Some(_), Some(_)) | (None, None) => None,
        }
    }
}

fn print_settings(settings: &[Setting], origin: bool) {
    let mut headings = vec!["KEY", "VALUE"];
    if origin {
        headings.push("ORIGIN");
    }
    let mut table = Table::new(&headings);
    for setting in settings {
        let mut row = vec![setting.key.clone(), shown(&setting.value)];
        if origin {
            row.push(setting.origin.to_string());
        }
        table.row(row);
    }
    table.print();
}

fn shown(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn project(committed: Option<&str>, working: Option<&str>) -> Project {
        Project {
            checkout: None,
            committed: committed.map(|text| Source {
                path: PROJECT_FILE.to_owned(),
                text: text.to_owned(),
            }),
            working: working.map(|text| text.as_bytes().to_vec()),
        }
    }

    #[test]
    fn a_file_that_no_run_would_use_is_remarked_on() {
        for (committed, working, said) in [
            (None, None, None),
            (Some("a"), Some("a"), None),
            (None, Some("a"), Some("is not committed")),
            (Some("a"), Some("b"), Some("has changes")),
            (Some("a"), None, Some("is gone")),
        ] {
            let remark = project(committed, working).remark();
            match said {
                Some(said) => assert!(remark.unwrap().contains(said)),
                None => assert_eq!(remark, None),
            }
        }
    }
}
