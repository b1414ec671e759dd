//! What nothing that a run stores may show: the values that its agent is given, and the logins it finds in its home.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use dogwatch_core::Entropy;
use dogwatch_core::redact::{MAX_SECRET_LEN, MIN_SECRET_LEN, SecretSet};
use serde_json::Value;

/// The most of a login file that is read.
const LOGIN_BYTES: u64 = 16 << 20;

/// Where the agents people use keep their logins, below the home directory.
const LOGINS: [&str; 8] = [
    ".codex/auth.json",
    ".claude/.credentials.json",
    ".claude.json",
    ".gemini/oauth_creds.json",
    ".qwen/oauth_creds.json",
    ".local/share/opencode/auth.json",
    ".config/github-copilot/apps.json",
    ".config/github-copilot/hosts.json",
];

/// Keys of a login file whose values are secrets.
const SECRET_KEYS: [&str; 10] = [
    "token",
    "secret",
    "password",
    "passwd",
    "key",
    "credential",
    "auth",
    "cookie",
    "refresh",
    "access",
];

/// A value that differs in every run and is given to its agent under this name, so that a leak shows as what it is.
pub(crate) const CANARY: &str = "DOGWATCH_CANARY";

/// A fresh one.
pub(crate) fn canary(entropy: &dyn Entropy) -> String {
    let bytes = entropy.bytes();
    let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("canary-{digits}")
}

/// The secrets of a run, and what is not among them: values that are too short or too long to be looked for, logins that were not read.
pub(crate) fn of_run<'a>(
    given: impl IntoIterator<Item = (&'a str, &'a str)>,
    pass_env: &[String],
    home: Option<&Path>,
) -> (SecretSet, Vec<String>) {
    let mut found: Vec<(String, Vec<u8>)> = given
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.as_bytes().to_vec()))
        .collect();
    // Whatever is passed to an agent by name is passed because others must not have it.
    for name in pass_env {
        if let Some(value) = std::env::var_os(name) {
            found.push((name.clone(), value.into_encoded_bytes()));
        }
    }
    let mut unread = Vec::new();
    if let Some(home) = home {
        for login in LOGINS {
            let name = Path::new(login).components().next();
            let name = name.map_or(OsStr::new("login"), |part| part.as_os_str());
            let name = format!("{}-login", name.to_string_lossy().trim_start_matches('.'));
            match login_values(&home.join(login)) {
                Ok(values) => found.extend(
                    values
                        .into_iter()
                        .map(|value| (name.clone(), value.into_bytes())),
                ),
                Err(error) => unread.push(format!("take the secrets of ~/{login}: {error}")),
            }
        }
    }
    let (secrets, refused) = SecretSet::new(found);
    unread.extend(refused.iter().map(ToString::to_string));
    (secrets, unread)
}

/// The secret strings of a login file; none if there is no such file.
fn login_values(path: &Path) -> io::Result<Vec<String>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut bytes = Vec::new();
    file.take(LOGIN_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LOGIN_BYTES {
        return Err(io::Error::other(format!(
            "it is larger than {LOGIN_BYTES} bytes"
        )));
    }
    // What a parser says may quote the file.
    let document: Value = serde_json::from_slice(&bytes)
        .map_err(|error| io::Error::other(format!("line {} is not JSON", error.line())))?;
    let mut values = Vec::new();
    collect(&document, false, &mut values);
    Ok(values)
}

fn collect(value: &Value, secret: bool, values: &mut Vec<String>) {
    match value {
        Value::String(text)
            if secret && (MIN_SECRET_LEN..=MAX_SECRET_LEN).contains(&text.len()) =>
        {
            values.push(text.clone());
        }
        Value::Array(items) => {
            for item in items {
                collect(item, secret, values);
            }
        }
        Value::Object(fields) => {
            for (name, field) in fields {
                let name = name.to_lowercase();
                let named = SECRET_KEYS.iter().any(|key| name.contains(key));
                collect(field, secret || named, values);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn logins_are_found_by_the_names_of_their_fields() {
        let home = tempfile::tempdir().unwrap();
        let login = home.path().join(".codex/auth.json");
        fs::create_dir_all(login.parent().unwrap()).unwrap();
        fs::write(
            &login,
            r#"{"mode":"chatgpt-plus-plan","tokens":{"id":"aaaaaaaaaaaa","n":[{"x":"bbbbbbbbbbbb"}],"short":"abc"},"OPENAI_API_KEY":"sk-cccccccc"}"#,
        )
        .unwrap();
        fs::create_dir_all(home.path().join(".claude")).unwrap();
        fs::write(home.path().join(".claude/.credentials.json"), "not json").unwrap();
        let (secrets, refused) = of_run([("RUN", "the-token-of-the-run")], &[], Some(home.path()));
        let [unread] = &refused[..] else {
            panic!("{refused:?}");
        };
        assert!(unread.contains("~/.claude/.credentials.json"), "{unread}");
        for leak in [
            "aaaaaaaaaaaa",
            "bbbbbbbbbbbb",
            "sk-cccccccc",
            "the-token-of-the-run",
        ] {
            assert!(secrets.contains_secret(leak.as_bytes()).is_some(), "{leak}");
        }
        assert_eq!(secrets.contains_secret(b"chatgpt-plus-plan abc"), None);
        assert_eq!(
            secrets.redact_text("id=aaaaaaaaaaaa"),
            "id=[redacted:codex-login]"
        );
    }

    #[test]
    fn what_is_too_short_is_named_and_not_shown() {
        let (secrets, refused) = of_run([("PIN", "1234")], &[], None);
        assert!(secrets.is_empty());
        assert!(
            refused[0].contains("PIN") && !refused[0].contains("1234"),
            "{refused:?}"
        );
    }
}
