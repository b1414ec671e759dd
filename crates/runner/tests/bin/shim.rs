//! The shim alone, as the program the integration tests run agents under.

use std::process::ExitCode;

fn main() -> ExitCode {
    dogwatch_supervisor::shim_main()
}
