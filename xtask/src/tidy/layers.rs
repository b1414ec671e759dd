//! Which crate may depend on which: one ordered table, and the few rules that the order alone does not say.

use std::fs;

use anyhow::{Context, Result};

use super::Finding;
use super::graph::{Dependency, Metadata, Package};
use crate::run::Root;

/// Top down. A crate depends only on crates of lines below its own; crates on one line do not know each other.
/// A crate that does not exist yet may stand here already.
const LAYERS: [&[&str]; 18] = [
    &["dogwatch"],
    &["tui", "mcp"],
    &["server"],
    &["console"],
    &["runner"],
    &["gates"],
    &["agents", "environment"],
    &["workspace"],
    &["supervisor"],
    &["client", "engine"],
    &["store-sqlite", "store-postgres", "bus-nats", "blobs"],
    &["bundle"],
    &["policy"],
    &["config"],
    &["store"],
    &["api"],
    &["core"],
    &["scripted"],
];

/// May depend on any crate, and only tests may depend on it.
const TESTS_ONLY: &str = "testkit";

/// Stands outside: depends on no crate of the product, and none depends on it.
const TOOL: &str = "xtask";

/// Edges that point down and are wrong all the same: who, on whom, why.
const FORBIDDEN: [(&str, &[&str], &str); 5] = [
    (
        "runner",
        &[
            "engine",
            "client",
            "store",
            "store-sqlite",
            "store-postgres",
            "bus-nats",
        ],
        "the runner knows the control plane only as `api::ControlPlane`",
    ),
    (
        "engine",
        &["store-sqlite", "store-postgres", "bus-nats", "blobs"],
        "the engine knows a backend only by the traits in `store`",
    ),
    (
        "supervisor",
        &[
            "api",
            "store",
            "store-sqlite",
            "store-postgres",
            "engine",
            "client",
        ],
        "the supervisor knows no jobs and no database",
    ),
    (
        "bundle",
        &["api", "store"],
        "a bundle is verified without a store",
    ),
    (
        "core",
        &["scripted"],
        "only the binary ships the scripted agent",
    ),
];

/// What must not end up in a build of core, also not by way of others.
const NOT_IN_CORE: [&str; 6] = [
    "tokio",
    "mio",
    "rusqlite",
    "libsqlite3-sys",
    "nix",
    "rustix",
];

/// External crates only one of ours may name, and why.
const OWNED: [(&str, &str, &str); 1] = [(
    "schemars",
    "core",
    "use `dogwatch_core::schemars`, so that one version makes all schemas",
)];

/// Checks every member of the workspace.
pub(super) fn check(root: &Root, metadata: &Metadata) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    for member in metadata.members() {
        let path = member.manifest(root);
        let complaints = judge(metadata, member);
        if complaints.is_empty() {
            continue;
        }
        let manifest = fs::read_to_string(root.path().join(&path))
            .with_context(|| format!("cannot read {}", path.display()))?;
        for complaint in complaints {
            let line = complaint
                .dependency
                .and_then(|name| line_of(&manifest, name))
                .unwrap_or(1);
            findings.push(Finding::new(&path, line, complaint.text));
        }
    }
    Ok(findings)
}

/// What is wrong with one package.
#[derive(Debug)]
struct Complaint<'a> {
    /// The dependency it is about, as the manifest names it.
    dependency: Option<&'a str>,
    text: String,
}

fn judge<'a>(metadata: &'a Metadata, member: &'a Package) -> Vec<Complaint<'a>> {
    let mut complaints = Vec::new();
    let own = short(&member.name);
    let place = layer(own);
    if place.is_none() && own != TESTS_ONLY && own != TOOL {
        complaints.push(Complaint {
            dependency: None,
            text: format!(
                "the crate `{own}` is in no layer: give it its line in LAYERS of xtask/src/tidy/layers.rs"
            ),
        });
    }
    for dependency in &member.dependencies {
        let text = if metadata.is_member(&dependency.name) {
            judge_inner(own, place, dependency)
        } else {
            judge_outer(own, &dependency.name)
        };
        if let Some(text) = text {
            complaints.push(Complaint {
                dependency: Some(&dependency.name),
                text,
            });
        }
    }
    if own == "core" {
        complaints.extend(judge_core(metadata, member));
    }
    complaints
}

/// An edge between two crates of ours.
fn judge_inner(own: &str, place: Option<usize>, dependency: &Dependency) -> Option<String> {
    let other = short(&dependency.name);
    if other == TOOL || own == TOOL {
        return Some(format!(
            "`{own}` depends on `{other}`: {TOOL} stands outside the product, so drop the dependency"
        ));
    }
    if other == TESTS_ONLY && own != TESTS_ONLY && !dependency.is_dev() {
        return Some(format!(
            "`{own}` depends on `{TESTS_ONLY}` in what is shipped: move it to [dev-dependencies]"
        ));
    }
    if !dependency.is_normal() || own == TESTS_ONLY {
        return None;
    }
    if let Some((.., why)) = FORBIDDEN
        .iter()
        .find(|(who, whom, _)| *who == own && whom.contains(&other))
    {
        return Some(format!(
            "`{own}` depends on `{other}`: {why}, so drop the dependency"
        ));
    }
    let (own_place, other_place) = (place?, layer(other)?);
    if other_place < own_place {
        return Some(format!(
            "`{own}` depends on `{other}`, which is above it: move what both need down, or let `{own}` name a trait that `{other}` implements"
        ));
    }
    if other_place == own_place {
        return Some(format!(
            "`{own}` depends on `{other}`, which stands beside it: move what both need down"
        ));
    }
    None
}

/// An edge to a crate of somebody else.
fn judge_outer(own: &str, other: &str) -> Option<String> {
    OWNED
        .iter()
        .find(|(name, owner, _)| *name == other && *owner != own)
        .map(|(name, owner, why)| {
            format!("`{own}` depends on `{name}`, which only `{owner}` does: {why}")
        })
}

/// Core is pure: no runtime, no database, no system calls, whoever brings them.
fn judge_core<'a>(metadata: &'a Metadata, core: &'a Package) -> Vec<Complaint<'a>> {
    let reached = metadata.reached_from(core);
    NOT_IN_CORE
        .iter()
        .filter_map(|name| reached.get(name))
        .map(|path| Complaint {
            dependency: path.get(1).copied(),
            text: format!(
                "core must stay free of IO and runtimes: drop the dependency that brings `{}` ({})",
                path.last().copied().unwrap_or_default(),
                path.join(" -> ")
            ),
        })
        .collect()
}

/// The name used in the table: the directory under `crates`.
fn short(package: &str) -> &str {
    package.strip_prefix("dogwatch-").unwrap_or(package)
}

/// The line of the table, counted from the top.
fn layer(name: &str) -> Option<usize> {
    LAYERS.iter().position(|line| line.contains(&name))
}

/// The first line of the manifest that declares the dependency.
fn line_of(manifest: &str, dependency: &str) -> Option<usize> {
    manifest
        .lines()
        .position(|line| {
            line.strip_prefix(dependency)
                .is_some_and(|rest| rest.starts_with(['.', ' ', '=']))
                || line.ends_with(&format!("dependencies.{dependency}]"))
        })
        .map(|index| index + 1)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// A package of a made-up workspace: its name and its edges (name, kind).
    type Sample<'a> = (&'a str, &'a [(&'a str, Option<&'a str>)]);

    /// Cargo's answer for the packages; what is not a dogwatch crate is external.
    fn metadata(packages: &[Sample<'_>]) -> Metadata {
        let member = |name: &str| name.starts_with("dogwatch") || name == TOOL;
        let package = |(name, edges): &Sample<'_>| -> Value {
            let dependencies: Vec<Value> = edges
                .iter()
                .map(|(name, kind)| json!({"name": name, "kind": kind, "optional": false}))
                .collect();
            json!({
                "id": name,
                "name": name,
                "manifest_path": format!("/sample/crates/{}/Cargo.toml", short(name)),
                "dependencies": dependencies,
                "targets": [{"kind": ["lib"], "src_path": "/sample/lib.rs"}],
            })
        };
        let node = |(name, edges): &Sample<'_>| -> Value {
            let deps: Vec<Value> = edges
                .iter()
                .map(|(name, kind)| json!({"pkg": name, "dep_kinds": [{"kind": kind}]}))
                .collect();
            json!({"id": name, "deps": deps})
        };
        let answer = json!({
            "packages": packages.iter().map(package).collect::<Vec<_>>(),
            "workspace_members": packages.iter().map(|(name, _)| name).filter(|name| member(name)).collect::<Vec<_>>(),
            "resolve": {"nodes": packages.iter().map(node).collect::<Vec<_>>()},
        });
        Metadata::parse(answer.to_string().as_bytes()).unwrap()
    }

    fn complaints(packages: &[Sample<'_>]) -> Vec<String> {
        let metadata = metadata(packages);
        metadata
            .members()
            .flat_map(|member| judge(&metadata, member))
            .map(|complaint| complaint.text)
            .collect()
    }

    #[test]
    fn a_dependency_that_points_up_is_found() {
        let found = complaints(&[
            ("dogwatch-core", &[("dogwatch-engine", None)]),
            ("dogwatch-engine", &[]),
        ]);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(
            found[0].starts_with("`core` depends on `engine`, which is above it"),
            "{found:?}"
        );
    }

    #[test]
    fn edges_that_point_down_are_fine() {
        let found = complaints(&[
            (
                "dogwatch",
                &[
                    ("dogwatch-runner", None),
                    ("dogwatch-store-sqlite", None),
                    ("dogwatch-scripted", None),
                ],
            ),
            ("dogwatch-runner", &[("dogwatch-api", None)]),
            ("dogwatch-store-sqlite", &[("dogwatch-core", None)]),
            ("dogwatch-api", &[("dogwatch-core", None)]),
            ("dogwatch-core", &[]),
            ("dogwatch-scripted", &[]),
        ]);
        assert_eq!(found, Vec::<String>::new());
    }

    #[test]
    fn dev_and_build_edges_may_point_up() {
        let found = complaints(&[
            (
                "dogwatch-engine",
                &[
                    ("dogwatch-store-sqlite", Some("dev")),
                    ("dogwatch-testkit", Some("dev")),
                ],
            ),
            (
                "dogwatch-store-sqlite",
                &[("dogwatch-engine", Some("build"))],
            ),
            ("dogwatch-testkit", &[("dogwatch-engine", None)]),
        ]);
        assert_eq!(found, Vec::<String>::new());
    }

    #[test]
    fn the_same_line_is_not_below() {
        let found = complaints(&[
            ("dogwatch-client", &[("dogwatch-engine", None)]),
            ("dogwatch-engine", &[]),
        ]);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].contains("stands beside it"), "{found:?}");
    }

    #[test]
    fn the_test_crate_is_never_shipped() {
        for kind in [None, Some("build")] {
            let edges = [("dogwatch-testkit", kind)];
            let found = complaints(&[("dogwatch-runner", &edges), ("dogwatch-testkit", &[])]);
            assert_eq!(found.len(), 1, "{found:?}");
            assert!(found[0].contains("[dev-dependencies]"), "{found:?}");
        }
    }

    #[test]
    fn a_leaf_depends_on_none_of_ours() {
        let found = complaints(&[
            ("dogwatch-scripted", &[("dogwatch-core", None)]),
            ("dogwatch-core", &[]),
        ]);
        assert_eq!(found.len(), 1, "{found:?}");
    }

    #[test]
    fn a_crate_outside_the_table_is_found() {
        let found = complaints(&[("dogwatch-utils", &[])]);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].contains("`utils` is in no layer"), "{found:?}");
    }

    #[test]
    fn the_runner_does_not_know_the_engine() {
        let found = complaints(&[
            ("dogwatch-runner", &[("dogwatch-engine", None)]),
            ("dogwatch-engine", &[]),
        ]);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].contains("api::ControlPlane"), "{found:?}");
    }

    #[test]
    fn core_is_free_of_a_runtime_that_another_crate_brings() {
        let found = complaints(&[
            ("dogwatch-core", &[("middle", None), ("tests", Some("dev"))]),
            ("middle", &[("tokio", None), ("builder", Some("build"))]),
            ("tokio", &[]),
            ("builder", &[("nix", None)]),
            ("tests", &[("rusqlite", None)]),
            ("nix", &[]),
            ("rusqlite", &[]),
        ]);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(
            found[0].contains("dogwatch-core -> middle -> tokio"),
            "{found:?}"
        );
    }

    #[test]
    fn only_core_names_schemars() {
        let found = complaints(&[
            ("dogwatch-api", &[("schemars", None)]),
            ("dogwatch-core", &[("schemars", None)]),
            ("schemars", &[]),
        ]);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(
            found[0].starts_with("`api` depends on `schemars`"),
            "{found:?}"
        );
    }

    #[test]
    fn the_line_of_a_dependency_is_not_that_of_a_longer_name() {
        let manifest = "[dependencies]\ndogwatch-store-sqlite.workspace = true\ndogwatch-store.workspace = true\n";
        assert_eq!(line_of(manifest, "dogwatch-store"), Some(3));
        assert_eq!(line_of(manifest, "dogwatch-core"), None);
    }
}
