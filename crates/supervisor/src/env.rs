//! Which variables of our own environment a command may see.

use std::ffi::{OsStr, OsString};

const NAMES: &[&str] = &[
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "SHELL",
    "LANG",
    "TZ",
    "TMPDIR",
    "CARGO_HOME",
    "RUSTUP_HOME",
    "RUSTUP_TOOLCHAIN",
    "GOPATH",
    "GOROOT",
    "NVM_DIR",
    "PYENV_ROOT",
    "VIRTUAL_ENV",
    "JAVA_HOME",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
];

/// The variables of this process that a command may see: the fixed list, locale settings, and the names the user listed, sorted.
/// `TERM` is always `dumb`. Loader, git and dogwatch variables pass only if they are listed by name.
pub fn allowed(extra: &[String]) -> Vec<(OsString, OsString)> {
    filter(std::env::vars_os(), extra)
}

fn filter(
    variables: impl Iterator<Item = (OsString, OsString)>,
    extra: &[String],
) -> Vec<(OsString, OsString)> {
    let listed = |name: &OsStr| extra.iter().any(|extra| name == OsStr::new(extra));
    let mut kept: Vec<_> = variables
        .filter(|(name, _)| is_default(name) || listed(name))
        .filter(|(name, _)| name != "TERM")
        .collect();
    kept.push(("TERM".into(), "dumb".into()));
    kept.sort();
    kept
}

fn is_default(name: &OsStr) -> bool {
    NAMES.iter().any(|allowed| name == OsStr::new(allowed))
        || name.as_encoded_bytes().starts_with(b"LC_")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(present: &[&str], extra: &[&str]) -> Vec<String> {
        let present = present
            .iter()
            .map(|name| (OsString::from(name), OsString::from("value")));
        let extra: Vec<String> = extra.iter().map(|name| (*name).to_owned()).collect();
        filter(present, &extra)
            .into_iter()
            .map(|(name, value)| format!("{}={}", name.display(), value.display()))
            .collect()
    }

    #[test]
    fn only_the_list_and_locales_pass() {
        let present = [
            "PATH",
            "LC_ALL",
            "LD_PRELOAD",
            "GIT_DIR",
            "DOGWATCH_HOME",
            "AWS_SECRET",
            "HOME",
            "TERM",
        ];
        assert_eq!(
            names(&present, &[]),
            ["HOME=value", "LC_ALL=value", "PATH=value", "TERM=dumb"]
        );
    }

    #[test]
    fn a_listed_name_passes_exactly() {
        let present = ["GIT_DIR", "GIT_DIRECTORY", "LD_PRELOAD"];
        assert_eq!(
            names(&present, &["GIT_DIR", "ABSENT"]),
            ["GIT_DIR=value", "TERM=dumb"]
        );
    }
}
