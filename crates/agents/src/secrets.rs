//! Variables that only the agent may see.

use std::ffi::OsString;
use std::fmt;

/// Environment variables whose values never appear in a message or a file.
#[derive(Clone, Default)]
pub struct Secrets {
    variables: Vec<(OsString, OsString)>,
}

impl Secrets {
    /// These variables.
    pub fn new(variables: Vec<(OsString, OsString)>) -> Self {
        Self { variables }
    }

    /// Names and values, for the agent's environment and nothing else.
    pub(crate) fn expose(&self) -> impl Iterator<Item = (OsString, OsString)> + '_ {
        self.variables.iter().cloned()
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.variables.iter().map(|(name, _)| name);
        f.debug_list().entries(names).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_not_in_a_message() {
        let secrets = Secrets::new(vec![("TOKEN".into(), "hunter2".into())]);
        assert_eq!(format!("{secrets:?}"), r#"["TOKEN"]"#);
    }
}
