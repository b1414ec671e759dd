//! The shim alone, as the program the integration tests spawn.

use std::process::ExitCode;

fn main() -> ExitCode {
    dogwatch_supervisor::shim_main()
}
