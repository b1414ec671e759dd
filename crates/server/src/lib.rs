//! The control API over HTTP: routes, authentication, streams.
//!
//! A request passes, in this order: the connection's limits (`listen`), the checks that keep other web pages out (`guard`), the route
//! table (`routes`), the token (`auth`), the body's limits, and only then a handler, which turns it into one call of the control plane.
//! Whatever refuses on the way answers with a problem document. No handler decides anything.

mod access_log;
mod activity;
mod agent_door;
mod app;
mod auth;
mod body;
mod catch;
mod dispatch;
mod engine_door;
mod exchange;
mod guard;
mod json;
mod limits;
mod listen;
mod meter;
mod metrics;
mod openapi;
mod pipeline;
mod problem;
mod problem_codes;
mod reply;
mod route;
mod routes;
mod server;
mod sse;
mod stop;
mod streams;
mod trace;

#[cfg(test)]
mod tests;

pub use activity::Activity;
pub use agent_door::agent_table;
pub use app::{NotReady, Parts, Planes, Readiness};
pub use auth::Authenticate;
pub use dogwatch_engine::AuthFailure;
pub use engine_door::EngineDoor;
pub use guard::AllowedHosts;
pub use limits::Limits;
pub use listen::{Listen, ListenError, Listening};
pub use metrics::Metrics;
pub use openapi::document;
pub use problem_codes::{CODES, HttpCode};
pub use route::{Access, Answer, Payload, Route, SchemaOf, Verb};
pub use routes::table;
pub use server::{Drained, Server};
