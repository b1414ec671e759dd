//! Doing what was planned.

use std::io::{self, BufRead as _, BufReader, Write as _};
use std::process::{ChildStdin, ChildStdout, Stdio};

use super::branch::tip;
use super::files::{advance, force, only_landing};
use super::plan::{refuse_occupied, short};
use super::record::{Desk, Record};
use super::worktrees::{Worktree, holding};
use super::{LandError, Plan, PlanKind, transfer};
use crate::checkout::Checkout;
use crate::git::{GitCommand, GitError, Running};
use crate::object_id::ObjectId;
use crate::path_bytes::PathList;
use crate::vault::Vault;

/// Where a result has landed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Landed {
    /// The full name of the branch.
    pub reference: String,
    /// The commit it is at.
    pub commit: ObjectId,
    /// It had landed before, so nothing was done.
    pub was_landed: bool,
}

/// Where a crash is simulated: the work up to here is done, nothing after it, and nothing is put back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Sent,
    Recorded,
    IndexLocked,
    FilesWritten,
    IndexInPlace,
    BranchMoved,
}

#[cfg(test)]
impl Step {
    pub(super) const ALL: [Self; 6] = [
        Self::Sent,
        Self::Recorded,
        Self::IndexLocked,
        Self::FilesWritten,
        Self::IndexInPlace,
        Self::BranchMoved,
    ];
}

/// Lands a plan. Done again, also after a crash, it finishes and then changes nothing any more.
pub fn execute(checkout: &Checkout, vault: &Vault, plan: &Plan) -> Result<Landed, LandError> {
    in_steps(checkout, vault, plan, &mut |_| Ok(()))
}

pub(super) type Reached<'a> = &'a mut dyn FnMut(Step) -> io::Result<()>;

pub(super) fn in_steps(
    checkout: &Checkout,
    vault: &Vault,
    plan: &Plan,
    reached: Reached<'_>,
) -> Result<Landed, LandError> {
    let landed = |was_landed| Landed {
        reference: plan.reference.clone(),
        commit: plan.new,
        was_landed,
    };
    let desk = Desk::take(checkout)?;
    if let Some(record) = Record::read(checkout)? {
        if record.run != plan.run {
            return Err(record.interrupted());
        }
        finish(checkout, vault, &desk, &record)?;
        return Ok(Landed {
            reference: record.reference,
            commit: record.new,
            was_landed: false,
        });
    }
    if plan.kind == PlanKind::Landed {
        return Ok(landed(true));
    }
    let at = tip(checkout, &plan.reference)?;
    if at == Some(plan.new) {
        // The same plan, carried out by somebody else or before.
        return Ok(landed(true));
    }
    let mut known = vec![plan.base];
    known.extend(plan.old);
    transfer::send(vault, checkout, plan.new, &known)?;
    crash(reached, Step::Sent)?;
    let branch = RefChange::prepare(checkout, &plan.reference, plan.old, plan.new)?;
    // Somebody may have checked the branch out, or switched away from it, since it was planned.
    if holding(checkout, &plan.reference)? != plan.worktree {
        return Err(branch.raced(GitError::unexpected("worktree", "another worktree has it")));
    }
    match (&plan.worktree, plan.old) {
        (Some(worktree), Some(old)) => {
            let record = Record::new(plan.run, &plan.reference, old, plan.new, worktree);
            with_files(vault, &desk, &record, worktree, branch, reached)?;
        }
        (None, _) | (Some(_), None) => branch.commit()?,
    }
    Ok(landed(false))
}

fn with_files(
    vault: &Vault,
    desk: &Desk,
    record: &Record,
    worktree: &Worktree,
    branch: RefChange,
    reached: Reached<'_>,
) -> Result<(), LandError> {
    let (old, new) = (record.old, record.new);
    desk.write(record)?;
    crash(reached, Step::Recorded)?;
    let ready = desk
        .lock_index(worktree)
        // Nobody can stage anything from here on, so this is the look that counts.
        .and_then(|()| refuse_occupied(vault, worktree, old, new));
    if let Err(error) = ready {
        desk.clear(worktree)?;
        return Err(error);
    }
    crash(reached, Step::IndexLocked)?;
    if let Err(error) = advance(worktree, &desk.index(), old, new) {
        return Err(take_back(desk, record, worktree, error));
    }
    crash(reached, Step::FilesWritten)?;
    if let Err(error) = desk.place_index(worktree) {
        return Err(take_back(desk, record, worktree, error));
    }
    crash(reached, Step::IndexInPlace)?;
    if let Err(error) = branch.commit() {
        return Err(take_back(desk, record, worktree, error));
    }
    crash(reached, Step::BranchMoved)?;
    desk.clear(worktree)
}

/// Makes the files the old ones again. If even that fails, the record stays and the next promotion goes on from it.
fn take_back(desk: &Desk, record: &Record, worktree: &Worktree, error: LandError) -> LandError {
    let undone = force(worktree, &desk.index(), record.new, record.old)
        .and_then(|()| desk.place_index(worktree))
        .and_then(|()| desk.clear(worktree));
    match undone {
        Ok(()) => error,
        Err(_) => record.interrupted(),
    }
}

/// Finishes what a process that died had begun.
fn finish(
    checkout: &Checkout,
    vault: &Vault,
    desk: &Desk,
    record: &Record,
) -> Result<(), LandError> {
    let worktree = record.worktree();
    let at = tip(checkout, &record.reference)?;
    if at == Some(record.new) {
        // Files and index were in place before the branch moved.
        return desk.clear(&worktree);
    }
    if at != Some(record.old) || holding(checkout, &record.reference)?.as_ref() != Some(&worktree) {
        desk.clear(&worktree)?;
        let mut paths = PathList::default();
        paths.push(short(&record.reference).as_bytes());
        return Err(LandError::InterruptedAndChanged {
            worktree: worktree.files.into(),
            detail: "its branch was moved or left since, so the record of it is dropped",
            paths,
        });
    }
    desk.lock_index(&worktree)?;
    only_landing(vault, &worktree, &desk.index(), record.old, record.new)?;
    let branch = RefChange::prepare(checkout, &record.reference, Some(record.old), record.new)?;
    force(&worktree, &desk.index(), record.old, record.new)?;
    desk.place_index(&worktree)?;
    branch.commit()?;
    desk.clear(&worktree)
}

fn crash(reached: Reached<'_>, step: Step) -> Result<(), LandError> {
    reached(step).map_err(|source| LandError::Io {
        action: "go on after",
        path: format!("{step:?}").as_str().into(),
        source,
    })
}

/// A branch that is locked where it is and will be moved. Dropping it leaves the branch as it was, and unlocked.
struct RefChange {
    process: Option<Running>,
    input: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
    reference: String,
}

impl RefChange {
    fn prepare(
        checkout: &Checkout,
        reference: &str,
        old: Option<ObjectId>,
        new: ObjectId,
    ) -> Result<Self, LandError> {
        let mut process = GitCommand::landing_in(checkout.top_level(), "update-ref")?
            .args(["-m", "dogwatch: promote", "--stdin", "-z"])
            .start(Stdio::piped())?;
        let input = process.take_stdin()?;
        let answers = BufReader::new(process.take_stdout()?);
        let mut this = Self {
            process: Some(process),
            input: Some(input),
            answers,
            reference: reference.to_owned(),
        };
        let old = old.map_or_else(|| "0".repeat(new.format().hex_len()), |id| id.to_string());
        let said = format!("start\0update {reference}\0{new}\0{old}\0prepare\0");
        if this.say(&said, 2) {
            Ok(this)
        } else {
            Err(this.failed())
        }
    }

    fn commit(mut self) -> Result<(), LandError> {
        if self.say("commit\0", 1) {
            self.end()?;
            return Ok(());
        }
        Err(self.failed())
    }

    /// Sends commands and counts the answers that are a yes.
    fn say(&mut self, commands: &str, answers: usize) -> bool {
        let sent = self.input.as_mut().is_some_and(|input| {
            input
                .write_all(commands.as_bytes())
                .and_then(|()| input.flush())
                .is_ok()
        });
        sent && (0..answers).all(|_| {
            let mut line = String::new();
            self.answers.read_line(&mut line).is_ok() && line.ends_with(": ok\n")
        })
    }

    /// Lets git see the end of its input, upon which it gives up what is not committed, and waits for it.
    fn end(&mut self) -> Result<(), GitError> {
        drop(self.input.take());
        self.process.take().map_or(Ok(()), Running::finish)
    }

    fn failed(mut self) -> LandError {
        let source = match self.end() {
            Err(error) => error,
            Ok(()) => GitError::unexpected("update-ref", "it gave no answer"),
        };
        self.raced(source)
    }

    fn raced(&self, source: GitError) -> LandError {
        LandError::Raced {
            branch: short(&self.reference).into(),
            source,
        }
    }
}

impl Drop for RefChange {
    fn drop(&mut self) {
        // A killed git would leave its lock on the branch, so it is waited for.
        let _ = self.end();
    }
}
