//! Operating-system strings in JSON: text as text, anything else as hex digits, so that no byte is lost.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A path, an argument or a variable: any bytes. In JSON it is a string when it is UTF-8 and `{"hex": "..."}` otherwise.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RawText(OsString);

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Form {
    Text(String),
    Hex(Hex),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Hex {
    hex: String,
}

impl RawText {
    /// The string.
    pub fn as_os_str(&self) -> &OsStr {
        &self.0
    }

    /// The string as a path.
    pub fn as_path(&self) -> &Path {
        Path::new(&self.0)
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl fmt::Debug for RawText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl From<OsString> for RawText {
    fn from(text: OsString) -> Self {
        Self(text)
    }
}

impl From<&OsStr> for RawText {
    fn from(text: &OsStr) -> Self {
        Self(text.to_owned())
    }
}

impl From<PathBuf> for RawText {
    fn from(path: PathBuf) -> Self {
        Self(path.into_os_string())
    }
}

impl From<&Path> for RawText {
    fn from(path: &Path) -> Self {
        Self(path.as_os_str().to_owned())
    }
}

impl From<&str> for RawText {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

impl From<String> for RawText {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

impl Serialize for RawText {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0.to_str() {
            Some(text) => serializer.serialize_str(text),
            None => {
                let digits = self.as_bytes().iter().map(|byte| format!("{byte:02x}"));
                Hex {
                    hex: digits.collect(),
                }
                .serialize(serializer)
            }
        }
    }
}

impl<'de> Deserialize<'de> for RawText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Form::deserialize(deserializer)? {
            Form::Text(text) => Ok(Self(text.into())),
            Form::Hex(Hex { hex }) => unhex(&hex)
                .map(|bytes| Self(OsString::from_vec(bytes)))
                .ok_or_else(|| de::Error::custom("an even number of hex digits is expected")),
        }
    }
}

fn unhex(digits: &str) -> Option<Vec<u8>> {
    let (pairs, odd) = digits.as_bytes().as_chunks::<2>();
    if !odd.is_empty() {
        return None;
    }
    let digit = |byte: u8| char::from(byte).to_digit(16);
    pairs
        .iter()
        .map(|[high, low]| u8::try_from(digit(*high)? * 16 + digit(*low)?).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_stays_text_and_other_bytes_become_hex() {
        let round = |bytes: &[u8]| {
            let text = RawText(OsString::from_vec(bytes.to_vec()));
            let json = serde_json::to_string(&text).unwrap();
            assert_eq!(serde_json::from_str::<RawText>(&json).unwrap(), text);
            json
        };
        assert_eq!(round("a b\n\u{e4}".as_bytes()), "\"a b\\n\u{e4}\"");
        assert_eq!(round(b"\xffx"), r#"{"hex":"ff78"}"#);
    }

    #[test]
    fn half_bytes_and_other_keys_are_refused() {
        for json in [
            r#"{"hex":"f"}"#,
            r#"{"hex":"fg"}"#,
            r#"{"hex":"ff","x":1}"#,
            "1",
        ] {
            assert!(serde_json::from_str::<RawText>(json).is_err(), "{json}");
        }
    }
}
