//! Putting the layers together, and saying where each value comes from and what was changed.

use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::table::{LIMITS, LeaseLimits, Limits, LimitsDraft, ModelClass};

/// Where the value of a limit comes from, weakest first.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum LimitOrigin {
    /// The default of the model class.
    Default,
    /// The machine the run is on.
    Machine,
    /// The user's configuration.
    User,
    /// The project's configuration.
    Project,
    /// An environment variable.
    Environment,
    /// The request for the job, such as a flag of `run`.
    Job,
    /// The contract.
    Contract,
}

impl fmt::Display for LimitOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Default => "default",
            Self::Machine => "machine",
            Self::User => "user",
            Self::Project => "project",
            Self::Environment => "environment",
            Self::Job => "job",
            Self::Contract => "contract",
        })
    }
}

/// What one layer sets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LimitLayer {
    /// Which layer.
    pub origin: LimitOrigin,
    /// Its limits.
    pub limits: LimitsDraft,
}

/// A value that is not the one somebody gave.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum LimitNote {
    /// A value below the minimum.
    RaisedToMinimum {
        /// The limit.
        name: &'static str,
        /// Who gave the value.
        origin: LimitOrigin,
        /// The value.
        given: u64,
        /// The minimum, which applies.
        used: u64,
    },
    /// A stall window longer than the turn it watches.
    ClippedToTurnBudget {
        /// The window.
        given: u64,
        /// The turn budget, which applies.
        used: u64,
    },
}

impl fmt::Display for LimitNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RaisedToMinimum {
                name,
                origin,
                given,
                used,
            } => write!(
                f,
                "{name} = {given} ({origin}) is below the minimum and was raised to {used}"
            ),
            Self::ClippedToTurnBudget { given, used } => write!(
                f,
                "stall_window_ms = {given} is longer than the turn budget and was clipped to {used}"
            ),
        }
    }
}

/// An explicit 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ZeroLimit {
    /// The limit.
    pub name: &'static str,
    /// Who gave it.
    pub origin: LimitOrigin,
}

/// Limits of 0, which are refused wherever they come from. The code is `limit_zero`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("limits of 0 are refused: {}", list(.0))]
pub struct ZeroLimits(pub Vec<ZeroLimit>);

fn list(zeros: &[ZeroLimit]) -> String {
    let zeros: Vec<String> = zeros
        .iter()
        .map(|zero| format!("{} ({})", zero.name, zero.origin))
        .collect();
    zeros.join(", ")
}

/// The limits that apply.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ResolvedLimits {
    /// The class that chose the defaults.
    pub model_class: ModelClass,
    /// The limits of a run.
    pub limits: Limits,
    /// The timing of leases.
    pub lease: LeaseLimits,
    /// Where each value comes from.
    pub origins: BTreeMap<&'static str, LimitOrigin>,
    /// Values that were changed.
    pub notes: Vec<LimitNote>,
}

/// Puts layers together, in whatever order they are given: the strongest origin wins, limit by limit.
pub fn resolve(class: ModelClass, layers: &[LimitLayer]) -> Result<ResolvedLimits, ZeroLimits> {
    let mut strongest_first: Vec<&LimitLayer> = layers.iter().collect();
    strongest_first.sort_by_key(|layer| std::cmp::Reverse(layer.origin));

    let mut limits = Limits::defaults(class);
    let mut origins = BTreeMap::new();
    let mut notes = Vec::new();
    let mut zeros = Vec::new();
    for spec in LIMITS {
        let name = spec.name;
        let mut given = strongest_first
            .iter()
            .filter_map(|layer| Some((layer.limits.get(name)?, layer.origin)));
        let (value, origin) = given
            .clone()
            .next()
            .unwrap_or((spec.default_for(class), LimitOrigin::Default));
        // A zero in a layer that loses is a mistake all the same, and would come to life when the winner is removed.
        zeros.extend(
            given
                .by_ref()
                .filter(|(value, _)| *value == 0)
                .map(|(_, origin)| ZeroLimit { name, origin }),
        );
        origins.insert(name, origin);
        if value < spec.minimum {
            notes.push(LimitNote::RaisedToMinimum {
                name,
                origin,
                given: value,
                used: spec.minimum,
            });
        }
        if let Some(slot) = limits.get_mut(name) {
            *slot = value.max(spec.minimum);
        }
    }
    if !zeros.is_empty() {
        return Err(ZeroLimits(zeros));
    }
    if limits.stall_window_ms > limits.turn_budget_ms {
        notes.push(LimitNote::ClippedToTurnBudget {
            given: limits.stall_window_ms,
            used: limits.turn_budget_ms,
        });
        limits.stall_window_ms = limits.turn_budget_ms;
    }
    Ok(ResolvedLimits {
        model_class: class,
        limits,
        lease: LeaseLimits::default(),
        origins,
        notes,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn layer(origin: LimitOrigin, set: &[(&str, u64)]) -> LimitLayer {
        let mut limits = LimitsDraft::default();
        for (name, value) in set {
            assert!(limits.set(name, *value));
        }
        LimitLayer { origin, limits }
    }

    #[test]
    fn what_nobody_set_is_the_default_of_the_class() {
        let resolved = resolve(ModelClass::SmallLocal, &[]).unwrap();
        assert_eq!(resolved.limits, Limits::defaults(ModelClass::SmallLocal));
        assert_eq!(resolved.origins["max_turns"], LimitOrigin::Default);
        assert_eq!(resolved.origins["lease_ttl_ms"], LimitOrigin::Default);
        assert_eq!(resolved.origins.len(), LIMITS.len());
        assert!(resolved.notes.is_empty());
    }

    #[test]
    fn the_strongest_layer_wins_limit_by_limit() {
        let layers = [
            layer(
                LimitOrigin::User,
                &[("max_turns", 2), ("wall_ms", 50_000), ("kill_grace_ms", 9)],
            ),
            layer(LimitOrigin::Contract, &[("max_turns", 4)]),
            layer(
                LimitOrigin::Project,
                &[("max_turns", 3), ("wall_ms", 60_000)],
            ),
        ];
        let resolved = resolve(ModelClass::Frontier, &layers).unwrap();
        assert_eq!(resolved.limits.max_turns, 4);
        assert_eq!(resolved.limits.wall_ms, 60_000);
        assert_eq!(resolved.limits.kill_grace_ms, 9);
        assert_eq!(resolved.origins["max_turns"], LimitOrigin::Contract);
        assert_eq!(resolved.origins["wall_ms"], LimitOrigin::Project);
        assert_eq!(resolved.origins["kill_grace_ms"], LimitOrigin::User);
    }

    #[test]
    fn a_value_below_the_minimum_is_raised_and_that_is_said() {
        let layers = [layer(LimitOrigin::Job, &[("turn_budget_ms", 10)])];
        let resolved = resolve(ModelClass::Frontier, &layers).unwrap();
        assert_eq!(resolved.limits.turn_budget_ms, 1_000);
        let notes: Vec<String> = resolved.notes.iter().map(ToString::to_string).collect();
        assert_eq!(
            notes,
            [
                "turn_budget_ms = 10 (job) is below the minimum and was raised to 1000",
                "stall_window_ms = 120000 is longer than the turn budget and was clipped to 1000",
            ]
        );
        assert_eq!(resolved.limits.stall_window_ms, 1_000);
    }

    #[test]
    fn zeros_are_refused_wherever_they_come_from() {
        let layers = [
            layer(LimitOrigin::User, &[("max_turns", 0)]),
            layer(
                LimitOrigin::Contract,
                &[("max_turns", 4), ("max_stall_restarts", 0)],
            ),
        ];
        let error = resolve(ModelClass::Mid, &layers).unwrap_err();
        assert_eq!(
            error.to_string(),
            "limits of 0 are refused: max_turns (user), max_stall_restarts (contract)"
        );
    }

    proptest! {
        #[test]
        fn resolving_what_was_resolved_changes_nothing(
            turns in 1_u64..10, budget in 1_u64..1_000_000, window in 1_u64..1_000_000, class in 0_usize..3,
        ) {
            let class = ModelClass::ALL[class];
            let layers = [layer(
                LimitOrigin::Contract,
                &[("max_turns", turns), ("turn_budget_ms", budget), ("stall_window_ms", window)],
            )];
            let first = resolve(class, &layers).unwrap();
            prop_assert!(first.limits.stall_window_ms <= first.limits.turn_budget_ms);
            let again = LimitLayer { origin: LimitOrigin::Contract, limits: (&first.limits).into() };
            let second = resolve(class, &[again]).unwrap();
            prop_assert_eq!(second.limits, first.limits);
            prop_assert_eq!(second.notes, vec![]);
        }
    }
}
