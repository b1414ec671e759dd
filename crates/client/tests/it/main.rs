//! The client: against a server that says what a test tells it to, and under the protocol suite against a real one.

mod answers;
mod follow;
mod in_process;
mod over_http;
mod plant;
mod scripted_server;
mod secrets;
mod streams;
