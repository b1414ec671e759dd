//! Which executable an agent really is.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use dogwatch_core::Sha256Digest;
use sha2::{Digest, Sha256};

/// The digest of a program as PATH finds it; `None` for one that is not found or stands in the workspace itself.
pub(crate) fn digest(program: &str) -> Option<Sha256Digest> {
    let path = find(program)?;
    let mut file = fs::File::open(path).ok()?;
    let mut hasher = Sha256::new();
    let mut chunk = vec![0; 64 * 1024];
    loop {
        match file.read(&mut chunk) {
            Ok(0) => break,
            Ok(count) => hasher.update(&chunk[..count]),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(_) => return None,
        }
    }
    Some(Sha256Digest::from_bytes(hasher.finalize().into()))
}

fn find(program: &str) -> Option<PathBuf> {
    let path = Path::new(program);
    if path.is_absolute() {
        return path.is_file().then(|| path.to_owned());
    }
    if program.contains('/') {
        return None;
    }
    std::env::split_paths(&std::env::var_os("PATH")?)
        .filter(|directory| directory.is_absolute())
        .map(|directory| directory.join(program))
        .find(|candidate| candidate.is_file())
}
