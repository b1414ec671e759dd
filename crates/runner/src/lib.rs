//! The work loop of a machine: it takes a leased job through workspace, turns, gates and bundle, and knows the control plane only as
//! [`dogwatch_api::ControlPlane`].

mod attempt;
mod binary;
mod crash_point;
mod error;
mod evidence;
mod files;
mod heartbeat;
mod layout;
mod machine;
mod observe;
mod profile;
mod project;
mod recorder;
mod recover;
mod runner;
mod work_directory;

pub use attempt::Finished;
pub use error::RunnerError;
pub use layout::DataLayout;
pub use machine::{MachineError, MachineRecord};
pub use observe::{Activity, Observer, Silent};
pub use profile::{ProfileInput, load_project_config};
pub use project::{ProjectError, ProjectRecord};
pub use recover::{Recovered, Recovery, recover};
pub use runner::{RunControl, Runner, RunnerParts};
