//! What a command's containment came to.

use dogwatch_core::contract::Containment;
use serde::{Deserialize, Serialize};

use super::view::Network;

/// What was really in force when the command began.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ContainmentReached {
    /// The level.
    pub level: Containment,
    /// What was not in force, as fragments. At the full level these are remarks that do not lower it.
    pub missing: Vec<String>,
    /// The network.
    pub network: Network,
    /// The user the command ran as.
    pub uid: u32,
}

/// The layers beyond the view itself. No command begins in a view with a capability or a way to gain one, so those are not among them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Layers(u32);

impl Layers {
    /// A user other than root.
    pub(crate) const ORDINARY_USER: Self = Self(1);
    /// Landlock keeps writes to where the view has them.
    pub(crate) const LANDLOCK: Self = Self(1 << 1);
    /// The denied system calls are denied.
    pub(crate) const SECCOMP: Self = Self(1 << 2);
    /// Abstract sockets and signals end at the border. Not needed for any level.
    pub(crate) const SCOPED: Self = Self(1 << 3);

    const FOR_FULL: [(Self, &'static str); 3] = [
        (Self::ORDINARY_USER, "the command's user is root"),
        (
            Self::LANDLOCK,
            "the kernel has no Landlock, or one without truncation (Linux 6.2)",
        ),
        (Self::SECCOMP, "the kernel takes no seccomp filter"),
    ];

    pub(crate) const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(crate) const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    pub(crate) const fn to_number(self) -> i32 {
        self.0.cast_signed()
    }

    pub(crate) const fn from_number(number: i32) -> Self {
        Self(number.cast_unsigned())
    }

    /// The level that a view with these layers has, and what is missing.
    pub(crate) fn level(self, network: Network) -> (Containment, Vec<String>) {
        let missing: Vec<&str> = Self::FOR_FULL
            .iter()
            .filter(|(layer, _)| !self.has(*layer))
            .map(|(_, reason)| *reason)
            .collect();
        let level = if missing.is_empty() {
            Containment::Full
        } else {
            Containment::Reduced
        };
        let remark = (network == Network::Host && !self.has(Self::SCOPED)).then_some(
            "abstract sockets of the machine can be reached (Landlock before Linux 6.12)",
        );
        let missing = missing
            .into_iter()
            .chain(remark)
            .map(str::to_owned)
            .collect();
        (level, missing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_missing_layer_makes_it_reduced_and_is_named() {
        let all = Layers::ORDINARY_USER
            .with(Layers::LANDLOCK)
            .with(Layers::SECCOMP);
        assert_eq!(all.level(Network::None), (Containment::Full, vec![]));
        let (level, missing) = all.level(Network::Host);
        assert_eq!((level, missing.len()), (Containment::Full, 1));
        let scoped = all.with(Layers::SCOPED);
        assert_eq!(scoped.level(Network::Host), (Containment::Full, vec![]));
        for left_out in [Layers::ORDINARY_USER, Layers::LANDLOCK, Layers::SECCOMP] {
            let layers = Layers(scoped.0 & !left_out.0);
            let (level, missing) = layers.level(Network::Host);
            assert_eq!((level, missing.len()), (Containment::Reduced, 1));
        }
        assert_eq!(Layers::from_number(scoped.to_number()), scoped);
    }
}
