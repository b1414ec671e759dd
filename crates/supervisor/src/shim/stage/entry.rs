//! The stage's few steps.

use std::ffi::OsString;
use std::io;
use std::os::fd::{AsRawFd as _, RawFd};
use std::process::ExitCode;

use dogwatch_core::contract::Containment;
use nix::errno::Errno;
use nix::libc;

use super::plan::Plan;
use super::seccomp::Filter;
use super::{landlock, privileges};
use crate::containment::{Layers, View};
use crate::shim::child::{self, Command, NotExecuted, Step};
use crate::shim::report::Report;

/// The entry of `dogwatch __contained`: to be called before anything starts a thread. It only returns if the command was not executed.
pub(crate) fn stage_main(mut arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let fd = arguments
        .next()
        .and_then(|word| word.to_str()?.parse::<RawFd>().ok());
    // SAFETY: bubblewrap handed the descriptor to this process for this purpose.
    let plan = fd.map(|fd| unsafe { Plan::read(fd) });
    match plan {
        Some(Ok(plan)) => run(&plan),
        Some(Err(error)) => complain(&format!("cannot read the stage's plan: {error}")),
        None => complain("a stage is started by a shim only"),
    }
    ExitCode::from(127)
}

/// Standard error is where the shim looks for the reason until the command's own takes its place.
#[expect(clippy::print_stderr, reason = "the shim reads this as the reason")]
fn complain(message: &str) {
    eprintln!("{message}");
}

fn run(plan: &Plan) {
    let Some(view) = &plan.spec.view else {
        return complain("the plan has no view");
    };
    let command = match Command::prepare(&plan.spec) {
        Ok(command) => command,
        Err(error) => return complain(&format!("cannot prepare the command: {error}")),
    };
    // SAFETY: this takes nothing. The leader of the inherited session is about to end.
    unsafe { libc::setsid() };
    Report::Alive.send(plan.fds.adoption);
    // The answer means that whoever executed us is gone.
    if !child::wait_for_go(plan.fds.adoption) {
        return;
    }
    Report::Alive.send(plan.fds.reports);
    // SAFETY: bubblewrap handed the descriptors to this process for this purpose, and this is the one place that takes them.
    let ends = unsafe { plan.fds.ends() };
    if !child::wait_for_go(ends.go.as_raw_fd()) {
        return;
    }
    let failed = match contain(plan, view) {
        Ok(()) => child::execute(&command, &ends),
        Err(failed) => failed,
    };
    failed.send(ends.error.as_raw_fd());
}

/// Everything that has to be in force before the command's first instruction.
fn contain(plan: &Plan, view: &View) -> Result<(), NotExecuted> {
    let at = |step| {
        move |error: io::Error| NotExecuted {
            step,
            errno: error.raw_os_error().unwrap_or(libc::EIO),
        }
    };
    // Opened before the user changes, for the way to them may be closed to the new one.
    let writable = landlock::open(&plan.writable);
    privileges::give_up(view.user, &plan.owned).map_err(at(Step::Privileges))?;
    let mut layers = landlock::restrict(writable);
    if Filter::new().install().is_ok() {
        layers = layers.with(Layers::SECCOMP);
    }
    let status = privileges::Status::read().map_err(at(Step::Verify))?;
    if !status.is_powerless() {
        return Err(at(Step::Verify)(Errno::EPERM.into()));
    }
    if status.uid != 0 {
        layers = layers.with(Layers::ORDINARY_USER);
    }
    Report::Contained {
        layers: layers.to_number(),
        uid: status.uid.cast_signed(),
    }
    .send(plan.fds.reports);
    let (level, _) = layers.level(view.network);
    if level < view.required.max(Containment::Reduced) {
        return Err(NotExecuted {
            step: Step::Level,
            errno: layers.to_number(),
        });
    }
    Ok(())
}
