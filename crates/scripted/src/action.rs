//! What a script can make the agent do.

use std::path::PathBuf;

use serde::Deserialize;

/// Where an agent prints.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stream {
    /// Standard output.
    #[default]
    Stdout,
    /// Standard error.
    Stderr,
}

/// One byte, many times.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Repeat {
    /// The byte.
    pub byte: u8,
    /// How often.
    pub count: u64,
}

/// One thing the agent does. Relative paths start at the working directory; directories on the way to a new file are made.
///
/// In JSON an action is an object with its name as the only key, `{"write": {"path": "a", "content": "b"}}`, or for those without
/// fields the name alone, `"ignore_sigterm"`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Action {
    /// Writes a file, new or over the old one.
    Write {
        /// The file.
        path: PathBuf,
        /// All of its content.
        content: String,
        /// Sets or clears its permission to be run; left alone if absent.
        executable: Option<bool>,
    },
    /// Writes at the end of a file.
    Append {
        /// The file.
        path: PathBuf,
        /// What is added.
        content: String,
    },
    /// Replaces a text by another, wherever it stands in the file; fails where it is absent.
    Replace {
        /// The file.
        path: PathBuf,
        /// The text.
        from: String,
        /// What stands there afterwards.
        to: String,
    },
    /// Removes a file, a link or a directory with all it holds; fails where there is none.
    Remove {
        /// What is removed.
        path: PathBuf,
    },
    /// Makes a symbolic link; fails where something is in its place.
    Symlink {
        /// The link.
        path: PathBuf,
        /// Where it points, as written.
        target: PathBuf,
    },
    /// Makes an empty file where there is none: a sign for whoever waits for it.
    Touch {
        /// The file.
        path: PathBuf,
    },
    /// Prints a text and a line end.
    Print {
        /// The text.
        text: String,
        /// Where.
        #[serde(default)]
        stream: Stream,
    },
    /// Prints bytes that need not be text, as they are: either `hex` or `repeat`.
    PrintBytes {
        /// The bytes, two hex digits each.
        hex: Option<String>,
        /// One byte many times, however many.
        repeat: Option<Repeat>,
        /// Where.
        #[serde(default)]
        stream: Stream,
    },
    /// Does nothing for that many milliseconds.
    SleepMs(u64),
    /// Waits until something is in that place; fails when it takes too long.
    WaitForFile {
        /// The place.
        path: PathBuf,
        /// How long it may take, in milliseconds.
        timeout_ms: u64,
    },
    /// Runs `sh -c`; its output is the agent's. Fails unless it exits with 0.
    Shell {
        /// The command.
        command: String,
        /// Goes on however it exits.
        #[serde(default)]
        allow_failure: bool,
    },
    /// Leaves a process behind: orphaned, in a session of its own, with the agent's output still open.
    SpawnDaemon {
        /// The command, for `sh -c`.
        command: String,
    },
    /// Demands that the request tells of a gate that the previous tree did not pass.
    ExpectFailedGate {
        /// The gate.
        name: String,
        /// What its output has to contain.
        output_contains: Option<String>,
    },
    /// Demands that the request carries a hint.
    ExpectHint,
    /// From now on SIGTERM does nothing, here and in what is started later.
    IgnoreSigterm,
    /// Ends the agent at once, without a response.
    Exit {
        /// The exit code.
        code: u8,
    },
    /// Crashes the agent with SIGABRT.
    Abort,
}

impl Action {
    /// Its name in a script.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Write { .. } => "write",
            Self::Append { .. } => "append",
            Self::Replace { .. } => "replace",
            Self::Remove { .. } => "remove",
            Self::Symlink { .. } => "symlink",
            Self::Touch { .. } => "touch",
            Self::Print { .. } => "print",
            Self::PrintBytes { .. } => "print_bytes",
            Self::SleepMs(_) => "sleep_ms",
            Self::WaitForFile { .. } => "wait_for_file",
            Self::Shell { .. } => "shell",
            Self::SpawnDaemon { .. } => "spawn_daemon",
            Self::ExpectFailedGate { .. } => "expect_failed_gate",
            Self::ExpectHint => "expect_hint",
            Self::IgnoreSigterm => "ignore_sigterm",
            Self::Exit { .. } => "exit",
            Self::Abort => "abort",
        }
    }

    /// What the form of the JSON alone does not tell.
    pub(crate) fn problem(&self) -> Option<String> {
        match self {
            Self::Replace { from, .. } if from.is_empty() => {
                Some("`from` is empty, so it stands everywhere".to_owned())
            }
            Self::PrintBytes {
                hex: Some(hex),
                repeat: None,
                ..
            } => unhex(hex).err(),
            Self::PrintBytes {
                hex: None,
                repeat: Some(_),
                ..
            } => None,
            Self::PrintBytes { .. } => Some("give either `hex` or `repeat`".to_owned()),
            _ => None,
        }
    }
}

/// The bytes that hex digits stand for.
pub(crate) fn unhex(hex: &str) -> Result<Vec<u8>, String> {
    let digits = hex
        .chars()
        .map(|letter| {
            letter
                .to_digit(16)
                .and_then(|digit| u8::try_from(digit).ok())
                .ok_or_else(|| format!("`hex` holds {letter:?}, which is no hex digit"))
        })
        .collect::<Result<Vec<u8>, String>>()?;
    let (pairs, rest) = digits.as_chunks::<2>();
    if !rest.is_empty() {
        return Err("`hex` has half a byte at its end".to_owned());
    }
    Ok(pairs.iter().map(|[high, low]| high << 4 | low).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_is_read_strictly() {
        assert_eq!(unhex("00fFa1"), Ok(vec![0x00, 0xff, 0xa1]));
        assert!(unhex("0").unwrap_err().contains("half a byte"));
        assert!(unhex("+1").unwrap_err().contains("'+'"));
    }

    #[test]
    fn names_are_the_keys_of_the_format() {
        for (json, name) in [
            (r#"{"sleep_ms": 1}"#, "sleep_ms"),
            (r#""expect_hint""#, "expect_hint"),
            (r#"{"print_bytes": {"hex": ""}}"#, "print_bytes"),
            (r#"{"touch": {"path": "a"}}"#, "touch"),
        ] {
            assert_eq!(serde_json::from_str::<Action>(json).unwrap().name(), name);
        }
    }
}
