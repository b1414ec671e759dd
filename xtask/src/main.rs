//! Development tasks of the repository: `cargo xtask test`, `cargo xtask ci`, `cargo xtask tidy`, `cargo xtask schema`,
//! `cargo xtask bench`.
#![expect(
    clippy::print_stdout,
    reason = "what a task found is its output, and stdout is where it goes"
)]

mod bench;
mod ci;
mod run;
mod schema;
mod test;
mod tidy;
mod tools;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Development tasks of dogwatch.
#[derive(Debug, Parser)]
#[command(bin_name = "cargo xtask")]
struct Args {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Install what the tests need and run them all.
    Test(test::TestArgs),
    /// Run exactly what CI runs, stopping at the first failure.
    Ci,
    /// Check what no compiler checks: which crate may use which, and the rules for text.
    Tidy,
    /// Write what is made from types: schemas, openapi.json, the pages of the codes.
    Schema,
    /// Run the benches in release and show their figures beside the goals.
    Bench(bench::BenchArgs),
}

fn main() -> ExitCode {
    let args = Args::parse();
    let done = run::Root::find().and_then(|root| match args.task {
        Task::Test(args) => test::run(&root, &args),
        Task::Ci => ci::run(&root),
        Task::Tidy => tidy::run(&root),
        Task::Schema => schema::run(&root),
        Task::Bench(args) => bench::run(&root, &args),
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}
