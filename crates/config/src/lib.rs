//! Configuration: its layers, where each value comes from, and the part of it that a run is held to.
//!
//! Layers, weakest first: defaults, the user's file, the project's `dogwatch.toml`, `DOGWATCH_*` variables, flags. Nothing here opens
//! a file or reads the environment: the caller brings the texts as [`Layers`], so that the project's file can come from the base
//! commit of a run and not from a tree an agent may write. A file with anything wrong in it is refused as a whole, with everything
//! that is wrong named; there is no falling back to a weaker layer.

mod environment;
mod error;
mod file;
mod layers;
mod origin;
mod paths;
mod profile;

#[cfg(test)]
mod tests;

pub use environment::{ENVIRONMENT_PREFIX, EnvironmentWarning, RESERVED_VARIABLES};
pub use error::{ConfigError, ConfigProblem};
pub use file::{AgentConfig, Driver, config_schema};
pub use layers::{Config, FlagValues, Layers, RunConfig, Source, UnknownAgent};
pub use origin::{Layer, Origin, Setting};
pub use paths::{Places, PlacesError};
pub use profile::{
    EffectiveProfile, PROFILE_SCHEMA, ProfileAgent, ProfileSource, StoredProfile,
    StoredProfileError, profile_schema,
};
