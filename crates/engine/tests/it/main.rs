//! The use-cases against a real store.

mod access;
mod bench;
mod jobs;
mod leases;
mod policy;
