//! This program in one of its roles around a command.

use std::ffi::OsString;
use std::process::ExitCode;

use crate::shim::{STAGE_ARGUMENT, shim_main, stage_main};

/// What makes a dogwatch binary a shim.
pub(crate) const SHIM_ARGUMENT: &str = "__shim";

/// Plays the role that the first argument names, if it is one of ours. To be called with the arguments after the program's name, before
/// anything else, and before anything starts a thread.
///
/// Every program that starts shims of itself calls this: a command in a view is started by way of the same program once more.
pub fn play_role(mut arguments: impl Iterator<Item = OsString>) -> Option<ExitCode> {
    match arguments.next()?.to_str()? {
        SHIM_ARGUMENT => Some(shim_main()),
        STAGE_ARGUMENT => Some(stage_main(arguments)),
        _ => None,
    }
}
