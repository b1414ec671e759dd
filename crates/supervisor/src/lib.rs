//! One command, held: its process tree, its output, its clocks and its exit record.
//!
//! A command (an agent's turn or a gate) runs under a small process of its own, the shim ([`shim_main`]). The shim owns the tree, the
//! pipes, the clocks and the exit record, and survives whoever started it. [`Supervised`] is the other side: it starts a shim, follows it
//! over its control socket and reads the record. This crate knows no jobs and no database.
//!
//! A tree is ended in one way, whatever the cause, success included: every process is asked to end, killed after a grace, and the record
//! is written only once none is left. In a PID namespace the kernel guarantees that; without one the shim adopts orphans and kills until
//! it has no children. Processes outside a namespace of ours are signalled only by pid and start time.

pub mod containment;
pub mod control;
pub mod env;
mod identity;
pub mod os;
mod oversight;
mod plain;
mod record;
mod role;
mod secrets_pipe;
mod shim;
mod spec;
mod supervised;

mod text;

pub use identity::{Ended, IdentityError, ProcessIdentity};
pub use os::probe::{Capabilities, Finding, probe, probe_in};
pub use oversight::{Order, Oversight, oversee};
pub use plain::{PlainFiles, derive_plain};
pub use record::{
    Cause, ExitRecord, Leftovers, MainStatus, RECORD_VERSION, RecordError, Rung, StreamCounts,
};
pub use role::play_role;
pub use shim::shim_main;
pub use spec::{
    DEFAULT_MAX_PROCESSES, EnvVar, SPEC_VERSION, ShimPlaces, ShimSpec, SpecError, WantedRung,
};

pub use supervised::{
    ControlClient, ControlError, Progress, SHIM_FILE, ShimFile, ShimFileError, ShimProgram,
    Supervised, SupervisorError, TreeState,
};
pub use text::RawText;
