//! What a command may see, write and reach: what the runner asks a shim for, and what it got.

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
