//! The part of the configuration that a run is held to: taken once at the start, stored with its hash, and never read again from
//! anywhere else.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use dogwatch_core::canonical::{self, CanonicalError, Sha256Digest};
use dogwatch_core::limits::{Limits, ModelClass};
use dogwatch_core::schemars::{self, JsonSchema};
use dogwatch_core::strict::Document;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::file::Driver;
use crate::layers::{Config, RunConfig, UnknownAgent};
use crate::origin::{Layer, Origin};

/// The version of a stored profile.
pub const PROFILE_SCHEMA: u32 = 1;

/// A file the profile was made from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(crate = "dogwatch_core::schemars")]
pub struct ProfileSource {
    /// Its layer.
    pub layer: Layer,
    /// What the caller called it.
    pub path: String,
    /// The digest of its text.
    pub sha256: Sha256Digest,
}

/// The agent of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(crate = "dogwatch_core::schemars")]
pub struct ProfileAgent {
    /// Its name.
    pub name: String,
    /// How dogwatch talks to it.
    pub driver: Driver,
    /// The program and its arguments.
    pub command: Vec<String>,
    /// The names of the variables it gets from the host. Never their values.
    pub env: Vec<String>,
}

/// The configuration that applies to one run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(crate = "dogwatch_core::schemars", title = "dogwatch run profile")]
pub struct EffectiveProfile {
    /// [`PROFILE_SCHEMA`].
    #[schemars(range(min = 1, max = 1))]
    pub schema_version: u32,
    /// The agent.
    pub agent: ProfileAgent,
    /// The class of models.
    pub model_class: ModelClass,
    /// The limits as configured; the contract's own stand in the contract and win.
    pub limits: Limits,
    /// How the run is done.
    pub run: RunConfig,
    /// The files it was made from.
    pub sources: Vec<ProfileSource>,
    /// Where each value comes from.
    pub origins: BTreeMap<String, Origin>,
}

/// The bytes of a profile and their hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredProfile {
    /// Canonical JSON.
    pub bytes: Vec<u8>,
    /// SHA-256 of the bytes.
    pub hash: Sha256Digest,
}

/// Stored bytes that are not the profile they should be.
#[derive(Debug, thiserror::Error)]
pub enum StoredProfileError {
    /// Other bytes than the ones that were hashed.
    #[error("profile bytes hash to {found}, not to {expected}")]
    Hash {
        /// The hash on record.
        expected: Sha256Digest,
        /// The hash of the bytes.
        found: Sha256Digest,
    },
    /// Not canonical JSON, so dogwatch did not write it.
    #[error("profile bytes are not canonical JSON")]
    NotCanonical,
    /// Canonical JSON that is no profile.
    #[error("profile bytes are not a run profile")]
    NotAProfile(#[source] serde_json::Error),
    /// A profile of another version.
    #[error("profile is of version {0}; this version reads {PROFILE_SCHEMA}")]
    Version(u32),
}

/// The schema of `profile.json`.
pub fn profile_schema() -> &'static Value {
    static SCHEMA: LazyLock<Value> =
        LazyLock::new(|| schemars::schema_for!(EffectiveProfile).to_value());
    &SCHEMA
}

impl Config {
    /// What applies to a run with this agent.
    pub fn profile(&self, agent: &str) -> Result<EffectiveProfile, UnknownAgent> {
        let config = self.agent(agent)?;
        let of_another = format!("{}.", dogwatch_core::strict::join("agents", agent));
        let origins = self
            .settings()
            .into_iter()
            .filter(|setting| {
                // The gates are copied into the contract, and other agents do not concern this run.
                setting.key != "acceptance"
                    && setting.key != "agent"
                    && (!setting.key.starts_with("agents.") || setting.key.starts_with(&of_another))
            })
            .map(|setting| (setting.key, setting.origin))
            .collect();
        Ok(EffectiveProfile {
            schema_version: PROFILE_SCHEMA,
            agent: ProfileAgent {
                name: agent.to_owned(),
                driver: config.driver,
                command: config.command.clone(),
                env: config.env.clone(),
            },
            model_class: self.model_class,
            limits: self.limits.limits.clone(),
            run: self.run.clone(),
            sources: self.sources.clone(),
            origins,
        })
    }
}

impl EffectiveProfile {
    /// The bytes to store. Called once, at the start of a run.
    pub fn to_stored(&self) -> Result<StoredProfile, CanonicalError> {
        let bytes = canonical::to_bytes(self)?;
        let hash = Sha256Digest::of(&bytes);
        Ok(StoredProfile { bytes, hash })
    }
}

impl StoredProfile {
    /// Reads stored bytes, holding them to the hash on record.
    pub fn parse(
        bytes: &[u8],
        expected: Sha256Digest,
    ) -> Result<EffectiveProfile, StoredProfileError> {
        let found = Sha256Digest::of(bytes);
        if found != expected {
            return Err(StoredProfileError::Hash { expected, found });
        }
        let value = std::str::from_utf8(bytes)
            .ok()
            .and_then(|text| Document::from_json(text).ok())
            .filter(|document| document.problems.is_empty())
            .map(|document| document.value)
            .filter(|value| {
                canonical::value_to_bytes(value).is_ok_and(|canonical| canonical == bytes)
            })
            .ok_or(StoredProfileError::NotCanonical)?;
        let profile: EffectiveProfile =
            serde_json::from_value(value).map_err(StoredProfileError::NotAProfile)?;
        if profile.schema_version == PROFILE_SCHEMA {
            Ok(profile)
        } else {
            Err(StoredProfileError::Version(profile.schema_version))
        }
    }
}
