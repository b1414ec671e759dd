//! The protocol suite over both doors of a real server.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use dogwatch_api::{Caller, ControlPlane, CreateToken, Scope};
use dogwatch_client::{Client, Target, Token};
use dogwatch_engine::InProcess;
use dogwatch_server::{
    AllowedHosts, EngineDoor, Limits, Listen, Listening, Metrics, Parts, Server,
};
use dogwatch_testkit::SimClock;
use dogwatch_testkit::protocol_suite::Stage;

use crate::plant::{CHIEF, Person, Plant, RUNNER, USER};

/// A server with a client for everyone around it.
pub(crate) struct Served {
    pub(crate) plant: Plant,
    pub(crate) target: Target,
    pub(crate) user: Client,
    pub(crate) runner: Client,
    pub(crate) chief: Client,
}

impl Served {
    pub(crate) async fn over_tcp() -> Self {
        let plant = Plant::new();
        let place = Listen::Tcp {
            address: "127.0.0.1:0".parse().unwrap(),
            allow_remote: false,
        };
        Self::new(plant, place).await
    }

    pub(crate) async fn over_unix() -> Self {
        let plant = Plant::new();
        let place = Listen::Unix(plant.directory.path().join("run/server.sock"));
        Self::new(plant, place).await
    }

    async fn new(plant: Plant, place: Listen) -> Self {
        let door = Arc::new(EngineDoor::new(plant.engine.clone()));
        let parts = Parts {
            planes: door.clone(),
            tokens: door.clone(),
            readiness: door,
            clock: Arc::new(plant.clock.clone()),
            entropy: plant.entropy.clone(),
            limits: Limits::default(),
            hosts: AllowedHosts::default(),
            metrics: Metrics::new("test"),
            extra: None,
        };
        let server = Server::bind(parts, &[place]).await.unwrap();
        let target = match server.listening()[0].clone() {
            Listening::Unix(path) => Target::Unix(path),
            Listening::Tcp(address) => format!("http://{address}").parse().unwrap(),
        };
        tokio::spawn(server.run(std::future::pending()));
        let known = async |person: &Person| {
            let secret = secret(&plant, person).await;
            client(&target, &secret)
        };
        let (user, runner, chief) = (
            known(&USER).await,
            known(&RUNNER).await,
            known(&CHIEF).await,
        );
        Self {
            plant,
            target,
            user,
            runner,
            chief,
        }
    }
}

pub(crate) fn client(target: &Target, secret: &str) -> Client {
    Client::new(target, Token::new(secret).unwrap()).unwrap()
}

/// A token of a person, made by someone who may do everything.
async fn secret(plant: &Plant, person: &Person) -> String {
    let everyone = Caller {
        scopes: Scope::ALL.into(),
        ..Caller::local_user("user:owner")
    };
    let request = CreateToken {
        label: "bench".to_owned(),
        principal: Some(person.principal.to_owned()),
        scopes: person.scopes(),
        projects: None,
        expires_at: None,
    };
    let owner = InProcess::new(plant.engine.clone(), everyone);
    owner.create_token(request).await.unwrap().secret
}

#[async_trait]
impl Stage for Served {
    fn user(&self) -> Arc<dyn ControlPlane> {
        Arc::new(self.user.clone())
    }

    fn runner(&self) -> Arc<dyn ControlPlane> {
        Arc::new(self.runner.clone())
    }

    fn chief(&self) -> Arc<dyn ControlPlane> {
        Arc::new(self.chief.clone())
    }

    async fn bearer(&self, token: &str) -> Arc<dyn ControlPlane> {
        Arc::new(client(&self.target, token))
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

mod tcp {
    use super::Served;

    dogwatch_testkit::protocol_suite!(Served::over_tcp);
}

mod unix {
    use super::Served;

    dogwatch_testkit::protocol_suite!(Served::over_unix);
}
