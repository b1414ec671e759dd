//! Where bubblewrap is.

use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

/// Directories that only the machine's administrator writes. A search path can be anybody's.
const TRUSTED: [&str; 5] = [
    "/usr/bin",
    "/bin",
    "/usr/local/bin",
    "/run/current-system/sw/bin",
    "/usr/libexec",
];

/// Finds bubblewrap. Only a program that root owns and nobody else may write is taken.
pub(crate) fn find() -> io::Result<PathBuf> {
    let mut refused = None;
    for directory in TRUSTED {
        let program = Path::new(directory).join("bwrap");
        match fs::metadata(&program) {
            Ok(meta) if meta.uid() != 0 || meta.mode() & 0o022 != 0 => {
                refused = Some(format!(
                    "{} is not root's alone to write",
                    program.display()
                ));
            }
            Ok(meta) if meta.is_file() && meta.permissions().mode() & 0o111 != 0 => {
                return Ok(program);
            }
            Ok(_) => {
                refused = Some(format!("{} is not a program", program.display()));
            }
            Err(_) => {}
        }
    }
    let reason = refused.unwrap_or_else(|| format!("not found in {}", TRUSTED.join(", ")));
    Err(io::Error::new(io::ErrorKind::NotFound, reason))
}
