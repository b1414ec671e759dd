//! The configuration a run is held to: loaded once, from the user's layers and the project's file at the base commit, and fixed.

use dogwatch_config::{Config, FlagValues, Layers, Source};
use dogwatch_workspace::{Checkout, ObjectId};

use crate::error::RunnerError;

/// The name of the project's configuration file.
const PROJECT_FILE: &str = "dogwatch.toml";

/// The layers that do not come from the project.
#[derive(Clone, Debug, Default)]
pub struct ProfileInput {
    /// The user's file.
    pub user: Option<Source>,
    /// `DOGWATCH_*` variables.
    pub env: Vec<(String, String)>,
    /// Flags of the command line.
    pub flags: FlagValues,
}

/// The configuration that applies to a base commit. All its errors are named; there is no falling back to defaults.
pub fn load_project_config(
    checkout: &Checkout,
    base: ObjectId,
    input: &ProfileInput,
) -> Result<Config, RunnerError> {
    let project = match checkout.file_at(base, PROJECT_FILE)? {
        Some(bytes) => Some(Source {
            path: PROJECT_FILE.to_owned(),
            text: String::from_utf8(bytes)
                .map_err(|_| RunnerError::Profile(format!("{PROJECT_FILE} is not UTF-8")))?,
        }),
        None => None,
    };
    let layers = Layers {
        user: input.user.clone(),
        project,
        env: input.env.clone(),
        flags: input.flags.clone(),
    };
    layers
        .load()
        .map_err(|error| RunnerError::Profile(error.to_string()))
}
