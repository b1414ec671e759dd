//! The W3C `traceparent` header, read strictly. What is not valid is dropped, as the standard asks.

use axum::http::HeaderMap;

/// A valid `traceparent`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TraceParent(String);

impl TraceParent {
    /// The header's value, if it is there once and valid.
    pub(crate) fn of(headers: &HeaderMap) -> Option<Self> {
        let mut values = headers.get_all("traceparent").iter();
        let value = values.next()?;
        if values.next().is_some() {
            return None;
        }
        Self::parse(value.to_str().ok()?)
    }

    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('-');
        let (version, trace, parent, flags) =
            (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let hex = |part: &str, digits: usize| {
            part.len() == digits && part.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
        };
        let some = |part: &str| part.bytes().any(|byte| byte != b'0');
        let whole = hex(version, 2) && hex(trace, 32) && hex(parent, 16) && hex(flags, 2);
        // A later version may say more after the flags; what is passed on is the part that is known.
        let ended = parts.next().is_none() || version != "00";
        (whole && ended && version != "ff" && some(trace) && some(parent))
            .then(|| Self(format!("00-{trace}-{parent}-{flags}")))
    }

    /// The header's value.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// The id of the whole trace.
    pub(crate) fn trace_id(&self) -> &str {
        &self.0[3..35]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const VALID: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn a_valid_one_is_kept() {
        let parent = TraceParent::parse(VALID).unwrap();
        assert_eq!(parent.as_str(), VALID);
        assert_eq!(parent.trace_id(), "4bf92f3577b34da6a3ce929d0e0e4736");
        let later = VALID.replacen("00-", "cc-", 1) + "-what-comes-later";
        assert_eq!(TraceParent::parse(&later).unwrap().as_str(), VALID);
    }

    #[test]
    fn all_else_is_dropped() {
        for bad in [
            String::new(),
            VALID.to_uppercase(),
            format!("{VALID}-more"),
            format!(" {VALID}"),
            VALID.replacen("00-", "ff-", 1),
            VALID.replace("4bf92f3577b34da6a3ce929d0e0e4736", &"0".repeat(32)),
            VALID.replace("00f067aa0ba902b7", &"0".repeat(16)),
            VALID[..VALID.len() - 1].to_owned(),
        ] {
            assert_eq!(TraceParent::parse(&bad), None, "{bad}");
        }
    }

    #[test]
    fn two_headers_are_none() {
        let mut headers = HeaderMap::new();
        headers.append("traceparent", VALID.parse().unwrap());
        assert!(TraceParent::of(&headers).is_some());
        headers.append("traceparent", VALID.parse().unwrap());
        assert!(TraceParent::of(&headers).is_none());
    }
}
