//! The signed statement of a verdict, in the bundle it is about.

use std::path::PathBuf;

use dogwatch_bundle::{KeyStore, LandedAt, Verdict, VerdictKind, VerdictPredicate, write_verdict};
use dogwatch_core::job::JudgementKind;

use super::Subject;
use crate::context::Context;
use crate::error::CliError;

/// Writes what is on record about a run as a statement, and says where it is. It is made of the record alone, so that writing it again
/// changes nothing.
pub(in crate::commands) fn write_statement(
    context: &Context,
    subject: &Subject,
) -> Result<PathBuf, CliError> {
    let header = &subject.run.header;
    let Some(judgement) = &header.judgement else {
        return Err(CliError::new(
            "verdict_failed",
            format!("there is no verdict about {} on record", subject.run.id),
        )
        .next("give the same command again"));
    };
    let (kind, landed) = match judgement.kind {
        JudgementKind::Reject => (VerdictKind::Reject, None),
        JudgementKind::Promote => (VerdictKind::Promote, header.landed.as_ref()),
    };
    let verdict = Verdict {
        manifest: judgement.manifest,
        predicate: VerdictPredicate {
            kind,
            by: judgement.by.clone(),
            reason: judgement.reason.clone(),
            at: judgement.at,
            landed: landed.map(|landed| LandedAt {
                reference: landed.reference.clone(),
                commit: landed.commit.clone(),
            }),
        },
    };
    let keys = KeyStore::open(context.layout.root()).map_err(|error| {
        CliError::from_error("signing_key", &error)
            .next("mend <data>/keys as the message says, then give the same command again")
    })?;
    write_verdict(&subject.bundle, &verdict, keys.signing_key()).map_err(|error| {
        CliError::from_error("verdict_failed", &error)
            .next("mend what the message names, then give the same command again")
    })
}
