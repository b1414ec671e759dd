//! Routes that do on request what handlers should not.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock, Mutex};

use async_trait::async_trait;
use dogwatch_api::Scope;
use dogwatch_core::schemars::JsonSchema;
use serde::Deserialize;
use tokio::sync::watch;

use crate::exchange::Exchange;
use crate::problem::HttpProblem;
use crate::reply::Reply;
use crate::route::{Access, Answer, Route, schema_of};
use crate::sse::{Batch, Item, Source};

const READ: Access = Access::AnyOf(&[Scope::Read]);

pub(super) const TABLE: &[Route] = &[
    Route::get(
        "open",
        "/open",
        "Answers.",
        Access::Public,
        Answer::Empty,
        |_| Box::pin(async { Ok(Reply::empty()) }),
    ),
    Route::get("panics", "/panics", "Panics.", READ, Answer::Empty, |_| {
        Box::pin(async { panic!("a defect") })
    }),
    Route::post(
        "breaks",
        "/breaks",
        "Panics.",
        READ,
        (schema_of::<Work>, Answer::Empty),
        |_| Box::pin(async { panic!("a defect") }),
    ),
    Route::get(
        "hangs",
        "/hangs",
        "Never answers.",
        READ,
        Answer::Empty,
        |_| Box::pin(std::future::pending()),
    ),
    Route::post(
        "work",
        "/work",
        "Works.",
        READ,
        (schema_of::<Work>, Answer::Empty),
        |exchange| Box::pin(work(exchange)),
    ),
    Route::post(
        "waits",
        "/waits",
        "Waits.",
        READ,
        (schema_of::<Work>, Answer::Empty),
        |exchange| Box::pin(work(exchange)),
    )
    .waits(),
    Route::put(
        "store",
        "/store",
        "Takes bytes.",
        READ,
        (100, Answer::Empty),
        |_| Box::pin(async { Ok(Reply::empty()) }),
    ),
    Route::get(
        "numbers",
        "/numbers/{name}",
        "Counts.",
        READ,
        Answer::Events(schema_of::<u64>),
        |exchange| Box::pin(numbers(exchange)),
    ),
];

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(crate = "dogwatch_core::schemars")]
struct Work {
    name: String,
}

/// What a test and a handler share.
#[derive(Clone)]
pub(super) struct Shared {
    /// How far the handler is: 1 has begun, 2 is done, 3 was dropped before it was done.
    pub(super) stage: Arc<watch::Sender<u32>>,
    /// Counted up by the test: how far the handler may go.
    pub(super) gate: Arc<watch::Sender<u64>>,
}

/// The shared state of a name, which every test chooses for itself.
pub(super) fn shared(name: &str) -> Shared {
    static ALL: LazyLock<Mutex<BTreeMap<String, Shared>>> = LazyLock::new(Mutex::default);
    let mut all = ALL.lock().unwrap();
    let new = || Shared {
        stage: Arc::new(watch::Sender::new(0)),
        gate: Arc::new(watch::Sender::new(0)),
    };
    all.entry(name.to_owned()).or_insert_with(new).clone()
}

struct Dropped(Shared);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.stage.send_if_modified(|stage| {
            let cut = *stage == 1;
            if cut {
                *stage = 3;
            }
            cut
        });
    }
}

async fn work(exchange: Exchange) -> Result<Reply, HttpProblem> {
    let work: Work = exchange.json()?;
    let shared = shared(&work.name);
    shared.stage.send_replace(1);
    let dropped = Dropped(shared.clone());
    let _ = shared.gate.subscribe().wait_for(|gate| *gate > 0).await;
    shared.stage.send_replace(2);
    drop(dropped);
    Ok(Reply::empty())
}

async fn numbers(exchange: Exchange) -> Result<Reply, HttpProblem> {
    let after = exchange.position(None)?;
    let gate = shared(exchange.text("name")).gate.subscribe();
    Ok(Reply::events(Numbers { gate }, after))
}

/// Counts as far as the gate allows, and ends at 1,000.
struct Numbers {
    gate: watch::Receiver<u64>,
}

#[async_trait]
impl Source for Numbers {
    async fn after(&mut self, cursor: Option<&str>, limit: usize) -> Result<Batch, HttpProblem> {
        let after = cursor.map_or(0, |text| text.parse().unwrap());
        let last = (*self.gate.borrow_and_update()).min(1000);
        let items = (after + 1..=last)
            .take(limit)
            .map(|number| Item {
                cursor: Some(number.to_string()),
                event: "number",
                data: number.to_string(),
            })
            .collect();
        let more = last.saturating_sub(after) > limit as u64;
        Ok(Batch {
            items,
            more,
            ended: (last == 1000 && !more).then_some("counted"),
        })
    }

    async fn changed(&mut self) {
        if self.gate.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
