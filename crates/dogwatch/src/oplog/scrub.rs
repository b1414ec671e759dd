//! Secrets, removed from what is logged.
//!
//! These rules know what secrets look like, not which ones there are. They rather remove too much: a log line is never the only place
//! of anything.

use std::borrow::Cow;
use std::sync::LazyLock;

use regex::Regex;
use serde_json::Value;

/// The version of the rules; it stands in every line.
pub(super) const REDACTION_VERSION: &str = "redaction.v1";

/// What stands where a secret stood.
pub(super) const REDACTED: &str = "[redacted]";

/// The longest text kept in a line.
const MAX_TEXT: usize = 8 * 1024;

/// How deep `meta` may be; what is deeper is left out.
const MAX_DEPTH: usize = 16;

struct Rule {
    pattern: Regex,
    replacement: &'static str,
}

static RULES: LazyLock<Vec<Rule>> = LazyLock::new(|| {
    [
        // `Authorization: Bearer x`, also as JSON or as Rust prints it.
        (
            r#"(?i)((?:proxy-)?authorization["']?[ ]*[:=][ ]*(?:some\()?["']?)(?:(?:bearer|basic|token|digest)[ ]+)?[^ "',;)\r\n]+"#,
            "${1}[redacted]",
        ),
        (r#"(?i)(bearer[ ]+)[^ "',;)\r\n]+"#, "${1}[redacted]"),
        (r#"(?i)((?:set-)?cookie["']?[ ]*[:=][ ]*["']?)[^"'\r\n]+"#, "${1}[redacted]"),
        // dogwatch's own tokens, wherever they stand.
        (r"dw[tr]_[A-Za-z0-9_.\-]{20,}", "[redacted]"),
        // Forms that give themselves away.
        (r"gh[pousr]_[A-Za-z0-9]{20,}", "[redacted]"),
        (r"github_pat_[A-Za-z0-9_]{20,}", "[redacted]"),
        (r"sk-[A-Za-z0-9_\-]{20,}", "[redacted]"),
        (r"AKIA[0-9A-Z]{16}", "[redacted]"),
        (
            r"(?s)-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)",
            "[redacted]",
        ),
        // `https://user:password@host`.
        (r"(://[^/@ :]*:)[^/@ ]+@", "${1}[redacted]@"),
        // `?token=x`, `password: "x"`, `"api_key":"x"`.
        (
            r#"(?i)((?:token|secret|password|passwd|passphrase|api[_-]?key|access[_-]?key|private[_-]?key|credentials?)["']?[ ]*[:=][ ]*(?:some\()?)(?:"(?:[^"\\]|\\.)*"?|'[^']*'?|[^ "'&,;)}\]\r\n]+)"#,
            "${1}[redacted]",
        ),
        (r#"(?i)([?&](?:key|sig|signature|code)=)[^&# "']+"#, "${1}[redacted]"),
    ]
    .into_iter()
    .map(|(pattern, replacement)| Rule {
        pattern: Regex::new(pattern).expect("the rules are tested"),
        replacement,
    })
    .collect()
});

/// A text without what looks like a secret, of bounded length.
pub(super) fn text(text: &str) -> String {
    let mut scrubbed = Cow::Borrowed(text);
    for rule in RULES.iter() {
        if let Cow::Owned(changed) = rule.pattern.replace_all(&scrubbed, rule.replacement) {
            scrubbed = Cow::Owned(changed);
        }
    }
    // Cut afterwards, so that half a secret is not taken for something else.
    dogwatch_core::failure::clip(&scrubbed, MAX_TEXT)
}

/// A value of `meta` without what looks like a secret; whole, where its key does.
pub(super) fn value(key: &str, value: Value) -> Value {
    nested(key, value, 0)
}

fn nested(key: &str, value: Value, depth: usize) -> Value {
    if depth > MAX_DEPTH {
        return Value::from("[too deep]");
    }
    match value {
        Value::Null | Value::Bool(_) => value,
        Value::String(ref empty) if empty.is_empty() => value,
        _ if is_secret(key) => Value::from(REDACTED),
        Value::Number(_) => value,
        Value::String(string) => Value::from(text(&string)),
        Value::Array(values) => values
            .into_iter()
            .map(|value| nested(key, value, depth + 1))
            .collect(),
        Value::Object(fields) => fields
            .into_iter()
            .map(|(key, value)| {
                let value = nested(&key, value, depth + 1);
                (text(&key), value)
            })
            .collect(),
    }
}

/// Whether a key names a secret. Its id, its number and its name are none.
fn is_secret(key: &str) -> bool {
    let words = words(key);
    let harmless = words
        .last()
        .is_some_and(|last| matches!(last.as_str(), "id" | "ids" | "count" | "name" | "kind"));
    let named = words.iter().any(|word| {
        matches!(
            word.as_str(),
            "password"
                | "passwd"
                | "passphrase"
                | "secret"
                | "secrets"
                | "token"
                | "authorization"
                | "bearer"
                | "cookie"
                | "credential"
                | "credentials"
                | "apikey"
        )
    });
    let key_of = words.windows(2).any(|pair| {
        pair[1] == "key" && matches!(pair[0].as_str(), "api" | "access" | "private" | "signing")
    });
    !harmless && (named || key_of)
}

/// `apiKey`, `api-key`, `API_KEY` and `api.key` are the same words.
fn words(key: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut after_small = false;
    for character in key.chars() {
        let separates = !character.is_alphanumeric();
        if separates || (character.is_uppercase() && after_small) {
            words.push(String::new());
        }
        after_small = character.is_lowercase() || character.is_ascii_digit();
        if !separates && let Some(word) = words.last_mut() {
            word.extend(character.to_lowercase());
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_looks_like_a_secret_is_removed_and_the_rest_stays() {
        let token = "dwt_0123456789abcdefghij.KLM-nop";
        for (given, kept) in [
            ("Authorization: Bearer hunter2", "Authorization: [redacted]"),
            (
                r#"{"authorization":"Basic aHVudGVyMg=="}"#,
                r#"{"authorization":"[redacted]"}"#,
            ),
            ("sent bearer hunter2 twice", "sent bearer [redacted] twice"),
            (
                &format!("with {token}, refused"),
                "with [redacted], refused",
            ),
            (
                "dwr_aaaaaaaaaaaaaaaaaaaaaaaa is a runner's",
                "[redacted] is a runner's",
            ),
            (
                "GET /v1/jobs?token=hunter2&limit=3",
                "GET /v1/jobs?token=[redacted]&limit=3",
            ),
            ("/x?api_key=hunter2#end", "/x?api_key=[redacted]"),
            ("/x?code=hunter2&a=b", "/x?code=[redacted]&a=b"),
            (
                r#"password: "two \"words\"", then more"#,
                r"password: [redacted], then more",
            ),
            (
                r#"Login { secret: Some("hunter2"), name: "me" }"#,
                r#"Login { secret: Some([redacted]), name: "me" }"#,
            ),
            (
                "postgres://me:hunter2@host/db",
                "postgres://me:[redacted]@host/db",
            ),
            ("cookie: a=hunter2; b=c", "cookie: [redacted]"),
            ("the token is unknown", "the token is unknown"),
            ("token_id=tok_123 is known", "token_id=tok_123 is known"),
        ] {
            assert_eq!(text(given), kept);
        }
    }

    #[test]
    fn keys_that_name_secrets_lose_their_values_at_any_depth() {
        let given = json!({
            "apiKey": 12345,
            "token": ["hunter2"],
            "DB_PASSWORD": "hunter2",
            "nested": [{"client-secret": {"a": "hunter2"}}],
            "token_id": "tok_1",
            "input_tokens": 7,
            "secret": "",
        });
        assert_eq!(
            value("fields", given),
            json!({
                "apiKey": REDACTED,
                "token": REDACTED,
                "DB_PASSWORD": REDACTED,
                "nested": [{"client-secret": REDACTED}],
                "token_id": "tok_1",
                "input_tokens": 7,
                "secret": "",
            })
        );
    }

    #[test]
    fn a_secret_at_the_cut_is_gone_before_it_is_cut() {
        let long = format!("{}dwt_{}", "x".repeat(MAX_TEXT - 30), "y".repeat(40));
        assert!(!text(&long).contains("dwt_"));
        assert!(text(&"z".repeat(MAX_TEXT * 2)).len() <= MAX_TEXT);
    }
}
