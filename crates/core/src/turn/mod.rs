//! One exchange with the agent: what is asked, what may come back, and what it means.

mod exit;
mod request;
mod response;
mod schema;
mod status;
mod verdict;

pub use exit::Exit;
pub use request::{AgentRequest, GateFeedback, REQUEST_VERSION, RequestLimits};
pub use response::{AgentResponse, ResponseReading, ResponseStatus, ToolCall};
pub use schema::{request_schema, response_schema};
pub use status::{TurnOutcome, TurnStatus};
pub use verdict::{MissingResponse, TurnVerdict, judge};
