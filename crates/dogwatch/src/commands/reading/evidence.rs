//! Files of a bundle, read without following anything an agent may have put in their place.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use nix::libc;

use crate::error::CliError;

/// Opens a file of a bundle; none if it is not there. Links, pipes and devices are refused.
pub(in crate::commands) fn open_evidence(path: &Path) -> Result<Option<File>, CliError> {
    let opened = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK)
        .open(path);
    let file = match opened {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unreadable(path, &error)),
    };
    let metadata = file.metadata().map_err(|error| unreadable(path, &error))?;
    if metadata.is_file() {
        Ok(Some(file))
    } else {
        Err(unreadable(
            path,
            &io::Error::other("it is not a regular file"),
        ))
    }
}

/// The bytes of a file of a bundle; none if it is not there.
pub(in crate::commands) fn read_evidence(path: &Path) -> Result<Option<Vec<u8>>, CliError> {
    let Some(mut file) = open_evidence(path)? else {
        return Ok(None);
    };
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)
        .map_err(|error| unreadable(path, &error))?;
    Ok(Some(bytes))
}

fn unreadable(path: &Path, error: &io::Error) -> CliError {
    CliError::new(
        "evidence_unreadable",
        format!("{} cannot be read: {error}", path.display()),
    )
    .next("mend its permissions, then check the bundle with `dogwatch verify`")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_files_are_evidence() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("file");
        assert!(read_evidence(&file).unwrap().is_none());
        std::fs::write(&file, b"a\xff").unwrap();
        assert_eq!(read_evidence(&file).unwrap().unwrap(), b"a\xff");
        let link = directory.path().join("link");
        std::os::unix::fs::symlink(&file, &link).unwrap();
        assert!(read_evidence(&link).is_err());
        assert!(read_evidence(directory.path()).is_err());
    }
}
