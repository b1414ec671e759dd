//! The agent as a program: arguments, environment, one turn, exit code.

use std::error::Error;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::exchange::{ExchangeError, Request, write_response};
use crate::respond::{Answer, Respond, Status};
use crate::script::{Script, ScriptError, Turn};
use crate::stage::{ActionError, Flow, Stage};

/// The exit code when the request does not carry what the script expects.
pub const EXIT_EXPECTATION: u8 = 90;

/// The exit code when an action could not be done.
pub const EXIT_ACTION: u8 = 91;

/// The exit code when there is no turn to play: bad arguments, no script, no request.
pub const EXIT_SETUP: u8 = 92;

const REQUEST_FILE: &str = "DOGWATCH_REQUEST_FILE";
const RESPONSE_FILE: &str = "DOGWATCH_RESPONSE_FILE";

/// Why no turn was played, or its answer is lost.
#[derive(Debug, thiserror::Error)]
enum AgentError {
    #[error("usage: dogwatch __scripted-agent --script FILE")]
    Usage,
    #[error("{0} is not set: this command is for dogwatch's `exec` driver to start")]
    Unset(&'static str),
    #[error("the working directory is gone")]
    Directory(#[source] io::Error),
    #[error("cannot read the script {}", path.display())]
    Read {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("the script {} is refused", path.display())]
    Script {
        path: PathBuf,
        #[source]
        source: ScriptError,
    },
    #[error(transparent)]
    Exchange(#[from] ExchangeError),
}

/// Plays one turn: the whole program, as `dogwatch __scripted-agent --script FILE` runs it. `args` are those after the verb.
///
/// A failed action or expectation is answered with `failed` and the reason, and by the exit code too.
pub fn agent_main(args: impl Iterator<Item = OsString>) -> ExitCode {
    let mut stderr = io::stderr().lock();
    match run(args, &mut io::stdout().lock(), &mut stderr) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            complain(&mut stderr, &describe(&error));
            ExitCode::from(EXIT_SETUP)
        }
    }
}

fn run(
    args: impl Iterator<Item = OsString>,
    stdout: &mut dyn Write,
    stderr: &mut dyn Write,
) -> Result<u8, AgentError> {
    let script = read_script(&script_path(args).ok_or(AgentError::Usage)?)?;
    let request = Request::read(&variable(REQUEST_FILE)?)?;
    let response = variable(RESPONSE_FILE)?;
    let directory = std::env::current_dir().map_err(AgentError::Directory)?;
    let mut stage = Stage {
        directory: &directory,
        request: &request,
        quiet: script.quiet,
        stdout,
        stderr,
    };
    play(&script, &mut stage, &response)
}

/// Plays the turn that the request is for, answers, and tells the exit code.
fn play(script: &Script, stage: &mut Stage<'_>, response: &Path) -> Result<u8, AgentError> {
    let number = stage.request.turn;
    let Some(turn) = script.turn(number) else {
        let summary = format!(
            "the script ends after turn {}, and this is turn {number}",
            script.turns.len()
        );
        complain(stage.stderr, &summary);
        write_response(
            response,
            &Respond::Answer(Answer::new(Status::Failed, summary)),
        )?;
        return Ok(0);
    };
    match perform(turn, stage) {
        Ok(Flow::Exit(code)) => Ok(code),
        Ok(Flow::Next) => {
            let default = || Respond::Answer(default_answer(number, turn));
            write_response(response, &turn.respond.clone().unwrap_or_else(default))?;
            Ok(0)
        }
        Err((place, error)) => {
            let summary = format!("turn {number}, {place}: {}", describe(&error));
            complain(stage.stderr, &summary);
            let code = match error {
                ActionError::Expectation(_) => EXIT_EXPECTATION,
                _ => EXIT_ACTION,
            };
            write_response(
                response,
                &Respond::Answer(Answer::new(Status::Failed, summary)),
            )?;
            Ok(code)
        }
    }
}

fn perform(turn: &Turn, stage: &mut Stage<'_>) -> Result<Flow, (String, ActionError)> {
    for (index, action) in turn.actions.iter().enumerate() {
        match stage.perform(action) {
            Ok(Flow::Next) => {}
            Ok(Flow::Exit(code)) => return Ok(Flow::Exit(code)),
            Err(error) => {
                return Err((format!("action {} ({})", index + 1, action.name()), error));
            }
        }
    }
    Ok(Flow::Next)
}

fn default_answer(number: u32, turn: &Turn) -> Answer {
    let summary = match turn.actions.len() {
        0 => format!("turn {number} of the script, with nothing to do"),
        1 => format!("turn {number} of the script, 1 action"),
        count => format!("turn {number} of the script, {count} actions"),
    };
    Answer::new(Status::Done, summary)
}

/// The value of `--script`, which is all the agent takes.
fn script_path(mut args: impl Iterator<Item = OsString>) -> Option<PathBuf> {
    let first = args.next()?;
    let path = match first.as_bytes().strip_prefix(b"--script=") {
        Some(path) => OsStr::from_bytes(path).to_owned(),
        None if first == "--script" => args.next()?,
        None => return None,
    };
    (args.next().is_none() && !path.is_empty()).then(|| path.into())
}

fn variable(name: &'static str) -> Result<PathBuf, AgentError> {
    std::env::var_os(name)
        .filter(|value| !value.is_empty())
        .map(PathBuf::from)
        .ok_or(AgentError::Unset(name))
}

fn read_script(path: &Path) -> Result<Script, AgentError> {
    let text = fs::read_to_string(path).map_err(|source| AgentError::Read {
        path: path.to_owned(),
        source,
    })?;
    Script::parse(&text).map_err(|source| AgentError::Script {
        path: path.to_owned(),
        source,
    })
}

/// An error with its causes, on one line.
fn describe(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    text
}

/// Nobody may be listening, and there is nobody else to tell.
fn complain(stderr: &mut dyn Write, text: &str) {
    let _ = writeln!(stderr, "scripted agent: {text}");
    let _ = stderr.flush();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(args: &[&str]) -> Option<PathBuf> {
        script_path(args.iter().map(OsString::from))
    }

    #[test]
    fn the_script_is_the_only_argument() {
        assert_eq!(path(&["--script", "a b"]), Some("a b".into()));
        assert_eq!(path(&["--script=a"]), Some("a".into()));
        for bad in [
            &[][..],
            &["--script"],
            &["--script="],
            &["a"],
            &["--script", "a", "b"],
            &["--scripted", "a"],
        ] {
            assert_eq!(path(bad), None, "{bad:?}");
        }
    }
}
