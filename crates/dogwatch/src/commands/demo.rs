//! `dogwatch demo`: the main job on a throw-away repository, with a scripted agent, for someone who has never seen it.

use std::fs;
use std::io::Write;
use std::path::Path;

use clap::Args;
use dogwatch_bundle::{BundleLayout, load_trusted_keys, verify};
use dogwatch_core::contract::Containment;
use dogwatch_runner::isolation;
use dogwatch_scripted::{DEMO_SCRIPT, DEMO_TASK, demo_repository};
use dogwatch_supervisor::containment::level;
use dogwatch_workspace::fresh::commit_everything;
use nix::unistd::geteuid;

use super::run::{RunArgs, run_task};
use crate::context::Context;
use crate::error::CliError;
use crate::exit::Exit;
use crate::output::{plain, print};

/// The agent's name in the demo's configuration.
const AGENT: &str = "scripted";

/// Show the whole thing on a throw-away repository with a scripted agent.
#[derive(Debug, Args)]
#[command(
    after_help = "The scripted agent's first change mends the bug it was asked to mend and breaks another check. dogwatch runs
the checks by itself, gives their output to the agent, and accepts the second change. Needs only git and sh."
)]
pub(crate) struct DemoArgs {
    /// Keep the repository and the workspace, and say where they are.
    #[arg(long)]
    keep: bool,
}

/// The demo has to work on a machine that has nothing but git and sh: its own agent may run without containment there, and that is said.
fn containment(loud: bool) -> Option<Containment> {
    let (available, missing) = level(isolation(), geteuid().is_root(), false);
    if available > Containment::None {
        return None;
    }
    if loud {
        print(&format!(
            "This machine cannot contain an agent yet ({}), so the demo's own runs without; a run of yours would be refused. `dogwatch doctor` says what to do.\n",
            plain(&missing.join("; "))
        ));
    }
    Some(Containment::None)
}

pub(crate) fn run(context: &Context, args: &DemoArgs) -> Result<Exit, CliError> {
    let stage = tempfile::Builder::new()
        .prefix("dogwatch-demo-")
        .tempdir()
        .map_err(|error| demo_error("make a temporary directory", &error))?;
    let repository = stage.path().join("slugify");
    make_repository(&repository, stage.path())?;
    let loud = !context.json;
    if loud {
        print(
            "A small repository with a failing check, and a scripted agent that will get it wrong once.\n",
        );
        print(&format!("task         {DEMO_TASK}"));
        print("");
    }
    let context = Context {
        directory: repository,
        ..context.clone()
    };
    let containment = containment(loud);
    let ran = run_task(
        &context,
        RunArgs::of_task(DEMO_TASK, AGENT, args.keep, containment),
    )?;
    let Some(finished) = ran.finished else {
        return Ok(ran.exit);
    };
    let valid = is_valid(&context, &finished.bundle)?;
    if loud {
        show(
            &finished.bundle,
            "what the gate said of the first change",
            "gates/tests/round-001.stdout",
        );
        let patch = fs::read(BundleLayout::new(&finished.bundle).patch()).unwrap_or_default();
        print("\nwhat the run changed");
        print(&indented(&String::from_utf8_lossy(&patch)));
        print("");
        if valid {
            print("The bundle verifies: every file and record in it is the one that was signed.");
        }
        print(
            "\nIn a repository of your own: `dogwatch init` writes a configuration to fill in; commit it, then",
        );
        print("  dogwatch run \"fix the flaky test\"");
    }
    if args.keep {
        let kept = stage.keep();
        if loud {
            print(&format!(
                "\nkept         {}",
                plain(&kept.to_string_lossy())
            ));
        }
    }
    if !valid {
        return Err(CliError::new(
            "bundle_invalid",
            format!("the bundle {} does not verify", finished.bundle.display()),
        )
        .next(format!("dogwatch verify {}", finished.run.short())));
    }
    Ok(ran.exit)
}

/// The sample repository, committed, with the agent's definition.
fn make_repository(repository: &Path, stage: &Path) -> Result<(), CliError> {
    demo_repository(repository)
        .map_err(|error| demo_error("write the sample repository", &error))?;
    let script = stage.join("script.json");
    fs::write(&script, DEMO_SCRIPT)
        .map_err(|error| demo_error("write the agent's script", &error))?;
    let program = std::env::current_exe()
        .map_err(|error| demo_error("find dogwatch's own program", &error))?;
    let command = [
        program.to_string_lossy().into_owned(),
        "__scripted-agent".to_owned(),
        "--script".to_owned(),
        script.to_string_lossy().into_owned(),
    ];
    // A JSON string is a TOML string, so this quotes whatever stands in the paths.
    let command = serde_json::to_string(&command).unwrap_or_default();
    fs::OpenOptions::new()
        .append(true)
        .open(repository.join("dogwatch.toml"))
        .and_then(|mut file| {
            write!(
                file,
                "\n[agents.{AGENT}]\ndriver = \"exec\"\ncommand = {command}\n"
            )
        })
        .map_err(|error| demo_error("define the agent", &error))?;
    commit_everything(repository, "a slugify with a bug")
        .map_err(|error| demo_error("commit the sample repository", &error))
}

fn is_valid(context: &Context, bundle: &Path) -> Result<bool, CliError> {
    let keys = load_trusted_keys(context.layout.root())
        .map_err(|error| CliError::from_error("trusted_keys", &error))?;
    Ok(verify(bundle, &keys).valid)
}

/// Shows a file of the bundle, if it is there.
fn show(bundle: &Path, title: &str, file: &str) {
    if let Ok(bytes) = fs::read(bundle.join(file)) {
        print(&format!("\n{title}"));
        print(&indented(&String::from_utf8_lossy(&bytes)));
    }
}

fn indented(text: &str) -> String {
    plain(text)
        .lines()
        .map(|line| format!("  {line}"))
        .collect::<Vec<_>>()
        .join("\n")
}

fn demo_error(action: &str, error: &dyn std::fmt::Display) -> CliError {
    CliError::new("demo", format!("cannot {action}: {error}"))
        .next("`dogwatch doctor` checks what dogwatch needs")
}
