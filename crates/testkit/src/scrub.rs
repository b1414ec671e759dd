//! Making output the same on every machine and at every time.

use std::path::Path;
use std::sync::LazyLock;

use regex::{Captures, Regex};

/// Ids, by their prefixes; digests and object ids; instants; durations. In this order, as the later ones would find parts of the others.
static PATTERN: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(concat!(
        r"(?-u)\b(?P<kind>[a-z]{3})_[0-9a-f]{32}\b",
        r"|\b(?P<hash>(?:sha256:)?(?:[0-9a-f]{64}|[0-9a-f]{40}))\b",
        r"|\b(?P<instant>\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z| ?[+-]\d\d:?\d\d)?)",
        r"|\b(?P<time>\d+(?:\.\d+)? ?(?:ns|us|µs|ms|s|min|m|h)(?: ?\d+(?:\.\d+)? ?(?:ms|s|min|m))*)\b",
    ))
    .expect("the pattern is a constant")
});

/// What stands for an id of a kind.
fn label_of(prefix: &str) -> Option<&'static str> {
    Some(match prefix {
        "prj" => "[PROJECT]",
        "mch" => "[MACHINE]",
        "ses" => "[SESSION]",
        "job" => "[JOB]",
        "lse" => "[LEASE]",
        "run" => "[RUN]",
        "wsp" => "[WORKSPACE]",
        "evt" => "[EVENT]",
        "dec" => "[DECISION]",
        "apr" => "[APPROVAL]",
        "tok" => "[TOKEN]",
        "clm" => "[CLAIM]",
        _ => return None,
    })
}

/// Replaces what differs from run to run by labels: `[JOB]`, `[RUN]` and other ids, `[HASH]`, `[AT]` for instants, `[TIME]` for
/// durations, and texts it was told of, such as paths.
///
/// The short form of an id, its last six digits, is replaced too once the id itself was seen.
#[derive(Clone, Debug, Default)]
pub struct Scrubber {
    /// The longest text first, so that a path goes before the one it lies in.
    texts: Vec<(String, String)>,
    /// The short forms of ids seen so far.
    shorts: Vec<(String, &'static str)>,
}

impl Scrubber {
    /// One that knows of no texts yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Replaces a text wherever it stands.
    pub fn text(&mut self, text: impl Into<String>, label: impl Into<String>) {
        let text = text.into();
        if text.is_empty() {
            return;
        }
        self.texts.push((text, label.into()));
        self.texts
            .sort_by_key(|(text, _)| std::cmp::Reverse(text.len()));
    }

    /// Replaces a path, as given and with its links resolved.
    pub fn path(&mut self, path: &Path, label: &str) {
        self.text(path.to_string_lossy(), label);
        if let Ok(resolved) = path.canonicalize()
            && resolved != path
        {
            self.text(resolved.to_string_lossy(), label);
        }
    }

    /// The text with labels in it.
    pub fn scrub(&mut self, text: &str) -> String {
        let mut scrubbed = text.to_owned();
        for (found, label) in &self.texts {
            scrubbed = scrubbed.replace(found, label);
        }
        let mut seen = Vec::new();
        let scrubbed = PATTERN.replace_all(&scrubbed, |found: &Captures<'_>| {
            let whole = &found[0];
            if let Some(kind) = found.name("kind") {
                let Some(label) = label_of(kind.as_str()) else {
                    return whole.to_owned();
                };
                seen.push((whole[whole.len() - 6..].to_owned(), label));
                return label.to_owned();
            }
            if found.name("hash").is_some() {
                return "[HASH]".to_owned();
            }
            if found.name("instant").is_some() {
                return "[AT]".to_owned();
            }
            "[TIME]".to_owned()
        });
        for short in seen {
            if !self.shorts.contains(&short) {
                self.shorts.push(short);
            }
        }
        replace_words(&scrubbed, &self.shorts)
    }
}

/// Replaces whole words of letters and digits.
fn replace_words(text: &str, words: &[(String, &'static str)]) -> String {
    let mut replaced = String::with_capacity(text.len());
    let is_word = |letter: char| letter.is_alphanumeric() || letter == '_';
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let end = rest
            .find(|letter| is_word(letter) != is_word(first))
            .unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        match words.iter().find(|(known, _)| known == word) {
            Some((_, label)) => replaced.push_str(label),
            None => replaced.push_str(word),
        }
        rest = after;
    }
    replaced
}

#[cfg(test)]
mod tests {
    use dogwatch_core::ids::{
        ApprovalId, ClaimId, DecisionId, EventId, JobId, LeaseId, MachineId, ProjectId, RunId,
        SessionId, TokenId, WorkspaceId,
    };

    use super::*;
    use crate::clock::{SeqEntropy, SimClock};

    fn scrub(text: &str) -> String {
        Scrubber::new().scrub(text)
    }

    #[test]
    fn every_kind_of_id_has_its_label() {
        let (clock, entropy) = (SimClock::new(), SeqEntropy::new());
        macro_rules! ids {
            ($($kind:ident => $label:literal),* $(,)?) => {$(
                assert_eq!(scrub(&format!("<{}>", $kind::mint(&clock, &entropy))), concat!("<", $label, ">"));
            )*};
        }
        ids! {
            ProjectId => "[PROJECT]", MachineId => "[MACHINE]", SessionId => "[SESSION]", JobId => "[JOB]", LeaseId => "[LEASE]",
            RunId => "[RUN]", WorkspaceId => "[WORKSPACE]", EventId => "[EVENT]", DecisionId => "[DECISION]",
            ApprovalId => "[APPROVAL]", TokenId => "[TOKEN]", ClaimId => "[CLAIM]",
        }
    }

    #[test]
    fn short_ids_are_known_once_the_long_one_was_seen() {
        let (clock, entropy) = (SimClock::new(), SeqEntropy::starting_at(0xabcdef));
        let job = JobId::mint(&clock, &entropy);
        let mut scrubber = Scrubber::new();
        let line = format!("{} xabcdef abcdef0", job.short());
        assert_eq!(scrubber.scrub(&line), line);
        assert_eq!(scrubber.scrub(&job.to_string()), "[JOB]");
        assert_eq!(scrubber.scrub(&line), "[JOB] xabcdef abcdef0");
    }

    #[test]
    fn hashes_instants_and_durations() {
        let (sha1, sha256) = ("0123456789".repeat(4), "deadbeef".repeat(8));
        for (text, scrubbed) in [
            (format!("tree {sha1}, {sha256}"), "tree [HASH], [HASH]"),
            (format!("sha256:{sha256}"), "[HASH]"),
            (format!("{sha256}0"), &*format!("{sha256}0")),
            ("at 2026-01-01T00:00:00.000000Z.".to_owned(), "at [AT]."),
            ("2026-01-01 10:11 and".to_owned(), "[AT] and"),
            ("2026-01-01T00:00:00+01:00,".to_owned(), "[AT],"),
            (
                "in 1.2s (12 ms, 340µs)".to_owned(),
                "in [TIME] ([TIME], [TIME])",
            ),
            ("1m 02s; 2h 3m; 1h3m5s".to_owned(), "[TIME]; [TIME]; [TIME]"),
            (
                "3 sheep, 4 hours, turn 2, v1.2.3, 10 MiB".to_owned(),
                "3 sheep, 4 hours, turn 2, v1.2.3, 10 MiB",
            ),
        ] {
            assert_eq!(scrub(&text), scrubbed, "{text}");
        }
    }

    #[test]
    fn the_longest_text_goes_first() {
        let mut scrubber = Scrubber::new();
        scrubber.text("/tmp/x", "[HOME]");
        scrubber.text("/tmp/x/repo", "[REPO]");
        scrubber.text("", "[NOTHING]");
        assert_eq!(
            scrubber.scrub("/tmp/x/repo/a /tmp/x/data"),
            "[REPO]/a [HOME]/data"
        );
    }
}
