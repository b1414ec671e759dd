//! `dogwatch logs`: what a run's agent or a gate printed, as it was captured.

use std::fs::File;
use std::io::{IsTerminal, Read};
use std::path::{Path, PathBuf};

use clap::Args;
use dogwatch_api::RunDetail;
use dogwatch_bundle::BundleLayout;
use dogwatch_core::frame::{Decoder, Plain, Record, Stream, Tail};
use serde_json::json;

use super::reading::{Readings, note, open_evidence};
use crate::context::Context;
use crate::error::CliError;
use crate::exit::Exit;
use crate::output::{plain, print_bytes, print_json_line};

/// Print what a run's agent and gates printed.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  dogwatch logs 3fa9c1                       the latest turn, both streams as they came
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

/// How output is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Style {
    /// As it was captured.
    Bytes,
    /// As text that a terminal does not obey.
    Harmless,
    /// As JSON Lines.
    Lines,
}

/// Prints records of the streams that were asked for.
struct Printer {
    style: Style,
    only: Option<Stream>,
    plain: Plain,
    text: [Utf8Stream; 2],
    dropped: u64,
}

impl Printer {
    fn new(style: Style, only: Option<Stream>) -> Self {
        Self {
            style,
            only,
            plain: Plain::new(),
            text: [Utf8Stream::default(), Utf8Stream::default()],
            dropped: 0,
        }
    }

    fn record(&mut self, record: &Record) {
        let stream = match record {
            Record::Frame(frame) => frame.stream,
            Record::Dropped(dropped) => dropped.stream,
        };
        if self.only.is_some_and(|only| only != stream) {
            return;
        }
        if let Record::Dropped(dropped) = record {
            self.dropped = self.dropped.saturating_add(dropped.bytes);
        }
        match self.style {
            Style::Lines => self.json(record),
            Style::Bytes | Style::Harmless => {
                let mut bytes = Vec::new();
                self.plain.render(record, &mut bytes);
                if self.style == Style::Bytes {
                    print_bytes(&bytes);
                } else {
                    let text = self.text[stream.index()].push(&bytes);
                    print_bytes(plain(&text).as_bytes());
                }
            }
        }
    }

    fn json(&mut self, record: &Record) {
        match record {
            Record::Frame(frame) => {
                let text = self.text[frame.stream.index()].push(&frame.bytes);
                print_json_line(&json!({
                    "type": "output", "at": frame.at, "stream": frame.stream, "text": text,
                }));
            }
            Record::Dropped(dropped) => print_json_line(&json!({
                "type": "dropped", "at": dropped.at, "stream": dropped.stream, "bytes": dropped.bytes,
            })),
        }
    }

    /// What was held back because the rest of a character was to come.
    fn finish(&mut self) {
        for stream in Stream::ALL {
            let text = self.text[stream.index()].finish();
            if text.is_empty() {
                continue;
            }
            if self.style == Style::Lines {
                print_json_line(&json!({ "type": "output", "stream": stream, "text": text }));
            } else {
                print_bytes(plain(&text).as_bytes());
            }
        }
    }
}

/// Text from bytes that may be cut anywhere, also in the middle of a character. What is no text is replaced.
#[derive(Debug, Default)]
struct Utf8Stream {
    held: Vec<u8>,
}

impl Utf8Stream {
    fn push(&mut self, bytes: &[u8]) -> String {
        self.held.extend_from_slice(bytes);
        let whole = match std::str::from_utf8(&self.held) {
            Ok(_) => self.held.len(),
            Err(_) => complete_length(&self.held),
        };
        let rest = self.held.split_off(whole);
        let whole = std::mem::replace(&mut self.held, rest);
        String::from_utf8_lossy(&whole).into_owned()
    }

    fn finish(&mut self) -> String {
        String::from_utf8_lossy(&std::mem::take(&mut self.held)).into_owned()
    }
}

/// How many bytes stand before a character that has only begun at the end.
fn complete_length(bytes: &[u8]) -> usize {
    for back in 1..=bytes.len().min(3) {
        let start = bytes.len() - back;
        let begun = match bytes[start] {
            0xc2..=0xdf => 2,
            0xe0..=0xef => 3,
            0xf0..=0xf4 => 4,
            // The middle of a character: its beginning is further back.
            0x80..=0xbf => continue,
            _ => 1,
        };
        return if begun > back { start } else { bytes.len() };
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_may_be_cut_anywhere() {
        let text = "größe → 🐕 ok";
        for piece in 1..6 {
            let mut stream = Utf8Stream::default();
            let mut seen = String::new();
            for part in text.as_bytes().chunks(piece) {
                seen.push_str(&stream.push(part));
            }
            seen.push_str(&stream.finish());
            assert_eq!(seen, text, "{piece}");
        }
    }

    #[test]
    fn what_is_no_text_is_replaced_and_held_back_no_longer_than_a_character() {
        let mut stream = Utf8Stream::default();
        assert_eq!(stream.push(b"a\xff"), "a\u{fffd}");
        assert_eq!(stream.push(b"\xc3"), "");
        assert_eq!(stream.push(b"\xc3\xb6"), "\u{fffd}ö");
        assert_eq!(stream.push(b"\xf0\x9f"), "");
        assert_eq!(stream.finish(), "\u{fffd}");
        assert_eq!(stream.push(b"\x80\x80\x80\x80").chars().count(), 4);
    }
}
