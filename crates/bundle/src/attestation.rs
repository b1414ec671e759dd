//! What is signed: an in-toto statement that binds the outcome of a run to the digest of its manifest.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use dogwatch_core::Sha256Digest;
use dogwatch_core::ids::RunId;
use dogwatch_core::job::Assurance;

use crate::layout::MANIFEST;
use crate::manifest::{JournalFacts, Manifest, OutcomeFacts};

/// The type of every in-toto statement.
pub const STATEMENT_TYPE: &str = "https://in-toto.io/Statement/v1";

/// What a run's attestation is about.
pub const ATTESTATION_TYPE: &str = "https://dogwatch.dev/attestation/run/v1";

/// How the predicate types of verdicts begin.
pub const VERDICT_TYPE_PREFIX: &str = "https://dogwatch.dev/attestation/verdict/";

/// An in-toto statement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Statement<P> {
    /// [`STATEMENT_TYPE`].
    #[serde(rename = "_type")]
    pub statement_type: String,
    /// What it is about.
    pub subject: Vec<Subject>,
    /// How to read the predicate.
    #[serde(rename = "predicateType")]
    pub predicate_type: String,
    /// What it says.
    pub predicate: P,
}

/// A thing by name and digest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Subject {
    /// Its name.
    pub name: String,
    /// Its digests by algorithm.
    pub digest: BTreeMap<String, String>,
}

/// What the attestation of a run says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunPredicate {
    /// The run.
    pub run_id: RunId,
    /// How it ended.
    pub outcome: OutcomeFacts,
    /// The contract it was held to.
    pub contract_hash: Sha256Digest,
    /// How long its journal is and where it ends.
    pub journal: JournalFacts,
    /// What stands behind a success.
    pub assurance: Assurance,
}

impl Subject {
    /// The manifest, by its digest.
    pub fn manifest(digest: Sha256Digest) -> Self {
        Self {
            name: MANIFEST.to_owned(),
            digest: BTreeMap::from([("sha256".to_owned(), digest.to_string())]),
        }
    }

    fn tree(tree: &str) -> Self {
        Self {
            name: "tree".to_owned(),
            digest: BTreeMap::from([("gitTree".to_owned(), tree.to_owned())]),
        }
    }
}

impl Statement<RunPredicate> {
    /// The one statement that belongs to a manifest.
    pub fn for_run(manifest: &Manifest, digest: Sha256Digest) -> Self {
        let mut subject = vec![Subject::manifest(digest)];
        subject.extend(manifest.tree.as_deref().map(Subject::tree));
        Self {
            statement_type: STATEMENT_TYPE.to_owned(),
            subject,
            predicate_type: ATTESTATION_TYPE.to_owned(),
            predicate: RunPredicate {
                run_id: manifest.run_id,
                outcome: manifest.outcome.clone(),
                contract_hash: manifest.contract_hash,
                journal: manifest.journal,
                assurance: manifest.assurance,
            },
        }
    }
}
