//! The journal: clean line by line, as long as was sealed, and ending with what the manifest says.

use std::fs::File;

use dogwatch_core::Sha256Digest;

use super::finding::{Findings, codes};
use crate::journal_file::MAX_JOURNAL_BYTES;
use crate::journal_scan::{Ending, EndingFault, scan_journal};
use crate::layout::JOURNAL;
use crate::manifest::Manifest;

/// Checks the journal and gives the digest of its bytes.
pub(super) fn check(
    file: &File,
    size: u64,
    manifest: &Manifest,
    findings: &mut Findings,
) -> Option<Sha256Digest> {
    if size > MAX_JOURNAL_BYTES {
        findings.add(
            codes::TOO_LARGE,
            JOURNAL,
            format!("it is larger than {MAX_JOURNAL_BYTES} bytes"),
        );
        return None;
    }
    let mut foreign = Vec::new();
    let scanned = scan_journal(file, manifest.run_id, MAX_JOURNAL_BYTES, &mut |envelope| {
        let ours = envelope.project == Some(manifest.project_id)
            && envelope.job.is_none_or(|job| job == manifest.job_id);
        // One is enough to be invalid; the file may hold a million.
        if !ours && foreign.len() < 10 {
            foreign.push(envelope.seq);
        }
    });
    let scan = match scanned {
        Ok(scan) => scan,
        Err(error) => {
            findings.add(codes::UNREADABLE, JOURNAL, error.to_string());
            return None;
        }
    };
    for finding in scan.verdict.findings {
        findings.add_record(
            finding.code.as_str(),
            JOURNAL,
            finding.seq,
            format!("line {}: {}", finding.line, finding.detail),
        );
    }
    findings.add_uncounted(scan.verdict.more_findings);
    for seq in foreign {
        findings.add_record(
            codes::FOREIGN_RECORD,
            JOURNAL,
            seq,
            "it belongs to another project or job",
        );
    }
    let (lines, count) = (scan.verdict.lines, manifest.journal.count);
    if lines != count {
        findings.add_record(
            codes::JOURNAL_COUNT,
            JOURNAL,
            lines.min(count).saturating_add(1),
            format!("there are {lines} records, not the {count} that were sealed"),
        );
    }
    if scan.verdict.head.link != manifest.journal.head {
        findings.add_record(
            codes::JOURNAL_HEAD,
            JOURNAL,
            lines,
            "the last record is not the one that was sealed",
        );
    }
    let ending = Ending {
        outcome: &manifest.outcome,
        tree: manifest.tree.as_deref(),
        assurance: manifest.assurance,
    };
    match ending.check(scan.last.as_ref()) {
        Ok(()) => {}
        Err(EndingFault::NotAnEnd) => findings.add_record(
            codes::NO_OUTCOME,
            JOURNAL,
            lines,
            "the last record is not the end of the run",
        ),
        Err(EndingFault::Differs(what)) => findings.add_record(
            codes::OUTCOME_MISMATCH,
            JOURNAL,
            lines,
            format!("the last record has another {what} than the manifest"),
        ),
    }
    Some(scan.digest)
}
