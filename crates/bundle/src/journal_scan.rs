//! Checking a journal line by line, however long it is, and digesting it in the same pass.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _};

use dogwatch_core::Sha256Digest;
use dogwatch_core::event::{Envelope, MAX_EVENT_BYTES};
use dogwatch_core::ids::RunId;
use dogwatch_core::job::Assurance;
use dogwatch_core::journal::{JournalCheck, JournalVerdict};
use dogwatch_core::run::RunEvent;

use crate::digest::DigestingReader;
use crate::manifest::OutcomeFacts;

/// What one pass over a journal found.
pub(crate) struct JournalScan {
    pub(crate) verdict: JournalVerdict,
    pub(crate) digest: Sha256Digest,
    pub(crate) bytes: u64,
    /// The event of the last line, if it is one.
    pub(crate) last: Option<Envelope>,
}

/// Reads at most `limit` bytes of a journal, checks every line and shows each envelope to `visit`.
pub(crate) fn scan_journal(
    file: &File,
    run: RunId,
    limit: u64,
    visit: &mut dyn FnMut(&Envelope),
) -> io::Result<JournalScan> {
    let mut reader = BufReader::with_capacity(64 * 1024, DigestingReader::new(file.take(limit)));
    let mut check = JournalCheck::new(run);
    let mut last = None;
    let mut line = Vec::with_capacity(MAX_EVENT_BYTES + 1);
    loop {
        line.clear();
        let longest = MAX_EVENT_BYTES as u64 + 1;
        (&mut reader).take(longest).read_until(b'\n', &mut line)?;
        if line.is_empty() {
            break;
        }
        let complete = line.last() == Some(&b'\n');
        if complete {
            line.pop();
            last = check.line(&line);
        } else if line.len() as u64 == longest {
            skip_line(&mut reader)?;
            check.overlong_line();
            last = None;
        } else {
            last = check.torn_tail(&line);
        }
        if let Some(envelope) = &last {
            visit(envelope);
        }
    }
    let (digest, bytes) = reader.into_inner().finish();
    Ok(JournalScan {
        verdict: check.finish(),
        digest,
        bytes,
        last,
    })
}

fn skip_line(reader: &mut impl io::BufRead) -> io::Result<()> {
    loop {
        let buffer = reader.fill_buf()?;
        if buffer.is_empty() {
            return Ok(());
        }
        let end = buffer.iter().position(|byte| *byte == b'\n');
        let used = end.map_or(buffer.len(), |at| at + 1);
        reader.consume(used);
        if end.is_some() {
            return Ok(());
        }
    }
}

/// What a run's last record must say.
pub(crate) struct Ending<'a> {
    pub(crate) outcome: &'a OutcomeFacts,
    pub(crate) tree: Option<&'a str>,
    pub(crate) assurance: Assurance,
}

/// How a last record differs from what it must say.
pub(crate) enum EndingFault {
    /// It is not the end of a run.
    NotAnEnd,
    /// It says something else; the text names what.
    Differs(&'static str),
}

impl Ending<'_> {
    /// Compares with the last record of a journal.
    pub(crate) fn check(&self, last: Option<&Envelope>) -> Result<(), EndingFault> {
        let event = last.filter(|envelope| envelope.kind == RunEvent::ENDED);
        let event =
            event.and_then(|envelope| RunEvent::from_parts(&envelope.kind, &envelope.data).ok());
        let Some(RunEvent::Ended(ended)) = event else {
            return Err(EndingFault::NotAnEnd);
        };
        if ended.outcome != self.outcome.status {
            Err(EndingFault::Differs("outcome"))
        } else if ended.failure != self.outcome.failure {
            Err(EndingFault::Differs("failure"))
        } else if ended.tree.as_deref() != self.tree {
            Err(EndingFault::Differs("tree"))
        } else if ended.assurance != self.assurance {
            Err(EndingFault::Differs("assurance"))
        } else {
            Ok(())
        }
    }
}
