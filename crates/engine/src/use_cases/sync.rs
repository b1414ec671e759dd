//! A runner says what it has to offer.

use dogwatch_api::{Caller, Problem, RUNNER_PROTOCOL, Scope, SyncRunner, Synced};
use dogwatch_core::server::{self, RunnerSynced, ServerCommand};
use dogwatch_core::{Sha256Digest, canonical};
use dogwatch_store::{EventContext, ServerUpdate};

use crate::Engine;
use crate::hints::Hint;
use crate::problems;
use crate::texts::fit;

/// The oldest protocol that is spoken.
const OLDEST_PROTOCOL: u32 = 1;

/// The most that a runner says of itself, in bytes.
const MAX_BYTES: usize = 512 * 1024;

impl Engine {
    /// Keeps what a runner has to offer. Saying the same again writes nothing.
    pub async fn sync(&self, caller: &Caller, mut request: SyncRunner) -> Result<Synced, Problem> {
        Self::allow(caller, Scope::Runner)?;
        if request.protocol < OLDEST_PROTOCOL {
            return Err(problems::invalid(
                "protocol_too_old",
                format!(
                    "the runner speaks protocol {}, and {OLDEST_PROTOCOL} is the oldest that is understood",
                    request.protocol
                ),
                "bring the runner up to the version of the server",
            )
            .with("protocol", RUNNER_PROTOCOL));
        }
        let machine = request.offer.machine;
        self.known.touch(machine, self.clock.now());
        request.name = fit(&request.name, 100);
        request.version = fit(&request.version, 100);
        // The order in which things are said is no difference.
        request.capabilities.sort();
        request.capabilities.dedup();
        request.offer.sessions.sort_by_key(|session| session.id);
        let bytes =
            canonical::to_bytes(&request).map_err(|error| problems::field("offer", error))?;
        if bytes.len() > MAX_BYTES {
            return Err(problems::field(
                "offer",
                format_args!("is {} bytes, more than {MAX_BYTES}", bytes.len()),
            ));
        }
        let synced = RunnerSynced {
            machine,
            name: request.name,
            version: request.version,
            digest: Sha256Digest::of(&bytes),
        };
        let known = self.known.view().await?;
        if known.state.runners.get(&machine) != Some(&synced) {
            self.keep_runner(caller, synced, bytes).await?;
        }
        Ok(Synced {
            protocol: RUNNER_PROTOCOL,
            lease_ttl_ms: self.limits.lease_ttl_ms,
            lease_heartbeat_ms: self.limits.lease_heartbeat_ms,
            lease_margin_ms: self.limits.lease_margin_ms,
        })
    }

    async fn keep_runner(
        &self,
        caller: &Caller,
        synced: RunnerSynced,
        bytes: Vec<u8>,
    ) -> Result<(), Problem> {
        let machine = synced.machine;
        let command = ServerCommand::SyncRunner(synced);
        let update = ServerUpdate {
            context: EventContext {
                actor: caller.actor(),
                cause: None,
                trace: None,
            },
            runner: Some((machine, bytes)),
            decide: Box::new(move |state, _now| server::decide(state, &command)),
        };
        self.known.update(update).await?;
        self.hints.send(Hint::Log);
        // What nobody could take before may be for this one.
        self.hints.send(Hint::JobAvailable);
        Ok(())
    }
}
