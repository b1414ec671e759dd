//! Where a server is, and what is presented to it.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::str::FromStr;

use reqwest::Url;
use reqwest::header::HeaderValue;
use secrecy::{ExposeSecret as _, SecretString};

use crate::ConnectError;

/// Where a server is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A Unix socket on this machine.
    Unix(PathBuf),
    /// A URL, below which the routes stand.
    Url(Url),
}

impl Target {
    /// The URL that the routes stand below. A Unix socket has no name of its own and is called `localhost`.
    pub(crate) fn base(&self) -> Result<Url, ConnectError> {
        let mut base = match self {
            Self::Unix(_) => Url::parse("http://localhost/").expect("it is a URL"),
            Self::Url(url) => url.clone(),
        };
        let refused = |reason| Err(ConnectError::Url { reason });
        if !matches!(base.scheme(), "http" | "https") || base.host_str().is_none() {
            return refused("it has to start with http:// or https://");
        }
        if !base.username().is_empty() || base.password().is_some() {
            return refused("a URL is no place for credentials");
        }
        if base.query().is_some() || base.fragment().is_some() {
            return refused("it has to end with its path");
        }
        if !base.path().ends_with('/') {
            let path = format!("{}/", base.path());
            base.set_path(&path);
        }
        Ok(base)
    }

    /// Whether what is sent there can be read on the way.
    pub(crate) fn is_overheard(&self) -> bool {
        match self {
            Self::Unix(_) => false,
            Self::Url(url) => url.scheme() != "https" && !is_loopback(url),
        }
    }
}

/// By address or by the one name that always means it.
pub(crate) fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost"
        || address
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            Self::Url(url) => f.write_str(url.as_str().trim_end_matches('/')),
        }
    }
}

/// `unix:PATH`, or a URL.
impl FromStr for Target {
    type Err = ConnectError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Some(path) = text.strip_prefix("unix:") {
            if path.is_empty() {
                return Err(ConnectError::Url {
                    reason: "after `unix:` the path of the socket has to follow",
                });
            }
            return Ok(Self::Unix(PathBuf::from(path)));
        }
        let target = Url::parse(text)
            .map(Self::Url)
            .map_err(|_| ConnectError::Url {
                reason: "it is neither a URL nor `unix:` and a path",
            })?;
        target.base()?;
        Ok(target)
    }
}

/// A bearer token. It is shown nowhere and wiped from memory when it is dropped.
#[derive(Clone)]
pub struct Token(SecretString);

impl Token {
    /// A token as it was handed out. White space around it is dropped, as files end with it.
    pub fn new(text: &str) -> Result<Self, ConnectError> {
        let text = text.trim();
        if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(ConnectError::Token);
        }
        Ok(Self(SecretString::from(text.to_owned())))
    }

    pub(crate) fn header(&self) -> HeaderValue {
        let mut value = HeaderValue::from_str(&format!("Bearer {}", self.0.expose_secret()))
            .expect("a token is printable ASCII");
        value.set_sensitive(true);
        value
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_read_back() {
        for text in [
            "unix:/run/dogwatch/server.sock",
            "http://127.0.0.1:4100",
            "https://team.example/dogwatch",
        ] {
            assert_eq!(text.parse::<Target>().unwrap().to_string(), text);
        }
        for bad in [
            "",
            "unix:",
            "/run/server.sock",
            "ftp://team.example",
            "https://user@team.example",
            "https://user:word@team.example",
            "https://team.example/?a=1",
            "https://team.example/#a",
        ] {
            let error = bad.parse::<Target>().unwrap_err();
            assert_eq!(error.code(), "server_target", "{bad}");
            assert!(!error.to_string().contains("word"));
        }
    }

    #[test]
    fn what_leaves_the_machine_in_plain_text_is_known() {
        for (text, overheard) in [
            ("unix:/s", false),
            ("http://localhost:1", false),
            ("http://127.9.9.9:1", false),
            ("http://[::1]:1", false),
            ("https://team.example", false),
            ("http://team.example", true),
            ("http://10.0.0.1:1", true),
            ("http://localhost.team.example", true),
            ("http://127.0.0.1.team.example", true),
        ] {
            assert_eq!(
                text.parse::<Target>().unwrap().is_overheard(),
                overheard,
                "{text}"
            );
        }
    }

    #[test]
    fn a_token_is_not_shown() {
        let token = Token::new(" hidden-word\n").unwrap();
        assert_eq!(format!("{token:?}"), "Token(..)");
        assert!(!format!("{:?}", token.header()).contains("hidden"));
        assert_eq!(token.header().to_str().unwrap(), "Bearer hidden-word");
        for bad in ["", " ", "two words", "line\nbreak", "t\u{e4}ken"] {
            let error = Token::new(bad).unwrap_err();
            assert!(bad.trim().is_empty() || !error.to_string().contains(bad.trim()));
        }
    }
}
