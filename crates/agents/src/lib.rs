//! Agent drivers: one way to give an agent a turn, whatever it is.
//!
//! A driver says what the agent's process did and what the agent answered. Whether the work is good is decided elsewhere, by looking at
//! the tree.

mod choose;
mod driver;
mod exchange;
mod exec;
mod secrets;

pub use choose::{AgentChoice, AgentSpec, ChooseError, choose};
pub use driver::{AgentDriver, DriverError, TurnFiles, TurnInput, TurnReport};
pub use exec::ExecDriver;
pub use secrets::Secrets;
