//! What keeps other web pages away from a server on the local machine: checked before anything else, and refused when in doubt.
//!
//! A page that a person has open can send requests to loopback addresses, and a name it owns can be made to resolve to one. So a request
//! has to name this server in `Host`, must not come from another origin, and cannot be one that a plain HTML form can send.

mod content;
mod host;
mod origin;

use axum::http::request::Parts;

use crate::limits::Limits;
use crate::problem::HttpProblem;
use crate::problem_codes::{TARGET_INVALID, URL_TOO_LONG};

pub(crate) use content::{check as check_content, too_large};
pub use host::AllowedHosts;
pub(crate) use host::Door;

/// Judges a request by its head alone.
pub(crate) fn check(
    parts: &Parts,
    door: &Door,
    hosts: &AllowedHosts,
    limits: &Limits,
) -> Result<(), HttpProblem> {
    // An absolute target would name a server a second time, and readers differ in which of the two counts.
    if parts.uri.authority().is_some() || !parts.uri.path().starts_with('/') {
        return Err(TARGET_INVALID.because("the request line names more, or less, than a path"));
    }
    let length = parts.uri.path_and_query().map_or(0, |it| it.as_str().len());
    if length > limits.url_bytes {
        let most = limits.url_bytes;
        return Err(URL_TOO_LONG.because(format!(
            "the path and query have {length} bytes, more than {most}"
        )));
    }
    let host = host::check(&parts.headers, door, hosts)?;
    origin::check(&parts.headers, &host, hosts)
}
