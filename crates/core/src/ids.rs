//! The registry of ids: UUIDv7 values behind a prefix that says what they name.
//!
//! A prefix is part of the wire format and never changes. Ids are minted from an instant and random bytes that the caller supplies,
//! so a simulated clock gives the same ids every time.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use uuid::Uuid;

use crate::clock::{Clock, Entropy};
use crate::time::Timestamp;

/// Text that does not name the expected kind of thing.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseIdError {
    /// The prefix is missing or names something else.
    #[error("`{text}` is not a {noun} id: it should start with `{prefix}`")]
    Prefix {
        /// What was given.
        text: String,
        /// What was expected.
        noun: &'static str,
        /// The prefix of that kind.
        prefix: &'static str,
    },
    /// The part after the prefix is not a UUID.
    #[error("`{text}` is not a {noun} id: 32 hex digits should follow `{prefix}`")]
    Value {
        /// What was given.
        text: String,
        /// What was expected.
        noun: &'static str,
        /// The prefix of that kind.
        prefix: &'static str,
    },
}

/// A UUIDv7 from an instant and random bytes.
pub fn uuid_v7(at: Timestamp, random: &[u8; 10]) -> Uuid {
    let millis = u64::try_from(at.as_micros() / 1000).unwrap_or(0);
    uuid::Builder::from_unix_timestamp_millis(millis, random).into_uuid()
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident = $prefix:literal, $noun:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Uuid);

        impl $name {
            /// What stands before the value, for people and for parsers.
            pub const PREFIX: &'static str = $prefix;

            /// A fresh id.
            pub fn mint(clock: &dyn Clock, entropy: &dyn Entropy) -> Self {
                Self(uuid_v7(clock.now(), &entropy.bytes()))
            }

            /// An id from its value.
            pub const fn from_uuid(value: Uuid) -> Self {
                Self(value)
            }

            /// The value without the prefix.
            pub const fn uuid(self) -> Uuid {
                self.0
            }

            /// The last six digits: enough for a person, accepted as a suffix where an id is expected.
            pub fn short(self) -> String {
                let text = self.0.simple().to_string();
                text[text.len() - 6..].to_owned()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}{}", $prefix, self.0.simple())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = ParseIdError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                let value = text.strip_prefix($prefix).ok_or_else(|| ParseIdError::Prefix {
                    text: text.to_owned(), noun: $noun, prefix: $prefix,
                })?;
                let canonical = value.len() == 32
                    && value.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
                match Uuid::try_parse(value) {
                    Ok(uuid) if canonical => Ok(Self(uuid)),
                    _ => Err(ParseIdError::Value { text: text.to_owned(), noun: $noun, prefix: $prefix }),
                }
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
            }
        }

        impl schemars::JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({"type": "string", "pattern": concat!("^", $prefix, "[0-9a-f]{32}$")})
            }
        }
    )*};
}

ids! {
    /// A repository under dogwatch's control.
    ProjectId = "prj_", "project";
    /// A host identity.
    MachineId = "mch_", "machine";
    /// A durable, routable agent conversation.
    SessionId = "ses_", "session";
    /// A durable request.
    JobId = "job_", "job";
    /// The exclusive right to run a job.
    LeaseId = "lse_", "lease";
    /// One attempt of a job.
    RunId = "run_", "run";
    /// The private clone a run works in.
    WorkspaceId = "wsp_", "workspace";
    /// An entry of a control stream or a journal.
    EventId = "evt_", "event";
    /// A policy decision.
    DecisionId = "dec_", "decision";
    /// A human decision.
    ApprovalId = "apr_", "approval";
    /// An access token.
    TokenId = "tok_", "token";
    /// A claim request, so that a lost reply asked again returns the same leases.
    ClaimId = "clm_", "claim";
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(byte: u8) -> JobId {
        JobId::from_uuid(uuid_v7(
            Timestamp::from_micros(1_763_656_200_000_000),
            &[byte; 10],
        ))
    }

    #[test]
    fn ids_read_back_and_sort_by_time() {
        let id = job(7);
        assert_eq!(id.to_string().parse::<JobId>().unwrap(), id);
        let later = JobId::from_uuid(uuid_v7(
            Timestamp::from_micros(1_763_656_200_001_000),
            &[0; 10],
        ));
        assert!(later > id);
    }

    #[test]
    fn another_kind_of_id_is_refused_by_name() {
        let error = job(1).to_string().parse::<RunId>().unwrap_err().to_string();
        assert!(
            error.contains("run id") && error.contains("run_"),
            "{error}"
        );
    }

    #[test]
    fn only_the_canonical_spelling_is_an_id() {
        let text = job(0xab).to_string();
        assert!(text.to_uppercase().parse::<JobId>().is_err());
        assert!(format!("{text}0").parse::<JobId>().is_err());
        assert!("job_".parse::<JobId>().is_err());
    }

    #[test]
    fn short_ids_are_suffixes() {
        let id = job(9);
        assert!(id.to_string().ends_with(&id.short()));
        assert_eq!(id.short().len(), 6);
    }
}
