//! `cargo xtask ci`: the steps CI runs, in order, each with its seconds.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::run::{self, Root};
use crate::test::{self, TestArgs};
use crate::{tidy, tools};

/// One feature set for all steps, so that build scripts and macros are built once.
pub(crate) const FEATURES: &str = "--all-features";

type Step = (&'static str, fn(&Root) -> Result<()>);

/// Cheapest first, so that what is wrong is known soon; the tests last, so that their closing lines are the last ones.
const STEPS: [Step; 6] = [
    ("fmt", fmt),
    ("tidy", tidy::run),
    ("clippy", clippy),
    ("rustdoc", rustdoc),
    ("deny", deny),
    ("test", all_tests),
];

/// Runs every step and stops at the first that fails.
pub(crate) fn run(root: &Root) -> Result<()> {
    let mut times = Vec::new();
    for (index, (name, step)) in STEPS.iter().enumerate() {
        println!("== ci {}/{}: {name}", index + 1, STEPS.len());
        let started = Instant::now();
        let done = step(root);
        let took = started.elapsed();
        let word = if done.is_ok() { "ok" } else { "FAILED" };
        println!("== ci {name}: {word} in {}", seconds(took));
        done.with_context(|| format!("ci stopped at the step `{name}`"))?;
        times.push((name, took));
    }
    let total = times.iter().map(|(_, took)| *took).sum();
    let parts: Vec<String> = times
        .iter()
        .map(|(name, took)| format!("{name} {}", seconds(*took)))
        .collect();
    println!(
        "== ci: all steps ok in {} ({})",
        seconds(total),
        parts.join(", ")
    );
    Ok(())
}

fn fmt(root: &Root) -> Result<()> {
    run::show(root.cargo().args(["fmt", "--all", "--check"]))
}

fn clippy(root: &Root) -> Result<()> {
    run::show(root.cargo().args([
        "clippy",
        "--workspace",
        "--all-targets",
        FEATURES,
        "--",
        "-D",
        "warnings",
    ]))
}

fn rustdoc(root: &Root) -> Result<()> {
    run::show(
        root.cargo()
            .args(["doc", "--workspace", "--no-deps", FEATURES])
            .env("RUSTDOCFLAGS", "-D warnings"),
    )
}

fn deny(root: &Root) -> Result<()> {
    tools::DENY.ensure(root)?;
    run::show(
        root.cargo()
            .args(["deny", "check", "bans", "licenses", "sources"]),
    )
}

fn all_tests(root: &Root) -> Result<()> {
    test::run(root, &TestArgs::default())
}

fn seconds(took: Duration) -> String {
    format!("{:.1} s", took.as_secs_f64())
}
