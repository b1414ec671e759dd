//! A server that does what it is told, once per connection, over a real socket.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use dogwatch_client::{Client, Options, Target, Token};
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, UnixListener};

/// What is done with a request.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    /// Answers, and hangs up.
    Answer(String),
    /// Hangs up without a word.
    HangUp,
    /// Says this and then nothing more, but stays.
    Stay(String),
}

impl Act {
    pub(crate) fn answer(status: &str, media: &str, body: &str) -> Self {
        Self::Answer(format!(
            "HTTP/1.1 {status}\r\ncontent-type: {media}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
            body.len()
        ))
    }

    pub(crate) fn json(body: &str) -> Self {
        Self::answer("200 OK", "application/json", body)
    }

    pub(crate) fn problem(status: &str, body: &str) -> Self {
        Self::answer(status, "application/problem+json", body)
    }

    /// A stream that ends after these events.
    pub(crate) fn events(events: &str) -> Self {
        Self::Answer(format!("{STREAM}{events}"))
    }

    /// A stream that goes on after these events and says nothing more.
    pub(crate) fn silent_events(events: &str) -> Self {
        Self::Stay(format!("{STREAM}{events}"))
    }
}

const STREAM: &str =
    "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n";

/// A request as it arrived.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) line: String,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Seen {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(": ")?;
            key.eq_ignore_ascii_case(name).then_some(value)
        })
    }
}

pub(crate) struct ScriptedServer {
    seen: Arc<Mutex<Vec<Seen>>>,
    pub(crate) target: Target,
    _directory: TempDir,
}

impl ScriptedServer {
    /// Listens on a TCP port. When the acts are used up, the last one is repeated.
    pub(crate) async fn tcp(acts: impl IntoIterator<Item = Act>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let acts = Acts::new(acts);
        let server = Self::new(url.parse().unwrap());
        let seen = server.seen.clone();
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                tokio::spawn(serve(socket, acts.clone(), seen.clone()));
            }
        });
        server
    }

    pub(crate) async fn unix(acts: impl IntoIterator<Item = Act>) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("s.sock");
        let listener = UnixListener::bind(&path).unwrap();
        let acts = Acts::new(acts);
        let mut server = Self::new(Target::Unix(path));
        server._directory = directory;
        let seen = server.seen.clone();
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                tokio::spawn(serve(socket, acts.clone(), seen.clone()));
            }
        });
        server
    }

    fn new(target: Target) -> Self {
        Self {
            seen: Arc::default(),
            target,
            _directory: tempfile::tempdir().unwrap(),
        }
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    pub(crate) fn client(&self) -> Client {
        client(&self.target)
    }
}

/// A client that does not wait long.
pub(crate) fn client(target: &Target) -> Client {
    let token = Token::new("hidden-token").unwrap();
    Client::with_options(target, token, hasty()).unwrap()
}

pub(crate) fn hasty() -> Options {
    Options {
        connect_time: Duration::from_secs(5),
        answer_time: Duration::from_millis(300),
        repeats: 3,
        first_pause: Duration::from_millis(1),
        longest_pause: Duration::from_millis(5),
        stream_silence: Duration::from_millis(300),
        stream_repeats: 3,
        plain_text: false,
    }
}

/// A target where nothing listens.
pub(crate) fn nobody(directory: &Path) -> Target {
    Target::Unix(PathBuf::from(directory).join("nobody.sock"))
}

#[derive(Clone)]
struct Acts(Arc<Mutex<(Vec<Act>, usize)>>);

impl Acts {
    fn new(acts: impl IntoIterator<Item = Act>) -> Self {
        Self(Arc::new(Mutex::new((acts.into_iter().collect(), 0))))
    }

    fn next(&self) -> Act {
        let mut acts = self.0.lock().unwrap();
        let at = acts.1.min(acts.0.len() - 1);
        acts.1 += 1;
        acts.0[at].clone()
    }
}

async fn serve<S: AsyncRead + AsyncWrite + Unpin>(
    mut socket: S,
    acts: Acts,
    seen: Arc<Mutex<Vec<Seen>>>,
) {
    let mut bytes = Vec::new();
    let head_end = loop {
        if let Some(at) = bytes.windows(4).position(|part| part == b"\r\n\r\n") {
            break at;
        }
        if socket.read_buf(&mut bytes).await.unwrap_or(0) == 0 {
            return;
        }
    };
    let head = String::from_utf8(bytes[..head_end].to_vec()).unwrap();
    let mut request = Seen {
        line: head.lines().next().unwrap_or_default().to_owned(),
        head,
        body: String::new(),
    };
    let length: usize = request
        .header("content-length")
        .map_or(0, |text| text.parse().unwrap());
    while bytes.len() < head_end + 4 + length {
        if socket.read_buf(&mut bytes).await.unwrap_or(0) == 0 {
            return;
        }
    }
    request.body = String::from_utf8_lossy(&bytes[head_end + 4..]).into_owned();
    let act = {
        let mut seen = seen.lock().unwrap();
        seen.push(request);
        acts.next()
    };
    match act {
        Act::HangUp => {}
        Act::Answer(text) => {
            let _ = socket.write_all(text.as_bytes()).await;
            let _ = socket.shutdown().await;
        }
        Act::Stay(text) => {
            let _ = socket.write_all(text.as_bytes()).await;
            // Until the other side has gone.
            let mut rest = [0; 1];
            let _ = socket.read(&mut rest).await;
        }
    }
}
