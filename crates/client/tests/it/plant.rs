//! A control plane over real files, for the stages of the protocol suite.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use dogwatch_api::{Caller, Scope};
use dogwatch_blobs::{FileBlobs, FileOutput};
use dogwatch_core::event::Via;
use dogwatch_core::limits::LeaseLimits;
use dogwatch_engine::{Engine, EngineParts, TokenKey};
use dogwatch_policy::AllowAll;
use dogwatch_store_sqlite::SqliteStore;
use dogwatch_testkit::{SeqEntropy, SimClock};
use tempfile::TempDir;

pub(crate) struct Plant {
    pub(crate) engine: Arc<Engine>,
    pub(crate) clock: SimClock,
    pub(crate) entropy: Arc<SeqEntropy>,
    pub(crate) directory: TempDir,
}

impl Plant {
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let clock = SimClock::new();
        let entropy = Arc::new(SeqEntropy::new());
        let place = |name: &str| directory.path().join(name);
        let store = SqliteStore::open(
            &place("dogwatch.db"),
            Arc::new(clock.clone()),
            entropy.clone(),
        )
        .unwrap();
        let engine = Engine::new(EngineParts {
            store: Arc::new(store),
            blobs: Arc::new(FileBlobs::open(place("blobs")).unwrap()),
            output: Arc::new(FileOutput::open(place("output")).unwrap()),
            policy: Arc::new(AllowAll),
            clock: Arc::new(clock.clone()),
            entropy: entropy.clone(),
            limits: LeaseLimits::default(),
            token_key: TokenKey::from_bytes([7; 32]),
            local: None,
        });
        Self {
            engine: Arc::new(engine),
            clock,
            entropy,
            directory,
        }
    }

    pub(crate) async fn sweep(&self, steady: Duration) {
        let ticked = self.engine.tick(steady).await.unwrap();
        assert_eq!(ticked.failed, 0, "{ticked:?}");
    }
}

/// Someone around the control plane.
pub(crate) struct Person {
    pub(crate) principal: &'static str,
    pub(crate) via: Via,
    pub(crate) scopes: &'static [Scope],
}

pub(crate) const USER: Person = Person {
    principal: "user:ana",
    via: Via::Cli,
    scopes: &[Scope::Read, Scope::Submit, Scope::Operate],
};

pub(crate) const RUNNER: Person = Person {
    principal: "runner:bench",
    via: Via::Runner,
    scopes: &[Scope::Read, Scope::Runner],
};

pub(crate) const CHIEF: Person = Person {
    principal: "user:boss",
    via: Via::Cli,
    scopes: &[Scope::Read, Scope::Approve, Scope::Admin],
};

impl Person {
    pub(crate) fn scopes(&self) -> BTreeSet<Scope> {
        self.scopes.iter().copied().collect()
    }

    /// As a caller in the same process.
    pub(crate) fn caller(&self) -> Caller {
        Caller {
            principal: self.principal.to_owned(),
            token: None,
            via: self.via,
            scopes: self.scopes(),
            projects: None,
            lease: None,
        }
    }
}
