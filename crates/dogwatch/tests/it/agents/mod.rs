//! Agents that misbehave, each as a real process: what dogwatch makes of it, and that the evidence says so.

mod changes;
mod ends;
mod gates;
mod hiding;
mod liveness;
mod output;
mod processes;
mod responses;
mod sabotage;
