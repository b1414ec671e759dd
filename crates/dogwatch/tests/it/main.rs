//! The program, end to end: real repositories, real processes.

mod agents;
mod bad_input;
mod crashes;
mod demo;
mod record;
mod scene;
mod support;
