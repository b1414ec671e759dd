//! Bytes that are text, as text: a contract and a line of a journal are JSON, and read as such on the wire.

/// One text.
pub(crate) mod one {
    use serde::{Deserialize, Deserializer, Serializer, de, ser};

    pub(crate) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        let text = std::str::from_utf8(bytes).map_err(ser::Error::custom)?;
        serializer.serialize_str(text)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<u8>, D::Error> {
        String::deserialize(deserializer)
            .map(String::into_bytes)
            .map_err(de::Error::custom)
    }
}

/// A list of texts.
pub(crate) mod many {
    use serde::{Deserialize, Deserializer, Serializer, ser};

    pub(crate) fn serialize<S: Serializer>(
        lines: &[Vec<u8>],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let texts: Result<Vec<&str>, _> =
            lines.iter().map(|line| std::str::from_utf8(line)).collect();
        serializer.collect_seq(texts.map_err(ser::Error::custom)?)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<Vec<u8>>, D::Error> {
        let texts = Vec::<String>::deserialize(deserializer)?;
        Ok(texts.into_iter().map(String::into_bytes).collect())
    }
}

/// Any bytes, as base64.
pub(crate) mod base64 {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use serde::{Deserialize, Deserializer, Serializer, de};

    pub(crate) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(bytes))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<u8>, D::Error> {
        let text = String::deserialize(deserializer)?;
        STANDARD.decode(text).map_err(de::Error::custom)
    }
}
