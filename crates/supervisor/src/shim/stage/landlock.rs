//! Landlock as a second fence: even through a hole in the mounts, nothing is written outside what the view has writable.

use std::os::fd::OwnedFd;

use landlock::{
    ABI, AccessFs, BitFlags, CompatLevel, Compatible as _, PathBeneath, Ruleset, RulesetAttr as _,
    RulesetCreatedAttr as _, RulesetError, RulesetStatus, Scope,
};

use nix::libc;
use nix::sys::stat::fstat;

use crate::containment::Layers;
use crate::os::mounts;
use crate::text::RawText;

/// Opens what may be written. What is not there is left out, which forbids it.
pub(super) fn open(writable: &[RawText]) -> Vec<OwnedFd> {
    writable
        .iter()
        .filter_map(|path| mounts::open_resolved(path.as_path()).ok())
        .collect()
}

/// Restricts this process and everything it starts. Gives the layers that came of it.
pub(super) fn restrict(writable: Vec<OwnedFd>) -> Layers {
    let mut layers = Layers::default();
    // Two rulesets, so that a kernel without scopes still gets the first one as a whole.
    if matches!(restrict_writes(writable), Ok(RulesetStatus::FullyEnforced)) {
        layers = layers.with(Layers::LANDLOCK);
    }
    if matches!(restrict_scope(), Ok(RulesetStatus::FullyEnforced)) {
        layers = layers.with(Layers::SCOPED);
    }
    layers
}

fn restrict_writes(writable: Vec<OwnedFd>) -> Result<RulesetStatus, RulesetError> {
    let writes: BitFlags<AccessFs> = AccessFs::from_write(ABI::V3);
    let mut ruleset = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(writes)?
        .create()?;
    for fd in writable {
        // A right that only directories have would make the whole rule count as not fully in force.
        let directory = fstat(&fd).is_ok_and(|stat| stat.st_mode & libc::S_IFMT == libc::S_IFDIR);
        let rights = if directory {
            writes
        } else {
            writes & AccessFs::from_file(ABI::V3)
        };
        ruleset = ruleset.add_rule(PathBeneath::new(fd, rights))?;
    }
    Ok(ruleset.restrict_self()?.ruleset)
}

fn restrict_scope() -> Result<RulesetStatus, RulesetError> {
    let status = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .scope(Scope::AbstractUnixSocket | Scope::Signal)?
        .create()?
        .restrict_self()?;
    Ok(status.ruleset)
}
