//! The table itself, and the types made from it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How capable the model behind an agent is. It only chooses defaults.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum ModelClass {
    /// The strongest hosted models.
    #[default]
    Frontier,
    /// Smaller hosted models.
    Mid,
    /// Models that run on the machine itself, and take longer between signs of life.
    SmallLocal,
}

impl ModelClass {
    /// Every class.
    pub const ALL: [Self; 3] = [Self::Frontier, Self::Mid, Self::SmallLocal];

    /// The class as it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Frontier => "frontier",
            Self::Mid => "mid",
            Self::SmallLocal => "small_local",
        }
    }
}

impl std::fmt::Display for ModelClass {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a limit counts. The name of a limit ends accordingly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LimitUnit {
    /// Things.
    Count,
    /// Milliseconds.
    Milliseconds,
    /// Bytes.
    Bytes,
}

/// Who enforces a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LimitOwner {
    /// The work loop.
    Runner,
    /// The process that owns the agent's process tree.
    Supervisor,
    /// The agent drivers.
    Agents,
    /// The gates.
    Gates,
    /// The control plane.
    Engine,
}

/// One row of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct LimitSpec {
    /// The name, with its unit.
    pub name: &'static str,
    /// What it counts.
    pub unit: LimitUnit,
    /// Who enforces it.
    pub owner: LimitOwner,
    /// The default for [`ModelClass::Frontier`].
    pub frontier: u64,
    /// The default for [`ModelClass::Mid`].
    pub mid: u64,
    /// The default for [`ModelClass::SmallLocal`].
    pub small_local: u64,
    /// A smaller value is raised to this, and that is said.
    pub minimum: u64,
    /// The code of what happens when the limit is reached.
    pub code: &'static str,
    /// Whether a contract or a configuration may set it.
    pub settable: bool,
}

impl LimitSpec {
    /// The default for a model class.
    pub const fn default_for(&self, class: ModelClass) -> u64 {
        match class {
            ModelClass::Frontier => self.frontier,
            ModelClass::Mid => self.mid,
            ModelClass::SmallLocal => self.small_local,
        }
    }
}

/// The row of a limit.
pub fn limit_spec(name: &str) -> Option<&'static LimitSpec> {
    LIMITS.iter().find(|spec| spec.name == name)
}

macro_rules! limits {
    (
        run { $($(#[$doc:meta])* $name:ident: $unit:ident, $owner:ident, [$frontier:expr, $mid:expr, $small:expr], min $minimum:expr, $code:literal;)* }
        lease { $($(#[$lease_doc:meta])* $lease:ident: $lease_value:expr, $lease_code:literal;)* }
    ) => {
        /// Every limit there is.
        pub static LIMITS: &[LimitSpec] = &[
            $(LimitSpec {
                name: stringify!($name), unit: LimitUnit::$unit, owner: LimitOwner::$owner,
                frontier: $frontier, mid: $mid, small_local: $small,
                minimum: $minimum, code: $code, settable: true,
            },)*
            $(LimitSpec {
                name: stringify!($lease), unit: LimitUnit::Milliseconds, owner: LimitOwner::Engine,
                frontier: $lease_value, mid: $lease_value, small_local: $lease_value,
                minimum: 1, code: $lease_code, settable: false,
            },)*
        ];

        /// The limits of a run, all set.
        #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields)]
        pub struct Limits {
            $($(#[$doc])* #[schemars(range(min = 1))] pub $name: u64,)*
        }

        impl Limits {
            /// The defaults of a model class.
            pub fn defaults(class: ModelClass) -> Self {
                let value = |name| limit_spec(name).map_or(0, |spec| spec.default_for(class));
                Self { $($name: value(stringify!($name)),)* }
            }

            /// A limit by its name.
            pub fn get(&self, name: &str) -> Option<u64> {
                match name {
                    $(stringify!($name) => Some(self.$name),)*
                    _ => None,
                }
            }

            pub(super) fn get_mut(&mut self, name: &str) -> Option<&mut u64> {
                match name {
                    $(stringify!($name) => Some(&mut self.$name),)*
                    _ => None,
                }
            }
        }

        /// The limits that one layer sets.
        #[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
        #[serde(deny_unknown_fields)]
        pub struct LimitsDraft {
            $(
                $(#[$doc])*
                #[serde(skip_serializing_if = "Option::is_none")]
                #[schemars(range(min = 1))]
                pub $name: Option<u64>,
            )*
        }

        impl LimitsDraft {
            /// A limit by its name.
            pub fn get(&self, name: &str) -> Option<u64> {
                match name {
                    $(stringify!($name) => self.$name,)*
                    _ => None,
                }
            }

            /// Sets a limit by its name; false if there is none of that name that may be set.
            pub fn set(&mut self, name: &str, value: u64) -> bool {
                match name {
                    $(stringify!($name) => self.$name = Some(value),)*
                    _ => return false,
                }
                true
            }
        }

        impl From<&Limits> for LimitsDraft {
            fn from(limits: &Limits) -> Self {
                Self { $($name: Some(limits.$name),)* }
            }
        }

        /// The timing of leases. The server's alone: no contract and no configuration sets it.
        #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields)]
        pub struct LeaseLimits {
            $($(#[$lease_doc])* pub $lease: u64,)*
        }

        impl Default for LeaseLimits {
            fn default() -> Self {
                Self { $($lease: $lease_value,)* }
            }
        }
    };
}

limits! {
    run {
        /// How many turns a run may take.
        max_turns: Count, Runner, [6, 6, 6], min 1, "max_turns";
        /// How long one turn may take in all.
        turn_budget_ms: Milliseconds, Supervisor, [300_000, 300_000, 300_000], min 1_000, "turn_budget";
        /// How long an agent may show no progress.
        stall_window_ms: Milliseconds, Supervisor, [120_000, 120_000, 240_000], min 100, "stalled";
        /// How often a stalled agent is restarted before the run is blocked.
        max_stall_restarts: Count, Runner, [2, 2, 2], min 1, "stall_restart_exhausted";
        /// The wait before the first restart of a stalled agent; it doubles from there.
        initial_backoff_ms: Milliseconds, Runner, [1_000, 1_000, 1_000], min 1, "stall_backoff";
        /// The longest wait before a restart.
        max_retry_backoff_ms: Milliseconds, Runner, [60_000, 60_000, 60_000], min 1, "stall_backoff_capped";
        /// How long a run may take by the wall clock.
        wall_ms: Milliseconds, Runner, [7_200_000, 7_200_000, 7_200_000], min 1_000, "wall_clock";
        /// How long a gate may take that has no timeout of its own.
        gate_timeout_ms: Milliseconds, Gates, [600_000, 600_000, 600_000], min 100, "gate_timeout";
        /// How much of each output stream of a turn is kept from its beginning. Of the rest the last 64 KiB are kept too; what is between is counted.
        output_bytes: Bytes, Supervisor, [16 << 20, 16 << 20, 16 << 20], min 1_024, "output_truncated";
        /// How long a process tree has between being asked to end and being killed.
        kill_grace_ms: Milliseconds, Supervisor, [2_000, 2_000, 2_000], min 1, "kill_grace_elapsed";
        /// How large an agent's response may be.
        response_bytes: Bytes, Agents, [1 << 20, 1 << 20, 1 << 20], min 1_024, "response_too_large";
    }
    lease {
        /// How long a lease lives without a heartbeat.
        lease_ttl_ms: 30_000, "lease_expired";
        /// How often the holder of a lease renews it.
        lease_heartbeat_ms: 10_000, "lease_heartbeat_missed";
        /// How long before the end of a lease its process tree is killed.
        lease_margin_ms: 5_000, "fenced";
        /// How often leases are looked at.
        lease_sweep_ms: 1_000, "lease_swept";
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn names_codes_and_units_are_consistent() {
        let names: BTreeSet<_> = LIMITS.iter().map(|spec| spec.name).collect();
        let codes: BTreeSet<_> = LIMITS.iter().map(|spec| spec.code).collect();
        assert_eq!(names.len(), LIMITS.len());
        assert_eq!(
            codes.len(),
            LIMITS.len(),
            "every limit has a code of its own"
        );
        for spec in LIMITS {
            let unit = match spec.unit {
                LimitUnit::Milliseconds => spec.name.ends_with("_ms"),
                LimitUnit::Bytes => spec.name.ends_with("_bytes"),
                LimitUnit::Count => !spec.name.ends_with("_ms") && !spec.name.ends_with("_bytes"),
            };
            assert!(unit, "{} does not end in its unit", spec.name);
            assert!(spec.minimum >= 1);
            for class in ModelClass::ALL {
                assert!(spec.default_for(class) >= spec.minimum, "{}", spec.name);
            }
        }
    }

    #[test]
    fn the_defaults_are_the_documented_ones() {
        let frontier = Limits::defaults(ModelClass::Frontier);
        assert_eq!(frontier.max_turns, 6);
        assert_eq!(frontier.turn_budget_ms, 300_000);
        assert_eq!(frontier.stall_window_ms, 120_000);
        assert_eq!(
            Limits::defaults(ModelClass::SmallLocal).stall_window_ms,
            240_000
        );
        assert_eq!(frontier.output_bytes, 16 * 1024 * 1024);
        let lease = LeaseLimits::default();
        assert_eq!(
            (lease.lease_ttl_ms, lease.lease_heartbeat_ms),
            (30_000, 10_000)
        );
        assert_eq!(
            (lease.lease_margin_ms, lease.lease_sweep_ms),
            (5_000, 1_000)
        );
    }

    #[test]
    fn the_settable_rows_are_the_fields_of_the_draft() {
        let mut draft = LimitsDraft::default();
        for spec in LIMITS {
            assert_eq!(draft.set(spec.name, 7), spec.settable, "{}", spec.name);
            assert_eq!(draft.get(spec.name), spec.settable.then_some(7));
        }
    }
}
