//! The framework on real sockets, with routes made for it.

mod bench;
mod endings;
mod limits;
mod logs;
mod routes;
mod streams;
mod wire;
