//! Keys: the runner's own, which signs, and the trusted ones, which signatures are checked against.
//!
//! The private key is `<data>/keys/runner.pem`, made once together with its directory. If the directory is there and the key is not, it
//! was lost, and a new one is not made behind the user's back: every bundle would suddenly be signed by a stranger. Public keys are
//! `<data>/trusted-keys/<keyid>.pem`, in the form `openssl pkey -pubin` reads.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use ed25519_dalek::pkcs8::{
    DecodePrivateKey as _, DecodePublicKey as _, EncodePrivateKey as _, EncodePublicKey as _,
    KeypairBytes,
};
use ed25519_dalek::{SigningKey, VerifyingKey};

use dogwatch_core::Sha256Digest;
use nix::fcntl::OFlag;

use crate::digest::read_capped;
use crate::durable::{remove_if_present, sync_directory, write_new};

const KEYS: &str = "keys";
const RUNNER_KEY: &str = "runner.pem";
const TRUSTED_KEYS: &str = "trusted-keys";

/// Far more than any key file of ours.
const MAX_KEY_BYTES: u64 = 64 * 1024;

/// Why a key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file system said no.
    #[error("{doing} {path}")]
    Io {
        /// What was tried.
        doing: &'static str,
        /// On what.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The directory of keys is there but the key is not.
    #[error(
        "signing key {path} is gone: restore it from a backup, or remove the directory it was in to have a new one made"
    )]
    Missing {
        /// Where it should be.
        path: PathBuf,
    },
    /// Others can read or write what must be private.
    #[error(
        "{path} has mode {mode:04o}, which lets others in: set it to {wanted:04o} and ask who had access"
    )]
    Permissions {
        /// The file or directory.
        path: PathBuf,
        /// Its mode.
        mode: u32,
        /// What it should be.
        wanted: u32,
    },
    /// Not a file.
    #[error("{path} is not a regular file")]
    NotAFile {
        /// What was given.
        path: PathBuf,
    },
    /// A private key where a public one belongs.
    #[error(
        "{path} holds a private key; give the public one, as `openssl pkey -in {path} -pubout` prints it"
    )]
    PrivateKey {
        /// What was given.
        path: PathBuf,
    },
    /// Not a key of the form that is expected.
    #[error("{path} is not {wanted}: {reason}")]
    Malformed {
        /// What was given.
        path: PathBuf,
        /// What was expected.
        wanted: &'static str,
        /// Why it is not that.
        reason: String,
    },
    /// A trusted key under a name that is not its id.
    #[error("trusted key {path} should be named {keyid}.pem after its id")]
    Misnamed {
        /// The file.
        path: PathBuf,
        /// The id of the key in it.
        keyid: String,
    },
    /// The operating system gives no random bytes.
    #[error("no random bytes for a new key: {0}")]
    Random(String),
}

/// The id of a key: SHA-256 of its 32 raw bytes, in lower-case hex.
pub fn keyid(key: &VerifyingKey) -> String {
    Sha256Digest::of(key.as_bytes()).to_string()
}

/// A public key the reader trusts, and where it came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustedKey {
    keyid: String,
    key: VerifyingKey,
    origin: String,
}

impl TrustedKey {
    /// Trusts a key. One for which everything verifies is refused.
    pub fn new(key: VerifyingKey, origin: impl Into<String>) -> Result<Self, KeyError> {
        let origin = origin.into();
        if key.is_weak() {
            return Err(KeyError::Malformed {
                path: origin.into(),
                wanted: "a usable Ed25519 public key",
                reason: "it is a weak key, under which signatures prove nothing".to_owned(),
            });
        }
        Ok(Self {
            keyid: keyid(&key),
            key,
            origin,
        })
    }

    /// Its id.
    pub fn keyid(&self) -> &str {
        &self.keyid
    }

    /// The key.
    pub const fn key(&self) -> &VerifyingKey {
        &self.key
    }

    /// Where it came from, for a person.
    pub fn origin(&self) -> &str {
        &self.origin
    }
}

/// The keys of one data directory.
#[derive(Debug)]
pub struct KeyStore {
    data: PathBuf,
    signing: SigningKey,
}

impl KeyStore {
    /// Loads the signing key of a data directory, or makes it if there has never been one. The data directory must exist.
    pub fn open(data: impl Into<PathBuf>) -> Result<Self, KeyError> {
        let data = data.into();
        let keys = data.join(KEYS);
        let signing = match load_signing_key(&keys)? {
            Some(signing) => signing,
            None => match make_signing_key(&data, &keys)? {
                Some(signing) => signing,
                // Another process was faster; its key counts.
                None => load_signing_key(&keys)?.ok_or_else(|| KeyError::Missing {
                    path: keys.join(RUNNER_KEY),
                })?,
            },
        };
        Ok(Self { data, signing })
    }

    /// The key bundles are signed with.
    pub const fn signing_key(&self) -> &SigningKey {
        &self.signing
    }

    /// The id of that key.
    pub fn keyid(&self) -> String {
        keyid(&self.signing.verifying_key())
    }

    /// The keys trusted here, see [`load_trusted_keys`].
    pub fn trusted_keys(&self) -> Result<Vec<TrustedKey>, KeyError> {
        load_trusted_keys(&self.data)
    }
}

/// The keys a data directory trusts. Makes nothing; no directory means that nobody is trusted.
pub fn load_trusted_keys(data: &Path) -> Result<Vec<TrustedKey>, KeyError> {
    let directory = data.join(TRUSTED_KEYS);
    match fs::metadata(&directory) {
        Ok(metadata) => refuse_mode(&directory, metadata.mode(), 0o022, 0o755)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(io_error("look at", &directory)(error)),
    }
    let mut keys = Vec::new();
    for entry in fs::read_dir(&directory).map_err(io_error("list", &directory))? {
        let path = entry.map_err(io_error("list", &directory))?.path();
        if path.extension().is_none_or(|extension| extension != "pem") {
            continue;
        }
        let key = load_public_key(&path)?;
        if path.file_stem().and_then(|stem| stem.to_str()) != Some(key.keyid()) {
            return Err(KeyError::Misnamed {
                path,
                keyid: key.keyid,
            });
        }
        keys.push(key);
    }
    keys.sort_by(|left, right| left.keyid.cmp(&right.keyid));
    Ok(keys)
}

/// Reads one public key from a file.
pub fn load_public_key(path: &Path) -> Result<TrustedKey, KeyError> {
    const WANTED: &str = "an Ed25519 public key in PEM";
    let (file, _) = open_regular(path)?;
    let malformed = |reason: &str| KeyError::Malformed {
        path: path.to_owned(),
        wanted: WANTED,
        reason: reason.to_owned(),
    };
    let text = read_text(&file, path, WANTED)?;
    if text.contains("PRIVATE KEY-----") {
        return Err(KeyError::PrivateKey {
            path: path.to_owned(),
        });
    }
    if text.starts_with("ssh-") || text.starts_with("ecdsa-") {
        return Err(malformed(
            "it is an OpenSSH key; dogwatch's own public keys are the .pem files in trusted-keys",
        ));
    }
    if text.contains("BEGIN CERTIFICATE") {
        return Err(malformed("it is a certificate"));
    }
    if !text.contains("-----BEGIN PUBLIC KEY-----") {
        return Err(malformed("there is no `BEGIN PUBLIC KEY` in it"));
    }
    let key = VerifyingKey::from_public_key_pem(text.trim())
        .map_err(|error| malformed(&error.to_string()))?;
    TrustedKey::new(key, path.display().to_string())
}

/// The signing key, or `None` if there has never been a directory for it.
fn load_signing_key(keys: &Path) -> Result<Option<SigningKey>, KeyError> {
    match fs::symlink_metadata(keys) {
        Ok(metadata) => refuse_mode(keys, metadata.mode(), 0o077, 0o700)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(io_error("look at", keys)(error)),
    }
    let path = keys.join(RUNNER_KEY);
    let (file, mode) = match open_regular(&path) {
        Err(KeyError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
            return Err(KeyError::Missing { path });
        }
        other => other?,
    };
    refuse_mode(&path, mode, 0o077, 0o600)?;
    let wanted = "an Ed25519 private key in PKCS#8 PEM";
    let text = read_text(&file, &path, wanted)?;
    SigningKey::from_pkcs8_pem(&text)
        .map(Some)
        .map_err(|error| KeyError::Malformed {
            path,
            wanted,
            reason: error.to_string(),
        })
}

/// Makes a key in a directory of its own and moves that into place at once. `None` if another process did so first.
fn make_signing_key(data: &Path, keys: &Path) -> Result<Option<SigningKey>, KeyError> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(|error| KeyError::Random(error.to_string()))?;
    let signing = SigningKey::from_bytes(&seed);
    // Without the public half, which older readers of PKCS#8 do not expect there.
    let private = KeypairBytes {
        secret_key: seed,
        public_key: None,
    }
    .to_pkcs8_pem(LineEnding::LF)
    .expect("an Ed25519 seed always has a PKCS#8 form");

    let verifying = signing.verifying_key();
    let draft = data.join(format!(".keys-{}", keyid(&verifying)));
    DirBuilder::new()
        .mode(0o700)
        .create(&draft)
        .map_err(io_error("create", &draft))?;
    let key_file = draft.join(RUNNER_KEY);
    write_new(&key_file, private.as_bytes(), 0o600).map_err(io_error("write", &key_file))?;
    sync_directory(&draft).map_err(io_error("write", &draft))?;
    // Trusted before it exists: were it the other way round, a crash in between would leave a key whose own bundles do not verify.
    let trusted = trust(data, &verifying)?;
    match fs::rename(&draft, keys) {
        Ok(()) => {
            sync_directory(data).map_err(io_error("write", data))?;
            Ok(Some(signing))
        }
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::DirectoryNotEmpty | io::ErrorKind::AlreadyExists
            ) =>
        {
            remove_if_present(&trusted).map_err(io_error("remove", &trusted))?;
            fs::remove_dir_all(&draft).map_err(io_error("remove", &draft))?;
            Ok(None)
        }
        Err(error) => Err(io_error("create", keys)(error)),
    }
}

/// Adds a key to the trusted ones.
fn trust(data: &Path, key: &VerifyingKey) -> Result<PathBuf, KeyError> {
    let directory = data.join(TRUSTED_KEYS);
    match DirBuilder::new().mode(0o755).create(&directory) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            return Err(io_error("create", &directory)(error));
        }
        _ => {}
    }
    let pem = key
        .to_public_key_pem(LineEnding::LF)
        .expect("an Ed25519 public key always has an SPKI form");
    let id = keyid(key);
    let draft = directory.join(format!(".{id}.draft"));
    let path = directory.join(format!("{id}.pem"));
    remove_if_present(&draft).map_err(io_error("remove", &draft))?;
    write_new(&draft, pem.as_bytes(), 0o644).map_err(io_error("write", &draft))?;
    fs::rename(&draft, &path).map_err(io_error("write", &path))?;
    sync_directory(&directory).map_err(io_error("write", &directory))?;
    Ok(path)
}

/// Opens a regular file without waiting for anyone, and gives its mode.
fn open_regular(path: &Path) -> Result<(File, u32), KeyError> {
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(OFlag::O_NONBLOCK.bits())
        .open(path)
        .map_err(io_error("open", path))?;
    let metadata = file.metadata().map_err(io_error("look at", path))?;
    if !metadata.is_file() {
        return Err(KeyError::NotAFile {
            path: path.to_owned(),
        });
    }
    Ok((file, metadata.mode()))
}

fn read_text(file: &File, path: &Path, wanted: &'static str) -> Result<String, KeyError> {
    let malformed = |reason: &str| KeyError::Malformed {
        path: path.to_owned(),
        wanted,
        reason: reason.to_owned(),
    };
    let bytes = read_capped(file, MAX_KEY_BYTES)
        .map_err(io_error("read", path))?
        .ok_or_else(|| malformed("it is far too large"))?;
    String::from_utf8(bytes).map_err(|_| malformed("it is not text"))
}

fn refuse_mode(path: &Path, mode: u32, forbidden: u32, wanted: u32) -> Result<(), KeyError> {
    if mode & forbidden == 0 {
        return Ok(());
    }
    Err(KeyError::Permissions {
        path: path.to_owned(),
        mode: mode & 0o7777,
        wanted,
    })
}

fn io_error(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> KeyError {
    let path = path.to_owned();
    move |source| KeyError::Io {
        doing,
        path,
        source,
    }
}
