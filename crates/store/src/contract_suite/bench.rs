//! What a check works on: a store, a clock it sets itself, and ids that come out the same every time.

use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use dogwatch_core::event::Envelope;
use dogwatch_core::ids::{JobId, MachineId, ProjectId};
use dogwatch_core::job::Job;
use dogwatch_core::{Clock, Entropy, Timestamp};

use crate::{LogFilter, Store, StoredLine};

/// A store that a backend opened, with whatever has to live as long as it does.
pub struct Opened {
    /// The store.
    pub store: Arc<dyn Store>,
    /// A temporary directory, a container.
    pub keep: Box<dyn Any + Send + Sync>,
}

/// A clock that stands still until it is told to go on.
#[derive(Debug)]
pub struct ManualClock(AtomicI64);

impl ManualClock {
    /// 2026-11-20 00:00 UTC.
    pub const START: Timestamp = Timestamp::from_micros(1_795_132_800_000_000);

    /// Moves on by `step`.
    pub fn advance(&self, step: Duration) {
        let step = i64::try_from(step.as_micros()).unwrap_or(i64::MAX);
        self.0.fetch_add(step, Ordering::SeqCst);
    }

    /// Jumps to `at`, also backwards.
    pub fn set(&self, at: Timestamp) {
        self.0.store(at.as_micros(), Ordering::SeqCst);
    }
}

impl Default for ManualClock {
    fn default() -> Self {
        Self(AtomicI64::new(Self::START.as_micros()))
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.0.load(Ordering::SeqCst))
    }
}

/// Random bytes that are none: they count, within a series.
#[derive(Debug, Default)]
pub struct CountingEntropy {
    series: u32,
    count: AtomicU64,
}

impl Entropy for CountingEntropy {
    fn bytes(&self) -> [u8; 10] {
        let count = self.count.fetch_add(1, Ordering::SeqCst) + 1;
        let count = u32::try_from(count).expect("a check mints few ids");
        let mut bytes = [0; 10];
        bytes[2..6].copy_from_slice(&self.series.to_be_bytes());
        bytes[6..].copy_from_slice(&count.to_be_bytes());
        bytes
    }
}

/// A store on the bench.
pub struct Bench {
    /// The store.
    pub store: Arc<dyn Store>,
    /// Its clock.
    pub clock: Arc<ManualClock>,
    /// Its ids.
    pub entropy: Arc<CountingEntropy>,
    /// The project that jobs are of, unless a check says otherwise.
    pub project: ProjectId,
    /// The machine that claims.
    pub machine: MachineId,
    _keep: Box<dyn Any + Send + Sync>,
}

impl Bench {
    /// A bench with a fresh store.
    pub async fn open<F, Fut>(open: F) -> Self
    where
        F: FnOnce(Arc<dyn Clock>, Arc<dyn Entropy>) -> Fut,
        Fut: Future<Output = Opened>,
    {
        Self::open_series(0, open).await
    }

    /// A bench with a store that may hold what benches of other series left there: its ids are none of theirs.
    pub async fn open_series<F, Fut>(series: u32, open: F) -> Self
    where
        F: FnOnce(Arc<dyn Clock>, Arc<dyn Entropy>) -> Fut,
        Fut: Future<Output = Opened>,
    {
        let clock = Arc::new(ManualClock::default());
        let entropy = Arc::new(CountingEntropy {
            series,
            count: AtomicU64::new(0),
        });
        let shared_clock: Arc<dyn Clock> = Arc::<ManualClock>::clone(&clock);
        let shared_entropy: Arc<dyn Entropy> = Arc::<CountingEntropy>::clone(&entropy);
        let opened = open(shared_clock, shared_entropy).await;
        Self {
            project: ProjectId::mint(clock.as_ref(), entropy.as_ref()),
            machine: MachineId::mint(clock.as_ref(), entropy.as_ref()),
            store: opened.store,
            clock,
            entropy,
            _keep: opened.keep,
        }
    }

    /// What the clock says.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Lets a millisecond pass, so that what comes next is newer.
    pub fn tick(&self) {
        self.clock.advance(Duration::from_millis(1));
    }

    /// A job that is there.
    pub async fn job(&self, id: JobId) -> Job {
        self.store
            .job(id)
            .await
            .unwrap()
            .unwrap_or_else(|| panic!("{id} is not there"))
    }

    /// Every line of a job's control stream.
    pub async fn log(&self, id: JobId) -> Vec<StoredLine> {
        self.store.events(id, 0, 10_000).await.unwrap()
    }

    /// The whole control log, with the position of each event.
    pub async fn control_log(&self) -> Vec<(u64, Envelope)> {
        let filter = LogFilter {
            limit: 10_000,
            ..LogFilter::default()
        };
        let lines = self.store.log(filter).await.unwrap();
        lines
            .into_iter()
            .map(|line| (line.position, serde_json::from_slice(&line.line).unwrap()))
            .collect()
    }
}
