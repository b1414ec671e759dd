//! What a check found wrong, by code, file and record.

use serde::Serialize;

/// How many findings are kept; the rest is only counted.
const MAX_FINDINGS: usize = 1000;

/// The codes of findings that are not those of [`dogwatch_core::journal::JournalCode`] or [`crate::DsseError::code`]. Append only.
pub mod codes {
    /// The file or directory could not be read.
    pub const UNREADABLE: &str = "unreadable";
    /// There is no manifest: the run was never sealed.
    pub const UNSEALED: &str = "unsealed";
    /// There is no attestation.
    pub const UNSIGNED: &str = "unsigned";
    /// No key was given to check with.
    pub const NO_TRUSTED_KEY: &str = "no_trusted_key";
    /// Larger than anything dogwatch writes there.
    pub const TOO_LARGE: &str = "too_large";
    /// Not a manifest.
    pub const MANIFEST_UNPARSABLE: &str = "manifest_unparsable";
    /// A manifest of a version this dogwatch does not know.
    pub const MANIFEST_VERSION: &str = "manifest_version";
    /// Not the canonical bytes.
    pub const MANIFEST_NOT_CANONICAL: &str = "manifest_not_canonical";
    /// Not the manifest that was signed.
    pub const MANIFEST_MISMATCH: &str = "manifest_mismatch";
    /// What was signed is not a statement about a run.
    pub const STATEMENT_UNPARSABLE: &str = "statement_unparsable";
    /// What was signed is not what the manifest says.
    pub const ATTESTATION_MISMATCH: &str = "attestation_mismatch";
    /// A file's bytes are not those that were sealed.
    pub const DIGEST_MISMATCH: &str = "digest_mismatch";
    /// A file's length is not the one that was sealed.
    pub const SIZE_MISMATCH: &str = "size_mismatch";
    /// A sealed file is gone.
    pub const MISSING_FILE: &str = "missing_file";
    /// A file that was not sealed.
    pub const UNLISTED_FILE: &str = "unlisted_file";
    /// A directory that was not sealed.
    pub const UNLISTED_DIRECTORY: &str = "unlisted_directory";
    /// A symlink, pipe, socket or device.
    pub const NOT_A_FILE: &str = "not_a_file";
    /// The contract or profile is not the one the manifest names.
    pub const HASH_MISMATCH: &str = "hash_mismatch";
    /// The journal has more or fewer records than were sealed.
    pub const JOURNAL_COUNT: &str = "journal_count";
    /// The journal does not end where it was sealed.
    pub const JOURNAL_HEAD: &str = "journal_head";
    /// A record of another project or job.
    pub const FOREIGN_RECORD: &str = "foreign_record";
    /// The last record is not the end of the run.
    pub const NO_OUTCOME: &str = "no_outcome";
    /// The last record says something else than the manifest.
    pub const OUTCOME_MISMATCH: &str = "outcome_mismatch";
    /// A verdict that is not about this manifest, or no verdict at all.
    pub const BAD_VERDICT: &str = "bad_verdict";
}

/// Something wrong with a bundle.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// A stable code.
    pub code: &'static str,
    /// The file it is about, inside the bundle; `.` for the bundle itself.
    pub path: String,
    /// The journal record it is about.
    pub record: Option<u64>,
    /// More about it, for a person.
    pub detail: String,
}

/// The findings so far.
#[derive(Debug, Default)]
pub(super) struct Findings {
    pub(super) list: Vec<Finding>,
    pub(super) more: u64,
}

impl Findings {
    pub(super) fn add(&mut self, code: &'static str, path: &str, detail: impl Into<String>) {
        self.push(code, path, None, detail.into());
    }

    pub(super) fn add_record(
        &mut self,
        code: &'static str,
        path: &str,
        record: u64,
        detail: impl Into<String>,
    ) {
        self.push(code, path, Some(record), detail.into());
    }

    pub(super) fn add_uncounted(&mut self, more: u64) {
        self.more += more;
    }

    fn push(&mut self, code: &'static str, path: &str, record: Option<u64>, detail: String) {
        if self.list.len() >= MAX_FINDINGS {
            self.more += 1;
            return;
        }
        self.list.push(Finding {
            code,
            path: plain(path),
            record,
            detail: plain(&detail),
        });
    }
}

/// The longest path or detail that is kept.
const MAX_TEXT_CHARS: usize = 1000;

/// Text without control characters and of bounded length: paths and messages may quote what an enemy wrote into the bundle.
fn plain(text: &str) -> String {
    let mut shown = String::with_capacity(text.len().min(MAX_TEXT_CHARS));
    for (count, character) in text.chars().enumerate() {
        if count == MAX_TEXT_CHARS {
            shown.push_str("[...]");
            break;
        }
        if character.is_control() {
            shown.extend(character.escape_default());
        } else {
            shown.push(character);
        }
    }
    shown
}
