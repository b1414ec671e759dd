//! The files of a run's bundle, each of them a payload.

use std::collections::BTreeMap;

use dogwatch_api::{BundleFiles, Caller, DeclareBundle, Problem, Scope};
use dogwatch_core::Sha256Digest;
use dogwatch_core::ids::RunId;
use dogwatch_core::job::Refusal;
use dogwatch_store::{Decision, Side};
use serde_json::json;

use super::events::writes_for;
use crate::Engine;
use crate::problems;

/// The file without which there is no bundle.
const MANIFEST: &str = "manifest.json";

/// How many missing files are named.
const NAMED: usize = 20;

/// The longest path in a bundle, in bytes.
const MAX_PATH: usize = 1_024;

impl Engine {
    /// Declares the bundle of a run under way. Every file must be there, so that whoever reads it finds it whole.
    pub async fn declare_bundle(
        &self,
        caller: &Caller,
        request: DeclareBundle,
    ) -> Result<(), Problem> {
        Self::allow(caller, Scope::Runner)?;
        let DeclareBundle { held, run, files } = request;
        let project = self.load(held.job).await?.project;
        Self::allow_project(caller, project)?;
        if let Some(path) = files.keys().find(|path| !is_sound(path)) {
            return Err(problems::field(
                "files",
                format_args!("has {path:?}, which is no path in a bundle"),
            ));
        }
        self.is_complete(&files).await?;
        let update = Self::update(
            caller,
            project,
            None,
            Side::Bundle { run, files },
            Box::new(move |stream, _now| {
                let job = stream.job.as_ref().ok_or(Refusal::NoSuchJob)?;
                writes_for(job, held, run)?;
                Ok(Decision::default())
            }),
        );
        self.commit(held.job, update)
            .await
            .map_err(problems::from_store)?;
        Ok(())
    }

    async fn is_complete(&self, files: &BTreeMap<String, Sha256Digest>) -> Result<(), Problem> {
        let mut missing = Vec::new();
        if !files.contains_key(MANIFEST) {
            missing.push(MANIFEST);
        }
        let mut there: BTreeMap<Sha256Digest, bool> = BTreeMap::new();
        for (path, digest) in files {
            let known = match there.get(digest) {
                Some(known) => *known,
                None => {
                    let known = self.blobs.has(*digest).await.map_err(problems::from_blob)?;
                    there.insert(*digest, known);
                    known
                }
            };
            if !known {
                missing.push(path);
            }
            if missing.len() > NAMED {
                break;
            }
        }
        if missing.is_empty() {
            return Ok(());
        }
        let more = if missing.len() > NAMED {
            " and more"
        } else {
            ""
        };
        missing.truncate(NAMED);
        Err(problems::conflict(
            "bundle_incomplete",
            format!("the bundle lacks {}{more}", missing.join(", ")),
            "send what is missing with `PUT /v1/blobs/{sha256}`, then declare the bundle again",
        )
        .with("missing", json!(missing)))
    }

    /// The files of a run's bundle.
    pub async fn bundle(&self, caller: &Caller, run: RunId) -> Result<BundleFiles, Problem> {
        Self::allow(caller, Scope::Read)?;
        self.run(caller, run).await?;
        let files = self.store.bundle_files(run).await;
        files
            .map_err(problems::from_store)?
            .map(|files| BundleFiles { run, files })
            .ok_or_else(|| {
                Problem::new(
                    dogwatch_api::ProblemCode::NotFound,
                    "bundle_not_found",
                    format!("no bundle of {run} was declared"),
                    "wait until the run is over; a bundle that was never sent is on its machine",
                )
            })
    }
}

/// Whether a path stays inside the directory that a bundle is written to.
fn is_sound(path: &str) -> bool {
    path.len() <= MAX_PATH
        && !path.contains(['\\', '\0'])
        && path.split('/').all(|part| !matches!(part, "" | "." | ".."))
}

#[cfg(test)]
mod tests {
    use super::is_sound;

    #[test]
    fn a_path_never_leads_out_of_the_bundle() {
        assert!(is_sound("manifest.json") && is_sound("turns/001/stdout") && is_sound("..a/b.."));
        for bad in [
            "",
            "/etc/passwd",
            "../x",
            "a/../../x",
            "a//b",
            "a/",
            "./a",
            "a\\b",
            "a\0b",
        ] {
            assert!(!is_sound(bad), "{bad:?}");
        }
        assert!(!is_sound(&"a/".repeat(600)));
    }
}
