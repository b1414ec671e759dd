//! The view of the machine that a command gets, as the runner asks for it.

use std::path::Path;

use dogwatch_core::contract::Containment;
use serde::{Deserialize, Serialize};

use crate::text::RawText;

/// A directory shown as one: what stands in `lower`, with every change going to `upper`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Overlay {
    /// Where the command sees it; an existing directory.
    pub target: RawText,
    /// What is never changed.
    pub lower: RawText,
    /// Where changes go; an existing directory that the command's user owns.
    pub upper: RawText,
    /// The kernel's scratch directory, on the same file system as `upper`.
    pub work: RawText,
}

/// What of the network a command reaches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Network {
    /// The machine's own.
    #[default]
    Host,
    /// Nothing but a loopback of its own.
    None,
}

/// Whom a command runs as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AgentUser {
    /// The user's number.
    pub uid: u32,
    /// The group's number.
    pub gid: u32,
}

/// The view of the machine that a command gets. Everything that is not named here is visible and read-only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct View {
    /// The level without which the command is not started.
    pub required: Containment,
    /// Somebody other than who runs the shim; only root can ask for it.
    pub user: Option<AgentUser>,
    /// The network.
    pub network: Network,
    /// Overlays, mounted in this order before anything else: the workspace, and the home directory.
    pub overlays: Vec<Overlay>,
    /// What is hidden, whether it exists or not. Directories show empty, files show nothing, and nothing can be made there.
    pub masked: Vec<RawText>,
    /// What is visible and read-only although it lies below something masked.
    pub readable: Vec<RawText>,
    /// What may be written although all else is read-only.
    pub writable: Vec<RawText>,
}

impl View {
    /// A view in which only `writable` may be written.
    pub fn new(required: Containment, writable: &[&Path]) -> Self {
        Self {
            required,
            user: None,
            network: Network::Host,
            overlays: Vec::new(),
            masked: Vec::new(),
            readable: Vec::new(),
            writable: writable.iter().map(|path| RawText::from(*path)).collect(),
        }
    }
}

/// A view that no shim can make.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ViewError {
    /// A path is relative, holds a null byte, or climbs.
    #[error("{field} {path:?} is not a plain absolute path")]
    Path {
        /// Which list it stands in.
        field: &'static str,
        /// The path.
        path: RawText,
    },
    /// The user asked for is root, which would be no other user.
    #[error("the user of a view is root")]
    RootUser,
}

impl View {
    /// Checks what can be checked without touching the machine.
    pub(crate) fn validate(&self) -> Result<(), ViewError> {
        let overlays = self.overlays.iter().flat_map(|overlay| {
            [
                ("overlay target", &overlay.target),
                ("overlay lower", &overlay.lower),
                ("overlay upper", &overlay.upper),
                ("overlay work", &overlay.work),
            ]
        });
        let lists = [
            ("masked", &self.masked),
            ("readable", &self.readable),
            ("writable", &self.writable),
        ];
        let paths = lists
            .into_iter()
            .flat_map(|(field, paths)| paths.iter().map(move |path| (field, path)));
        for (field, path) in overlays.chain(paths) {
            let plain = path.as_path().is_absolute()
                && path.as_path().parent().is_some()
                && !path.as_bytes().contains(&0)
                && !path
                    .as_path()
                    .components()
                    .any(|part| part == std::path::Component::ParentDir);
            if !plain {
                let path = path.clone();
                return Err(ViewError::Path { field, path });
            }
        }
        match self.user {
            Some(AgentUser { uid, gid }) if uid == 0 || gid == 0 => Err(ViewError::RootUser),
            _ => Ok(()),
        }
    }
}
