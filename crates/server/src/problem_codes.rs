//! The codes that the HTTP layer itself answers with. Codes of use-cases come from the control plane.

use axum::http::StatusCode;
use dogwatch_api::ProblemCode;

use crate::problem::HttpProblem;

/// A code of the HTTP layer.
#[derive(Clone, Copy, Debug)]
pub struct HttpCode {
    /// Stable, in snake case; append only.
    pub code: &'static str,
    /// The status it is sent with.
    pub status: StatusCode,
    /// What the caller can do about it.
    pub kind: ProblemCode,
    /// What to do next.
    pub next_action: &'static str,
}

impl HttpCode {
    /// The problem, with what happened.
    pub(crate) fn because(&self, detail: impl Into<String>) -> HttpProblem {
        HttpProblem::of(self, detail)
    }
}

macro_rules! codes {
    ($($name:ident = $code:literal, $status:ident, $kind:ident, $next:literal;)*) => {
        $(pub(crate) const $name: HttpCode = HttpCode {
            code: $code, status: StatusCode::$status, kind: ProblemCode::$kind, next_action: $next,
        };)*

        /// Every code of the HTTP layer.
        pub const CODES: &[HttpCode] = &[$($name),*];
    };
}

codes! {
    REQUEST_MALFORMED = "request_malformed", BAD_REQUEST, Invalid, "send a well-formed HTTP/1.1 request";
    HEADERS_TOO_LARGE = "headers_too_large", REQUEST_HEADER_FIELDS_TOO_LARGE, Invalid, "send fewer or shorter headers";
    HEADERS_TIMEOUT = "headers_timeout", REQUEST_TIMEOUT, Invalid, "send the whole request at once";
    URL_TOO_LONG = "url_too_long", URI_TOO_LONG, Invalid, "send long values in the body";
    TARGET_INVALID = "target_invalid", BAD_REQUEST, Invalid, "name the path alone in the request line, and the server in `Host`";
    HOST_INVALID = "host_invalid", BAD_REQUEST, Invalid, "send exactly one `Host` header";
    HOST_FORBIDDEN = "host_forbidden", FORBIDDEN, Forbidden, "use the address the server printed, or add the name to its allowed hosts";
    ORIGIN_FORBIDDEN = "origin_forbidden", FORBIDDEN, Forbidden, "use the API from a program, or from the server's own pages";
    CROSS_SITE_FORBIDDEN = "cross_site_forbidden", FORBIDDEN, Forbidden, "use the API from a program, or from the server's own pages";
    UNAUTHENTICATED = "unauthenticated", UNAUTHORIZED, Unauthenticated, "send `Authorization: Bearer TOKEN`; make one with `dogwatch token create`";
    TOKEN_UNKNOWN = "token_unknown", UNAUTHORIZED, Unauthenticated, "check that the token belongs to this server, or make one with `dogwatch token create`";
    TOKEN_EXPIRED = "token_expired", UNAUTHORIZED, Unauthenticated, "make a new one with `dogwatch token create`";
    TOKEN_REVOKED = "token_revoked", UNAUTHORIZED, Unauthenticated, "make a new one with `dogwatch token create`";
    SCOPE_MISSING = "scope_missing", FORBIDDEN, Forbidden, "use a token that has the scope";
    ROUTE_NOT_FOUND = "route_not_found", NOT_FOUND, NotFound, "see /v1/openapi.json for what there is";
    METHOD_NOT_ALLOWED = "method_not_allowed", METHOD_NOT_ALLOWED, Invalid, "use a method that the `Allow` header names";
    PATH_INVALID = "path_invalid", BAD_REQUEST, Invalid, "send the id as it was printed";
    QUERY_INVALID = "query_invalid", BAD_REQUEST, Invalid, "see /v1/openapi.json for the parameters of this route";
    HEADER_INVALID = "header_invalid", BAD_REQUEST, Invalid, "see /v1/openapi.json for the headers of this route";
    CONTENT_TYPE_UNSUPPORTED = "content_type_unsupported", UNSUPPORTED_MEDIA_TYPE, Unsupported, "send the `Content-Type` that /v1/openapi.json names";
    CONTENT_ENCODING_UNSUPPORTED = "content_encoding_unsupported", UNSUPPORTED_MEDIA_TYPE, Unsupported, "send the body as it is, without compression";
    BODY_NOT_EXPECTED = "body_not_expected", BAD_REQUEST, Invalid, "send the request without a body";
    BODY_TOO_LARGE = "body_too_large", PAYLOAD_TOO_LARGE, TooLarge, "send less at once; large content goes to /v1/blobs";
    BODY_TIMEOUT = "body_timeout", REQUEST_TIMEOUT, Invalid, "send the body without long pauses";
    BODY_UNREADABLE = "body_unreadable", BAD_REQUEST, Invalid, "send as many bytes as were announced";
    JSON_INVALID = "json_invalid", BAD_REQUEST, Invalid, "send one well-formed JSON document in UTF-8";
    JSON_TOO_DEEP = "json_too_deep", BAD_REQUEST, Invalid, "send a document with fewer levels";
    REQUEST_INVALID = "request_invalid", BAD_REQUEST, Invalid, "compare the body with the route's schema in /v1/openapi.json";
    REQUEST_TIMEOUT = "request_timeout", SERVICE_UNAVAILABLE, Unavailable, "look whether it was done, or send the same request again with the same `Idempotency-Key`";
    NOT_READY = "not_ready", SERVICE_UNAVAILABLE, Unavailable, "wait and try again";
    SERVER_STOPPING = "server_stopping", SERVICE_UNAVAILABLE, Unavailable, "try again when the server is up";
    INTERNAL_ERROR = "internal_error", INTERNAL_SERVER_ERROR, Internal, "look for the request's id in the server's log, and report it";
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_code_is_there_once_and_its_status_is_an_error() {
        let names: BTreeSet<_> = CODES.iter().map(|code| code.code).collect();
        assert_eq!(names.len(), CODES.len());
        for code in CODES {
            assert!(
                code.status.is_client_error() || code.status.is_server_error(),
                "{}",
                code.code
            );
            assert!(
                code.code
                    .bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte == b'_')
            );
        }
    }
}
