//! The protocol suite without a transport.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use dogwatch_api::ControlPlane;
use dogwatch_core::event::Via;
use dogwatch_engine::InProcess;
use dogwatch_testkit::SimClock;
use dogwatch_testkit::protocol_suite::Stage;

use crate::plant::{CHIEF, Person, Plant, RUNNER, USER};

struct SameProcess {
    plant: Plant,
}

impl SameProcess {
    fn person(&self, person: &Person) -> Arc<dyn ControlPlane> {
        Arc::new(InProcess::new(self.plant.engine.clone(), person.caller()))
    }
}

#[async_trait]
impl Stage for SameProcess {
    fn user(&self) -> Arc<dyn ControlPlane> {
        self.person(&USER)
    }

    fn runner(&self) -> Arc<dyn ControlPlane> {
        self.person(&RUNNER)
    }

    fn chief(&self) -> Arc<dyn ControlPlane> {
        self.person(&CHIEF)
    }

    async fn bearer(&self, token: &str) -> Arc<dyn ControlPlane> {
        let caller = self.plant.engine.authenticate(token, Via::Http).await;
        Arc::new(InProcess::new(self.plant.engine.clone(), caller.unwrap()))
    }

    fn clock(&self) -> SimClock {
        self.plant.clock.clone()
    }

    async fn sweep(&self, steady: Duration) {
        self.plant.sweep(steady).await;
    }

    fn drain(&self, drain: bool) {
        self.plant.engine.drain(drain);
    }
}

async fn open() -> SameProcess {
    SameProcess {
        plant: Plant::new(),
    }
}

dogwatch_testkit::protocol_suite!(open);
