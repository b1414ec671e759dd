//! The shim alone, as the program the integration tests spawn. Without an argument it is a shim; it also carries out attacks.

mod attacks;

use std::process::ExitCode;

fn main() -> ExitCode {
    if let Some(ended) = dogwatch_supervisor::play_role(std::env::args_os().skip(1)) {
        return ended;
    }
    let mut arguments = std::env::args().skip(1);
    match (arguments.next().as_deref(), arguments.next()) {
        (Some("attack"), Some(name)) => attacks::attack(&name, arguments.next()),
        _ => dogwatch_supervisor::shim_main(),
    }
}
