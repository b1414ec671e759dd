//! The `exec` driver: any command. It reads its request from files named in its environment and may write a response; exit 0 without one
//! means `done`.

use std::collections::BTreeMap;
use std::ffi::OsString;

use async_trait::async_trait;
use dogwatch_core::turn::{Exit, MissingResponse};
use dogwatch_supervisor::{Cause, ExitRecord, Oversight, ShimProgram, ShimSpec, oversee};
use tokio::task::spawn_blocking;

use crate::driver::{AgentDriver, DriverError, TurnInput, TurnReport};
use crate::exchange::Exchange;

/// An agent that is a command.
#[derive(Clone, Debug)]
pub struct ExecDriver {
    command: Vec<String>,
    pass_env: Vec<String>,
    launcher: ShimProgram,
}

impl ExecDriver {
    /// A driver for a command. `pass_env` names variables of the host that the agent may see beyond the allow-list.
    pub fn new(command: Vec<String>, pass_env: Vec<String>, launcher: ShimProgram) -> Self {
        Self {
            command,
            pass_env,
            launcher,
        }
    }

    fn spec(&self, input: &TurnInput, exchange: &Exchange) -> ShimSpec {
        // A map, as what dogwatch says wins over a variable of the host with the same name.
        let mut env: BTreeMap<OsString, OsString> =
            dogwatch_supervisor::env::allowed(&self.pass_env)
                .into_iter()
                .collect();
        env.extend(input.env.iter().cloned());
        env.extend(input.secrets.expose());
        for (name, path) in [
            ("DOGWATCH_PROMPT_FILE", &exchange.prompt),
            ("DOGWATCH_REQUEST_FILE", &exchange.request),
            ("DOGWATCH_RESPONSE_FILE", &exchange.response),
        ] {
            env.insert(OsString::from(name), path.clone().into_os_string());
        }
        let mut spec = ShimSpec::new(
            &self.command,
            &input.workspace,
            env.into_iter().collect(),
            &input.files.shim,
            input.budget_ms,
            &input.limits,
        );
        // A window longer than the turn would never be what ends it.
        spec.stall_ms = (input.limits.stall_window_ms < input.budget_ms)
            .then_some(input.limits.stall_window_ms);
        spec.view.clone_from(&input.view);
        spec
    }
}

#[async_trait]
impl AgentDriver for ExecDriver {
    fn kind(&self) -> &'static str {
        "exec"
    }

    fn missing_response(&self) -> MissingResponse {
        MissingResponse::MeansDone
    }

    async fn turn(
        &self,
        input: TurnInput,
        oversight: Oversight,
    ) -> Result<TurnReport, DriverError> {
        let (files, request) = (input.files.clone(), input.request.clone());
        let user = input.view.as_ref().and_then(|view| view.user);
        let secrets = oversight.secrets.clone();
        let exchange = spawn_blocking(move || Exchange::open(&files, &request, user))
            .await
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))?;
        let spec = self.spec(&input, &exchange);
        let record = oversee(&self.launcher, spec, &input.files.shim.directory, oversight).await?;
        match &record.cause {
            Cause::CaptureFailed { message } => return Err(DriverError::Capture(message.clone())),
            Cause::ContainmentMissing { reasons, .. } => {
                return Err(DriverError::Containment(reasons.clone()));
            }
            _ => {}
        }
        let (files, max_bytes) = (input.files.clone(), input.limits.response_bytes);
        let response = spawn_blocking(move || exchange.close(&files, max_bytes, &secrets))
            .await
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))?;
        Ok(TurnReport {
            exit: exit(&record, input.budget_ms),
            response,
            record,
        })
    }
}

/// The shim's word for how the process ended, as a verdict needs it.
fn exit(record: &ExitRecord, budget_ms: u64) -> Exit {
    match &record.cause {
        Cause::Exited { code } => Exit::Exited { code: *code },
        Cause::Signalled { signal } => Exit::Signalled { signal: *signal },
        Cause::Budget => Exit::Budget { budget_ms },
        Cause::Stalled { silent_ms } => Exit::Stalled {
            silent_ms: *silent_ms,
        },
        Cause::Stopped { reason } => Exit::Stopped {
            reason: reason.clone(),
        },
        Cause::Fenced => Exit::Fenced {},
        Cause::SpawnFailed { errno, message } => Exit::NotStarted {
            error: message.clone(),
            not_found: *errno == nix::errno::Errno::ENOENT as i32,
        },
        // `Lost` is a process that vanished with its namespace; `turn` has answered the others before it comes here.
        Cause::Lost | Cause::CaptureFailed { .. } | Cause::ContainmentMissing { .. } => {
            Exit::Signalled { signal: 9 }
        }
    }
}
