//! The shim alone, as the program the integration tests spawn. Without an argument it is a shim.

use std::process::ExitCode;

fn main() -> ExitCode {
    dogwatch_supervisor::play_role(std::env::args_os().skip(1))
        .unwrap_or_else(dogwatch_supervisor::shim_main)
}
