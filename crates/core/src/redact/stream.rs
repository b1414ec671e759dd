//! Taking secrets out of streams and of whole texts.

use zeroize::Zeroizing;

use super::matcher::At;
use super::redactor::Redactor;
use super::secret_set::SecretSet;
use crate::frame::Stream;

/// The redactor of a run's secrets.
#[derive(Debug)]
pub struct SecretRedactor {
    secrets: SecretSet,
    held: [Held; 2],
}

/// The end of what has arrived, as far as it may be the beginning of a secret.
#[derive(Default)]
struct Held {
    bytes: Zeroizing<Vec<u8>>,
    /// How many of them belong to a secret that has been replaced already.
    covered: usize,
}

impl std::fmt::Debug for Held {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Held({} bytes)", self.bytes.len())
    }
}

impl SecretRedactor {
    /// A redactor at the beginning of both streams.
    pub fn new(secrets: SecretSet) -> Self {
        Self {
            secrets,
            held: <[Held; 2]>::default(),
        }
    }

    /// How many bytes of a stream are held back.
    pub fn held_back(&self, stream: Stream) -> usize {
        self.held[stream.index()].bytes.len()
    }
}

impl Redactor for SecretRedactor {
    fn push(&mut self, stream: Stream, chunk: &[u8], out: &mut Vec<u8>) {
        let held = &mut self.held[stream.index()];
        if held.bytes.is_empty() {
            // The common case: nothing is copied but what passes.
            let rest = scan(&self.secrets, chunk, 0, false, out);
            held.bytes.extend_from_slice(&chunk[rest.from..]);
            held.covered = rest.covered;
        } else {
            held.bytes.extend_from_slice(chunk);
            let rest = scan(&self.secrets, &held.bytes, held.covered, false, out);
            held.bytes.drain(..rest.from);
            held.covered = rest.covered;
        }
    }

    fn finish(&mut self, stream: Stream, out: &mut Vec<u8>) {
        let held = std::mem::take(&mut self.held[stream.index()]);
        scan(&self.secrets, &held.bytes, held.covered, true, out);
    }
}

/// What a scan could not decide: the text from here on, of which the first bytes are replaced already.
struct Rest {
    from: usize,
    covered: usize,
}

/// Appends what may be shown of a text whose first `covered` bytes are replaced already. Secrets that overlap are replaced as one, under
/// the name of the first.
fn scan(
    secrets: &SecretSet,
    text: &[u8],
    mut covered: usize,
    ended: bool,
    out: &mut Vec<u8>,
) -> Rest {
    let matcher = secrets.matcher();
    let mut at = 0;
    loop {
        at = matcher.candidate(text, at);
        if at >= text.len() {
            at = text.len();
            break;
        }
        match matcher.at(&text[at..], ended) {
            At::Nothing => {}
            At::Open => break,
            At::Match { length, secret } => {
                if at >= covered {
                    out.extend_from_slice(&text[covered..at]);
                    out.extend_from_slice(secrets.replacement(secret));
                }
                covered = covered.max(at + length);
            }
        }
        at += 1;
    }
    if covered < at {
        out.extend_from_slice(&text[covered..at]);
    }
    Rest {
        from: at,
        covered: covered.saturating_sub(at),
    }
}

/// `None` if no secret stands in it.
pub(super) fn redact_whole(secrets: &SecretSet, bytes: &[u8]) -> Option<Vec<u8>> {
    contains(secrets, bytes)?;
    let mut out = Vec::with_capacity(bytes.len());
    scan(secrets, bytes, 0, true, &mut out);
    Some(out)
}

/// Whose form comes first.
pub(super) fn contains(secrets: &SecretSet, bytes: &[u8]) -> Option<usize> {
    let matcher = secrets.matcher();
    let mut at = 0;
    loop {
        at = matcher.candidate(bytes, at);
        match matcher.at(bytes.get(at..)?, true) {
            At::Match { secret, .. } => return Some(secret),
            At::Nothing | At::Open => at += 1,
        }
    }
}
