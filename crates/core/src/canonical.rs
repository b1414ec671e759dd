//! Canonical bytes (RFC 8785, JCS) and the digests taken over them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

/// The largest integer JCS carries without rounding (2^53 - 1).
pub const MAX_SAFE_INTEGER: i64 = (1 << 53) - 1;

/// A value that has no canonical form.
#[derive(Debug, thiserror::Error)]
pub enum CanonicalError {
    /// RFC 8785 writes numbers as IEEE doubles, so a larger integer would silently change.
    #[error("integer {number} at `{path}` is beyond 2^53-1 and would be rounded")]
    UnsafeInteger {
        /// Where it stands.
        path: String,
        /// The number as given.
        number: String,
    },
    /// The value could not be represented as JSON at all.
    #[error("value has no JSON form")]
    NotJson(#[source] serde_json::Error),
}

/// The canonical bytes of a serialisable value.
pub fn to_bytes<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, CanonicalError> {
    let value = serde_json::to_value(value).map_err(CanonicalError::NotJson)?;
    value_to_bytes(&value)
}

/// The canonical bytes of a JSON value.
pub fn value_to_bytes(value: &Value) -> Result<Vec<u8>, CanonicalError> {
    refuse_unsafe_integers(value, "$")?;
    serde_json_canonicalizer::to_vec(value).map_err(CanonicalError::NotJson)
}

fn refuse_unsafe_integers(value: &Value, path: &str) -> Result<(), CanonicalError> {
    match value {
        Value::Number(number) => {
            let safe = match (number.as_i64(), number.as_u64()) {
                (Some(signed), _) => (-MAX_SAFE_INTEGER..=MAX_SAFE_INTEGER).contains(&signed),
                (None, Some(_)) => false,
                (None, None) => true,
            };
            if safe {
                Ok(())
            } else {
                Err(CanonicalError::UnsafeInteger {
                    path: path.to_owned(),
                    number: number.to_string(),
                })
            }
        }
        Value::Array(items) => items.iter().enumerate().try_for_each(|(index, item)| {
            refuse_unsafe_integers(item, &format!("{path}[{index}]"))
        }),
        Value::Object(fields) => fields
            .iter()
            .try_for_each(|(key, field)| refuse_unsafe_integers(field, &format!("{path}.{key}"))),
        Value::Null | Value::Bool(_) | Value::String(_) => Ok(()),
    }
}

/// A SHA-256 digest, written as 64 lower-case hex digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sha256Digest([u8; 32]);

/// Text that is not 64 lower-case hex digits.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not a SHA-256 digest of 64 lower-case hex digits")]
pub struct ParseDigestError(String);

impl Sha256Digest {
    /// The digest of some bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// The digest of several byte strings, one after the other.
    pub fn of_parts(parts: &[&[u8]]) -> Self {
        let mut hasher = Sha256::new();
        for part in parts {
            hasher.update(part);
        }
        Self(hasher.finalize().into())
    }

    /// A digest from its raw bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The raw bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for Sha256Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for Sha256Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Sha256Digest {
    type Err = ParseDigestError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refused = || ParseDigestError(text.to_owned());
        if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return Err(refused());
        }
        let bytes = hex::decode(text).map_err(|_| refused())?;
        bytes.try_into().map(Self).map_err(|_| refused())
    }
}

impl Serialize for Sha256Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Sha256Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(de::Error::custom)
    }
}

impl schemars::JsonSchema for Sha256Digest {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Sha256Digest".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({"type": "string", "pattern": "^[0-9a-f]{64}$"})
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn keys_are_sorted_and_numbers_normalised() {
        let bytes = value_to_bytes(&json!({"b": 1.0, "a": [true, null]})).unwrap();
        assert_eq!(bytes, br#"{"a":[true,null],"b":1}"#);
    }

    #[test]
    fn integers_that_jcs_would_round_are_refused_with_their_path() {
        let error = value_to_bytes(&json!({"limits": {"money": 9_007_199_254_740_992_i64}}))
            .unwrap_err()
            .to_string();
        assert!(error.contains("$.limits.money"), "{error}");
        assert!(value_to_bytes(&json!(MAX_SAFE_INTEGER)).is_ok());
        assert!(value_to_bytes(&json!(u64::MAX)).is_err());
    }

    #[test]
    fn digests_read_back_and_refuse_upper_case() {
        let digest = Sha256Digest::of(b"abc");
        assert_eq!(digest.to_string().parse::<Sha256Digest>().unwrap(), digest);
        assert!(
            digest
                .to_string()
                .to_uppercase()
                .parse::<Sha256Digest>()
                .is_err()
        );
    }
}
