//! `dogwatch logs`: what a run's agent or a gate printed, as it was captured.

mod follow;
mod printer;

use std::fs::File;
use std::io::{IsTerminal, Read};
use std::path::{Path, PathBuf};

use clap::Args;
use dogwatch_api::RunDetail;
use dogwatch_bundle::BundleLayout;
use dogwatch_core::frame::{Decoder, Stream, Tail};

use self::printer::{Printer, Style};
use super::reading::{Readings, note, open_evidence};
use crate::context::Context;
use crate::error::CliError;
use crate::exit::Exit;

/// Print what a run's agent and gates printed.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  dogwatch logs 3fa9c1                       the latest turn, both streams as they came
  dogwatch logs 3fa9c1 -f                    what it prints, as it prints it
  dogwatch logs 3fa9c1 --turn 1 --stderr
  dogwatch logs 3fa9c1 --gate tests
  dogwatch logs 3fa9c1 --json                a line of JSON for each piece, with its time

Into a file or a pipe the bytes go as they were captured; on a terminal control characters are shown and not obeyed.")]
pub(crate) struct LogsArgs {
    /// A run, or a job to mean its latest run, by its id or the end of it.
    run: String,
    /// The output of this turn, from 1; the latest if not given.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    turn: Option<u32>,
    /// The output of this gate, from its latest round.
    #[arg(long, value_name = "NAME", conflicts_with = "turn")]
    gate: Option<String>,
    /// Go on with what the agent prints, turn after turn, until the run is over.
    #[arg(long, short, conflicts_with_all = ["turn", "gate"])]
    follow: bool,
    /// Only standard output.
    #[arg(long)]
    stdout: bool,
    /// Only standard error.
    #[arg(long, conflicts_with = "stdout")]
    stderr: bool,
    /// Let a terminal obey what was printed. Only for output you trust.
    #[arg(long)]
    raw: bool,
}

impl LogsArgs {
    const fn stream(&self) -> Option<Stream> {
        match (self.stdout, self.stderr) {
            (true, _) => Some(Stream::Stdout),
            (false, true) => Some(Stream::Stderr),
            (false, false) => None,
        }
    }

    fn style(&self, context: &Context) -> Style {
        if context.json {
            Style::Lines
        } else if std::io::stdout().is_terminal() && !self.raw {
            Style::Harmless
        } else {
            Style::Bytes
        }
    }
}

pub(crate) fn run(context: &Context, args: &LogsArgs) -> Result<Exit, CliError> {
    if args.follow {
        return follow::run(context, &args.run, args.stream(), args.style(context));
    }
    let run = Readings::open(context)?.run_named(&args.run)?;
    let bundle = BundleLayout::new(context.layout.bundle(run.id));
    let capture = match &args.gate {
        Some(gate) => gate_capture(&bundle, &run, gate)?,
        None => turn_capture(&bundle, &run, args.turn)?,
    };
    let Some((path, file)) = capture else {
        return Ok(Exit::Success);
    };
    let mut printer = Printer::new(args.style(context), args.stream());
    let tail = copy(&path, file, &mut printer)?;
    printer.finish();
    if printer.dropped > 0 {
        note(&format!(
            "{} bytes of this output were not stored",
            printer.dropped
        ));
    }
    if let (Tail::Torn { bytes, .. }, true) = (tail, run.header.closed.is_some()) {
        note(&format!(
            "the capture ends in the middle of a piece: {bytes} bytes are left out"
        ));
    }
    Ok(Exit::Success)
}

/// The capture of a turn; none, said so, when there is nothing in it yet.
fn turn_capture(
    bundle: &BundleLayout,
    run: &RunDetail,
    turn: Option<u32>,
) -> Result<Option<(PathBuf, File)>, CliError> {
    let latest = run.state.turn_count();
    let number = turn.unwrap_or(latest);
    if number == 0 || number > latest {
        let has = match latest {
            0 => "has had no turn".to_owned(),
            1 => "has only turn 1".to_owned(),
            _ => format!("has turns 1 to {latest}"),
        };
        return Err(CliError::new("no_turn", format!("{} {has}", run.id))
            .next(format!("dogwatch runs show {}", run.id.short())));
    }
    let path = bundle.turn(number).frames();
    if let Some(file) = open_evidence(&path)? {
        return Ok(Some((path, file)));
    }
    if run.header.closed.is_some() {
        return Err(CliError::new(
            "no_output",
            format!("turn {number} of {} left no output", run.id),
        )
        .next(format!("dogwatch runs show {} says why", run.id.short())));
    }
    note(&format!("turn {number} has not started to print"));
    Ok(None)
}

/// The capture of a gate; none, said so, when it runs no command.
fn gate_capture(
    bundle: &BundleLayout,
    run: &RunDetail,
    gate: &str,
) -> Result<Option<(PathBuf, File)>, CliError> {
    let paths = bundle.gate(gate);
    if let Some(file) = open_evidence(&paths.frames())? {
        return Ok(Some((paths.frames(), file)));
    }
    if let Some(known) = run.state.gates.iter().find(|known| known.gate == gate) {
        note(&format!(
            "gate {gate} has no output of its own: {}",
            known.reason
        ));
        return Ok(None);
    }
    let names: Vec<&str> = run
        .state
        .gates
        .iter()
        .map(|gate| gate.gate.as_str())
        .collect();
    let next = if names.is_empty() {
        format!(
            "dogwatch runs show {} says how far the run is",
            run.id.short()
        )
    } else {
        format!("give one of {}", names.join(", "))
    };
    Err(CliError::new("no_gate", format!("{} has no gate `{gate}`", run.id)).next(next))
}

/// Prints a capture file to its end, which may be the middle of a record while someone writes it.
fn copy(path: &Path, mut file: File, printer: &mut Printer) -> Result<Tail, CliError> {
    let damaged = |error: &(dyn std::error::Error + 'static)| {
        CliError::new("capture_damaged", format!("{}: {error}", path.display()))
            .next("what stands before it was printed; check the bundle with `dogwatch verify`")
    };
    let mut decoder = Decoder::new();
    let mut chunk = vec![0; 64 * 1024];
    loop {
        let count = file.read(&mut chunk).map_err(|error| damaged(&error))?;
        if count == 0 {
            return Ok(decoder.tail());
        }
        decoder.push(&chunk[..count]);
        while let Some(record) = decoder.next_record().map_err(|error| damaged(&error))? {
            printer.record(&record);
        }
    }
}
