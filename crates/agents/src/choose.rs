//! From the name in a contract to a driver.

use std::sync::Arc;

use dogwatch_supervisor::ShimProgram;

use crate::driver::AgentDriver;
use crate::exec::ExecDriver;

/// An agent as configuration defines it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentSpec {
    /// The driver's name.
    pub driver: String,
    /// The command.
    pub command: Vec<String>,
    /// Variables of the host that it may see.
    pub pass_env: Vec<String>,
}

/// A driver with what the evidence says about it.
#[derive(Clone)]
pub struct AgentChoice {
    /// The agent's name.
    pub name: String,
    /// Its definition.
    pub spec: AgentSpec,
    /// Its driver.
    pub driver: Arc<dyn AgentDriver>,
}

/// No driver for that name.
#[derive(Debug, thiserror::Error)]
pub enum ChooseError {
    /// Configuration does not define the agent.
    #[error("agent `{name}` is not defined (defined: {defined})")]
    Unknown {
        /// The name asked for.
        name: String,
        /// The names there are.
        defined: String,
    },
    /// The definition names a driver that does not exist.
    #[error("agent `{name}` wants driver `{driver}`, which does not exist (there is: exec)")]
    Driver {
        /// The agent.
        name: String,
        /// The driver.
        driver: String,
    },
}

/// The driver of an agent.
pub fn choose(
    name: &str,
    spec: &AgentSpec,
    launcher: ShimProgram,
) -> Result<AgentChoice, ChooseError> {
    match spec.driver.as_str() {
        "exec" => Ok(AgentChoice {
            name: name.to_owned(),
            spec: spec.clone(),
            driver: Arc::new(ExecDriver::new(
                spec.command.clone(),
                spec.pass_env.clone(),
                launcher,
            )),
        }),
        other => Err(ChooseError::Driver {
            name: name.to_owned(),
            driver: other.to_owned(),
        }),
    }
}
