//! How a shim learns the secrets it takes out of output: on the pipe that brings its spec, after the spec, and nowhere else.
//!
//! The pipe is inherited as standard input, so no other process ever has it, and what goes through it is in memory only. The set always
//! follows, also an empty one: a shim that was not told everything runs nothing.

use dogwatch_core::redact::SecretSet;
use zeroize::Zeroizing;

/// What ends the spec, which is one line.
const END_OF_SPEC: u8 = b'\n';

/// A message for a shim that did not arrive whole. It never quotes what arrived.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PipeError {
    /// It ends too early.
    #[error("read the secrets: the pipe ended before they were complete")]
    Short,
    /// It goes on after its end.
    #[error("read the secrets: something follows them")]
    Surplus,
    /// A name or a value is not what the sender could have had.
    #[error("read the secrets: number {0} is not one")]
    NotASecret(u32),
}

/// The whole message: the spec's JSON, and the secrets.
pub(crate) fn encode(spec: &[u8], secrets: &SecretSet) -> Zeroizing<Vec<u8>> {
    let secrets = secrets.expose();
    // Reserved at once, so that growing leaves no copies behind.
    let length = secrets
        .clone()
        .map(|(name, value)| 8 + name.len() + value.len())
        .sum::<usize>();
    let mut message = Zeroizing::new(Vec::with_capacity(spec.len() + 1 + 4 + length));
    message.extend_from_slice(spec);
    message.push(END_OF_SPEC);
    let number = |length: usize| u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes();
    message.extend(number(secrets.len()));
    for (name, value) in secrets {
        message.extend(number(name.len()));
        message.extend(number(value.len()));
        message.extend_from_slice(name.as_bytes());
        message.extend_from_slice(value);
    }
    message
}

/// The spec's JSON and what follows it.
pub(crate) fn split(message: &[u8]) -> (&[u8], &[u8]) {
    let end = message.iter().position(|byte| *byte == END_OF_SPEC);
    end.map_or((message, &[]), |end| (&message[..end], &message[end + 1..]))
}

/// The secrets from what follows the spec.
pub(crate) fn decode(mut bytes: &[u8]) -> Result<SecretSet, PipeError> {
    let count = take_number(&mut bytes)?;
    let mut secrets = Vec::new();
    for number in 0..count {
        let name_len = take_number(&mut bytes)?;
        let value_len = take_number(&mut bytes)?;
        let name = take(&mut bytes, name_len)?;
        let value = take(&mut bytes, value_len)?;
        let name = std::str::from_utf8(name).map_err(|_| PipeError::NotASecret(number))?;
        secrets.push((name, value));
    }
    if !bytes.is_empty() {
        return Err(PipeError::Surplus);
    }
    let (set, refused) = SecretSet::new(secrets);
    if refused.is_empty() {
        Ok(set)
    } else {
        Err(PipeError::NotASecret(count))
    }
}

fn take_number(bytes: &mut &[u8]) -> Result<u32, PipeError> {
    let (number, rest) = bytes.split_first_chunk().ok_or(PipeError::Short)?;
    *bytes = rest;
    Ok(u32::from_le_bytes(*number))
}

fn take<'a>(bytes: &mut &'a [u8], length: u32) -> Result<&'a [u8], PipeError> {
    let length = usize::try_from(length).map_err(|_| PipeError::Short)?;
    let (taken, rest) = bytes.split_at_checked(length).ok_or(PipeError::Short)?;
    *bytes = rest;
    Ok(taken)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_arrives_whole_or_not_at_all() {
        let (set, _) = SecretSet::new([("A", &b"first\nvalue"[..]), ("B", b"\x00\xff second")]);
        let message = encode(br#"{"v":1}"#, &set);
        let (spec, rest) = split(&message);
        assert_eq!(spec, br#"{"v":1}"#);
        let arrived = decode(rest).unwrap();
        assert!(arrived.expose().eq(set.expose()));
        for cut in 0..rest.len() {
            assert_eq!(decode(&rest[..cut]).unwrap_err(), PipeError::Short);
        }
        let surplus = [rest, b"!"].concat();
        assert_eq!(decode(&surplus).unwrap_err(), PipeError::Surplus);
    }

    #[test]
    fn no_secrets_are_said_and_not_assumed() {
        let message = encode(b"{}", &SecretSet::default());
        assert!(decode(split(&message).1).unwrap().is_empty());
        assert_eq!(decode(split(b"{}").1).unwrap_err(), PipeError::Short);
    }

    #[test]
    fn a_value_too_short_to_be_looked_for_is_an_error_and_not_quoted() {
        let mut message = 1_u32.to_le_bytes().to_vec();
        message.extend(1_u32.to_le_bytes());
        message.extend(3_u32.to_le_bytes());
        message.extend(b"Nabc");
        let error = decode(&message).unwrap_err();
        assert_eq!(error, PipeError::NotASecret(1));
        assert!(!error.to_string().contains("abc"));
    }
}
