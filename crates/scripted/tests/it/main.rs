//! The scripted agent as dogwatch sees it: a process with a request, a working directory, output and a response.

mod actions;
mod demo;
mod processes;
mod protocol;
mod rehearsal;
