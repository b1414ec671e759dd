//! The reversible escape for names that a tree cannot hold.

use std::borrow::Cow;

use super::forbidden::is_forbidden;

/// What an escaped component starts with.
const MARK: &[u8] = b"dw%";

/// The name under which a component is stored: itself, unless git forbids it or it looks like an escape already.
///
/// ```
/// use dogwatch_workspace::tree::{escape_component, unescape_component};
/// assert_eq!(&*escape_component(b"README.md", false), b"README.md");
/// assert_eq!(&*escape_component(b".git", false), b"dw%%2Egit");
/// assert_eq!(&*unescape_component(b"dw%%2Egit"), b".git");
/// ```
pub fn escape_component(name: &[u8], symlink: bool) -> Cow<'_, [u8]> {
    if name.starts_with(MARK) || is_forbidden(name, symlink) {
        Cow::Owned(encode(name))
    } else {
        Cow::Borrowed(name)
    }
}

/// The name a component had in the workspace. Only what [`escape_component`] can have written is taken back; other names, which a base
/// commit may well contain, are what they are.
pub fn unescape_component(stored: &[u8]) -> Cow<'_, [u8]> {
    let decoded = stored.strip_prefix(MARK).and_then(decode).filter(|name| {
        !name.is_empty()
            && !matches!(&name[..], b"." | b"..")
            && !name.iter().any(|byte| matches!(byte, 0 | b'/'))
    });
    match decoded {
        // A link needs the escape more often than a file, so asking for a link accepts both.
        Some(name) if *escape_component(&name, true) == *stored => Cow::Owned(name),
        Some(_) | None => Cow::Borrowed(stored),
    }
}

fn encode(name: &[u8]) -> Vec<u8> {
    let mut stored = MARK.to_vec();
    for (index, byte) in name.iter().enumerate() {
        if index > 0 && (byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')) {
            stored.push(*byte);
        } else {
            stored.extend_from_slice(format!("%{byte:02X}").as_bytes());
        }
    }
    stored
}

fn decode(encoded: &[u8]) -> Option<Vec<u8>> {
    let mut name = Vec::with_capacity(encoded.len());
    let mut rest = encoded;
    while let Some((byte, after)) = rest.split_first() {
        if *byte == b'%' {
            let (digits, after) = after.split_at_checked(2)?;
            name.push(hex::decode(digits).ok()?[0]);
            rest = after;
        } else {
            name.push(*byte);
            rest = after;
        }
    }
    Some(name)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn component() -> impl Strategy<Value = Vec<u8>> {
        let byte = prop_oneof![
            4 => prop::sample::select(b".gitGIT~1:% dw\\2E".to_vec()),
            1 => any::<u8>(),
        ];
        prop::collection::vec(byte, 1..12)
            .prop_map(|mut name| {
                name.retain(|byte| !matches!(byte, 0 | b'/'));
                name
            })
            .prop_filter("the name of an entry", |name| {
                !matches!(&name[..], b"" | b"." | b"..")
            })
    }

    proptest! {
        #[test]
        fn every_name_comes_back_and_is_allowed(name in component(), symlink: bool) {
            let stored = escape_component(&name, symlink);
            prop_assert!(!is_forbidden(&stored, symlink));
            prop_assert!(!stored.contains(&b'/') && !stored.contains(&0));
            prop_assert_eq!(&*unescape_component(&stored), &name[..]);
        }

        #[test]
        fn different_names_are_stored_differently(one in component(), other in component(), symlink: bool) {
            prop_assert_eq!(one == other, escape_component(&one, symlink) == escape_component(&other, symlink));
        }
    }

    #[test]
    fn an_escape_nobody_wrote_stays_as_it_is() {
        for stored in [
            &b"dw%"[..],
            b"dw%%2E%2E",
            b"dw%%2E",
            b"dw%%61",
            b"dw%%2egit",
            b"dw%%2Fx",
            b"dw%%2",
            b"dw%%00",
            b"dw%.git",
        ] {
            assert_eq!(
                &*unescape_component(stored),
                stored,
                "{}",
                stored.escape_ascii()
            );
        }
    }
}
