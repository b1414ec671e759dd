//! `dogwatch restore`: the files of a snapshot, as files again. Works without a server.

use std::path::{Path, PathBuf};

use clap::Args;
use dogwatch_api::RunDetail;
use dogwatch_workspace::Vault;
use dogwatch_workspace::snapshot::{Listing, RestoreError, restore_with_ignored};
use dogwatch_workspace::vault::SnapshotRef;
use serde_json::json;

use super::judging::open_vault;
use super::reading::{Readings, line, note};
use crate::context::Context;
use crate::error::CliError;
use crate::exit::Exit;
use crate::output::print_json;

/// How many files that could not be kept are named on a screen.
const NAMED: usize = 10;

/// Write the files of a run's snapshot into a fresh directory.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  dogwatch restore 3fa9c1                 what the run left, into ./dogwatch-restore-3fa9c1
  dogwatch restore 3fa9c1 --turn 1        how it was after the first turn
  dogwatch restore 3fa9c1 --to /tmp/look

With the files that git ignores and with empty directories, as far as they were kept; what was not kept is named. Nothing is
overwritten, and no hook, filter or attribute of the snapshot is obeyed. Works without a server.")]
pub(crate) struct RestoreArgs {
    /// A run, or a job to mean its latest run, by its id or the end of it.
    run: String,
    /// The snapshot after this turn; the last one if not given.
    #[arg(long, value_name = "N", conflicts_with = "snapshot", value_parser = clap::value_parser!(u32).range(1..))]
    turn: Option<u32>,
    /// The snapshot of this name, for one that follows no turn.
    #[arg(long, value_name = "NAME")]
    snapshot: Option<String>,
    /// Where to; it must be empty or not there yet.
    #[arg(long, value_name = "DIR")]
    to: Option<PathBuf>,
}

pub(crate) fn run(context: &Context, args: &RestoreArgs) -> Result<Exit, CliError> {
    let run = Readings::open(context)?.run_named(&args.run)?;
    let vault = open_vault(context, run.project)?;
    let snapshots = vault
        .snapshots(run.id)
        .map_err(|error| CliError::from_error("vault_failed", &error))?;
    let chosen = choose(&run, &snapshots, args)?;
    let directory = context.directory.join(
        args.to
            .clone()
            .unwrap_or_else(|| PathBuf::from(format!("dogwatch-restore-{}", run.id.short()))),
    );
    let not_kept = listing(&vault, chosen)?;
    restore_with_ignored(&vault, chosen.tree, chosen.ignored, &directory)
        .map_err(|error| refused(&error))?;
    if context.json {
        print_json(&json!({
            "run_id": run.id,
            "job_id": run.job,
            "snapshot": chosen.label,
            "commit": chosen.commit.to_string(),
            "tree": chosen.tree.to_string(),
            "directory": directory.to_string_lossy(),
            "ignored": { "kept": not_kept.kept, "kept_bytes": not_kept.kept_bytes },
            "not_kept": not_kept.files,
            "not_kept_more": not_kept.more,
            "snapshots": labels(&snapshots),
        }));
        return Ok(Exit::Success);
    }
    report(&run, chosen, &directory, &not_kept);
    if snapshots.len() > 1 {
        note(&format!(
            "there are {} snapshots: {}; --turn N or --snapshot NAME chooses",
            snapshots.len(),
            labels(&snapshots).join(", ")
        ));
    }
    Ok(Exit::Success)
}

/// The snapshot that is asked for, or the last one.
fn choose<'a>(
    run: &RunDetail,
    snapshots: &'a [SnapshotRef],
    args: &RestoreArgs,
) -> Result<&'a SnapshotRef, CliError> {
    let named = |label: &str| snapshots.iter().find(|found| found.label == label);
    let wanted = match (args.turn, &args.snapshot) {
        (Some(turn), _) => Some(format!("turn-{turn:03}")),
        (None, name) => name.clone(),
    };
    if let Some(label) = wanted {
        return named(&label).ok_or_else(|| {
            let there = match labels(snapshots).join(", ") {
                none if none.is_empty() => "it has none".to_owned(),
                some => format!("it has {some}"),
            };
            CliError::new(
                "snapshot_not_found",
                format!("{} has no snapshot {label}: {there}", run.id),
            )
            .next(format!("dogwatch runs show {}", run.id.short()))
        });
    }
    // The journal knows which one is the last; names sort by turn.
    let last = run.state.snapshot.as_ref();
    last.and_then(|last| named(&last.label))
        .or(snapshots.last())
        .ok_or_else(|| {
            CliError::new(
                "snapshot_not_found",
                format!("{} left no snapshot: no turn of it was completed", run.id),
            )
            .next(format!("dogwatch runs show {} says why", run.id.short()))
        })
}

fn labels(snapshots: &[SnapshotRef]) -> Vec<&str> {
    snapshots.iter().map(|found| found.label.as_str()).collect()
}

fn listing(vault: &Vault, snapshot: &SnapshotRef) -> Result<Listing, CliError> {
    match snapshot.ignored {
        None => Ok(Listing::default()),
        Some(commit) => Listing::read(vault, commit)
            .map_err(|error| CliError::from_error("vault_failed", &error)),
    }
}

fn report(run: &RunDetail, snapshot: &SnapshotRef, directory: &Path, listing: &Listing) {
    line("restored", &format!("{} of {}", snapshot.label, run.id));
    line("into", &directory.to_string_lossy());
    line("tree", &snapshot.tree.to_string());
    if listing.kept > 0 {
        let text = format!("{} files, {} bytes", listing.kept, listing.kept_bytes);
        line("ignored", &text);
    }
    let missing = listing.files.len() as u64 + listing.more;
    if missing == 0 {
        return;
    }
    line(
        "not kept",
        &format!("{missing} ignored files were too large to keep, or could not be read"),
    );
    for file in listing.files.iter().take(NAMED) {
        let digest = file.sha256.map_or_else(
            || "no digest".to_owned(),
            |digest| format!("sha256 {digest}"),
        );
        line(
            "",
            &format!("{} ({} bytes, {digest})", file.path, file.size),
        );
    }
    if missing > NAMED as u64 {
        line("", "`--json` names all that are listed");
    }
}

fn refused(error: &RestoreError) -> CliError {
    let code = match error {
        RestoreError::NotEmpty { .. } => "restore_not_empty",
        RestoreError::Repository { .. } => "restore_repository",
        RestoreError::Io { .. } => "restore_io",
        RestoreError::Git(_) => "git_failed",
    };
    let said = CliError::from_error(code, error);
    match dogwatch_api::codes::find(code) {
        Some(info) => said.next(info.next),
        None => said,
    }
}
