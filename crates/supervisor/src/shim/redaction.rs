//! No secret reaches the disk through the shim: not with the output, and not with what the record and the log say.

use dogwatch_core::redact::{NoSecrets, Redactor, SecretRedactor, SecretSet};

use crate::record::{Cause, ExitRecord};

/// What captured bytes pass through.
pub(super) fn redactor(secrets: &SecretSet) -> Box<dyn Redactor> {
    if secrets.is_empty() {
        Box::new(NoSecrets)
    } else {
        Box::new(SecretRedactor::new(secrets.clone()))
    }
}

/// Takes secrets out of every text of a record that others had a say in: the command line, reasons given, names of processes.
pub(super) fn redact_record(record: &mut ExitRecord, secrets: &SecretSet) {
    let redact = |text: &mut String| redact_string(text, secrets);
    match &mut record.cause {
        Cause::Stopped { reason } => redact(reason),
        Cause::SpawnFailed { message, .. } | Cause::CaptureFailed { message } => redact(message),
        Cause::ContainmentMissing { reasons, .. } => reasons.iter_mut().for_each(redact),
        Cause::Exited { .. }
        | Cause::Signalled { .. }
        | Cause::Budget
        | Cause::Stalled { .. }
        | Cause::Fenced
        | Cause::Lost => {}
    }
    if let Some(reached) = &mut record.containment {
        reached.missing.iter_mut().for_each(redact);
    }
    record.leftovers.names.iter_mut().for_each(redact);
    record.leftovers.unknown.iter_mut().for_each(redact);
    record.rung_refused.iter_mut().for_each(redact);
}

/// Replaces the text if a secret stands in it.
pub(super) fn redact_string(text: &mut String, secrets: &SecretSet) {
    if let std::borrow::Cow::Owned(clean) = secrets.redact_text(text) {
        *text = clean;
    }
}
