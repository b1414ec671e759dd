//! The routes, one file per area. The router, the OpenAPI document and the tests are made from this one table.

mod approvals;
mod blobs;
mod events;
mod jobs;
mod meta;
mod parameters;
mod query;
mod runner;
mod runs;
mod tokens;

use crate::route::Route;

pub(crate) use parameters::schema as parameter_schema;

const AREAS: &[&[Route]] = &[
    meta::ROUTES,
    jobs::ROUTES,
    runs::ROUTES,
    approvals::ROUTES,
    events::ROUTES,
    tokens::ROUTES,
    blobs::ROUTES,
    runner::ROUTES,
];

/// Every route.
pub fn table() -> impl Iterator<Item = &'static Route> {
    AREAS.iter().copied().flatten()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::route::{Access, Payload, Verb};

    #[test]
    fn routes_are_named_once_and_public_only_where_nothing_is_told() {
        let mut ids = BTreeSet::new();
        let mut places = BTreeSet::new();
        for route in table() {
            assert!(ids.insert(route.id), "{}", route.id);
            assert!(places.insert((route.path, route.verb)), "{}", route.path);
            assert!(route.summary.ends_with('.'), "{}", route.id);
            for parameter in route.parameters() {
                // Panics where a parameter has no schema.
                let _ = parameter_schema(parameter);
            }
            assert_eq!(route.mutation, route.verb != Verb::Get, "{}", route.id);
            if route.verb == Verb::Get {
                assert!(matches!(route.payload, Payload::None), "{}", route.id);
            }
        }
        let public: Vec<_> = table()
            .filter(|route| route.access == Access::Public)
            .map(|route| route.path)
            .collect();
        assert_eq!(public, ["/healthz", "/readyz", "/v1/openapi.json"]);
    }
}
