//! The `Host` header: the name under which the client believes to reach the server.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use axum::http::HeaderMap;
use axum::http::header::HOST;

use crate::problem::HttpProblem;
use crate::problem_codes::{HOST_FORBIDDEN, HOST_INVALID};

/// By which listener a connection came in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Door {
    /// The Unix socket.
    Unix,
    /// A TCP listener.
    Tcp(SocketAddr),
}

impl Door {
    pub(crate) fn as_str(&self) -> &'static str {
        match self {
            Self::Unix => "unix",
            Self::Tcp(_) => "tcp",
        }
    }

    /// The names that need no configuration.
    ///
    /// A Unix socket has no name of its own; programs that speak HTTP over one say `localhost`, and nothing else is accepted.
    fn admits(&self, host: &str) -> bool {
        match self {
            Self::Unix => host == "localhost",
            Self::Tcp(address) => {
                let port = address.port();
                ["localhost", "127.0.0.1", "[::1]"].iter().any(|name| {
                    host.strip_prefix(name).is_some_and(|rest| match rest {
                        "" => port == 80,
                        rest => rest.strip_prefix(':') == Some(port.to_string().as_str()),
                    })
                })
            }
        }
    }
}

/// Names, with their ports, under which the server may be reached apart from the loopback ones.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AllowedHosts(BTreeSet<String>);

impl AllowedHosts {
    /// The names exactly as clients send them in `Host`, such as `dogwatch.example.org:8443`; letter case does not count.
    pub fn new<T: AsRef<str>>(names: impl IntoIterator<Item = T>) -> Self {
        let lower = |name: T| name.as_ref().to_ascii_lowercase();
        Self(names.into_iter().map(lower).collect())
    }

    pub(crate) fn contains(&self, name: &str) -> bool {
        self.0.contains(name)
    }
}

/// The host of a request, in lower case.
pub(crate) fn check(
    headers: &HeaderMap,
    door: &Door,
    hosts: &AllowedHosts,
) -> Result<String, HttpProblem> {
    let mut values = headers.get_all(HOST).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return Err(HOST_INVALID.because("the request has no `Host` header, or more than one"));
    };
    let host = value
        .to_str()
        .map_err(|_| HOST_INVALID.because("the `Host` header is not plain text"))?
        .to_ascii_lowercase();
    if door.admits(&host) || hosts.contains(&host) {
        Ok(host)
    } else {
        Err(HOST_FORBIDDEN.because("the `Host` header does not name this server"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(door: &Door, host: &str) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(HOST, host.parse().unwrap());
        let hosts = AllowedHosts::new(["Team.Example:8443"]);
        check(&headers, door, &hosts).is_ok()
    }

    #[test]
    fn loopback_names_need_the_port_of_the_listener() {
        let door = Door::Tcp("127.0.0.1:4100".parse().unwrap());
        for good in [
            "localhost:4100",
            "LOCALHOST:4100",
            "127.0.0.1:4100",
            "[::1]:4100",
            "team.example:8443",
        ] {
            assert!(judged(&door, good), "{good}");
        }
        for bad in [
            "",
            "localhost",
            "localhost:4101",
            "localhost:04100",
            "localhost:4100.",
            "localhost.:4100",
            "127.0.0.1",
            "127.0.0.2:4100",
            "evil.example:4100",
            "localhost.evil.example:4100",
            "evil-localhost:4100",
            "team.example",
            "[::1]",
            "::1:4100",
            "user@localhost:4100",
            "localhost:4100, localhost:4100",
            "0.0.0.0:4100",
        ] {
            assert!(!judged(&door, bad), "{bad}");
        }
    }

    #[test]
    fn port_80_may_be_left_out_only_where_it_is_the_port() {
        let door = Door::Tcp("127.0.0.1:80".parse().unwrap());
        assert!(judged(&door, "localhost") && judged(&door, "localhost:80"));
    }

    #[test]
    fn the_unix_socket_is_localhost() {
        assert!(judged(&Door::Unix, "localhost"));
        assert!(judged(&Door::Unix, "team.example:8443"));
        for bad in ["", "localhost:80", "127.0.0.1", "evil.example"] {
            assert!(!judged(&Door::Unix, bad), "{bad}");
        }
    }

    #[test]
    fn none_or_two_are_refused() {
        let hosts = AllowedHosts::default();
        let mut headers = HeaderMap::new();
        assert_eq!(
            check(&headers, &Door::Unix, &hosts).unwrap_err().code(),
            "host_invalid"
        );
        headers.append(HOST, "localhost".parse().unwrap());
        headers.append(HOST, "localhost".parse().unwrap());
        assert_eq!(
            check(&headers, &Door::Unix, &hosts).unwrap_err().code(),
            "host_invalid"
        );
    }
}
