//! Why a run waits without holding a slot.

use serde::{Deserialize, Serialize};

/// Why a run is parked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ParkReason {
    /// A provider's limit.
    Limit,
    /// A person's decision.
    Approval,
    /// Free space.
    Disk,
}

impl ParkReason {
    /// The name used on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Limit => "limit",
            Self::Approval => "approval",
            Self::Disk => "disk",
        }
    }
}
