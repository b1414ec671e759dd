//! Secrets of tokens: 256 random bits of the operating system.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use dogwatch_api::{Problem, ProblemCode};

/// How a token begins that somebody made.
pub(crate) const TOKEN_PREFIX: &str = "dwt_";

/// A fresh secret, as it is presented.
pub(crate) fn fresh_secret() -> Result<String, Problem> {
    let mut random = [0; 32];
    getrandom::fill(&mut random).map_err(|error| {
        Problem::new(
            ProblemCode::Unavailable,
            "unavailable",
            format!("the operating system gives no random bytes: {error}"),
            "try again",
        )
    })?;
    Ok(format!("{TOKEN_PREFIX}{}", URL_SAFE_NO_PAD.encode(random)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_whole_and_never_the_same() {
        let (one, two) = (fresh_secret().unwrap(), fresh_secret().unwrap());
        assert_ne!(one, two);
        let encoded = one.strip_prefix(TOKEN_PREFIX).unwrap();
        assert_eq!(URL_SAFE_NO_PAD.decode(encoded).unwrap().len(), 32);
    }
}
