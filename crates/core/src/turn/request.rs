//! What an agent of the `exec` driver reads from `DOGWATCH_REQUEST_FILE`.

use serde::{Deserialize, Serialize};

use crate::ids::{JobId, RunId, SessionId};

/// The version of the request format.
pub const REQUEST_VERSION: u32 = 1;

/// The limits an agent may want to pace itself by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RequestLimits {
    /// The most turns of the run.
    pub max_turns: u64,
    /// How long this turn may take, in milliseconds.
    pub turn_budget_ms: u64,
    /// How long the agent may print nothing, in milliseconds.
    pub stall_window_ms: u64,
}

/// A gate that the previous tree did not pass.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GateFeedback {
    /// The gate.
    pub gate: String,
    /// A stable code.
    pub code: String,
    /// What is wrong, for a person or a model.
    pub reason: String,
    /// The command, where the gate runs one.
    pub command: Option<String>,
    /// The end of its output, clipped.
    pub output: String,
}

/// One turn's request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AgentRequest {
    /// [`REQUEST_VERSION`].
    pub version: u32,
    /// The job.
    pub job_id: JobId,
    /// The run.
    pub run_id: RunId,
    /// The agent session, where the run belongs to one.
    pub session_id: Option<SessionId>,
    /// The number of this turn, from 1.
    pub turn: u32,
    /// The task as the contract states it.
    pub task: String,
    /// What this turn is about: the task, the agent's own `next_task`, or what to mend.
    pub current_task: String,
    /// The agent's working directory.
    pub workspace: String,
    /// Why dogwatch started the agent again, where it did.
    pub hint: Option<String>,
    /// The gates that the previous tree did not pass.
    pub failed_gates: Vec<GateFeedback>,
    /// The limits of this run.
    pub limits: RequestLimits,
    /// The tools dogwatch offers to this agent.
    pub tools: Vec<String>,
}

impl AgentRequest {
    /// The bytes of the request file, which its digest in the journal is over.
    pub fn to_file(&self) -> Result<Vec<u8>, serde_json::Error> {
        serde_json::to_vec_pretty(self)
    }

    /// The same request as one text, for agents that take a prompt.
    pub fn prompt(&self) -> String {
        let mut text = String::new();
        if let Some(hint) = &self.hint {
            text.push_str(hint);
            text.push_str("\n\nOriginal task: ");
        }
        text.push_str(&self.current_task);
        text.push('\n');
        if !self.failed_gates.is_empty() {
            text.push_str(
                "\nYour last change did not pass these checks. They were run on your files after you had finished. Mend the files so that all of them pass.\n",
            );
            for gate in &self.failed_gates {
                text.push_str(&format!(
                    "\n## {} ({})\n{}\n",
                    gate.gate, gate.code, gate.reason
                ));
                if let Some(command) = &gate.command {
                    text.push_str(&format!("Command: {command}\n"));
                }
                if !gate.output.is_empty() {
                    text.push_str(&format!("Output:\n{}\n", gate.output));
                }
            }
        }
        if self.current_task != self.task {
            text.push_str(&format!("\nThe task as a whole: {}\n", self.task));
        }
        text
    }
}
