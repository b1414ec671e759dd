//! A length of time as people write it: `90s`, `10m`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::canonical::MAX_SAFE_INTEGER;

/// A length of time in whole milliseconds, written with its unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timeout(u64);

/// Text that is no length of time.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a length of time such as \"500ms\", \"90s\", \"10m\" or \"2h\"")]
pub struct ParseTimeoutError(String);

const UNITS: [(&str, u64); 4] = [("ms", 1), ("h", 3_600_000), ("m", 60_000), ("s", 1_000)];

impl Timeout {
    /// A length of time in milliseconds.
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// The milliseconds.
    pub const fn as_millis(self) -> u64 {
        self.0
    }
}

impl fmt::Display for Timeout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (unit, size) = [("h", 3_600_000), ("m", 60_000), ("s", 1_000)]
            .into_iter()
            .find(|(_, size)| self.0 >= *size && self.0.is_multiple_of(*size))
            .unwrap_or(("ms", 1));
        write!(f, "{}{unit}", self.0 / size)
    }
}

impl FromStr for Timeout {
    type Err = ParseTimeoutError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refused = || ParseTimeoutError(text.to_owned());
        let (number, size) = UNITS
            .iter()
            .find_map(|(unit, size)| Some((text.strip_suffix(unit)?, *size)))
            .ok_or_else(refused)?;
        if number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(refused());
        }
        number
            .parse::<u64>()
            .ok()
            .and_then(|number| number.checked_mul(size))
            .filter(|millis| *millis <= MAX_SAFE_INTEGER.unsigned_abs())
            .map(Self)
            .ok_or_else(refused)
    }
}

impl Serialize for Timeout {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timeout {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl de::Visitor<'_> for Text {
            type Value = Timeout;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a length of time with its unit, such as \"90s\" or \"10m\"")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Timeout, E> {
                text.parse().map_err(E::custom)
            }
        }
        deserializer.deserialize_str(Text)
    }
}

impl schemars::JsonSchema for Timeout {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Timeout".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "pattern": "^0*[1-9][0-9]*(ms|s|m|h)$",
            "examples": ["90s", "10m"],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn only_a_number_with_a_unit_is_a_length_of_time() {
        let millis = |text: &str| text.parse::<Timeout>().ok().map(Timeout::as_millis);
        assert_eq!(millis("250ms"), Some(250));
        assert_eq!(millis("90s"), Some(90_000));
        assert_eq!(millis("10m"), Some(600_000));
        assert_eq!(millis("2h"), Some(7_200_000));
        for odd in [
            "",
            "90",
            "s",
            "-1s",
            "+1s",
            "1.5s",
            "1 s",
            "1d",
            "99999999999999999999h",
            "9007199254740992ms",
        ] {
            assert_eq!(millis(odd), None, "{odd}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(millis in 0_u64..1 << 53) {
            let timeout = Timeout::from_millis(millis);
            prop_assert_eq!(timeout.to_string().parse::<Timeout>(), Ok(timeout));
        }
    }
}
