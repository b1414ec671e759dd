//! The secrets of a run, each with a name that may be shown.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use zeroize::Zeroizing;

use super::encodings::forms;
use super::matcher::Matcher;
use super::stream::{contains, redact_whole};

/// The shortest secret. Anything shorter would be found everywhere, and what is taken out would say what it is.
pub const MIN_SECRET_LEN: usize = 8;

/// The longest secret, so that what may be held back is bounded.
pub const MAX_SECRET_LEN: usize = 64 * 1024;

/// How much of a name is shown.
const NAME_LEN: usize = 64;

/// A set of secrets, ready to be looked for. Copies share it; the values are wiped when the last one goes.
#[derive(Clone)]
pub struct SecretSet(Arc<Shared>);

struct Shared {
    secrets: Vec<Secret>,
    matcher: Matcher,
}

struct Secret {
    name: String,
    value: Zeroizing<Vec<u8>>,
    replacement: Box<[u8]>,
}

/// A value that is not looked for, so nothing protects it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("take {name} as a secret: {problem}")]
pub struct RefusedSecret {
    /// The name it came with.
    pub name: String,
    /// What is wrong with it.
    pub problem: SecretProblem,
}

/// Why a value cannot be looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SecretProblem {
    /// It would be found in harmless text.
    #[error("it is shorter than {MIN_SECRET_LEN} bytes")]
    TooShort,
    /// Too much would have to be held back.
    #[error("it is longer than {MAX_SECRET_LEN} bytes")]
    TooLong,
}

impl SecretSet {
    /// Takes names and values. A value that comes twice keeps its first name; values that cannot be looked for are given back by name.
    pub fn new<N, V>(secrets: impl IntoIterator<Item = (N, V)>) -> (Self, Vec<RefusedSecret>)
    where
        N: AsRef<str>,
        V: AsRef<[u8]>,
    {
        let mut kept: Vec<Secret> = Vec::new();
        let mut refused = Vec::new();
        for (name, value) in secrets {
            let (name, value) = (showable(name.as_ref()), value.as_ref());
            let problem = match value.len() {
                ..MIN_SECRET_LEN => Some(SecretProblem::TooShort),
                MIN_SECRET_LEN..=MAX_SECRET_LEN => None,
                _ => Some(SecretProblem::TooLong),
            };
            if let Some(problem) = problem {
                refused.push(RefusedSecret { name, problem });
            } else if !kept.iter().any(|secret| *secret.value == value) {
                kept.push(Secret {
                    replacement: format!("[redacted:{name}]").into_bytes().into(),
                    name,
                    value: Zeroizing::new(value.to_vec()),
                });
            }
        }
        let patterns = kept.iter().enumerate().flat_map(|(place, secret)| {
            forms(&secret.value)
                .into_iter()
                .map(move |form| (form, place))
        });
        let matcher = Matcher::new(patterns.collect());
        let secrets = kept;
        (Self(Arc::new(Shared { secrets, matcher })), refused)
    }

    /// Whether there is nothing to look for.
    pub fn is_empty(&self) -> bool {
        self.0.secrets.is_empty()
    }

    /// The names, in the order given.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.secrets.iter().map(|secret| secret.name.as_str())
    }

    /// Names and values, for whoever hands them on to the process that needs them.
    pub fn expose(&self) -> impl ExactSizeIterator<Item = (&str, &[u8])> + Clone {
        self.0
            .secrets
            .iter()
            .map(|secret| (secret.name.as_str(), secret.value.as_slice()))
    }

    /// The text with every secret replaced.
    pub fn redact_text<'a>(&self, text: &'a str) -> Cow<'a, str> {
        match self.redact_bytes(text.as_bytes()) {
            Cow::Borrowed(_) => Cow::Borrowed(text),
            // A secret that is not text itself can cut a character in two.
            Cow::Owned(bytes) => Cow::Owned(
                String::from_utf8(bytes)
                    .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()),
            ),
        }
    }

    /// The bytes with every secret replaced.
    pub fn redact_bytes<'a>(&self, bytes: &'a [u8]) -> Cow<'a, [u8]> {
        redact_whole(self, bytes).map_or(Cow::Borrowed(bytes), Cow::Owned)
    }

    /// The name of the first secret that stands in these bytes, in any form.
    pub fn contains_secret(&self, bytes: &[u8]) -> Option<&str> {
        contains(self, bytes).map(|place| self.0.secrets[place].name.as_str())
    }

    pub(super) fn matcher(&self) -> &Matcher {
        &self.0.matcher
    }

    /// What stands for a secret.
    pub(super) fn replacement(&self, place: usize) -> &[u8] {
        &self.0.secrets[place].replacement
    }
}

impl Default for SecretSet {
    fn default() -> Self {
        Self::new::<&str, &[u8]>([]).0
    }
}

impl fmt::Debug for SecretSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretSet")?;
        f.debug_list().entries(self.names()).finish()
    }
}

/// A name that can stand in any output: it is configuration, not evidence, but it is shown within evidence.
fn showable(name: &str) -> String {
    let harmless = |character: char| {
        let plain = character.is_ascii_alphanumeric() || "_-.".contains(character);
        if plain { character } else { '_' }
    };
    let name: String = name.chars().take(NAME_LEN).map(harmless).collect();
    if name.is_empty() {
        "secret".to_owned()
    } else {
        name
    }
}
