//! Paths as git and Linux have them: any bytes but NUL, shown so that nothing in them can fool a reader or a terminal.

use std::ffi::{OsStr, OsString};
use std::fmt::{self, Write as _};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};

use serde::de::{self, Deserializer};
use serde::ser::{SerializeMap as _, Serializer};
use serde::{Deserialize, Serialize};

/// A path of arbitrary bytes. In JSON it is a string when it is UTF-8 and `{"hex": ...}` when it is not.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PathBytes(Vec<u8>);

impl PathBytes {
    /// A path from its bytes.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self(bytes.into())
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The path for the operating system.
    pub fn as_path(&self) -> &Path {
        Path::new(OsStr::from_bytes(&self.0))
    }

    /// The path as text, if it is UTF-8.
    pub fn as_str(&self) -> Option<&str> {
        std::str::from_utf8(&self.0).ok()
    }
}

impl From<&Path> for PathBytes {
    fn from(path: &Path) -> Self {
        Self(path.as_os_str().as_bytes().to_vec())
    }
}

impl From<PathBuf> for PathBytes {
    fn from(path: PathBuf) -> Self {
        Self(path.into_os_string().into_vec())
    }
}

impl From<&[u8]> for PathBytes {
    fn from(bytes: &[u8]) -> Self {
        Self(bytes.to_vec())
    }
}

impl From<&str> for PathBytes {
    fn from(text: &str) -> Self {
        Self(text.as_bytes().to_vec())
    }
}

impl From<PathBytes> for PathBuf {
    fn from(path: PathBytes) -> Self {
        Self::from(OsString::from_vec(path.0))
    }
}

/// Characters that a terminal or a reader does not see as what they are.
fn is_deceptive(character: char) -> bool {
    character.is_control()
        || matches!(
            u32::from(character),
            // Soft hyphen, Arabic letter mark, Mongolian and zero-width marks, bidi controls and isolates, line separators,
            // invisible operators, byte order mark, interlinear marks, variation selectors, tags.
            0xAD | 0x34F
                | 0x61C
                | 0x115F
                | 0x1160
                | 0x17B4
                | 0x17B5
                | 0x180B..=0x180F
                | 0x200B..=0x200F
                | 0x2028..=0x202E
                | 0x2060..=0x206F
                | 0x3164
                | 0xFE00..=0xFE0F
                | 0xFEFF
                | 0xFFA0
                | 0xFFF0..=0xFFFB
                | 0xE0000..=0xE0FFF
        )
}

impl fmt::Display for PathBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for chunk in self.0.utf8_chunks() {
            for character in chunk.valid().chars() {
                match character {
                    '\\' => f.write_str("\\\\")?,
                    '\n' => f.write_str("\\n")?,
                    '\r' => f.write_str("\\r")?,
                    '\t' => f.write_str("\\t")?,
                    other if other.is_ascii_control() => write!(f, "\\x{:02x}", u32::from(other))?,
                    other if is_deceptive(other) => write!(f, "\\u{{{:x}}}", u32::from(other))?,
                    other => f.write_char(other)?,
                }
            }
            for byte in chunk.invalid() {
                write!(f, "\\x{byte:02x}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for PathBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

impl Serialize for PathBytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.as_str() {
            Some(text) => serializer.serialize_str(text),
            None => {
                let mut map = serializer.serialize_map(Some(1))?;
                map.serialize_entry("hex", &hex::encode(&self.0))?;
                map.end()
            }
        }
    }
}

impl<'de> Deserialize<'de> for PathBytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Hex {
            hex: String,
        }
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Form {
            Text(String),
            Hex(Hex),
        }
        match Form::deserialize(deserializer)? {
            Form::Text(text) => Ok(Self(text.into_bytes())),
            Form::Hex(Hex { hex }) => hex::decode(hex).map(Self).map_err(de::Error::custom),
        }
    }
}

/// Some paths out of possibly very many, with the true number.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PathList {
    /// How many there are.
    pub count: u64,
    /// The first of them.
    pub sample: Vec<PathBytes>,
}

impl PathList {
    /// How many paths a report names before it only counts.
    pub const SAMPLE: usize = 1_000;

    /// Whether there is none.
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    pub(crate) fn push(&mut self, path: &[u8]) {
        self.push_within(path, Self::SAMPLE);
    }

    pub(crate) fn push_within(&mut self, path: &[u8], cap: usize) {
        self.count += 1;
        if self.sample.len() < cap {
            self.sample.push(path.into());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_obey_is_shown_instead() {
        let path = PathBytes::new("a\n\x1b]0;x\x07\u{202e}gpj\u{200b}\\".as_bytes());
        assert_eq!(
            path.to_string(),
            "a\\n\\x1b]0;x\\x07\\u{202e}gpj\\u{200b}\\\\"
        );
        assert_eq!(PathBytes::new(*b"caf\xe9").to_string(), "caf\\xe9");
        assert_eq!(PathBytes::from("src/größe.rs").to_string(), "src/größe.rs");
    }

    #[test]
    fn both_json_forms_read_back() {
        for bytes in [&b"src/lib.rs"[..], b"\xff\xfe", b""] {
            let path = PathBytes::new(bytes);
            let json = serde_json::to_string(&path).unwrap();
            assert_eq!(
                serde_json::from_str::<PathBytes>(&json).unwrap(),
                path,
                "{json}"
            );
        }
        assert_eq!(
            serde_json::to_string(&PathBytes::new(*b"\xff")).unwrap(),
            r#"{"hex":"ff"}"#
        );
    }
}
