//! Payloads by their digest.

use dogwatch_api::{Caller, Problem, Scope};
use dogwatch_core::Sha256Digest;

use crate::Engine;
use crate::problems;

impl Engine {
    /// Keeps a payload. Repeating it changes nothing.
    pub async fn put_blob(
        &self,
        caller: &Caller,
        digest: Sha256Digest,
        bytes: Vec<u8>,
    ) -> Result<(), Problem> {
        Self::allow_any(caller, &[Scope::Runner, Scope::Submit])?;
        self.blobs
            .put(digest, bytes)
            .await
            .map_err(problems::from_blob)
    }

    /// A payload. Who knows its digest has seen what names it, so there is no project to ask for.
    pub async fn blob(&self, caller: &Caller, digest: Sha256Digest) -> Result<Vec<u8>, Problem> {
        Self::allow_any(caller, &[Scope::Read, Scope::Runner])?;
        self.blobs
            .get(digest)
            .await
            .map_err(problems::from_blob)?
            .ok_or_else(|| blob_not_found(digest))
    }
}

pub(super) fn blob_not_found(digest: Sha256Digest) -> Problem {
    Problem::new(
        dogwatch_api::ProblemCode::NotFound,
        "blob_not_found",
        format!("there is no payload {digest}"),
        "send it with `PUT /v1/blobs/{sha256}` first",
    )
}
