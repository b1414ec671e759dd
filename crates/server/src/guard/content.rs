//! What a request says about its body, before a byte of it is read.

use axum::http::HeaderMap;
use axum::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, TRANSFER_ENCODING};

use crate::problem::HttpProblem;
use crate::problem_codes::{
    BODY_NOT_EXPECTED, BODY_TOO_LARGE, CONTENT_ENCODING_UNSUPPORTED, CONTENT_TYPE_UNSUPPORTED,
};
use crate::route::Payload;

/// Judges a request's headers by what its route expects. A type that an HTML form can send is never accepted.
pub(crate) fn check(headers: &HeaderMap, expected: Payload) -> Result<(), HttpProblem> {
    let length = headers
        .get(CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    let (media, most) = match expected {
        Payload::None => {
            let none = !headers.contains_key(TRANSFER_ENCODING)
                && (length == Some(0) || !headers.contains_key(CONTENT_LENGTH));
            return if none {
                Ok(())
            } else {
                Err(BODY_NOT_EXPECTED.because("this request takes no body"))
            };
        }
        Payload::Json { most, .. } => ("application/json", most),
        Payload::Octets { most } => ("application/octet-stream", most),
    };
    if !has_type(headers, media) {
        return Err(CONTENT_TYPE_UNSUPPORTED.because(format!("the body has to be `{media}`")));
    }
    if headers
        .get_all(CONTENT_ENCODING)
        .iter()
        .any(|value| value != "identity")
    {
        return Err(CONTENT_ENCODING_UNSUPPORTED.because("the body is compressed"));
    }
    match length {
        Some(length) if length > most => Err(too_large(most)),
        Some(_) | None => Ok(()),
    }
}

pub(crate) fn too_large(most: u64) -> HttpProblem {
    BODY_TOO_LARGE.because(format!("the body has more than {most} bytes"))
}

fn has_type(headers: &HeaderMap, media: &str) -> bool {
    let mut values = headers.get_all(CONTENT_TYPE).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return false;
    };
    let Ok(text) = value.to_str() else {
        return false;
    };
    let (name, parameters) = text.split_once(';').unwrap_or((text, ""));
    let parameters = parameters.trim();
    name.trim().eq_ignore_ascii_case(media)
        && (parameters.is_empty()
            || (media == "application/json" && parameters.eq_ignore_ascii_case("charset=utf-8")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::route::schema_of;

    const JSON: Payload = Payload::Json {
        most: 10,
        schema: schema_of::<String>,
    };

    fn judged(expected: Payload, pairs: &[(&'static str, &str)]) -> Result<(), String> {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, value.parse().unwrap());
        }
        check(&headers, expected).map_err(|problem| problem.code().to_owned())
    }

    #[test]
    fn json_is_json() {
        for good in [
            "application/json",
            "Application/JSON",
            "application/json; charset=UTF-8",
        ] {
            assert_eq!(judged(JSON, &[("content-type", good)]), Ok(()), "{good}");
        }
        for bad in [
            "",
            "text/plain",
            "text/plain; application/json",
            "application/x-www-form-urlencoded",
            "multipart/form-data",
            "application/jsonp",
            "application/json; charset=utf-16",
            "application/json, text/plain",
            "*/*",
        ] {
            let refused = judged(JSON, &[("content-type", bad)]);
            assert_eq!(refused, Err("content_type_unsupported".to_owned()), "{bad}");
        }
        assert_eq!(
            judged(JSON, &[]),
            Err("content_type_unsupported".to_owned())
        );
        let two = [
            ("content-type", "application/json"),
            ("content-type", "application/json"),
        ];
        assert_eq!(
            judged(JSON, &two),
            Err("content_type_unsupported".to_owned())
        );
        let zipped = [
            ("content-type", "application/json"),
            ("content-encoding", "gzip"),
        ];
        assert_eq!(
            judged(JSON, &zipped),
            Err("content_encoding_unsupported".to_owned())
        );
    }

    #[test]
    fn an_announced_length_is_enough_to_refuse() {
        let long = [
            ("content-type", "application/json"),
            ("content-length", "11"),
        ];
        assert_eq!(judged(JSON, &long), Err("body_too_large".to_owned()));
        let exact = [
            ("content-type", "application/json"),
            ("content-length", "10"),
        ];
        assert_eq!(judged(JSON, &exact), Ok(()));
    }

    #[test]
    fn a_body_nobody_asked_for_is_refused() {
        assert_eq!(judged(Payload::None, &[]), Ok(()));
        assert_eq!(judged(Payload::None, &[("content-length", "0")]), Ok(()));
        for header in [("content-length", "1"), ("transfer-encoding", "chunked")] {
            assert_eq!(
                judged(Payload::None, &[header]),
                Err("body_not_expected".to_owned())
            );
        }
    }
}
