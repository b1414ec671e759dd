//! The evidence of one run: its journal file, the layout of its bundle, the seal over it and the check of that seal.
//!
//! A bundle is a directory. While the run goes on, [`JournalWriter`] appends to its journal and everyone puts their files at the places
//! [`BundleLayout`] names. [`seal()`] then digests every file into a manifest and signs it; [`verify()`] needs only the directory and the
//! keys of those whom the reader trusts, no server and no database. Nothing in a bundle is believed because the bundle says so.

#![forbid(unsafe_code)]

// The fixture that unit and integration tests share names this crate as its users do.
#[cfg(test)]
extern crate self as dogwatch_bundle;

mod attestation;
mod digest;
mod dsse;
mod durable;
mod journal_file;
mod journal_scan;
mod keys;
mod layout;
mod manifest;
mod reader;
mod seal;
mod verdict;
mod verify;
mod walk;

pub use attestation::{
    ATTESTATION_TYPE, RunPredicate, STATEMENT_TYPE, Statement, Subject, VERDICT_TYPE_PREFIX,
};
pub use dsse::{
    DsseEnvelope, DsseError, DsseSignature, OpenedEnvelope, PAYLOAD_TYPE, open_envelope, pae,
    sign_envelope,
};
pub use journal_file::{JournalFileError, JournalWriter, MAX_JOURNAL_BYTES};
pub use keys::{KeyError, KeyStore, TrustedKey, keyid, load_public_key, load_trusted_keys};
pub use layout::{BundleLayout, GatePaths, TurnPaths, gate_directory_name};
pub use manifest::{
    AgentFacts, BUNDLE_VERSION, ContainmentFacts, ContainmentLevel, FileFacts, GateSummary,
    JournalFacts, MANIFEST_SCHEMA, Manifest, ManifestError, ManifestFacts, OutcomeFacts, RepoFacts,
    Versions,
};
pub use reader::{BundleReader, BundleState, ReadError};
pub use seal::{SealError, Sealed, seal};
pub use verdict::{LandedAt, Verdict, VerdictError, VerdictKind, VerdictPredicate, write_verdict};
pub use verify::{Finding, Verification, codes, verify};
