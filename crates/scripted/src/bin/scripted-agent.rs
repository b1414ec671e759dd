//! The scripted agent as a program of its own, for this crate's tests; the product has it behind a hidden verb.

use std::process::ExitCode;

fn main() -> ExitCode {
    dogwatch_scripted::agent_main(std::env::args_os().skip(1))
}
