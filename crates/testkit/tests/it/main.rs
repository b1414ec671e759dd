//! The kit against real git, real processes and real homes.

mod home;
mod processes;
mod repo;
mod skip;
