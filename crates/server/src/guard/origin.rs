//! `Origin` and `Sec-Fetch-Site`: where a browser says that a request was made. Programs send neither.

use axum::http::HeaderMap;
use axum::http::header::{HeaderName, ORIGIN};

use super::host::AllowedHosts;
use crate::problem::HttpProblem;
use crate::problem_codes::{CROSS_SITE_FORBIDDEN, ORIGIN_FORBIDDEN};

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Judges where a request was made. `host` is the request's own, already accepted.
pub(crate) fn check(
    headers: &HeaderMap,
    host: &str,
    hosts: &AllowedHosts,
) -> Result<(), HttpProblem> {
    for value in headers.get_all(ORIGIN) {
        let origin = value.to_str().unwrap_or_default().to_ascii_lowercase();
        let same = match (
            origin.strip_prefix("http://"),
            origin.strip_prefix("https://"),
        ) {
            (Some(authority), _) => authority == host,
            // TLS ends in front of the server, if at all, and only under a name the configuration knows.
            (None, Some(authority)) => authority == host && hosts.contains(host),
            (None, None) => false,
        };
        if !same {
            return Err(
                ORIGIN_FORBIDDEN.because("the request was made by a page of another origin")
            );
        }
    }
    for value in headers.get_all(SEC_FETCH_SITE) {
        if value != "same-origin" && value != "none" {
            return Err(CROSS_SITE_FORBIDDEN
                .because("the browser says that the request was made by another site"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(host: &str, pairs: &[(&'static str, &str)]) -> Result<(), String> {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, value.parse().unwrap());
        }
        let hosts = AllowedHosts::new(["team.example"]);
        check(&headers, host, &hosts).map_err(|problem| problem.code().to_owned())
    }

    #[test]
    fn programs_and_own_pages_pass() {
        let host = "localhost:4100";
        assert_eq!(judged(host, &[]), Ok(()));
        assert_eq!(
            judged(
                host,
                &[
                    ("origin", "http://localhost:4100"),
                    ("sec-fetch-site", "same-origin")
                ]
            ),
            Ok(())
        );
        assert_eq!(judged(host, &[("sec-fetch-site", "none")]), Ok(()));
        assert_eq!(
            judged("team.example", &[("origin", "https://team.example")]),
            Ok(())
        );
    }

    #[test]
    fn every_other_origin_is_refused() {
        for bad in [
            "null",
            "",
            "http://localhost",
            "http://localhost:4101",
            "https://localhost:4100",
            "http://127.0.0.1:4100",
            "http://localhost:4100.evil.example",
            "http://evil.example",
            "http://localhost:4100/",
            "file://",
            "http://localhost:4100 http://evil.example",
        ] {
            let refused = judged("localhost:4100", &[("origin", bad)]);
            assert_eq!(refused, Err("origin_forbidden".to_owned()), "{bad}");
        }
        let two = [
            ("origin", "http://localhost:4100"),
            ("origin", "http://evil.example"),
        ];
        assert_eq!(
            judged("localhost:4100", &two),
            Err("origin_forbidden".to_owned())
        );
    }

    #[test]
    fn only_same_origin_and_none_pass() {
        for bad in ["cross-site", "same-site", "", "Same-Origin", "anything"] {
            let refused = judged("localhost:4100", &[("sec-fetch-site", bad)]);
            assert_eq!(refused, Err("cross_site_forbidden".to_owned()), "{bad}");
        }
    }
}
