//! A client that sends exactly what it is told.

use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

/// Nothing in these tests takes longer.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    /// The code of the problem that it has to be.
    pub(crate) fn code(&self) -> String {
        assert!(self.head.contains("application/problem+json"), "{self:?}");
        let document: Value = serde_json::from_str(&self.body).unwrap();
        assert_eq!(document["status"], self.status, "{self:?}");
        for member in ["type", "title", "detail", "next_action", "kind"] {
            let text = document[member].as_str().unwrap_or_default();
            assert!(!text.is_empty(), "{member} of {self:?}");
        }
        document["code"].as_str().unwrap().to_owned()
    }
}

/// A connection.
pub(crate) struct Wire<S> {
    stream: S,
    read: Vec<u8>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Wire<S> {
    pub(crate) fn new(stream: S) -> Self {
        Self {
            stream,
            read: Vec::new(),
        }
    }

    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).await.unwrap();
    }

    /// Reads until the text has come, and takes everything up to its end.
    pub(crate) async fn until(&mut self, text: &str) -> String {
        loop {
            let found = self
                .read
                .windows(text.len())
                .position(|window| window == text.as_bytes());
            if let Some(at) = found {
                let rest = self.read.split_off(at + text.len());
                let taken = std::mem::replace(&mut self.read, rest);
                return String::from_utf8(taken).unwrap();
            }
            let more = timeout(PATIENCE, self.stream.read_buf(&mut self.read)).await;
            let so_far = String::from_utf8_lossy(&self.read);
            let more =
                more.unwrap_or_else(|_| panic!("waited in vain for {text:?} after {so_far}"));
            assert!(more.unwrap() > 0, "ended before {text:?} with {so_far}");
        }
    }

    /// Reads one answer with a known length.
    pub(crate) async fn answer(&mut self) -> Answer {
        let head = self.until("\r\n\r\n").await.to_lowercase();
        let status = head[9..12].parse().unwrap();
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "))
            .map_or(0, |text| text.parse().unwrap());
        while self.read.len() < length {
            let more = timeout(PATIENCE, self.stream.read_buf(&mut self.read)).await;
            assert!(more.unwrap().unwrap() > 0, "the body is cut off");
        }
        let rest = self.read.split_off(length);
        let body = std::mem::replace(&mut self.read, rest);
        Answer {
            status,
            head,
            body: String::from_utf8(body).unwrap(),
        }
    }

    /// Reads to the end of the connection.
    pub(crate) async fn rest(&mut self) -> String {
        timeout(PATIENCE, self.stream.read_to_end(&mut self.read))
            .await
            .unwrap()
            .unwrap();
        String::from_utf8(std::mem::take(&mut self.read)).unwrap()
    }
}
