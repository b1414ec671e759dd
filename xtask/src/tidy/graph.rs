//! What `cargo metadata` says about packages and who depends on whom.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::ci::FEATURES;
use crate::run::{self, Root};

/// The part of cargo's answer that the rules need.
#[derive(Debug, Deserialize)]
pub(crate) struct Metadata {
    packages: Vec<Package>,
    workspace_members: Vec<String>,
    resolve: Resolve,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Package {
    id: String,
    pub(crate) name: String,
    manifest_path: PathBuf,
    pub(crate) dependencies: Vec<Dependency>,
    targets: Vec<Target>,
}

/// An edge as the manifest declares it, whatever features are on.
#[derive(Debug, Deserialize)]
pub(crate) struct Dependency {
    pub(crate) name: String,
    kind: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Target {
    kind: Vec<String>,
    src_path: PathBuf,
}

#[derive(Debug, Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Debug, Deserialize)]
struct Node {
    id: String,
    deps: Vec<NodeEdge>,
}

#[derive(Debug, Deserialize)]
struct NodeEdge {
    pkg: String,
    dep_kinds: Vec<EdgeKind>,
}

#[derive(Debug, Deserialize)]
struct EdgeKind {
    kind: Option<String>,
}

impl Metadata {
    /// Asks cargo about this workspace.
    pub(crate) fn load(root: &Root) -> Result<Self> {
        let output = run::read(
            root.cargo()
                .args(["metadata", "--format-version", "1", FEATURES]),
        )?;
        Self::parse(&output)
    }

    /// Reads cargo's answer.
    pub(crate) fn parse(json: &[u8]) -> Result<Self> {
        serde_json::from_slice(json).context("cannot read the answer of `cargo metadata`")
    }

    /// The packages of this workspace.
    pub(crate) fn members(&self) -> impl Iterator<Item = &Package> {
        self.packages
            .iter()
            .filter(|package| self.workspace_members.contains(&package.id))
    }

    /// Whether a package of this workspace has that name.
    pub(crate) fn is_member(&self, name: &str) -> bool {
        self.members().any(|member| member.name == name)
    }

    /// All packages that end up in a build of the member, by way of normal edges; each with the path that leads to it.
    pub(crate) fn reached_from(&self, member: &Package) -> BTreeMap<&str, Vec<&str>> {
        let nodes: BTreeMap<&str, &Node> = self
            .resolve
            .nodes
            .iter()
            .map(|node| (node.id.as_str(), node))
            .collect();
        let names: BTreeMap<&str, &str> = self
            .packages
            .iter()
            .map(|package| (package.id.as_str(), package.name.as_str()))
            .collect();
        let mut seen = BTreeSet::new();
        let mut reached = BTreeMap::new();
        let mut open = vec![(member.id.as_str(), Vec::new())];
        while let Some((id, path)) = open.pop() {
            if !seen.insert(id) {
                continue;
            }
            let mut path = path;
            if let Some(name) = names.get(id) {
                path.push(*name);
                reached.entry(*name).or_insert_with(|| path.clone());
            }
            for edge in nodes.get(id).into_iter().flat_map(|node| &node.deps) {
                if edge.dep_kinds.iter().any(|kind| kind.kind.is_none()) {
                    open.push((edge.pkg.as_str(), path.clone()));
                }
            }
        }
        reached.remove(member.name.as_str());
        reached
    }
}

impl Package {
    /// The manifest, relative to the root.
    pub(crate) fn manifest(&self, root: &Root) -> PathBuf {
        relative(root, &self.manifest_path)
    }

    /// The directory of the package, relative to the root.
    pub(crate) fn directory(&self, root: &Root) -> PathBuf {
        let mut directory = self.manifest(root);
        directory.pop();
        directory
    }

    /// Whether other crates, and so documentation tests, can use it.
    pub(crate) fn has_library(&self) -> bool {
        self.targets
            .iter()
            .any(|target| target.kind.iter().any(|kind| kind == "lib"))
    }

    /// The first files of its library and binaries, relative to the root.
    pub(crate) fn crate_roots(&self, root: &Root) -> Vec<PathBuf> {
        self.targets
            .iter()
            .filter(|target| {
                target
                    .kind
                    .iter()
                    .any(|kind| kind == "lib" || kind == "bin" || kind == "proc-macro")
            })
            .map(|target| relative(root, &target.src_path))
            .collect()
    }
}

impl Dependency {
    /// Whether the edge is part of what is shipped, and not only of tests or build scripts.
    pub(crate) fn is_normal(&self) -> bool {
        self.kind.is_none()
    }

    /// Whether only tests use it.
    pub(crate) fn is_dev(&self) -> bool {
        self.kind.as_deref() == Some("dev")
    }
}

fn relative(root: &Root, path: &Path) -> PathBuf {
    path.strip_prefix(root.path()).unwrap_or(path).to_path_buf()
}
