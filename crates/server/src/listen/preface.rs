//! The first request line and headers of a connection, read before hyper sees them.
//!
//! hyper answers what it cannot read with a bare status, or not at all. Reading the first head here gives every malformed, oversized or
//! slow client a problem document, and settles what readers in front of the server might read differently (two lengths, say).

use std::str;

use axum::http::Uri;
use httparse::{EMPTY_HEADER, Error, Header, Request, Status};
use tokio::io::{AsyncRead, AsyncReadExt};

use crate::problem::HttpProblem;
use crate::problem_codes::{HEADERS_TOO_LARGE, REQUEST_MALFORMED, URL_TOO_LONG};

/// More headers than any client sends.
const HEADERS: usize = 96;

/// As much as is read at once.
const PIECE: usize = 4096;

/// What a connection begins with.
#[derive(Debug)]
pub(super) enum Preface {
    /// A whole head, perhaps with the start of what follows.
    Head(Vec<u8>),
    /// Nothing at all: the client went away, or only looked whether the port is open.
    Nothing,
    /// Something that is no request.
    Refused(HttpProblem),
}

/// Reads until the end of the first head.
pub(super) async fn read(stream: &mut (impl AsyncRead + Unpin), most: usize) -> Preface {
    let mut bytes = Vec::new();
    loop {
        let before = bytes.len();
        match stream.take(PIECE as u64).read_buf(&mut bytes).await {
            Err(_) => return Preface::Nothing,
            Ok(0) if bytes.is_empty() => return Preface::Nothing,
            Ok(0) => return Preface::Refused(malformed("it ends within its headers")),
            Ok(_) => {}
        }
        // Nothing new can be said before a line ends, apart from a start that is no request's.
        if bytes[before..].contains(&b'\n') || bytes.len() <= PIECE {
            match judge(&bytes) {
                Ok(true) if head_length(&bytes).is_none_or(|length| length <= most) => {
                    return Preface::Head(bytes);
                }
                Ok(true) => return Preface::Refused(too_large(&bytes, most)),
                Ok(false) => {}
                Err(problem) => return Preface::Refused(problem),
            }
        }
        if bytes.len() > most {
            return Preface::Refused(too_large(&bytes, most));
        }
    }
}

/// Whether the head is whole.
fn judge(bytes: &[u8]) -> Result<bool, HttpProblem> {
    let mut headers = [EMPTY_HEADER; HEADERS];
    let mut request = Request::new(&mut headers);
    match request.parse(bytes) {
        Ok(Status::Partial) => Ok(false),
        Ok(Status::Complete(_)) => {
            target(&request)?;
            framing(request.headers, request.version == Some(1))?;
            Ok(true)
        }
        Err(Error::TooManyHeaders) => {
            Err(HEADERS_TOO_LARGE.because(format!("the request has more than {HEADERS} headers")))
        }
        Err(error) => Err(malformed(&error.to_string())),
    }
}

fn head_length(bytes: &[u8]) -> Option<usize> {
    let mut headers = [EMPTY_HEADER; HEADERS];
    match Request::new(&mut headers).parse(bytes) {
        Ok(Status::Complete(length)) => Some(length),
        Ok(Status::Partial) | Err(_) => None,
    }
}

fn target(request: &Request<'_, '_>) -> Result<(), HttpProblem> {
    let path = request.path.unwrap_or_default();
    if path.len() > usize::from(u16::MAX) - 1 {
        return Err(URL_TOO_LONG.because("the path and query are too long"));
    }
    if path.parse::<Uri>().is_err() {
        return Err(malformed("its target is not valid"));
    }
    Ok(())
}

/// One length, or one chunked body, and never both.
fn framing(headers: &[Header<'_>], one_one: bool) -> Result<(), HttpProblem> {
    let named = |name: &str| {
        let same = move |header: &&Header<'_>| header.name.eq_ignore_ascii_case(name);
        headers.iter().filter(same).collect::<Vec<_>>()
    };
    let lengths = named("content-length");
    let codings = named("transfer-encoding");
    match (&lengths[..], &codings[..]) {
        ([], []) => Ok(()),
        ([length], []) => {
            let number = str::from_utf8(length.value)
                .ok()
                .filter(|text| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()));
            match number.map(str::parse::<u64>) {
                Some(Ok(length)) if length < u64::MAX - 2 => Ok(()),
                _ => Err(malformed("its `Content-Length` is not a length")),
            }
        }
        ([], [coding]) if one_one && coding.value.eq_ignore_ascii_case(b"chunked") => Ok(()),
        _ => Err(malformed(
            "it says in more than one way where its body ends",
        )),
    }
}

fn too_large(bytes: &[u8], most: usize) -> HttpProblem {
    if bytes.contains(&b'\n') {
        HEADERS_TOO_LARGE.because(format!("the headers have more than {most} bytes"))
    } else {
        URL_TOO_LONG.because("the request line is too long")
    }
}

fn malformed(why: &str) -> HttpProblem {
    REQUEST_MALFORMED.because(format!("the request cannot be read: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn code(bytes: &[u8]) -> Result<usize, String> {
        match read(&mut &bytes[..], 1000).await {
            Preface::Head(head) => Ok(head.len()),
            Preface::Nothing => Err("nothing".to_owned()),
            Preface::Refused(problem) => Err(problem.code().to_owned()),
        }
    }

    #[tokio::test]
    async fn a_head_is_handed_on_with_what_follows() {
        let request = b"POST /v1/jobs HTTP/1.1\r\nhost: localhost\r\ncontent-length: 2\r\n\r\n{}";
        assert_eq!(code(request).await, Ok(request.len()));
        let chunked = b"POST / HTTP/1.1\r\nTransfer-Encoding: Chunked\r\n\r\n";
        assert_eq!(code(chunked).await, Ok(chunked.len()));
    }

    #[tokio::test]
    async fn what_is_no_request_is_refused() {
        for bad in [
            "\0",
            "hello\r\n",
            "GET\r\n\r\n",
            "GET / HTTP/2.0\r\n\r\n",
            "GET / HTTP/1.1\r\nno colon\r\n\r\n",
            "GET / HTTP/1.1\r\nname : space\r\n\r\n",
            "GET / HTTP/1.1\r\nname: a\0b\r\n\r\n",
            "GET /a b HTTP/1.1\r\n\r\n",
            "GET / HTTP/1.1\r\nhost: localhost\r\n",
            "POST / HTTP/1.1\r\ncontent-length: -1\r\n\r\n",
            "POST / HTTP/1.1\r\ncontent-length: +1\r\n\r\n",
            "POST / HTTP/1.1\r\ncontent-length: 1, 1\r\n\r\n",
            "POST / HTTP/1.1\r\ncontent-length: 99999999999999999999\r\n\r\n",
            "POST / HTTP/1.1\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n",
            "POST / HTTP/1.1\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n",
            "POST / HTTP/1.1\r\ntransfer-encoding: gzip, chunked\r\n\r\n",
            "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n",
            "POST / HTTP/1.0\r\ntransfer-encoding: chunked\r\n\r\n",
            "\x16\x03\x01\x02\0\x01\0",
        ] {
            assert_eq!(
                code(bad.as_bytes()).await,
                Err("request_malformed".to_owned()),
                "{bad:?}"
            );
        }
        assert_eq!(code(b"").await, Err("nothing".to_owned()));
    }

    #[tokio::test]
    async fn sizes_have_codes_of_their_own() {
        let line = format!("GET /{} HTTP/1.1\r\n\r\n", "a".repeat(1000));
        assert_eq!(
            code(line.as_bytes()).await,
            Err("headers_too_large".to_owned())
        );
        let endless = "GET /".to_owned() + &"a".repeat(9000);
        assert_eq!(
            code(endless.as_bytes()).await,
            Err("url_too_long".to_owned())
        );
        let header = format!("GET / HTTP/1.1\r\na: {}\r\n\r\n", "a".repeat(1000));
        assert_eq!(
            code(header.as_bytes()).await,
            Err("headers_too_large".to_owned())
        );
        let many = "GET / HTTP/1.1\r\n".to_owned() + &"a:b\r\n".repeat(97) + "\r\n";
        assert_eq!(
            code(many.as_bytes()).await,
            Err("headers_too_large".to_owned())
        );
        // What follows the head does not count.
        let body = "POST / HTTP/1.1\r\ncontent-length: 2000\r\n\r\n".to_owned() + &"a".repeat(2000);
        assert!(code(body.as_bytes()).await.is_ok());
    }
}
