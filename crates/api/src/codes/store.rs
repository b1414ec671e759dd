//! The database and the blobs.

use super::info::codes;

codes! {
    store_unreadable "The database cannot be opened" {
        "The database of the data directory is there and cannot be used. It is never taken for empty."
        next "Keep a copy of the data directory, then run `dogwatch doctor`."
    }
    store_corrupt(500) "Something stored cannot be read" {
        "A row or an event of the database is damaged or contradicts another. Nothing was changed."
        next "Keep a copy of the data directory and run `dogwatch doctor`."
    }
    store_version(500) "The database is of another version" {
        "The database was written by a newer dogwatch, or the SQLite library is one that must not be used."
        next "Use the version of dogwatch that belongs to the data directory."
    }
    store_unavailable(503) "The database does not answer" {
        "The disk is full, the database is locked, or the process is ending. Nothing was changed."
        next "Check free space of the data directory, then try again."
    }
    bad_cursor(400) "The cursor is of no page of this list" {
        "A page was asked for with a cursor that this list never gave."
        next "Start again without a cursor."
    }
    idempotency_conflict(409) "The idempotency key was used for something else" {
        "The key was sent before with a different request. Nothing was done for this one."
        next "Use a new key, or send the same request again."
    }
    blob_not_found(404) "There is no such blob" {
        "Nothing with this SHA-256 is stored, or not for a project the caller may see."
        next "Check the digest; what was deleted by retention does not come back."
    }
    blob_digest_mismatch(400) "The blob is not what its name says" {
        "The SHA-256 of the bytes that were sent is not the one they were sent under. Nothing was stored."
        next "Send the bytes again, under their own digest."
    }
    blob_corrupt(500) "A stored blob is damaged" {
        "What is stored under the digest is something else, so it is never handed out."
        next "Send the blob again: a damaged copy is replaced. Then look at the disk."
    }
    blob_too_large(413) "The blob is too large" {
        "The payload is larger than this store takes. Nothing was stored."
        next "Split it, or leave it out: the message says how large a payload may be."
    }
    output_gap(409) "Output is missing" {
        "Output was sent that begins beyond the end of what is stored. Nothing was stored."
        next "Send the output from the offset on that the answer names."
    }
    output_fork(409) "Output differs from what is stored" {
        "Output was sent that differs from the bytes stored at its place. Nothing was stored."
        next "Look at who else writes for this run: there must be one writer only."
    }
    output_corrupt(500) "Stored output cannot be read" {
        "The stored output of a run is damaged. It is never taken for empty."
        next "Keep a copy of the data directory and run `dogwatch doctor`."
    }
    bundle_conflict(409) "The run has another bundle already" {
        "A bundle was sent for a run that has one with a different content. The first one stands."
        next "Look at who else ran the run; the stored bundle is not replaced."
    }
}
