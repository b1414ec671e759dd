//! W3C trace context: what is accepted on the way in.

/// A `traceparent` as it is stored and handed on, in version 00; nothing where the text is none.
pub(crate) fn traceparent(text: &str) -> Option<String> {
    let text = text.trim();
    if !text.is_ascii() || text.len() < 55 {
        return None;
    }
    let (head, rest) = text.split_at(55);
    let parts: Vec<&str> = head.split('-').collect();
    let [version, trace, parent, flags] = parts.as_slice() else {
        return None;
    };
    let known = *version == "00" && rest.is_empty();
    let later = *version != "00" && *version != "ff" && (rest.is_empty() || rest.starts_with('-'));
    let sound = (known || later)
        && is_hex(version, 2)
        && is_hex(trace, 32)
        && is_hex(parent, 16)
        && is_hex(flags, 2)
        && trace.bytes().any(|byte| byte != b'0')
        && parent.bytes().any(|byte| byte != b'0');
    sound.then(|| format!("00-{trace}-{parent}-{flags}"))
}

fn is_hex(text: &str, length: usize) -> bool {
    text.len() == length
        && text
            .bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn a_sound_one_is_kept_and_a_later_version_is_read_as_this_one() {
        assert_eq!(traceparent(GOOD).as_deref(), Some(GOOD));
        let later = format!("cc{}-what-comes", &GOOD[2..]);
        assert_eq!(traceparent(&later).as_deref(), Some(GOOD));
    }

    #[test]
    fn all_else_is_dropped() {
        let bad = [
            String::new(),
            GOOD.to_uppercase(),
            format!("ff{}", &GOOD[2..]),
            format!("{GOOD}-more"),
            GOOD.replace("4bf92f3577b34da6a3ce929d0e0e4736", &"0".repeat(32)),
            GOOD.replace("00f067aa0ba902b7", &"0".repeat(16)),
            GOOD[..54].to_owned(),
            format!("{}é", &GOOD[..54]),
            GOOD.replace('-', "_"),
        ];
        for text in bad {
            assert_eq!(traceparent(&text), None, "{text}");
        }
    }
}
