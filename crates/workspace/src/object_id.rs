//! Object ids of git, in either of its two hash formats.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use sha1::{Digest as _, Sha1};
use sha2::Sha256;

/// Which hash a repository names its objects with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ObjectFormat {
    /// 40 hex digits.
    Sha1,
    /// 64 hex digits.
    Sha256,
}

impl ObjectFormat {
    /// The name git uses.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sha1 => "sha1",
            Self::Sha256 => "sha256",
        }
    }

    /// How many hex digits an id has.
    pub const fn hex_len(self) -> usize {
        match self {
            Self::Sha1 => 40,
            Self::Sha256 => 64,
        }
    }
}

impl fmt::Display for ObjectFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The name of a git object.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ObjectId {
    /// An id of a SHA-1 repository.
    Sha1([u8; 20]),
    /// An id of a SHA-256 repository.
    Sha256([u8; 32]),
}

/// Text that is not an object id.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not an object id of 40 or 64 lower-case hex digits")]
pub struct ParseObjectIdError {
    text: String,
}

impl ObjectId {
    /// The format this id belongs to.
    pub const fn format(&self) -> ObjectFormat {
        match self {
            Self::Sha1(_) => ObjectFormat::Sha1,
            Self::Sha256(_) => ObjectFormat::Sha256,
        }
    }

    /// The raw bytes.
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Sha1(bytes) => bytes,
            Self::Sha256(bytes) => bytes,
        }
    }

    /// An id from ASCII hex digits, as git prints them.
    pub fn from_hex(hex: &[u8]) -> Result<Self, ParseObjectIdError> {
        std::str::from_utf8(hex)
            .map_err(|_| ParseObjectIdError {
                text: String::from_utf8_lossy(hex).into_owned(),
            })?
            .parse()
    }
}

impl fmt::Display for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.as_bytes()))
    }
}

impl fmt::Debug for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for ObjectId {
    type Err = ParseObjectIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refused = || ParseObjectIdError {
            text: text.to_owned(),
        };
        if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return Err(refused());
        }
        let bytes = hex::decode(text).map_err(|_| refused())?;
        match bytes.len() {
            20 => Ok(Self::Sha1(bytes.try_into().map_err(|_| refused())?)),
            32 => Ok(Self::Sha256(bytes.try_into().map_err(|_| refused())?)),
            _ => Err(refused()),
        }
    }
}

impl Serialize for ObjectId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ObjectId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(de::Error::custom)
    }
}

/// The running hash of a blob whose length was announced.
pub(crate) enum BlobHasher {
    Sha1(Sha1),
    Sha256(Sha256),
}

impl BlobHasher {
    pub(crate) fn new(format: ObjectFormat, len: u64) -> Self {
        let header = format!("blob {len}\0");
        let mut hasher = match format {
            ObjectFormat::Sha1 => Self::Sha1(Sha1::new()),
            ObjectFormat::Sha256 => Self::Sha256(Sha256::new()),
        };
        hasher.update(header.as_bytes());
        hasher
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Sha1(hasher) => hasher.update(bytes),
            Self::Sha256(hasher) => hasher.update(bytes),
        }
    }

    pub(crate) fn finish(self) -> ObjectId {
        match self {
            Self::Sha1(hasher) => ObjectId::Sha1(hasher.finalize().into()),
            Self::Sha256(hasher) => ObjectId::Sha256(hasher.finalize().into()),
        }
    }

    /// The id of a blob that is wholly in memory.
    pub(crate) fn blob(format: ObjectFormat, bytes: &[u8]) -> ObjectId {
        let mut hasher = Self::new(format, bytes.len() as u64);
        hasher.update(bytes);
        hasher.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blob_ids_are_those_of_git() {
        assert_eq!(
            BlobHasher::blob(ObjectFormat::Sha1, b"hello\n").to_string(),
            "ce013625030ba8dba906f756967f9e9ca394464a"
        );
        assert_eq!(
            BlobHasher::blob(ObjectFormat::Sha256, b"").to_string(),
            "473a0f4c3be8a93681a267e3b1e9a7dcda1185436fe141f7749120a303721813"
        );
    }

    #[test]
    fn ids_read_back_and_other_text_is_refused() {
        let id = BlobHasher::blob(ObjectFormat::Sha256, b"x");
        assert_eq!(id.to_string().parse::<ObjectId>().unwrap(), id);
        assert_eq!(id.format(), ObjectFormat::Sha256);
        for text in [
            "",
            "ce01",
            "CE013625030ba8dba906f756967f9e9ca394464a",
            "HEAD",
            &"g".repeat(40),
        ] {
            assert!(text.parse::<ObjectId>().is_err(), "{text}");
        }
    }
}
