//! `dogwatch diff`: what a run changed, from its evidence.

use std::io::IsTerminal;

use clap::Args;
use dogwatch_api::RunDetail;
use dogwatch_bundle::{BundleLayout, load_trusted_keys, verify};
use serde_json::{Value, json};

use super::reading::{Readings, note, read_evidence, warning};
use crate::context::Context;
use crate::error::CliError;
use crate::exit::Exit;
use crate::output::{plain, print, print_bytes, print_json};

/// Show what a run changed.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  dogwatch diff 3fa9c1
  dogwatch diff 3fa9c1 --stat
  dogwatch diff 3fa9c1 | git apply --check

Into a file or a pipe the patch goes as it is, byte for byte; on a terminal control characters are shown and not obeyed.")]
pub(crate) struct DiffArgs {
    /// A run, or a job to mean its latest run, by its id or the end of it.
    run: String,
    /// Only the changed paths: A added, D deleted, M modified, T another kind of file.
    #[arg(long)]
    stat: bool,
}

pub(crate) fn run(context: &Context, args: &DiffArgs) -> Result<Exit, CliError> {
    let run = Readings::open(context)?.run_named(&args.run)?;
    let bundle = BundleLayout::new(context.layout.bundle(run.id));
    let (Some(patch), Some(files)) = (
        read_evidence(&bundle.patch())?,
        read_evidence(&bundle.files())?,
    ) else {
        return Err(no_patch(&run));
    };
    let valid = is_valid(context, &bundle, &run);
    let changes = changes(&files);
    if context.json {
        print_json(&json!({
            "run_id": run.id,
            "job_id": run.job,
            "bundle": bundle.root().to_string_lossy(),
            "bundle_valid": valid,
            "changes": changes.iter().map(|(status, path)| json!({ "status": status, "path": path })).collect::<Vec<_>>(),
            "patch_file": bundle.patch().to_string_lossy(),
            "patch": patch_value(&patch, args.stat),
        }));
        return Ok(Exit::Success);
    }
    if changes.is_empty() && patch.is_empty() {
        note("the run changed nothing");
    } else if args.stat {
        for (status, path) in &changes {
            print(&format!("{status}  {}", plain(path)));
        }
    } else if std::io::stdout().is_terminal() {
        print(plain(&String::from_utf8_lossy(&patch)).trim_end_matches('\n'));
    } else {
        print_bytes(&patch);
    }
    Ok(Exit::Success)
}

/// The patch for a program: absent where it was not asked for, null where it is not text.
fn patch_value(patch: &[u8], stat: bool) -> Value {
    if stat {
        return Value::Null;
    }
    std::str::from_utf8(patch).map_or(Value::Null, Value::from)
}

/// The lines of `files.txt`: a letter, a tab, a path whose control characters are written out.
fn changes(files: &[u8]) -> Vec<(String, String)> {
    String::from_utf8_lossy(files)
        .lines()
        .map(|line| {
            let (status, path) = line.split_once('\t').unwrap_or(("?", line));
            (status.to_owned(), path.to_owned())
        })
        .collect()
}

fn no_patch(run: &RunDetail) -> CliError {
    let id = run.id.short();
    let Some(closed) = &run.header.closed else {
        return CliError::new(
            "run_not_over",
            format!(
                "{} is still under way, and its patch is made at its end",
                run.id
            ),
        )
        .next(format!("dogwatch runs show {id}"));
    };
    // A run that left a tree left a patch: that it is gone is damage.
    if closed.tree.is_some() {
        CliError::new(
            "patch_missing",
            format!("the patch of {} is gone from its bundle", run.id),
        )
        .next(format!("dogwatch verify {id} names what else is wrong"))
    } else {
        CliError::new(
            "no_patch",
            format!("{} left no patch: no turn of it was completed", run.id),
        )
        .next(format!("dogwatch runs show {id} says why"))
    }
}

/// Whether the evidence the patch comes from is sound; if not, that is said.
fn is_valid(context: &Context, bundle: &BundleLayout, run: &RunDetail) -> bool {
    let wrong = match load_trusted_keys(context.layout.root()) {
        Ok(keys) => {
            let verification = verify(bundle.root(), &keys);
            match verification.findings.first() {
                None if verification.valid && verification.run_id == Some(run.id) => return true,
                None => "it is the bundle of another run".to_owned(),
                Some(finding) => format!("{}: {}", finding.path, finding.detail),
            }
        }
        Err(error) => error.to_string(),
    };
    warning(&format!(
        "the evidence of this run does not verify ({wrong}); see `dogwatch verify {}`",
        run.id.short()
    ));
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_of_files_is_read_line_by_line() {
        let pairs = changes(b"A\tsrc/new file.rs\nM\t\"odd\\tname\"\n");
        assert_eq!(
            pairs,
            [
                ("A".to_owned(), "src/new file.rs".to_owned()),
                ("M".to_owned(), "\"odd\\tname\"".to_owned())
            ]
        );
        assert!(changes(b"").is_empty());
    }

    #[test]
    fn a_patch_that_is_no_text_is_only_named() {
        assert_eq!(patch_value(b"+a\n", false), json!("+a\n"));
        assert_eq!(patch_value(b"+\xff\n", false), Value::Null);
        assert_eq!(patch_value(b"+a\n", true), Value::Null);
    }
}
