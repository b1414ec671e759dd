//! `dogwatch promote`: takes the result of a run into the user's repository.
//!
//! The order is what makes it safe to die anywhere: look and decide, put the verdict on record, write down what will be done, do it,
//! record where the change is, sign that. Given again it goes on where it stopped.

use std::path::{Path, PathBuf};

use clap::Args;
use dogwatch_api::{LandRun, RunVerdict};
use dogwatch_core::Timestamp;
use dogwatch_core::failure::clip;
use dogwatch_core::job::{Judgement, JudgementKind, Landed, LandedHow, RunOutcome};
use dogwatch_workspace::land::{self, Author, LandError, Plan, PlanKind, PromotionRequest};
use dogwatch_workspace::{ObjectId, PathBytes};
use serde_json::json;

use super::judging::{Begun, Place, Subject, Wanted, WantedMode, write_statement};
use super::reading::{line, note};
use crate::connect::{Connection, block_on, connect};
use crate::context::Context;
use crate::crash_point::crash_point;
use crate::error::CliError;
use crate::exit::Exit;
use crate::output::print_json;

/// The longest part of an agent's summary that a commit carries.
const MAX_SUMMARY: usize = 2000;

/// How many of the paths that are in the way are named.
const NAMED: usize = 8;

/// Take the result of a run into your repository.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  dogwatch promote 3fa9c1                       move the checked-out branch forward
  dogwatch promote 3fa9c1 --branch fix-login    onto a new branch; your files stay as they are
  dogwatch promote 3fa9c1 --merge               if the branch has moved since the run began

Only the result of a success whose evidence verifies lands. Nothing is overwritten: a worktree with changes of its own, or with
untracked files where the result has some, is left alone and named. Given again it finishes what was interrupted.")]
pub(crate) struct PromoteArgs {
    /// A run, or a job to mean its latest run, by its id or the end of it.
    run: String,
    /// Onto a new branch of this name, which is not checked out.
    #[arg(long, value_name = "NAME", conflicts_with_all = ["merge", "into"])]
    branch: Option<String>,
    /// With a merge commit if the branch has moved since the run began.
    #[arg(long)]
    merge: bool,
    /// The branch it lands on; the one that is checked out if not given.
    #[arg(long, value_name = "BRANCH")]
    into: Option<String>,
    /// What the commit says; the task and the agent's summary if not given. Trailers that name run and evidence are added.
    #[arg(long, short, value_name = "TEXT")]
    message: Option<String>,
}

pub(crate) fn run(context: &Context, args: &PromoteArgs) -> Result<Exit, CliError> {
    block_on(async {
        let connection = connect(context).await?;
        promote(context, &connection, args).await
    })
}

async fn promote(
    context: &Context,
    connection: &Connection,
    args: &PromoteArgs,
) -> Result<Exit, CliError> {
    let mut subject = Subject::find(context, connection, &args.run).await?;
    let outcome = subject.run.header.closed.as_ref().map(|run| run.outcome);
    if outcome != Some(RunOutcome::Succeeded) {
        let how = outcome.map_or("is not over", RunOutcome::in_words);
        let short = subject.run.id.short();
        return Err(CliError::new(
            "not_promotable",
            format!("{} {how}, so its change does not land", subject.run.id),
        )
        .next(format!(
            "dogwatch restore {short} brings its files back; dogwatch jobs retry {} --continue goes on from there",
            subject.run.job.short()
        )));
    }
    if let Some(landed) = subject.run.header.landed.clone() {
        refuse_elsewhere(context, &subject, &landed, args)?;
        let verdict = write_statement(context, &subject)?;
        report(context, &subject, &landed, None, true, &verdict);
        return Ok(Exit::Success);
    }
    let place = Place::find(context, subject.run.project)?;
    let wanted = Wanted {
        mode: match &args.branch {
            Some(name) => WantedMode::Branch(name.clone()),
            None if args.merge => WantedMode::Merge,
            None => WantedMode::FastForward,
        },
        target: args.into.clone(),
        message: match &args.message {
            Some(text) => text.clone(),
            None => message(connection, &subject).await?,
        },
    };
    let draft = Draft::new(&subject, &place)?;
    let begun = Begun::read(&subject.bundle, subject.run.id)?;
    let (plan, intent) = match begun.and_then(|begun| draft.unfinished(begun)) {
        Some(unfinished) => unfinished,
        None => draft.plan(wanted)?,
    };
    if let Some(Judgement {
        kind: JudgementKind::Reject,
        by,
        ..
    }) = &subject.run.header.judgement
    {
        note(&format!("the run had been rejected by {by}"));
    }
    subject.judge(connection, RunVerdict::Promote, None).await?;
    crash_point!("promote.judged");
    intent.write(&subject.bundle)?;
    crash_point!("promote.begun");
    let was_landed = plan.kind() == PlanKind::Landed;
    land::execute(&place.checkout, &place.vault, &plan).map_err(|error| refused(&error))?;
    crash_point!("promote.executed");
    let landed = intent.landed;
    subject.run = connection
        .plane()
        .land_run(LandRun {
            run: subject.run.id,
            manifest: subject.digest,
            landed: landed.clone(),
        })
        .await?;
    crash_point!("promote.landed");
    let verdict = write_statement(context, &subject)?;
    // What was finished may be another promotion than the one that was asked for.
    refuse_elsewhere(context, &subject, &landed, args)?;
    report(
        context,
        &subject,
        &landed,
        Some(&plan),
        was_landed,
        &verdict,
    );
    Ok(Exit::Success)
}

/// A change lands once. Asking for it where it is changes nothing, and asking for it anywhere else is refused.
fn refuse_elsewhere(
    context: &Context,
    subject: &Subject,
    landed: &Landed,
    args: &PromoteArgs,
) -> Result<(), CliError> {
    let asked = match (&args.branch, &args.into) {
        (Some(name), _) | (None, Some(name)) => Some(name.clone()),
        (None, None) if args.merge => {
            let place = Place::find(context, subject.run.project)?;
            let name = place.checkout.branch_name();
            name.ok()
                .flatten()
                .and_then(|name| name.as_str().map(str::to_owned))
        }
        (None, None) => None,
    };
    let here = short(&landed.reference);
    match asked {
        Some(asked) if short(&asked) != here => Err(CliError::new(
            "already_landed",
            format!(
                "the change of {} is on {here} already, at {}",
                subject.run.id, landed.commit
            ),
        )
        .next(format!("take it from there with git: git merge {here}"))),
        Some(_) | None => Ok(()),
    }
}

/// What is known before anything is decided.
struct Draft<'a> {
    subject: &'a Subject,
    place: &'a Place,
    tree: ObjectId,
    base: ObjectId,
    history: Option<ObjectId>,
    at: Timestamp,
}

impl<'a> Draft<'a> {
    fn new(subject: &'a Subject, place: &'a Place) -> Result<Self, CliError> {
        let manifest = &subject.manifest;
        let id = |what: &str, text: Option<&str>| {
            text.and_then(|text| text.parse::<ObjectId>().ok())
                .ok_or_else(|| {
                    CliError::new(
                        "evidence_incomplete",
                        format!("the manifest of {} names no {what}", subject.run.id),
                    )
                    .next(format!("dogwatch verify {}", subject.run.id.short()))
                })
        };
        let closed = subject.run.header.closed.as_ref();
        Ok(Self {
            subject,
            place,
            tree: id("tree", manifest.tree.as_deref())?,
            base: id("base", Some(&manifest.repo.base_commit))?,
            history: place.history(subject.run.id)?,
            // The same promotion again has to make the same commits.
            at: closed.map_or(subject.run.header.created_at, |closed| closed.at),
        })
    }

    /// Looks how the change would land. What speaks against it is an error, and has cost nothing.
    fn plan(&self, wanted: Wanted) -> Result<(Plan, Begun), CliError> {
        let plan = self.look(&wanted).map_err(|error| refused(&error))?;
        let how = match plan.kind() {
            PlanKind::FastForward => LandedHow::FastForward,
            PlanKind::NewBranch => LandedHow::Branch,
            PlanKind::Merge => LandedHow::Merge,
            // Nothing says how it came there but what was asked for.
            PlanKind::Resume | PlanKind::Landed => match wanted.mode {
                WantedMode::FastForward => LandedHow::FastForward,
                WantedMode::Branch(_) => LandedHow::Branch,
                WantedMode::Merge => LandedHow::Merge,
            },
        };
        let landed = Landed {
            how,
            reference: plan.reference().to_owned(),
            commit: plan.commit().to_string(),
        };
        let wanted = Wanted {
            target: match wanted.mode {
                WantedMode::Branch(_) => None,
                // Whatever is checked out when it is given again.
                WantedMode::FastForward | WantedMode::Merge => Some(plan.reference().to_owned()),
            },
            ..wanted
        };
        Ok((plan, Begun::new(self.subject.run.id, wanted, landed)))
    }

    /// What an earlier promotion had begun to do, if it did any of it.
    fn unfinished(&self, begun: Begun) -> Option<(Plan, Begun)> {
        // What cannot be looked at any more is planned anew, and then refused with the reason.
        let plan = self.look(&begun.wanted).ok()?;
        let begun_there = matches!(plan.kind(), PlanKind::Resume | PlanKind::Landed)
            && plan.reference() == begun.landed.reference;
        begun_there.then_some((plan, begun))
    }

    fn look(&self, wanted: &Wanted) -> Result<Plan, LandError> {
        let request = PromotionRequest {
            run: self.subject.run.id,
            tree: self.tree,
            base: self.base,
            history: self.history,
            message: &wanted.message,
            author: Author::default(),
            bundle: self.subject.digest,
            at: self.at,
            mode: wanted.mode.mode(),
            target: wanted.target.as_deref(),
        };
        land::plan(&self.place.checkout, &self.place.vault, &request)
    }
}

/// The task, and what the agent says it did.
async fn message(connection: &Connection, subject: &Subject) -> Result<String, CliError> {
    let job = connection.plane().job(subject.run.job).await?.job;
    let last = subject.run.state.turns.last();
    Ok(compose(&job.title, last.map_or("", |turn| turn.summary())))
}

fn compose(title: &str, summary: &str) -> String {
    let clean = |text: &str| -> String {
        text.chars()
            .filter(|character| *character == '\n' || !character.is_control())
            .collect()
    };
    let title = clean(title).replace('\n', " ");
    let summary = clip(clean(summary).trim(), MAX_SUMMARY);
    match (title.trim(), summary.as_str()) {
        (title, "") => title.to_owned(),
        ("", summary) => summary.to_owned(),
        (title, summary) => format!("{title}\n\n{summary}"),
    }
}

/// A refusal of the landing, with the way out that its page names and the first of the paths it is about.
fn refused(error: &LandError) -> CliError {
    let mut said = CliError::from_error(error.code(), error);
    let paths: &[PathBytes] = match error {
        LandError::Dirty { sample, .. } => sample,
        LandError::InTheWay { paths, .. }
        | LandError::Conflicts { paths, .. }
        | LandError::Submodule { paths }
        | LandError::InterruptedAndChanged { paths, .. } => &paths.sample,
        _ => &[],
    };
    if !paths.is_empty() {
        let named: Vec<String> = paths.iter().take(NAMED).map(ToString::to_string).collect();
        said = said.about(&named.join(", "));
    }
    match dogwatch_api::codes::find(error.code()) {
        Some(info) => said.next(info.next),
        None => said,
    }
}

fn short(reference: &str) -> &str {
    reference.strip_prefix("refs/heads/").unwrap_or(reference)
}

fn in_words(how: LandedHow) -> &'static str {
    match how {
        LandedHow::FastForward => "fast-forward",
        LandedHow::Branch => "new branch",
        LandedHow::Merge => "merge",
    }
}

fn report(
    context: &Context,
    subject: &Subject,
    landed: &Landed,
    plan: Option<&Plan>,
    was_landed: bool,
    verdict: &Path,
) {
    let before = plan.and_then(Plan::before).map(|id| id.to_string());
    let worktree = plan.and_then(Plan::worktree).map(PathBuf::from);
    if context.json {
        print_json(&json!({
            "run_id": subject.run.id,
            "job_id": subject.run.job,
            "verdict": "promote",
            "landed": landed,
            "was_landed": was_landed,
            "before": before,
            "worktree": worktree.map(|path| path.to_string_lossy().into_owned()),
            "bundle": subject.bundle.to_string_lossy(),
            "manifest_sha256": subject.digest,
            "verdict_file": verdict.to_string_lossy(),
        }));
        return;
    }
    let word = if was_landed { "had landed" } else { "landed" };
    line("promoted", &subject.run.id.to_string());
    line(
        word,
        &format!("on {} ({})", short(&landed.reference), in_words(landed.how)),
    );
    line("commit", &landed.commit);
    if let Some(before) = before.filter(|_| !was_landed) {
        line("before", &before);
    }
    if let Some(files) = worktree.filter(|_| !was_landed) {
        line("files", &files.to_string_lossy());
    }
    line("evidence", &subject.bundle.to_string_lossy());
    line("verdict", &verdict.to_string_lossy());
    let commit = landed.commit.get(..12).unwrap_or(&landed.commit);
    let next = match landed.how {
        LandedHow::Branch => format!("git diff HEAD...{}", short(&landed.reference)),
        LandedHow::FastForward | LandedHow::Merge => format!("git show {commit}"),
    };
    line("next", &next);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_the_task_and_what_was_said_of_it() {
        assert_eq!(compose("fix it", "done\nwell"), "fix it\n\ndone\nwell");
        assert_eq!(compose("fix\x1b[2J\nit", " \n"), "fix[2J it");
        assert_eq!(compose("", "done"), "done");
        let long = compose("t", &"x".repeat(3 * MAX_SUMMARY));
        assert!(long.len() < 2 * MAX_SUMMARY, "{}", long.len());
    }
}
