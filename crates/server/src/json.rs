//! JSON bodies: their depth is known before they are read, and what is wrong with them is said with its place.

use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::error::Category;

use crate::problem::HttpProblem;
use crate::problem_codes::{JSON_INVALID, JSON_TOO_DEEP, REQUEST_INVALID};

/// As much of a reader's complaint as a client is told.
const COMPLAINT: usize = 400;

/// Whether no array or object lies deeper than `max` levels. Text that is not JSON is judged no better than a reader would.
pub(crate) fn is_within(text: &[u8], max: usize) -> bool {
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for byte in text {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            _ if in_string => {}
            b'[' | b'{' => {
                depth += 1;
                if depth > max {
                    return false;
                }
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    true
}

/// Reads a body.
pub(crate) fn read<T: DeserializeOwned>(text: &[u8], depth: usize) -> Result<T, HttpProblem> {
    if !is_within(text, depth) {
        let detail = format!("the body has more than {depth} levels of arrays and objects");
        return Err(JSON_TOO_DEEP.because(detail));
    }
    let mut reader = serde_json::Deserializer::from_slice(text);
    let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let place = error.path().to_string();
        let inner = error.into_inner();
        let complaint = dogwatch_core::failure::clip(&inner.to_string(), COMPLAINT);
        // Where a word of a few is expected, the reader takes anything else for bad syntax.
        let is_json = serde_json::from_slice::<IgnoredAny>(text).is_ok();
        if !is_json && inner.classify() != Category::Data {
            JSON_INVALID.because(format!("the body is not JSON: {complaint}"))
        } else if place == "." {
            REQUEST_INVALID.because(format!("the body is not what is expected: {complaint}"))
        } else {
            REQUEST_INVALID.because(format!("`{place}` is not what is expected: {complaint}"))
        }
    })?;
    reader
        .end()
        .map_err(|_| JSON_INVALID.because("something follows the JSON document in the body"))?;
    Ok(value)
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn nested(levels: usize) -> Vec<u8> {
        ("[".repeat(levels) + &"]".repeat(levels)).into_bytes()
    }

    #[test]
    fn depth_counts_levels_and_not_brackets() {
        assert!(is_within(&nested(32), 32));
        assert!(!is_within(&nested(33), 32));
        assert!(is_within("[]".repeat(100).as_bytes(), 1));
        assert!(is_within(br#"{"a": "[[[[\"[[[["}"#, 1));
        assert!(is_within(br#"["\\", [1]]"#, 2));
        assert!(!is_within(br#"["\\", [1]]"#, 1));
    }

    #[test]
    fn what_is_wrong_has_a_code() {
        let code =
            |text: &[u8]| read::<Vec<u8>>(text, 32).map_err(|problem| problem.code().to_owned());
        assert_eq!(code(b"[1, 2]"), Ok(vec![1, 2]));
        assert_eq!(code(&nested(64)), Err("json_too_deep".to_owned()));
        for bad in [&b""[..], b"[1", b"[1] 2", b"\xff", b"nul"] {
            let refused = code(bad);
            assert_eq!(refused, Err("json_invalid".to_owned()), "{bad:?}");
        }
        let word = read::<dogwatch_api::Verdict>(b"7", 32).unwrap_err();
        assert_eq!(word.code(), "request_invalid");
        for bad in [
            &b"[256]"[..],
            b"{}",
            b"[\"1\"]",
            b"[-1]",
            b"[1.5]",
            b"[1e999]",
        ] {
            assert_eq!(code(bad), Err("request_invalid".to_owned()), "{bad:?}");
        }
    }

    #[test]
    fn the_place_of_the_mistake_is_named() {
        let refused = read::<std::collections::BTreeMap<String, Vec<u8>>>(br#"{"a": [1, "x"]}"#, 8);
        let document = refused.unwrap_err().document();
        assert!(
            document["detail"].as_str().unwrap().contains("`a[1]`"),
            "{document}"
        );
        assert!(read::<Value>(b"null", 8).is_ok());
    }
}
