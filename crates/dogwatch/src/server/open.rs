//! Opening the control plane: store, payloads, keys, engine; and the runner of this machine.

use std::collections::BTreeSet;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use dogwatch_api::{Caller, ControlPlane, Scope};
use dogwatch_blobs::{FileBlobs, FileOutput};
use dogwatch_bundle::KeyStore;
use dogwatch_config::FlagValues;
use dogwatch_core::event::Via;
use dogwatch_core::ids::MachineId;
use dogwatch_core::job::Holder;
use dogwatch_core::limits::LeaseLimits;
use dogwatch_core::queue::Offer;
use dogwatch_core::{Clock, Entropy, Sha256Digest};
use dogwatch_engine::{Engine, EngineParts, InProcess, LocalToken, TokenKey};
use dogwatch_policy::AllowAll;
use dogwatch_runner::{MachineRecord, RunnerParts, Silent};
use dogwatch_store_sqlite::SqliteStore;
use dogwatch_supervisor::os::clock::{SystemClock, SystemEntropy};
use dogwatch_supervisor::{ProcessIdentity, ShimProgram};

use super::endpoint::make_private;
use crate::context::Context;
use crate::error::CliError;

/// The control plane, open.
pub(super) struct Opened {
    pub(super) engine: Arc<Engine>,
    pub(super) store: Arc<SqliteStore>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) entropy: Arc<dyn Entropy>,
    pub(super) limits: LeaseLimits,
    pub(super) runner: RunnerParts,
}

/// Opens everything below the data directory. `secret` is the token of its own user.
pub(super) async fn open(
    context: &Context,
    identity: &ProcessIdentity,
    secret: &str,
    agent_socket: PathBuf,
) -> Result<Opened, CliError> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let entropy: Arc<dyn Entropy> = Arc::new(SystemEntropy);
    let layout = context.layout.clone();
    let store =
        SqliteStore::open(&layout.database(), clock.clone(), entropy.clone()).map_err(|error| {
            CliError::from_error("store_unreadable", &error)
                .next("keep a copy of the data directory, then run `dogwatch doctor`")
        })?;
    let store = Arc::new(store);
    let unusable = |error: &(dyn std::error::Error + 'static)| {
        CliError::from_error("data_directory", error)
            .next("mend its permissions, or set DOGWATCH_HOME to another directory")
    };
    let blobs = FileBlobs::open(layout.root().join("blobs")).map_err(|error| unusable(&error))?;
    let output =
        FileOutput::open(layout.root().join("output")).map_err(|error| unusable(&error))?;
    let keys = KeyStore::open(layout.root()).map_err(|error| {
        CliError::from_error("signing_key", &error).next("mend it as the message says")
    })?;
    let token_key = token_key(&layout.root().join("keys")).map_err(|error| unusable(&error))?;
    let machine = MachineRecord::read_or_mint(
        &context.places.machine_identity(),
        MachineId::mint(&*clock, &*entropy),
        clock.now(),
    )
    .map_err(|error| CliError::from_error("machine_identity", &error))?
    .machine_id;
    let limits = LeaseLimits::default();
    let engine = Arc::new(Engine::new(EngineParts {
        store: store.clone(),
        blobs: Arc::new(blobs),
        output: Arc::new(output),
        policy: Arc::new(AllowAll),
        clock: clock.clone(),
        entropy: entropy.clone(),
        limits: limits.clone(),
        token_key,
        local: Some(LocalToken {
            digest: Sha256Digest::of(secret.as_bytes()),
            caller: Caller::local_user(principal()),
        }),
    }));
    let program = std::env::current_exe().map_err(|error| {
        CliError::new(
            "own_program",
            format!("dogwatch cannot find its own program: {error}"),
        )
    })?;
    let plane: Arc<dyn ControlPlane> = Arc::new(InProcess::new(
        engine.clone(),
        Caller::local_runner(format!("runner:{machine}")),
    ));
    let recoverer: Arc<dyn ControlPlane> = Arc::new(InProcess::new(engine.clone(), recoverer()));
    let runner = RunnerParts {
        plane,
        recoverer: Some(recoverer),
        channel: Some(agent_socket),
        remote: false,
        layout,
        machine,
        name: host_name(),
        // It finds out by itself what it can do: its configuration is read anew for every run.
        offer: Offer::anything(machine),
        capabilities: Vec::new(),
        holder: Some(Holder {
            boot_id: identity.boot_id.clone(),
            pid: identity.pid,
            start_time: identity.start_time,
        }),
        clock: clock.clone(),
        entropy: entropy.clone(),
        launcher: ShimProgram::new(program),
        keys: Arc::new(keys),
        profile: context.profile_input(FlagValues::default())?,
        reserve: context.disk_reserve()?,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        observer: Arc::new(Silent),
    };
    Ok(Opened {
        engine,
        store,
        clock,
        entropy,
        limits,
        runner,
    })
}

/// The part of the control plane that speaks for dead runners.
fn recoverer() -> Caller {
    Caller {
        scopes: BTreeSet::from([Scope::Read, Scope::Runner, Scope::Admin]),
        via: Via::System,
        ..Caller::system()
    }
}

/// The user of this data directory, as events name them.
fn principal() -> String {
    let user = nix::unistd::User::from_uid(nix::unistd::Uid::effective())
        .ok()
        .flatten()
        .map(|user| user.name);
    format!(
        "user:{}",
        user.unwrap_or_else(|| nix::unistd::Uid::effective().to_string())
    )
}

/// What the machine calls itself.
pub(crate) fn host_name() -> String {
    nix::unistd::gethostname()
        .ok()
        .and_then(|name| name.into_string().ok())
        .unwrap_or_else(|| "localhost".to_owned())
}

/// The key that run tokens are made with: made once, kept with the other keys.
fn token_key(directory: &Path) -> io::Result<TokenKey> {
    let path = directory.join("token.key");
    make_private(directory)?;
    match fs::read(&path) {
        Ok(bytes) => {
            let bytes: [u8; 32] = bytes.try_into().map_err(|_| {
                io::Error::new(
                    io::ErrorKind::InvalidData,
                    format!("{} is not a key of 32 bytes", path.display()),
                )
            })?;
            Ok(TokenKey::from_bytes(bytes))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let bytes = secret_bytes()?;
            let draft = path.with_extension("tmp");
            let _ = fs::remove_file(&draft);
            let mut file = OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(&draft)?;
            file.write_all(&bytes)?;
            file.sync_all()?;
            fs::rename(&draft, &path)?;
            Ok(TokenKey::from_bytes(bytes))
        }
        Err(error) => Err(error),
    }
}

/// Bytes nobody can guess.
pub(super) fn secret_bytes() -> io::Result<[u8; 32]> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(io::Error::other)?;
    Ok(bytes)
}
