//! Payloads by digest.

use dogwatch_api::Scope;

use crate::exchange::Exchange;
use crate::problem::HttpProblem;
use crate::reply::Reply;
use crate::route::{Access, Answer, Route};

/// The largest payload.
const MOST: u64 = 64 * 1024 * 1024;

const OCTETS: &str = "application/octet-stream";

pub(super) const ROUTES: &[Route] = &[
    Route::put(
        "putBlob",
        "/v1/blobs/{sha256}",
        "Keeps a payload under its digest. Repeating it changes nothing.",
        Access::AnyOf(&[Scope::Submit, Scope::Runner]),
        (MOST, Answer::Empty),
        |exchange| Box::pin(put(exchange)),
    ),
    Route::get(
        "getBlob",
        "/v1/blobs/{sha256}",
        "A payload.",
        Access::AnyOf(&[Scope::Read, Scope::Runner]),
        Answer::Bytes(OCTETS),
        |exchange| Box::pin(get(exchange)),
    ),
];

async fn put(exchange: Exchange) -> Result<Reply, HttpProblem> {
    let digest = exchange.parameter("sha256")?;
    let plane = exchange.plane()?;
    plane.put_blob(digest, exchange.bytes()?.to_vec()).await?;
    Ok(Reply::empty())
}

async fn get(exchange: Exchange) -> Result<Reply, HttpProblem> {
    let digest = exchange.parameter("sha256")?;
    let bytes = exchange.plane()?.blob(digest).await?;
    Ok(Reply::bytes(OCTETS, bytes))
}
