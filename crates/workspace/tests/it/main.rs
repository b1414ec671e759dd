//! Real git, real files: what the crate promises about checkouts, vaults, clones and trees.

mod beside;
mod canary;
mod checkout;
mod clone;
mod diff;
mod fingerprint;
mod history;
mod land;
mod link;
mod mounted;
mod overlay;
mod overlay_fill;
mod overlay_hostile;
mod overlay_random;
mod pristine;
mod snapshot;
mod support;
mod trash;
mod tree_hostile;
mod tree_ignore;
mod tree_matches_git;
mod vault;
mod vectors;
