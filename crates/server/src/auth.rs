//! Who calls: a bearer token, looked up for every request.

use async_trait::async_trait;
use axum::http::HeaderMap;
use axum::http::header::{AUTHORIZATION, HeaderName, HeaderValue, WWW_AUTHENTICATE};
use dogwatch_api::Caller;
use dogwatch_core::event::Via;
use dogwatch_engine::AuthFailure;

use crate::problem::HttpProblem;
use crate::problem_codes::{
    SCOPE_MISSING, TOKEN_EXPIRED, TOKEN_REVOKED, TOKEN_UNKNOWN, UNAUTHENTICATED,
};
use crate::route::Access;

/// Another name for the bearer token, for programs that can only send that one.
const X_API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// No token is longer.
const TOKEN_BYTES: usize = 512;

/// Knows which tokens there are.
#[async_trait]
pub trait Authenticate: Send + Sync {
    /// The caller a token stands for, as of now.
    async fn authenticate(&self, token: &str, via: Via) -> Result<Caller, AuthFailure>;
}

/// A token as it was presented. It is never printed.
#[derive(Clone)]
pub(crate) struct Credential(String);

impl std::fmt::Debug for Credential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Credential(..)")
    }
}

impl Credential {
    /// The token of a request. It is taken from the headers alone: what stands in a URL ends up in logs and histories.
    pub(crate) fn of(headers: &HeaderMap) -> Result<Self, HttpProblem> {
        let mut bearer = headers.get_all(AUTHORIZATION).iter();
        let mut key = headers.get_all(X_API_KEY).iter();
        let token = match (bearer.next(), bearer.next(), key.next(), key.next()) {
            (Some(value), None, None, None) => after_scheme(value),
            (None, None, Some(value), None) => value.to_str().ok(),
            (None, None, None, None) => {
                return Err(unauthenticated("the request has no token"));
            }
            _ => return Err(unauthenticated("the request has more than one token")),
        };
        let token = token.filter(|token| {
            (1..=TOKEN_BYTES).contains(&token.len()) && token.bytes().all(|b| b.is_ascii_graphic())
        });
        token
            .map(|token| Self(token.to_owned()))
            .ok_or_else(|| unauthenticated("what the request gives is not a bearer token"))
    }

    /// The caller it stands for now.
    pub(crate) async fn caller(&self, tokens: &dyn Authenticate) -> Result<Caller, HttpProblem> {
        match tokens.authenticate(&self.0, Via::Http).await {
            Ok(caller) => Ok(caller),
            Err(AuthFailure::Unauthenticated) => Err(unauthenticated("the request has no token")),
            Err(AuthFailure::Unknown) => {
                Err(challenged(TOKEN_UNKNOWN.because("there is no such token")))
            }
            Err(AuthFailure::Expired) => {
                Err(challenged(TOKEN_EXPIRED.because("the token has expired")))
            }
            Err(AuthFailure::Revoked) => {
                Err(challenged(TOKEN_REVOKED.because("the token was revoked")))
            }
            Err(AuthFailure::Unavailable(problem)) => Err(problem.into()),
        }
    }
}

fn after_scheme(value: &HeaderValue) -> Option<&str> {
    let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token)
}

fn unauthenticated(detail: &str) -> HttpProblem {
    UNAUTHENTICATED.because(detail).with(
        WWW_AUTHENTICATE,
        HeaderValue::from_static("Bearer realm=\"dogwatch\""),
    )
}

fn challenged(problem: HttpProblem) -> HttpProblem {
    problem.with(
        WWW_AUTHENTICATE,
        HeaderValue::from_static("Bearer realm=\"dogwatch\", error=\"invalid_token\""),
    )
}

/// Whether the caller may use a route at all.
pub(crate) fn authorise(caller: &Caller, access: Access) -> Result<(), HttpProblem> {
    match access {
        Access::Public => Ok(()),
        Access::AnyOf(scopes) if scopes.iter().any(|scope| caller.may(*scope)) => Ok(()),
        Access::AnyOf(scopes) => {
            let names: Vec<_> = scopes.iter().map(|scope| scope.as_str()).collect();
            let names = names.join("` or `");
            Err(SCOPE_MISSING.because(format!("the token does not have the scope `{names}`")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(pairs: &[(&'static str, &str)]) -> Option<String> {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        Credential::of(&headers).ok().map(|credential| credential.0)
    }

    #[test]
    fn a_token_has_two_headers_to_come_in() {
        assert_eq!(
            token(&[("authorization", "Bearer abc")]).as_deref(),
            Some("abc")
        );
        assert_eq!(
            token(&[("authorization", "bearer abc")]).as_deref(),
            Some("abc")
        );
        assert_eq!(token(&[("x-api-key", "abc")]).as_deref(), Some("abc"));
    }

    #[test]
    fn all_else_is_no_token() {
        let long = format!("Bearer {}", "a".repeat(513));
        for bad in [
            "",
            "Bearer",
            "Bearer ",
            "Bearer  abc",
            "Bearer a b",
            "Basic abc",
            "abc",
            "Bearer ä",
            &long,
        ] {
            assert_eq!(token(&[("authorization", bad)]), None, "{bad}");
        }
        assert_eq!(token(&[]), None);
        assert_eq!(
            token(&[("authorization", "Bearer a"), ("authorization", "Bearer a")]),
            None
        );
        assert_eq!(
            token(&[("authorization", "Bearer a"), ("x-api-key", "a")]),
            None
        );
        assert_eq!(
            format!("{:?}", Credential("secret".to_owned())),
            "Credential(..)"
        );
    }
}
