//! The scripted agent: a real agent process whose every move stands in a JSON script, for the demo and for tests.
//!
//! It speaks the protocol of the `exec` driver: it reads the request named by `DOGWATCH_REQUEST_FILE`, does what the script says for
//! that turn in its working directory, and leaves its response where `DOGWATCH_RESPONSE_FILE` says. It is a leaf: it knows the protocol
//! only as any foreign agent does, by its files. The format of scripts is in the crate's README and on [`Script`].

mod action;
mod agent;
mod demo;
mod exchange;
mod os;
mod respond;
mod script;
mod stage;

pub use action::{Action, Repeat, Stream};
pub use agent::{EXIT_ACTION, EXIT_EXPECTATION, EXIT_SETUP, agent_main};
pub use demo::{DEMO_SCRIPT, DEMO_TASK, Demo, DemoGate, demo_repository};
pub use respond::{Answer, Respond, Status, ToolCall};
pub use script::{SCRIPT_VERSION, Script, ScriptError, Turn};
