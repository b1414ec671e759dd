//! The shim's life: spec in, command held, record out.

use std::fmt;
use std::fs::OpenOptions;
use std::io::{self, Read as _, Write as _};
use std::process::ExitCode;
use std::time::Instant;

use dogwatch_core::Clock as _;
use dogwatch_core::frame::Stream;
use dogwatch_core::redact::SecretSet;
use nix::sys::prctl::set_child_subreaper;
use nix::sys::signal::Signal;
use nix::sys::signalfd::SignalFd;
use nix::unistd::{Pid, dup2_stdin, dup2_stdout, getpgid, getppid, setpgid, setsid};
use zeroize::Zeroizing;

use super::capture::Capture;
use super::clocks::{Clocks, Fence};
use super::control::Control;
use super::event_loop::{EventLoop, Outcome};
use super::launch::launch;
use super::redaction::{redact_record, redact_string, redactor};
use crate::containment::ContainmentReached;
use crate::control::Greeting;
use crate::identity::ProcessIdentity;
use crate::os::clock::SystemClock;
use crate::os::{durable, own_memory, signals};
use crate::record::{Cause, ExitRecord, Leftovers, RECORD_VERSION};
use crate::secrets_pipe;
use crate::spec::ShimSpec;

/// What stopped a shim, as a sentence: its only reader is a person.
struct ShimError(String);

impl ShimError {
    fn at(what: impl fmt::Display) -> impl FnOnce(io::Error) -> Self {
        move |error| Self(format!("cannot {what}: {error}"))
    }
}

/// The entry of `dogwatch __shim`: to be called before anything starts a thread.
///
/// The spec comes as a line of JSON on standard input, and the secrets after it. One [`Greeting`] goes to standard output before the command starts; anything that concerns
/// only the shim itself goes to standard error. The exit code says whether an exit record was written.
pub fn shim_main() -> ExitCode {
    let prepared = match prepare() {
        Ok(prepared) => prepared,
        Err(ShimError(message)) => {
            log(&message);
            // If nobody listens, the missing record says enough.
            let _ = greet(&Greeting::Refused { message });
            return ExitCode::FAILURE;
        }
    };
    let secrets = prepared.secrets.clone();
    match prepared.hold() {
        Ok(()) => ExitCode::SUCCESS,
        Err(ShimError(mut message)) => {
            redact_string(&mut message, &secrets);
            log(&message);
            ExitCode::FAILURE
        }
    }
}

/// Writes a line to the shim's own log.
#[expect(
    clippy::print_stderr,
    reason = "standard error is the shim's log; it has no other"
)]
pub(super) fn log(message: &str) {
    eprintln!("dogwatch shim: {message}");
}

struct Prepared {
    spec: ShimSpec,
    secrets: SecretSet,
    identity: ProcessIdentity,
    signals: SignalFd,
    fence: Fence,
    capture: Capture,
    control: Control,
}

fn prepare() -> Result<Prepared, ShimError> {
    if !own_memory::keep_private().map_err(ShimError::at("keep its memory private"))? {
        log(
            "its memory is readable for its user: /proc would hide it otherwise, and it could not be ended",
        );
    }
    set_child_subreaper(true)
        .map_err(io::Error::from)
        .map_err(ShimError::at("adopt orphans"))?;
    let signals = signals::receive(&[Signal::SIGCHLD, Signal::SIGTERM, Signal::SIGINT])
        .map_err(ShimError::at("receive signals"))?;
    // The last one turns a limit on file size into a failed write, which is reported.
    for ignored in [Signal::SIGHUP, Signal::SIGPIPE, Signal::SIGXFSZ] {
        signals::ignore(ignored).map_err(ShimError::at("ignore signals"))?;
    }
    lead_session();
    let (spec, secrets) = read_orders()?;
    let exit_path = spec.exit_path.as_path();
    if exit_path.symlink_metadata().is_ok() {
        return Err(ShimError(format!(
            "the exit record {} exists already",
            exit_path.display()
        )));
    }
    let frames_path = spec.frames_path.as_path();
    let capture = Capture::create(frames_path, spec.output_cap, redactor(&secrets)).map_err(
        ShimError::at(format_args!("create {}", frames_path.display()).to_string()),
    )?;
    let control_path = spec.control_path.as_path();
    let control = Control::listen(control_path).map_err(ShimError::at(
        format_args!("listen on {}", control_path.display()).to_string(),
    ))?;
    let prepared = Prepared {
        identity: ProcessIdentity::of_self()
            .map_err(|error| ShimError(format!("cannot {error}")))?,
        signals,
        fence: Fence::new(spec.deadline_boottime_ns).map_err(ShimError::at("set a timer"))?,
        capture,
        control,
        secrets,
        spec,
    };
    greet(&Greeting::Ready {}).map_err(ShimError::at("say that the shim is ready"))?;
    detach().map_err(ShimError::at("let go of standard input and output"))?;
    Ok(prepared)
}

/// Leaves the terminal of whoever started the shim. A group leader may not begin a session, so it first joins its parent's group; its
/// signals are received by now, so that an interrupt meant for that group is at worst a request to stop.
fn lead_session() {
    if let Ok(group) = getpgid(Some(getppid())) {
        let _ = setpgid(Pid::from_raw(0), group);
    }
    // Without a session of its own the shim still ignores hang-ups, and the command always gets one.
    let _ = setsid();
}

fn read_orders() -> Result<(ShimSpec, SecretSet), ShimError> {
    let mut message = Zeroizing::new(Vec::new());
    io::stdin()
        .lock()
        .read_to_end(&mut message)
        .map_err(ShimError::at("read the spec"))?;
    let (json, rest) = secrets_pipe::split(&message);
    let spec: ShimSpec = serde_json::from_slice(json)
        .map_err(|error| ShimError(format!("cannot understand the spec: {error}")))?;
    spec.validate()
        .map_err(|error| ShimError(format!("cannot accept the spec: {error}")))?;
    let secrets =
        secrets_pipe::decode(rest).map_err(|error| ShimError(format!("cannot {error}")))?;
    Ok((spec, secrets))
}

fn greet(greeting: &Greeting) -> io::Result<()> {
    let mut line = serde_json::to_vec(greeting)?;
    line.push(b'\n');
    let mut stdout = io::stdout().lock();
    stdout.write_all(&line)?;
    stdout.flush()
}

/// Holds on to nothing of whoever started the shim.
fn detach() -> io::Result<()> {
    let null = OpenOptions::new()
        .read(true)
        .write(true)
        .open("/dev/null")?;
    dup2_stdin(&null)?;
    dup2_stdout(&null)?;
    std::env::set_current_dir("/")
}

impl Prepared {
    fn hold(mut self) -> Result<(), ShimError> {
        let started_at = SystemClock.now();
        let clocks = Clocks::start(&self.spec, Instant::now());
        let mut record = ExitRecord {
            v: RECORD_VERSION,
            cause: Cause::Fenced,
            main_status: None,
            started_at,
            ended_at: started_at,
            last_progress_at: None,
            main: None,
            shim: self.identity.clone(),
            rung: None,
            rung_refused: None,
            fresh_proc: false,
            leftovers: Leftovers::default(),
            stdout: self.capture.counts(Stream::Stdout),
            stderr: self.capture.counts(Stream::Stderr),
            frames_bytes: 0,
            pipes_left_open: false,
            containment: None,
            max_processes: None,
        };
        // A command whose lease is over already is not even started.
        if !self.fence.passed() {
            self.run(&mut record, clocks)?;
        }
        record.ended_at = SystemClock.now();
        record.last_progress_at = self.capture.last_output_at();
        record.stdout = self.capture.counts(Stream::Stdout);
        record.stderr = self.capture.counts(Stream::Stderr);
        record.frames_bytes = self.capture.file_len();
        redact_record(&mut record, &self.secrets);
        let bytes = serde_json::to_vec_pretty(&record)
            .map_err(|error| ShimError(format!("cannot encode the exit record: {error}")))?;
        durable::write(self.spec.exit_path.as_path(), &bytes)
            .map_err(ShimError::at("write the exit record"))?;
        self.control.finish();
        Ok(())
    }

    fn run(&mut self, record: &mut ExitRecord, clocks: Clocks) -> Result<(), ShimError> {
        let launched = match launch(&self.spec) {
            Ok(launched) => launched,
            Err(not_launched) => {
                record.cause = not_launched.into_cause(&self.spec);
                return Ok(());
            }
        };
        record.rung = Some(launched.tree.rung());
        record.rung_refused = launched.rung_refused.clone();
        record.fresh_proc = launched.fresh_proc;
        record.max_processes = launched.limited.then_some(self.spec.max_processes);
        let main = launched.tree.main().clone();
        let turning = EventLoop {
            spec: &self.spec,
            signals: &self.signals,
            fence: &mut self.fence,
            capture: &mut self.capture,
            control: &mut self.control,
            started_at: record.started_at,
            clocks,
        };
        let Outcome {
            cause,
            main_status,
            leftovers,
            pipes_left_open,
            executed,
            contained,
        } = turning
            .run(launched)
            .map_err(ShimError::at("go on holding the command"))?;
        record.cause = cause;
        record.main_status = main_status;
        record.leftovers = leftovers;
        record.pipes_left_open = pipes_left_open;
        if let (Some((layers, uid)), Some(view), true) = (contained, &self.spec.view, executed) {
            let (level, missing) = layers.level(view.network);
            record.containment = Some(ContainmentReached {
                level,
                missing,
                network: view.network,
                uid,
            });
        }
        record.main = executed.then_some(main);
        Ok(())
    }
}
