//! Printing, and making text harmless.

use std::io::{self, Write};
use std::time::Duration;

use dogwatch_core::Timestamp;
use serde::Serialize;

/// Text with everything a terminal would obey, or that would mislead a reader, shown instead. Line ends and tabs stay.
pub(crate) fn plain(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        let harmless = matches!(character, '\n' | '\t')
            || !(character.is_control() || is_invisible(character));
        if harmless {
            shown.push(character);
        } else {
            shown.extend(character.escape_unicode());
        }
    }
    shown
}

/// Characters that change the order or presence of what is read.
const fn is_invisible(character: char) -> bool {
    matches!(
        character,
        '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
            | '\u{e0000}'..='\u{e007f}'
    )
}

/// Prints a line of data.
pub(crate) fn print(line: &str) {
    finish(writeln!(io::stdout().lock(), "{line}"));
}

/// Says a line to a person, beside the data.
pub(crate) fn say(line: &str) {
    // Nobody is left to tell when standard error is gone.
    let _ = writeln!(io::stderr().lock(), "{}", plain(line));
}

/// Prints raw bytes, for patches and logs that go into a file or a pipe.
pub(crate) fn print_bytes(bytes: &[u8]) {
    let mut stdout = io::stdout().lock();
    finish(stdout.write_all(bytes).and_then(|()| stdout.flush()));
}

/// Prints a JSON document for people and programs.
pub(crate) fn print_json<T: Serialize>(value: &T) {
    print(&serde_json::to_string_pretty(value).unwrap_or_default());
}

/// Prints one line of JSON Lines.
pub(crate) fn print_json_line<T: Serialize>(value: &T) {
    print(&serde_json::to_string(value).unwrap_or_default());
}

/// A reader that has gone away (`| head`) is no error.
fn finish(written: io::Result<()>) {
    if let Err(error) = written
        && error.kind() != io::ErrorKind::BrokenPipe
    {
        let _ = writeln!(io::stderr().lock(), "error[stdout]: {error}");
    }
}

/// A duration in its two largest units.
pub(crate) fn duration(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0 => format!("{} ms", time.as_millis()),
        1..=59 => format!("{seconds}.{} s", time.subsec_millis() / 100),
        60..=3599 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
    }
}

/// How long ago something was, in its largest unit.
pub(crate) fn age(at: Timestamp, now: Timestamp) -> String {
    let seconds = now.since(at).as_secs();
    match seconds {
        0..=59 => format!("{seconds}s"),
        60..=3599 => format!("{}m", seconds / 60),
        3600..=86_399 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terminals_are_not_spoken_to_by_agents() {
        assert_eq!(plain("a\x1b]0;x\x07b"), "a\\u{1b}]0;x\\u{7}b");
        assert_eq!(plain("abc\u{202e}gpj"), "abc\\u{202e}gpj");
        assert_eq!(plain("größe\n\tok"), "größe\n\tok");
    }

    #[test]
    fn durations_are_short() {
        assert_eq!(duration(Duration::from_millis(42)), "42 ms");
        assert_eq!(duration(Duration::from_millis(1250)), "1.2 s");
        assert_eq!(duration(Duration::from_secs(3661)), "1 h 1 min");
    }
}
