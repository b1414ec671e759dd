//! What this machine knows of a project: where its checkout is.

use std::fs;
use std::io::{self, Write};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use dogwatch_core::Timestamp;
use dogwatch_core::ids::ProjectId;
use dogwatch_workspace::PathBytes;
use serde::{Deserialize, Serialize};

use crate::layout::DataLayout;

/// `projects/<project_id>.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProjectRecord {
    /// The version of the file.
    pub schema_version: u32,
    /// The project.
    pub project_id: ProjectId,
    /// The checkout last used.
    pub checkout: PathBytes,
    /// When that was.
    pub seen_at: Timestamp,
}

/// The record could not be used.
#[derive(Debug, thiserror::Error)]
pub enum ProjectError {
    /// There is none.
    #[error("this machine has no checkout of {0}")]
    Unknown(ProjectId),
    /// The file.
    #[error("use {path}")]
    Io {
        /// Where.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// Its content.
    #[error("understand {path}")]
    Malformed {
        /// Where.
        path: PathBuf,
        /// Why not.
        #[source]
        source: serde_json::Error,
    },
}

impl ProjectRecord {
    /// Remembers where a project's checkout is.
    pub fn remember(
        layout: &DataLayout,
        project: ProjectId,
        checkout: &Path,
        now: Timestamp,
    ) -> Result<(), ProjectError> {
        let path = layout.project(project);
        let record = Self {
            schema_version: 1,
            project_id: project,
            checkout: PathBytes::new(checkout.as_os_str().as_bytes()),
            seen_at: now,
        };
        let bytes =
            serde_json::to_vec_pretty(&record).map_err(|source| ProjectError::Malformed {
                path: path.clone(),
                source,
            })?;
        let io = |source| ProjectError::Io {
            path: path.clone(),
            source,
        };
        let parent = path.parent().unwrap_or(layout.root());
        fs::create_dir_all(parent).map_err(io)?;
        let draft = path.with_extension(format!("{}.tmp", std::process::id()));
        let mut file = fs::File::create(&draft).map_err(io)?;
        file.write_all(&bytes)
            .and_then(|()| file.sync_all())
            .map_err(io)?;
        fs::rename(&draft, &path).map_err(io)
    }

    /// What is known of a project.
    pub fn read(layout: &DataLayout, project: ProjectId) -> Result<Self, ProjectError> {
        let path = layout.project(project);
        let bytes = fs::read(&path).map_err(|source| {
            if source.kind() == io::ErrorKind::NotFound {
                ProjectError::Unknown(project)
            } else {
                ProjectError::Io {
                    path: path.clone(),
                    source,
                }
            }
        })?;
        serde_json::from_slice(&bytes).map_err(|source| ProjectError::Malformed { path, source })
    }

    /// The checkout's directory.
    pub fn directory(&self) -> PathBuf {
        PathBuf::from(std::ffi::OsString::from_vec(
            self.checkout.as_bytes().to_vec(),
        ))
    }
}
