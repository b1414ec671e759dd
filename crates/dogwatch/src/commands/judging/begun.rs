//! What a promotion is about to do, written down before it does it: after a crash the next one finishes that, whatever it was asked.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use dogwatch_bundle::BundleLayout;
use dogwatch_core::ids::RunId;
use dogwatch_core::job::Landed;
use dogwatch_workspace::land::Mode;
use serde::{Deserialize, Serialize};

use crate::error::CliError;

const SCHEMA_VERSION: u32 = 1;

/// How a change is wanted in the repository.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(in crate::commands) enum WantedMode {
    /// The branch moves forward.
    FastForward,
    /// On a new branch of this name.
    Branch(String),
    /// Joined with what the branch has by now.
    Merge,
}

impl WantedMode {
    /// The same for the one who does it.
    pub(in crate::commands) fn mode(&self) -> Mode {
        match self {
            Self::FastForward => Mode::FastForward,
            Self::Branch(name) => Mode::Branch(name.clone()),
            Self::Merge => Mode::Merge,
        }
    }
}

/// What was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::commands) struct Wanted {
    /// How.
    pub(in crate::commands) mode: WantedMode,
    /// The branch; none for the one that is checked out.
    pub(in crate::commands) target: Option<String>,
    /// What the commit says.
    pub(in crate::commands) message: String,
}

/// The record of it, beside the evidence and not part of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::commands) struct Begun {
    schema_version: u32,
    run: RunId,
    /// What was asked for.
    pub(in crate::commands) wanted: Wanted,
    /// What comes of it.
    pub(in crate::commands) landed: Landed,
}

impl Begun {
    pub(in crate::commands) const fn new(run: RunId, wanted: Wanted, landed: Landed) -> Self {
        Self {
            schema_version: SCHEMA_VERSION,
            run,
            wanted,
            landed,
        }
    }

    /// The record of a run, if there is one. One that cannot be read is an error: it may be all that is known of half a promotion.
    pub(in crate::commands) fn read(bundle: &Path, run: RunId) -> Result<Option<Self>, CliError> {
        let path = place(bundle);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(unusable(&path, &error)),
        };
        match serde_json::from_slice::<Self>(&bytes) {
            Ok(begun) if begun.schema_version == SCHEMA_VERSION && begun.run == run => {
                Ok(Some(begun))
            }
            Ok(_) => Err(unusable(&path, &"it is about something else")),
            Err(error) => Err(unusable(&path, &error)),
        }
    }

    /// Writes it, durably and whole.
    pub(in crate::commands) fn write(&self, bundle: &Path) -> Result<(), CliError> {
        let path = place(bundle);
        let draft = path.with_extension(format!("{}.draft", std::process::id()));
        let directory = BundleLayout::new(bundle).reports();
        let written = fs::create_dir_all(&directory)
            .and_then(|()| {
                let bytes = serde_json::to_vec_pretty(self)?;
                let mut file = File::create(&draft)?;
                file.write_all(&bytes).and_then(|()| file.sync_all())
            })
            .and_then(|()| fs::rename(&draft, &path))
            .and_then(|()| File::open(&directory)?.sync_all());
        written.map_err(|error| unusable(&path, &error))
    }
}

fn place(bundle: &Path) -> PathBuf {
    BundleLayout::new(bundle).reports().join("promotion.json")
}

fn unusable(path: &Path, error: &dyn std::fmt::Display) -> CliError {
    CliError::new("landing_io", format!("{}: {error}", path.display())).next(
        "mend its permissions; if it is damaged, look whether the change is in your repository, remove the file, and promote again",
    )
}

#[cfg(test)]
mod tests {
    use dogwatch_core::job::LandedHow;

    use super::*;

    #[test]
    fn what_was_begun_is_read_back_and_damage_is_not_nothing() {
        let bundle = tempfile::tempdir().unwrap();
        let run = RunId::from_uuid(uuid::Uuid::from_u128(7));
        assert_eq!(Begun::read(bundle.path(), run).unwrap(), None);
        let wanted = Wanted {
            mode: WantedMode::Branch("fix".to_owned()),
            target: None,
            message: "fix it".to_owned(),
        };
        let landed = Landed {
            how: LandedHow::Branch,
            reference: "refs/heads/fix".to_owned(),
            commit: "0".repeat(40),
        };
        let begun = Begun::new(run, wanted, landed);
        begun.write(bundle.path()).unwrap();
        begun.write(bundle.path()).unwrap();
        assert_eq!(Begun::read(bundle.path(), run).unwrap(), Some(begun));
        let other = RunId::from_uuid(uuid::Uuid::from_u128(8));
        assert_eq!(
            Begun::read(bundle.path(), other).unwrap_err().code(),
            "landing_io"
        );
        fs::write(place(bundle.path()), "{").unwrap();
        assert!(Begun::read(bundle.path(), run).is_err());
    }
}
