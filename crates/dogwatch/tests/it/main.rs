//! The program, end to end: real repositories, real processes.

mod agents;
mod bad_input;
mod contained;
mod crashes;
mod demo;
mod inspect;
mod interrupts;
mod invariants;
mod own_jobs;
mod real_crate;
mod record;
mod scene;
mod server;
mod support;
mod tamper;
mod verdicts;
