//! The files that dogwatch and an `exec` agent pass to each other. What comes back is untrusted: its kind, size and content.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, lchown};
use std::path::{Path, PathBuf};

use dogwatch_core::redact::SecretSet;
use dogwatch_core::turn::{AgentRequest, ResponseReading};
use dogwatch_supervisor::containment::AgentUser;
use nix::fcntl::OFlag;

use crate::driver::{DriverError, TurnFiles};

/// The three files, as the agent sees them.
#[derive(Clone, Debug)]
pub(crate) struct Exchange {
    pub(crate) prompt: PathBuf,
    pub(crate) request: PathBuf,
    pub(crate) response: PathBuf,
}

impl Exchange {
    /// Writes the prompt and the request, for the agent and as evidence.
    /// `user` is whom the agent runs as, if not as dogwatch itself.
    pub(crate) fn open(
        files: &TurnFiles,
        request: &AgentRequest,
        user: Option<AgentUser>,
    ) -> Result<Self, DriverError> {
        let exchange = Self {
            prompt: files.exchange.join("prompt.md"),
            request: files.exchange.join("request.json"),
            response: files.exchange.join("response.json"),
        };
        fs::create_dir_all(&files.exchange).map_err(file("create", &files.exchange))?;
        let prompt = request.prompt();
        let json = request.to_file().map_err(DriverError::Request)?;
        for (path, bytes) in [
            (&exchange.prompt, prompt.as_bytes()),
            (&exchange.request, &json),
            (&files.prompt, prompt.as_bytes()),
            (&files.request, &json),
        ] {
            write_durably(path, bytes).map_err(file("write", path))?;
        }
        if let Some(AgentUser { uid, gid }) = user {
            for path in [&exchange.prompt, &exchange.request] {
                lchown(path, Some(uid), Some(gid)).map_err(file("give to the agent", path))?;
            }
        }
        Ok(exchange)
    }

    /// Reads the response, keeps its bytes as evidence, and parses them.
    pub(crate) fn close(
        &self,
        files: &TurnFiles,
        max_bytes: u64,
        secrets: &SecretSet,
    ) -> Result<ResponseReading, DriverError> {
        let bytes = match read_untrusted(&self.response, max_bytes) {
            Ok(bytes) => bytes,
            Err(Untrusted::Missing) => return Ok(ResponseReading::Missing),
            Err(Untrusted::Refused(error)) => return Ok(ResponseReading::Malformed { error }),
            Err(Untrusted::Io(source)) => return Err(file("read", &self.response)(source)),
        };
        let bytes = secrets.redact_bytes(&bytes);
        write_durably(&files.response, &bytes).map_err(file("write", &files.response))?;
        Ok(ResponseReading::parse(&bytes))
    }
}

enum Untrusted {
    Missing,
    Refused(String),
    Io(io::Error),
}

/// Reads a file that an agent made: a regular file of bounded size, opened without following a link and without blocking.
fn read_untrusted(path: &Path, max_bytes: u64) -> Result<Vec<u8>, Untrusted> {
    let flags = OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
    let opened = OpenOptions::new()
        .read(true)
        .custom_flags(flags.bits())
        .open(path);
    let opened: File = match opened {
        Ok(opened) => opened,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(Untrusted::Missing),
        Err(error) => {
            return Err(Untrusted::Refused(format!("it cannot be opened: {error}")));
        }
    };
    let metadata = opened.metadata().map_err(Untrusted::Io)?;
    if !metadata.is_file() {
        return Err(Untrusted::Refused("it is not a regular file".to_owned()));
    }
    let mut bytes = Vec::new();
    opened
        .take(max_bytes + 1)
        .read_to_end(&mut bytes)
        .map_err(Untrusted::Io)?;
    if bytes.len() as u64 > max_bytes {
        return Err(Untrusted::Refused(format!(
            "it is larger than response_bytes={max_bytes}"
        )));
    }
    Ok(bytes)
}

fn write_durably(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn file<'p>(
    action: &'static str,
    path: &'p Path,
) -> impl FnOnce(io::Error) -> DriverError + use<'p> {
    move |source| DriverError::File {
        action,
        path: path.to_owned(),
        source,
    }
}
