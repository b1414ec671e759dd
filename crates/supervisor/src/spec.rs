//! What a shim is told: one command, where its evidence goes, and its limits.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use dogwatch_core::limits::Limits;
use serde::{Deserialize, Serialize};

use crate::containment::{View, ViewError};
use crate::text::RawText;

/// The version of [`ShimSpec`] this build writes and accepts.
pub const SPEC_VERSION: u32 = 1;

/// The means wanted for holding and ending the process tree.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WantedRung {
    /// A PID namespace where the machine allows it, else the subreaper loop.
    #[default]
    Auto,
    /// A PID namespace or nothing.
    PidNamespace,
    /// The subreaper loop.
    Subreaper,
}

/// One environment variable.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnvVar {
    /// Its name.
    pub name: RawText,
    /// Its value.
    pub value: RawText,
}

/// The whole instruction for one shim, read once from its standard input.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShimSpec {
    /// [`SPEC_VERSION`].
    pub v: u32,
    /// The command and its arguments; a command without a slash is looked up in the absolute directories of the listed `PATH`.
    pub argv: Vec<RawText>,
    /// Where the command starts.
    pub cwd: RawText,
    /// The complete environment of the command: nothing is inherited.
    pub env: Vec<EnvVar>,
    /// The capture file, which must not exist yet.
    pub frames_path: RawText,
    /// The exit record, which must not exist yet.
    pub exit_path: RawText,
    /// The control socket, which must not exist yet; any length of path.
    pub control_path: RawText,
    /// The total time the command may take.
    pub budget_ms: u64,
    /// The time it may stay silent.
    pub stall_ms: Option<u64>,
    /// The time between asking processes to end and killing them.
    pub grace_ms: u64,
    /// How many bytes of each stream are stored before bytes are dropped and counted.
    pub output_cap: u64,
    /// The means wanted for holding the process tree.
    pub rung: WantedRung,
    /// The instant on CLOCK_BOOTTIME at which the tree dies unless a later one arrives.
    pub deadline_boottime_ns: Option<u64>,
    /// What the command may see and write; nothing means everything its user may.
    pub view: Option<View>,
    /// How many processes and threads there may be at once, where the kernel can count them.
    pub max_processes: u32,
}

/// How many processes and threads a command may have unless it is told otherwise.
pub const DEFAULT_MAX_PROCESSES: u32 = 4096;

/// A spec the shim does not act on.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum SpecError {
    /// Written by another version.
    #[error("spec version {0} is not {SPEC_VERSION}")]
    Version(u32),
    /// There is no command.
    #[error("the command is empty")]
    NoCommand,
    /// A path is relative, which would depend on where the shim was started.
    #[error("{field} {path:?} is not an absolute path")]
    RelativePath {
        /// Which path.
        field: &'static str,
        /// The path.
        path: RawText,
    },
    /// A view that cannot be made.
    #[error(transparent)]
    View(#[from] ViewError),
    /// A limit of zero.
    #[error("{0} is zero")]
    ZeroLimit(&'static str),
    /// A string the operating system cannot take.
    #[error("{field} {text:?} cannot be passed to a process")]
    NotPassable {
        /// Which kind of string.
        field: &'static str,
        /// The string.
        text: RawText,
    },
}

/// Where a shim puts what it leaves.
#[derive(Clone, Debug)]
pub struct ShimPlaces {
    /// The captured output.
    pub frames: PathBuf,
    /// The exit record.
    pub exit: PathBuf,
    /// The shim's own directory, where its control socket is.
    pub directory: PathBuf,
}

impl ShimSpec {
    /// A command with the limits every command has. It has no stall window and no deadline until they are set.
    pub fn new(
        argv: &[String],
        cwd: &Path,
        env: Vec<(OsString, OsString)>,
        places: &ShimPlaces,
        budget_ms: u64,
        limits: &Limits,
    ) -> Self {
        Self {
            v: SPEC_VERSION,
            argv: argv
                .iter()
                .map(|word| RawText::from(word.as_str()))
                .collect(),
            cwd: RawText::from(cwd),
            env: env
                .into_iter()
                .map(|(name, value)| EnvVar {
                    name: RawText::from(name),
                    value: RawText::from(value),
                })
                .collect(),
            frames_path: RawText::from(places.frames.as_path()),
            exit_path: RawText::from(places.exit.as_path()),
            control_path: RawText::from(places.directory.join("control.sock")),
            budget_ms,
            stall_ms: None,
            grace_ms: limits.kill_grace_ms,
            output_cap: limits.output_bytes,
            rung: WantedRung::Auto,
            deadline_boottime_ns: None,
            view: None,
            max_processes: DEFAULT_MAX_PROCESSES,
        }
    }

    /// Checks what can be checked without touching the machine.
    pub fn validate(&self) -> Result<(), SpecError> {
        if self.v != SPEC_VERSION {
            return Err(SpecError::Version(self.v));
        }
        if self
            .argv
            .first()
            .is_none_or(|name| name.as_bytes().is_empty())
        {
            return Err(SpecError::NoCommand);
        }
        for (field, path) in [
            ("cwd", &self.cwd),
            ("frames_path", &self.frames_path),
            ("exit_path", &self.exit_path),
            ("control_path", &self.control_path),
        ] {
            passable(field, path)?;
            if !path.as_path().is_absolute() {
                return Err(SpecError::RelativePath {
                    field,
                    path: path.clone(),
                });
            }
        }
        for argument in &self.argv {
            passable("argument", argument)?;
        }
        for EnvVar { name, value } in &self.env {
            passable("variable", name)?;
            passable("value", value)?;
            if name.as_bytes().is_empty() || name.as_bytes().contains(&b'=') {
                return Err(SpecError::NotPassable {
                    field: "variable",
                    text: name.clone(),
                });
            }
        }
        if self.budget_ms == 0 {
            return Err(SpecError::ZeroLimit("budget_ms"));
        }
        if self.stall_ms == Some(0) {
            return Err(SpecError::ZeroLimit("stall_ms"));
        }
        if self.max_processes == 0 {
            return Err(SpecError::ZeroLimit("max_processes"));
        }
        if let Some(view) = &self.view {
            view.validate()?;
        }
        Ok(())
    }
}

fn passable(field: &'static str, text: &RawText) -> Result<(), SpecError> {
    if text.as_bytes().contains(&0) {
        return Err(SpecError::NotPassable {
            field,
            text: text.clone(),
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec() -> ShimSpec {
        ShimSpec {
            v: SPEC_VERSION,
            argv: vec!["true".into()],
            cwd: "/".into(),
            env: Vec::new(),
            frames_path: "/run/output.frames".into(),
            exit_path: "/run/exit.json".into(),
            control_path: "/run/control.sock".into(),
            budget_ms: 1,
            stall_ms: None,
            grace_ms: 0,
            output_cap: 0,
            rung: WantedRung::Auto,
            deadline_boottime_ns: None,
            view: None,
            max_processes: DEFAULT_MAX_PROCESSES,
        }
    }

    #[test]
    fn every_refusal_has_its_own_reason() {
        assert_eq!(spec().validate(), Ok(()));
        let changed = |change: fn(&mut ShimSpec)| {
            let mut spec = spec();
            change(&mut spec);
            spec.validate().unwrap_err()
        };
        assert_eq!(changed(|spec| spec.v = 2), SpecError::Version(2));
        assert_eq!(changed(|spec| spec.argv.clear()), SpecError::NoCommand);
        assert_eq!(
            changed(|spec| spec.budget_ms = 0),
            SpecError::ZeroLimit("budget_ms")
        );
        assert_eq!(
            changed(|spec| spec.stall_ms = Some(0)),
            SpecError::ZeroLimit("stall_ms")
        );
        assert!(matches!(
            changed(|spec| spec.exit_path = "exit.json".into()),
            SpecError::RelativePath {
                field: "exit_path",
                ..
            }
        ));
        assert!(matches!(
            changed(|spec| spec.argv.push("a\0b".into())),
            SpecError::NotPassable {
                field: "argument",
                ..
            }
        ));
        assert!(matches!(
            changed(|spec| spec.env.push(EnvVar {
                name: "A=B".into(),
                value: "".into()
            })),
            SpecError::NotPassable {
                field: "variable",
                ..
            }
        ));
    }

    #[test]
    fn an_unknown_field_is_refused() {
        let mut json = serde_json::to_value(spec()).unwrap();
        json["surprise"] = true.into();
        assert!(serde_json::from_value::<ShimSpec>(json).is_err());
    }
}
