//! `dogwatch verify`: whether the evidence of a run is whole and signed by someone the reader trusts.

use std::path::{Path, PathBuf};

use clap::Args;
use dogwatch_api::RunDetail;
use dogwatch_bundle::{
    Finding, TrustedKey, VerdictPredicate, Verification, load_public_key, load_trusted_keys, verify,
};
use dogwatch_core::ids::RunId;
use dogwatch_store::{PageRequest, RunFilter};
use serde_json::json;

use super::reading::{Readings, note};
use crate::context::Context;
use crate::error::CliError;
use crate::exit::Exit;
use crate::output::{plain, print, print_json};

/// The bundle at the place of a run is the bundle of another one.
const OTHER_RUN: &str = "other_run";
/// The bundle is not the one whose digest the control plane recorded when the run ended.
const OTHER_MANIFEST: &str = "other_manifest";

/// Check the evidence of a run.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  dogwatch verify                        the newest run
  dogwatch verify 3fa9c1
  dogwatch verify ./run_01998f3e --key alice.pem

Works offline. A directory needs nothing but the public keys of those you trust: from --key, else from trusted-keys in the
data directory. Keys inside the bundle mean nothing. Exit codes: 0 valid, 1 invalid.")]
pub(crate) struct VerifyArgs {
    /// A run or job by its id or the end of it, or the directory of a bundle; the newest run if not given.
    #[arg(value_name = "RUN|DIR")]
    subject: Option<String>,
    /// A public key to trust (PEM), instead of the trusted keys of the data directory.
    #[arg(long = "key", value_name = "FILE")]
    keys: Vec<PathBuf>,
}

pub(crate) fn run(context: &Context, args: &VerifyArgs) -> Result<Exit, CliError> {
    let subject = subject(context, args.subject.as_deref())?;
    let keys = keys(context, &args.keys)?;
    let directory = subject.directory(context);
    let mut verification = verify(&directory, &keys);
    if let Subject::Run(run) = &subject {
        hold_to_record(&mut verification, run);
    }
    if context.json {
        print_json(&document(&directory, &verification));
    } else {
        report(&verification);
    }
    Ok(if verification.valid {
        Exit::Success
    } else {
        Exit::Failure
    })
}

/// The evidence of a run, checked against the keys that are trusted here and against what the control plane recorded.
pub(super) fn verify_run(context: &Context, run: &RunDetail) -> Result<Verification, CliError> {
    let keys = keys(context, &[])?;
    let mut verification = verify(&context.layout.bundle(run.id), &keys);
    hold_to_record(&mut verification, run);
    Ok(verification)
}

/// What is checked.
enum Subject {
    /// A run of this data directory.
    Run(Box<RunDetail>),
    /// A bundle by itself.
    Directory(PathBuf),
}

impl Subject {
    fn directory(&self, context: &Context) -> PathBuf {
        match self {
            Self::Run(run) => context.layout.bundle(run.id),
            Self::Directory(directory) => directory.clone(),
        }
    }
}

/// A word that could be an id is looked up first: what lies in the current directory must not take the place of a run.
fn subject(context: &Context, text: Option<&str>) -> Result<Subject, CliError> {
    let Some(text) = text else {
        return newest(context);
    };
    let directory = context.directory.join(text);
    if is_path(text) {
        return if directory.is_dir() {
            Ok(Subject::Directory(directory))
        } else {
            let message = format!("{} is not a directory", directory.display());
            Err(CliError::new("no_bundle", message)
                .next("give the directory of a bundle, or the id of a run"))
        };
    }
    let known = Readings::open(context).and_then(|readings| readings.run_named(text));
    match known {
        Ok(run) => Ok(Subject::Run(Box::new(run))),
        Err(_) if directory.is_dir() => Ok(Subject::Directory(directory)),
        Err(error) => Err(error),
    }
}

/// Whether a word can only be a path.
fn is_path(text: &str) -> bool {
    text.contains('/') || matches!(text, "." | "..")
}

fn newest(context: &Context) -> Result<Subject, CliError> {
    let page = PageRequest {
        limit: 1,
        cursor: None,
    };
    let runs = Readings::open(context)?.runs(RunFilter::default(), page)?;
    runs.items
        .into_iter()
        .next()
        .map(|run| Subject::Run(Box::new(run)))
        .ok_or_else(|| {
            CliError::new("no_run", "there is no run yet")
                .next("start one: dogwatch run \"fix the flaky test\"")
        })
}

fn keys(context: &Context, files: &[PathBuf]) -> Result<Vec<TrustedKey>, CliError> {
    let keys = if files.is_empty() {
        load_trusted_keys(context.layout.root())
    } else {
        files
            .iter()
            .map(|file| load_public_key(&context.directory.join(file)))
            .collect()
    };
    keys.map_err(|error| {
        CliError::from_error("key_unusable", &error)
            .next("give public keys in PEM, such as those in <data>/trusted-keys")
    })
}

/// A bundle that is sound in itself must also be that of the run it was asked for, as it was when the run ended.
fn hold_to_record(verification: &mut Verification, run: &RunDetail) {
    let mut add = |code: &'static str, detail: String| {
        verification.valid = false;
        verification.findings.push(Finding {
            code,
            path: "manifest.json".to_owned(),
            record: None,
            detail,
        });
    };
    if let Some(found) = verification.run_id
        && found != run.id
    {
        add(
            OTHER_RUN,
            format!("it is the bundle of {found}, not of {}", run.id),
        );
    }
    let recorded = run
        .header
        .closed
        .as_ref()
        .and_then(|closed| closed.manifest);
    if let (Some(recorded), Some(found)) = (recorded, verification.manifest_digest)
        && recorded != found
    {
        add(
            OTHER_MANIFEST,
            format!("its digest is {found}, and {recorded} was recorded when the run ended"),
        );
    }
}

fn document(directory: &Path, verification: &Verification) -> serde_json::Value {
    json!({
        "valid": verification.valid,
        "run_id": verification.run_id,
        "bundle": directory.to_string_lossy(),
        "keyid": verification.keyid,
        "manifest_sha256": verification.manifest_digest,
        "findings": verification.findings,
        "more_findings": verification.more_findings,
        "manifest": verification.manifest,
        "verdicts": verification.verdicts.iter().map(|verdict| &verdict.predicate).collect::<Vec<_>>(),
    })
}

fn report(verification: &Verification) {
    for line in lines(verification) {
        print(&plain(&line));
    }
    if !verification.valid {
        note(advice(verification));
    }
}

fn lines(verification: &Verification) -> Vec<String> {
    if let (true, Some(manifest), Some(keyid)) = (
        verification.valid,
        &verification.manifest,
        &verification.keyid,
    ) {
        let valid = valid_line(
            manifest.run_id,
            keyid,
            manifest.journal.count,
            manifest.files.len(),
        );
        let verdicts = verification.verdicts.iter();
        return std::iter::once(valid)
            .chain(verdicts.map(|verdict| verdict_line(&verdict.predicate)))
            .collect();
    }
    let mut lines: Vec<String> = verification.findings.iter().map(finding_line).collect();
    if verification.more_findings > 0 {
        lines.push(format!("invalid  and {} more", verification.more_findings));
    }
    lines
}

fn valid_line(run: RunId, keyid: &str, records: u64, files: usize) -> String {
    let key = keyid.get(..16).unwrap_or(keyid);
    format!("valid  {run}  signed by {key}  {records} records, {files} files")
}

/// A person's word is on one line, and so is the name of a branch.
fn verdict_line(verdict: &VerdictPredicate) -> String {
    let landed = verdict.landed.as_ref();
    let landed = landed.map(|at| format!("  {} at {}", at.reference, at.commit));
    let reason = verdict.reason.as_ref().map(|reason| format!("  {reason}"));
    format!(
        "{:<7}  by {} at {}{}{}",
        verdict.kind.as_str(),
        verdict.by,
        verdict.at,
        landed.unwrap_or_default(),
        reason.unwrap_or_default()
    )
    .replace('\n', " ")
}

fn finding_line(finding: &Finding) -> String {
    let record = finding
        .record
        .map(|record| format!(" record {record}"))
        .unwrap_or_default();
    // A path of the bundle is on one line, whatever someone put into its name.
    format!(
        "invalid  {}{record}  {}  {}",
        finding.path, finding.code, finding.detail
    )
    .replace('\n', " ")
}

fn advice(verification: &Verification) -> &'static str {
    let has = |code: &str| {
        verification
            .findings
            .iter()
            .any(|finding| finding.code == code)
    };
    if has("unsealed") {
        "a bundle is sealed when its run ends; `dogwatch runs show` says where the run is"
    } else if has("no_trusted_key") {
        "give the public key of whoever made the bundle: --key FILE"
    } else {
        "do not rely on this bundle: restore it from where it came from"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(record: Option<u64>) -> Finding {
        Finding {
            code: "digest_mismatch",
            path: "journal.jsonl".to_owned(),
            record,
            detail: "its bytes\nare not those".to_owned(),
        }
    }

    #[test]
    fn a_finding_is_one_line_that_names_file_record_and_code() {
        assert_eq!(
            finding_line(&finding(Some(7))),
            "invalid  journal.jsonl record 7  digest_mismatch  its bytes are not those"
        );
        assert_eq!(
            finding_line(&finding(None)),
            "invalid  journal.jsonl  digest_mismatch  its bytes are not those"
        );
    }

    #[test]
    fn only_what_looks_like_a_path_is_taken_for_one_unseen() {
        for path in ["./x", "/x", "a/b", ".", ".."] {
            assert!(is_path(path), "{path}");
        }
        for word in ["run_0199", "3fa9c1", "bundle"] {
            assert!(!is_path(word), "{word}");
        }
    }
}
