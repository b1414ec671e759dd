//! The whole control API over a real engine, a real database and real sockets.

mod agent_door;
mod bench;
mod malformed;
mod matrix;
mod streams;
mod walk;
#[path = "../../src/tests/wire.rs"]
mod wire;
