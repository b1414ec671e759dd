//! The journal format: reading and checking the hash-chained lines of one run.
//!
//! A journal is the canonical envelope of each event of a run followed by a line feed. Every line names its position and the link to
//! the line before it, so a changed, missing, repeated, moved or foreign line is seen at its place. Reading goes on after a bad line,
//! so that the first wrong record is named and not the ones that only follow it.

use std::fmt;
use std::ops::Range;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::canonical::{self, Sha256Digest};
use crate::event::{Actor, ENVELOPE_VERSION, Envelope, Epoch, MAX_EVENT_BYTES, StreamId};
use crate::ids::{EventId, JobId, ProjectId, RunId};
use crate::time::Timestamp;

/// How many findings are kept; the rest is only counted, so that a garbage file cannot fill the memory.
pub const MAX_JOURNAL_FINDINGS: usize = 1000;

/// What is wrong with a line. The names are wire format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JournalCode {
    /// Longer than an event may be.
    LineTooLong,
    /// Not UTF-8.
    LineNotUtf8,
    /// Not JSON, or not an envelope: a field is missing, unknown or of the wrong type.
    LineUnparsable,
    /// An envelope of another version.
    UnknownVersion,
    /// An envelope, but not in its one canonical spelling.
    LineNotCanonical,
    /// An entry of another stream or run.
    ForeignRun,
    /// The position is not the next one: entries are missing, repeated or moved.
    SeqGap,
    /// The line is not the one that the line after it was chained to.
    ChainBroken,
    /// The last line is not complete.
    TornTail,
}

impl JournalCode {
    /// The name used on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::LineTooLong => "line_too_long",
            Self::LineNotUtf8 => "line_not_utf8",
            Self::LineUnparsable => "line_unparsable",
            Self::UnknownVersion => "unknown_version",
            Self::LineNotCanonical => "line_not_canonical",
            Self::ForeignRun => "foreign_run",
            Self::SeqGap => "seq_gap",
            Self::ChainBroken => "chain_broken",
            Self::TornTail => "torn_tail",
        }
    }
}

impl fmt::Display for JournalCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Something wrong with a journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JournalFinding {
    /// The line in the file, from 1.
    pub line: u64,
    /// The record that is wrong or missing.
    pub seq: u64,
    /// What is wrong.
    pub code: JournalCode,
    /// More about it, for a person.
    pub detail: String,
}

/// One entry of a journal.
#[derive(Clone, Debug, PartialEq)]
pub struct JournalEntry {
    /// Its position.
    pub seq: u64,
    /// The event.
    pub envelope: Envelope,
    /// Where its line stands in the file, without the line end.
    pub range: Range<usize>,
}

/// Where a journal ends, which is what its next line is chained to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JournalHead {
    /// The position of the last line, 0 when there is none.
    pub seq: u64,
    /// The `prev` of the next line.
    pub link: Sha256Digest,
}

impl JournalHead {
    /// The head of an empty journal.
    pub fn genesis(run: RunId) -> Self {
        Self {
            seq: 0,
            link: StreamId::Run(run).genesis(),
        }
    }
}

/// What is to be recorded, before the journal gives it a place.
#[derive(Clone, Debug, PartialEq)]
pub struct JournalDraft {
    /// The event's own id.
    pub id: EventId,
    /// What happened, with a version.
    pub kind: String,
    /// When.
    pub at: Timestamp,
    /// Who.
    pub actor: Actor,
    /// What led to it.
    pub cause: Option<EventId>,
    /// The trace it belongs to.
    pub trace: Option<String>,
    /// The project.
    pub project: ProjectId,
    /// The job.
    pub job: Option<JobId>,
    /// The epoch it is written under.
    pub epoch: Option<Epoch>,
    /// The facts.
    pub data: Value,
}

impl JournalDraft {
    /// The envelope of this event as the entry after `head`.
    pub fn into_envelope(self, run: RunId, head: JournalHead) -> Envelope {
        Envelope {
            v: ENVELOPE_VERSION,
            id: self.id,
            stream: StreamId::Run(run),
            seq: head.seq + 1,
            kind: self.kind,
            at: self.at,
            actor: self.actor,
            cause: self.cause,
            trace: self.trace,
            project: Some(self.project),
            job: self.job,
            run: Some(run),
            epoch: self.epoch,
            data: self.data,
            prev: head.link,
        }
    }
}

/// A checked journal.
#[derive(Clone, Debug)]
pub struct JournalReading {
    /// Every line that is an envelope of this run, also when something else is wrong with it.
    pub entries: Vec<JournalEntry>,
    /// Everything that is wrong, in file order, at most [`MAX_JOURNAL_FINDINGS`].
    pub findings: Vec<JournalFinding>,
    /// How many more findings there were.
    pub more_findings: u64,
    /// The link the next line must carry.
    pub head: Sha256Digest,
    /// The position of the last line, 0 when there is none.
    pub last_seq: u64,
    /// An incomplete last line, reported here only for a journal that is still open.
    pub torn_tail: Option<Range<usize>>,
}

impl JournalReading {
    /// Where to go on, unless something is wrong.
    pub fn continuation(&self) -> Option<JournalHead> {
        self.findings.is_empty().then_some(JournalHead {
            seq: self.last_seq,
            link: self.head,
        })
    }
}

/// Reads and checks a whole journal. In one that is not `sealed`, an incomplete last line is what a crash leaves and no finding.
pub fn read(run: RunId, bytes: &[u8], sealed: bool) -> JournalReading {
    let mut check = JournalCheck::new(run);
    let mut entries = Vec::new();
    let mut torn_tail = None;
    let mut start = 0;
    while start < bytes.len() {
        let rest = &bytes[start..];
        let end = rest.iter().position(|byte| *byte == b'\n');
        let length = end.unwrap_or(rest.len());
        let line = &rest[..length];
        let range = start..start + length;
        let next = end.map_or(bytes.len(), |_| range.end + 1);
        let torn = end.is_none() || (next == bytes.len() && !is_envelope(line));
        if torn && !sealed {
            torn_tail = Some(start..bytes.len());
            break;
        }
        let envelope = if end.is_none() {
            check.torn_tail(line)
        } else {
            check.line(line)
        };
        if let Some(envelope) = envelope {
            entries.push(JournalEntry {
                seq: envelope.seq,
                envelope,
                range,
            });
        }
        start = next;
    }
    let outcome = check.finish();
    JournalReading {
        entries,
        findings: outcome.findings,
        more_findings: outcome.more_findings,
        head: outcome.head.link,
        last_seq: outcome.head.seq,
        torn_tail,
    }
}

fn is_envelope(line: &[u8]) -> bool {
    serde_json::from_slice::<Envelope>(line).is_ok()
}

/// What a finished check says.
#[derive(Clone, Debug)]
pub struct JournalVerdict {
    /// Everything that is wrong, in file order, at most [`MAX_JOURNAL_FINDINGS`].
    pub findings: Vec<JournalFinding>,
    /// How many more findings there were.
    pub more_findings: u64,
    /// How many lines there were.
    pub lines: u64,
    /// Where the journal ends.
    pub head: JournalHead,
}

/// A check that takes one line after the other and keeps none, for journals that should not be held in memory.
#[derive(Debug)]
pub struct JournalCheck {
    run: RunId,
    stream: StreamId,
    lines: u64,
    head: JournalHead,
    findings: Vec<JournalFinding>,
    more_findings: u64,
    /// Something is wrong with the line before, so a broken link to it says nothing new.
    previous_is_faulty: bool,
    /// The record whose link to the one before it is broken. Which of the two was changed shows in the next line: a changed record
    /// breaks the link behind it, and the one before it only if its `prev` was changed too.
    open_break: Option<OpenBreak>,
}

#[derive(Debug)]
struct OpenBreak {
    line: u64,
    seq: u64,
    prev: Sha256Digest,
}

impl JournalCheck {
    /// A check of the journal of `run`, from its first line on.
    pub fn new(run: RunId) -> Self {
        Self::after(run, JournalHead::genesis(run))
    }

    /// A check of the lines that follow `head`.
    pub fn after(run: RunId, head: JournalHead) -> Self {
        Self {
            run,
            stream: StreamId::Run(run),
            lines: 0,
            head,
            findings: Vec::new(),
            more_findings: 0,
            previous_is_faulty: false,
            open_break: None,
        }
    }

    /// Takes the next line, without its line end. Gives the envelope if the line is one of this run.
    pub fn line(&mut self, line: &[u8]) -> Option<Envelope> {
        self.lines += 1;
        let expected = self.head.seq + 1;
        let envelope = match self.parse(line) {
            Ok(envelope) => envelope,
            Err((code, detail)) => {
                self.settle_break(false);
                self.report(expected, code, detail);
                self.advance(expected, line, true);
                return None;
            }
        };
        let mut faulty = false;
        if canonical::to_bytes(&envelope).ok().as_deref() != Some(line) {
            faulty = true;
            self.report(
                expected,
                JournalCode::LineNotCanonical,
                "the line is not the canonical spelling of its event".to_owned(),
            );
        }
        if envelope.stream != self.stream || envelope.run != Some(self.run) {
            self.settle_break(false);
            self.report(
                expected,
                JournalCode::ForeignRun,
                format!(
                    "the entry belongs to stream {}, not to {}",
                    envelope.stream, self.stream
                ),
            );
            self.advance(expected, line, true);
            return None;
        }
        let seq = envelope.seq;
        if seq != expected {
            faulty = true;
            self.settle_break(false);
            let (named, detail) = if seq > expected {
                let missing = if seq - expected == 1 {
                    format!("record {expected} is missing")
                } else {
                    format!("records {expected} to {} are missing", seq - 1)
                };
                (expected, format!("{missing}: record {seq} stands here"))
            } else {
                (
                    seq,
                    format!("record {seq} stands where record {expected} belongs"),
                )
            };
            self.report(named, JournalCode::SeqGap, detail);
        } else if self.previous_is_faulty {
            self.settle_break(false);
        } else {
            faulty |= self.check_link(&envelope, expected);
        }
        // A position near the end of the number space is a forgery; going on from it would overflow.
        let at = if seq < u64::MAX / 2 { seq } else { expected };
        self.advance(at, line, faulty);
        Some(envelope)
    }

    /// Takes a last line that has no line end, which is a finding.
    pub fn torn_tail(&mut self, line: &[u8]) -> Option<Envelope> {
        self.lines += 1;
        let expected = self.head.seq + 1;
        self.settle_break(false);
        self.report(
            expected,
            JournalCode::TornTail,
            format!("the last line has no line end after {} bytes", line.len()),
        );
        self.advance(expected, line, true);
        None
    }

    /// Takes a line that is too long to be one; the bytes are not needed.
    pub fn overlong_line(&mut self) {
        self.lines += 1;
        let expected = self.head.seq + 1;
        self.settle_break(false);
        self.report(expected, JournalCode::LineTooLong, too_long());
        self.advance(expected, b"", true);
    }

    /// Where the journal ends so far.
    pub const fn head(&self) -> JournalHead {
        self.head
    }

    /// Ends the check.
    pub fn finish(mut self) -> JournalVerdict {
        self.settle_break(false);
        JournalVerdict {
            findings: self.findings,
            more_findings: self.more_findings,
            lines: self.lines,
            head: self.head,
        }
    }

    fn parse(&self, line: &[u8]) -> Result<Envelope, (JournalCode, String)> {
        if line.len() > MAX_EVENT_BYTES {
            return Err((JournalCode::LineTooLong, too_long()));
        }
        let text = std::str::from_utf8(line)
            .map_err(|error| (JournalCode::LineNotUtf8, error.to_string()))?;
        let envelope: Envelope = serde_json::from_str(text).map_err(|error| {
            // The message may quote the line, which is anyone's text.
            let detail = error.to_string().escape_debug().to_string();
            (JournalCode::LineUnparsable, detail)
        })?;
        if envelope.v != ENVELOPE_VERSION {
            return Err((
                JournalCode::UnknownVersion,
                format!("the envelope has version {}", envelope.v),
            ));
        }
        Ok(envelope)
    }

    /// Checks the link to the line before. True if this line is known to be the wrong one.
    fn check_link(&mut self, envelope: &Envelope, expected: u64) -> bool {
        let broken = envelope.prev != self.head.link;
        if self.open_break.is_some() {
            self.settle_break(broken);
            // The record before was wrong, which explains this link too.
            return false;
        }
        if !broken {
            return false;
        }
        if expected == 1 {
            self.report(
                1,
                JournalCode::ChainBroken,
                "the first record is not chained to the start of this run".to_owned(),
            );
            return true;
        }
        self.open_break = Some(OpenBreak {
            line: self.lines,
            seq: expected,
            prev: envelope.prev,
        });
        false
    }

    /// Says which of two records that do not fit together was changed.
    fn settle_break(&mut self, next_link_is_broken: bool) {
        let Some(OpenBreak { line, seq, prev }) = self.open_break.take() else {
            return;
        };
        let (named, line, detail) = if next_link_is_broken {
            (
                seq,
                line,
                format!("record {seq} fits neither the record before nor the one after it"),
            )
        } else {
            let before = seq - 1;
            (
                before,
                line - 1,
                format!(
                    "record {seq} was chained to {prev}, which is not the link of record {before}"
                ),
            )
        };
        self.push(JournalFinding {
            line,
            seq: named,
            code: JournalCode::ChainBroken,
            detail,
        });
    }

    fn report(&mut self, seq: u64, code: JournalCode, detail: String) {
        self.push(JournalFinding {
            line: self.lines,
            seq,
            code,
            detail,
        });
    }

    fn push(&mut self, finding: JournalFinding) {
        if self.findings.len() < MAX_JOURNAL_FINDINGS {
            self.findings.push(finding);
        } else {
            self.more_findings += 1;
        }
    }

    fn advance(&mut self, seq: u64, line: &[u8], faulty: bool) {
        self.head = JournalHead {
            seq,
            link: self.stream.link(seq, line),
        };
        self.previous_is_faulty = faulty;
    }
}

fn too_long() -> String {
    format!("the line is longer than the {MAX_EVENT_BYTES} bytes of an event")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Via;
    use crate::ids::uuid_v7;
    use proptest::prelude::*;
    use serde_json::json;

    const AT: Timestamp = Timestamp::from_micros(1_763_656_200_000_000);

    fn run(byte: u8) -> RunId {
        RunId::from_uuid(uuid_v7(AT, &[byte; 10]))
    }

    fn draft(kind: &str, data: Value) -> JournalDraft {
        JournalDraft {
            id: EventId::from_uuid(uuid_v7(AT, &[1; 10])),
            kind: kind.to_owned(),
            at: AT,
            actor: Actor::new("runner:test", Via::Runner),
            cause: None,
            trace: None,
            project: ProjectId::from_uuid(uuid_v7(AT, &[2; 10])),
            job: Some(JobId::from_uuid(uuid_v7(AT, &[3; 10]))),
            epoch: Some(Epoch(1)),
            data,
        }
    }

    fn lines(run: RunId, count: u64) -> Vec<Vec<u8>> {
        let mut head = JournalHead::genesis(run);
        (1..=count)
            .map(|number| {
                let sealed = draft("turn.progressed.v1", json!({ "number": number }))
                    .into_envelope(run, head)
                    .seal()
                    .unwrap();
                head = JournalHead {
                    seq: sealed.envelope.seq,
                    link: sealed.head,
                };
                sealed.line
            })
            .collect()
    }

    fn file(lines: &[Vec<u8>]) -> Vec<u8> {
        lines
            .iter()
            .flat_map(|line| line.iter().copied().chain([b'\n']))
            .collect()
    }

    fn first(reading: &JournalReading) -> (JournalCode, u64, u64) {
        let finding = reading.findings.first().expect("a finding");
        (finding.code, finding.seq, finding.line)
    }

    #[test]
    fn an_honest_journal_reads_clean_and_can_be_continued() {
        let bytes = file(&lines(run(1), 5));
        let reading = read(run(1), &bytes, true);
        assert_eq!(reading.findings, []);
        assert_eq!(reading.entries.len(), 5);
        assert_eq!(reading.entries[4].seq, 5);
        assert_eq!(bytes[reading.entries[0].range.end], b'\n');
        let head = reading.continuation().unwrap();
        let next = draft("run.closed.v1", json!({}))
            .into_envelope(run(1), head)
            .seal()
            .unwrap();
        let longer = [bytes, next.line, b"\n".to_vec()].concat();
        assert_eq!(read(run(1), &longer, true).findings, []);
        let empty = read(run(1), b"", true);
        assert_eq!(empty.continuation(), Some(JournalHead::genesis(run(1))));
    }

    #[test]
    fn a_changed_record_is_named_whichever_of_its_fields_was_changed() {
        let honest = lines(run(1), 6);
        for index in 1..5_u64 {
            let at = usize::try_from(index - 1).unwrap();
            for field in ["data", "prev", "id", "actor", "at"] {
                let mut envelope: Envelope = serde_json::from_slice(&honest[at]).unwrap();
                match field {
                    "data" => envelope.data = json!({ "number": 99 }),
                    "prev" => envelope.prev = Sha256Digest::of(b"other"),
                    "id" => envelope.id = EventId::from_uuid(uuid_v7(AT, &[9; 10])),
                    "actor" => envelope.actor.principal = "runner:other".to_owned(),
                    _ => envelope.at = Timestamp::EPOCH,
                }
                let mut changed = honest.clone();
                changed[at] = envelope.seal().unwrap().line;
                let reading = read(run(1), &file(&changed), true);
                assert_eq!(
                    first(&reading),
                    (JournalCode::ChainBroken, index, index),
                    "{field}"
                );
                assert_eq!(reading.findings.len(), 1, "{field}");
            }
        }
    }

    #[test]
    fn dropped_repeated_and_swapped_records_are_named() {
        let honest = lines(run(1), 6);
        for at in 0..5_usize {
            let seq = u64::try_from(at + 1).unwrap();
            let mut dropped = honest.clone();
            dropped.remove(at);
            let reading = read(run(1), &file(&dropped), true);
            assert_eq!(first(&reading), (JournalCode::SeqGap, seq, seq));
            assert_eq!(reading.findings.len(), 1);

            let mut repeated = honest.clone();
            repeated.insert(at, honest[at].clone());
            let reading = read(run(1), &file(&repeated), true);
            assert_eq!(first(&reading), (JournalCode::SeqGap, seq, seq + 1));

            let mut swapped = honest.clone();
            swapped.swap(at, at + 1);
            let reading = read(run(1), &file(&swapped), true);
            assert_eq!(first(&reading), (JournalCode::SeqGap, seq, seq));
        }
    }

    #[test]
    fn a_record_of_another_run_is_foreign_even_if_its_run_field_says_otherwise() {
        let mut spliced = lines(run(1), 3);
        spliced[1] = lines(run(2), 3)[1].clone();
        assert_eq!(
            first(&read(run(1), &file(&spliced), true)),
            (JournalCode::ForeignRun, 2, 2)
        );
        let mut envelope: Envelope = serde_json::from_slice(&spliced[1]).unwrap();
        envelope.run = Some(run(1));
        spliced[1] = envelope.seal().unwrap().line;
        assert_eq!(
            first(&read(run(1), &file(&spliced), true)),
            (JournalCode::ForeignRun, 2, 2)
        );
    }

    #[test]
    fn every_bad_line_is_reported_and_the_good_ones_after_it_are_not() {
        let mut bad = lines(run(1), 9);
        bad[1] = b"garbage".to_vec();
        bad[3] = b"\xff\xfe".to_vec();
        bad[5] = [b" ".as_slice(), &bad[5]].concat();
        bad[7] = vec![b'x'; MAX_EVENT_BYTES + 1];
        let found: Vec<_> = read(run(1), &file(&bad), true)
            .findings
            .iter()
            .map(|finding| (finding.code, finding.seq))
            .collect();
        assert_eq!(
            found,
            [
                (JournalCode::LineUnparsable, 2),
                (JournalCode::LineNotUtf8, 4),
                (JournalCode::LineNotCanonical, 6),
                (JournalCode::LineTooLong, 8),
            ]
        );
    }

    #[test]
    fn unknown_fields_and_versions_are_refused() {
        let honest = lines(run(1), 1);
        let text = String::from_utf8(honest[0].clone()).unwrap();
        let extra = text.replacen('{', r#"{"a":1,"#, 1).into_bytes();
        assert_eq!(
            first(&read(run(1), &file(&[extra]), true)).0,
            JournalCode::LineUnparsable
        );
        let inner = text
            .replace(r#""actor":{"#, r#""actor":{"a":1,"#)
            .into_bytes();
        assert_eq!(
            first(&read(run(1), &file(&[inner]), true)).0,
            JournalCode::LineNotCanonical
        );
        let version = text.replace(r#""v":1"#, r#""v":2"#).into_bytes();
        assert_eq!(
            first(&read(run(1), &file(&[version]), true)).0,
            JournalCode::UnknownVersion
        );
    }

    #[test]
    fn a_torn_tail_is_tolerated_only_at_the_end_of_an_open_journal() {
        let bytes = file(&lines(run(1), 3));
        let two = file(&lines(run(1), 2)).len();
        for cut in two + 1..bytes.len() {
            let torn = read(run(1), &bytes[..cut], false);
            assert_eq!(torn.torn_tail, Some(two..cut));
            assert_eq!(torn.continuation().unwrap().seq, 2);
            let sealed = read(run(1), &bytes[..cut], true);
            assert_eq!(first(&sealed), (JournalCode::TornTail, 3, 3));
            assert_eq!(sealed.torn_tail, None);
        }
        let garbage = [bytes.as_slice(), b"\0\0\0\n"].concat();
        assert_eq!(
            read(run(1), &garbage, false).torn_tail,
            Some(bytes.len()..garbage.len())
        );
        let inside = [&bytes[..two - 4], b"\n".as_slice(), &bytes[two..]].concat();
        let reading = read(run(1), &inside, false);
        assert_eq!(first(&reading), (JournalCode::LineUnparsable, 2, 2));
        assert_eq!(reading.torn_tail, None);
        assert_eq!(reading.continuation(), None);
    }

    #[test]
    fn garbage_is_counted_and_not_kept() {
        let reading = read(run(1), &vec![b'\n'; MAX_JOURNAL_FINDINGS * 3], true);
        assert_eq!(reading.findings.len(), MAX_JOURNAL_FINDINGS);
        assert_eq!(
            reading.more_findings,
            u64::try_from(MAX_JOURNAL_FINDINGS * 2).unwrap()
        );
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400), sealed: bool) {
            let reading = read(run(1), &bytes, sealed);
            prop_assert!(bytes.is_empty() || !reading.findings.is_empty() || reading.torn_tail.is_some());
        }

        #[test]
        fn no_flipped_byte_goes_unseen(position in any::<prop::sample::Index>(), flip in 1_u8..) {
            let mut bytes = file(&lines(run(1), 4));
            let honest = read(run(1), &bytes, true).head;
            let at = position.index(bytes.len());
            bytes[at] ^= flip;
            let reading = read(run(1), &bytes, true);
            prop_assert!(!reading.findings.is_empty() || reading.head != honest);
        }
    }
}
