//! The work loop of a machine: it takes leased jobs through workspace, turns, gates and bundle, and knows the control plane only as
//! [`dogwatch_api::ControlPlane`], in the same process or far away.

mod attempt;
mod binary;
mod bundle_upload;
mod confinement;
mod control;
mod crash_point;
mod disk;
mod ended;
mod error;
mod evidence;
mod files;
mod heartbeat;
mod layout;
mod machine;
mod observe;
mod output_mirror;
mod patience;
mod profile;
mod project;
mod recorder;
mod recover;
mod runner;
mod secrets;
mod work;
mod work_directory;

pub use confinement::isolation;
pub use control::RunControl;
pub use disk::DiskReserve;
pub use ended::{Ended, Finished, Parked};
pub use error::RunnerError;
pub use layout::DataLayout;
pub use machine::{MachineError, MachineRecord};
pub use observe::{Activity, Observer, Silent};
pub use profile::{ProfileInput, load_project_config};
pub use project::{ProjectError, ProjectRecord};
pub use recover::{Recovered, Recovery, recover};
pub use runner::{Runner, RunnerParts};
pub use work::{Mode, Stop, Transport, WorkOptions, Worked};
