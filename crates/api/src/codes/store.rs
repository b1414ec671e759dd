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
}
