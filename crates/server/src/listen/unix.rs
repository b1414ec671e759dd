//! The Unix socket: by default 0600, always in a directory of 0700, so that the file system already says who may connect.

use std::fs::{self, DirBuilder, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use tokio::net::{UnixListener, UnixStream};

use super::error::ListenError;

/// A bound socket. Its file goes away with it.
#[derive(Debug)]
pub(crate) struct Socket {
    listener: UnixListener,
    path: PathBuf,
    /// Device and inode of the file, so that a file put in its place is left alone.
    file: (u64, u64),
}

impl Socket {
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) async fn accept(&self) -> io::Result<UnixStream> {
        self.listener.accept().await.map(|(stream, _)| stream)
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        if fs::symlink_metadata(&self.path).is_ok_and(|file| identity(&file) == self.file) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Binds a socket. That nobody else binds it meanwhile is for the lock of the data directory to ensure.
pub(super) async fn bind(path: &Path, mode: u32) -> Result<Socket, ListenError> {
    let failed = |source| ListenError::Unix {
        path: path.to_owned(),
        source,
    };
    let directory = path
        .parent()
        .filter(|directory| !directory.as_os_str().is_empty())
        .ok_or_else(|| failed(io::Error::from(ErrorKind::InvalidInput)))?;
    private_directory(directory)?;
    remove_if_stale(path).await?;
    let listener = UnixListener::bind(path).map_err(|source| match source.kind() {
        ErrorKind::InvalidInput => ListenError::PathTooLong {
            path: path.to_owned(),
        },
        _ => failed(source),
    })?;
    fs::set_permissions(path, Permissions::from_mode(mode)).map_err(failed)?;
    let file = identity(&fs::symlink_metadata(path).map_err(failed)?);
    Ok(Socket {
        listener,
        path: path.to_owned(),
        file,
    })
}

fn private_directory(directory: &Path) -> Result<(), ListenError> {
    let failed = |source| ListenError::Unix {
        path: directory.to_owned(),
        source,
    };
    match DirBuilder::new().mode(0o700).create(directory) {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
        Err(error) => return Err(failed(error)),
    }
    let found = fs::symlink_metadata(directory).map_err(failed)?;
    let owner = nix::unistd::geteuid().as_raw();
    if found.is_dir() && found.uid() == owner && found.mode() & 0o077 == 0 {
        Ok(())
    } else {
        Err(ListenError::OpenDirectory {
            path: directory.to_owned(),
        })
    }
}

/// Removes a socket that nothing answers at, which is what a killed server leaves behind.
async fn remove_if_stale(path: &Path) -> Result<(), ListenError> {
    let failed = |source| ListenError::Unix {
        path: path.to_owned(),
        source,
    };
    let found = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        found => found.map_err(failed)?,
    };
    if !found.file_type().is_socket() {
        return Err(ListenError::NotASocket {
            path: path.to_owned(),
        });
    }
    match UnixStream::connect(path).await {
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => {
            fs::remove_file(path).map_err(failed)
        }
        // Whatever it is, it is not known to be dead.
        Ok(_) | Err(_) => Err(ListenError::InUse {
            path: path.to_owned(),
        }),
    }
}

fn identity(file: &fs::Metadata) -> (u64, u64) {
    (file.dev(), file.ino())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::symlink_metadata(path).unwrap().mode() & 0o777
    }

    #[tokio::test]
    async fn socket_and_directory_are_private_and_the_file_goes_with_it() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("run/server.sock");
        let socket = bind(&path, 0o600).await.unwrap();
        assert_eq!(mode(&path), 0o600);
        assert_eq!(mode(path.parent().unwrap()), 0o700);
        drop(socket);
        assert!(!path.exists());
    }

    #[tokio::test]
    async fn a_live_socket_stays_and_a_dead_one_goes() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("run/server.sock");
        let first = bind(&path, 0o600).await.unwrap();
        assert_eq!(
            bind(&path, 0o600).await.unwrap_err().code(),
            "socket_in_use"
        );
        assert!(path.exists());
        drop(first);
        // What a killed process leaves: the file, and nobody behind it.
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        assert!(path.exists());
        bind(&path, 0o600).await.unwrap();
    }

    #[tokio::test]
    async fn only_the_own_file_is_removed() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("run/server.sock");
        let socket = bind(&path, 0o600).await.unwrap();
        fs::remove_file(&path).unwrap();
        fs::write(&path, "someone's").unwrap();
        drop(socket);
        assert_eq!(fs::read_to_string(&path).unwrap(), "someone's");
        assert_eq!(
            bind(&path, 0o600).await.unwrap_err().code(),
            "socket_path_taken"
        );
        assert_eq!(fs::read_to_string(&path).unwrap(), "someone's");
    }

    #[tokio::test]
    async fn a_directory_that_others_can_enter_is_refused() {
        let home = tempfile::tempdir().unwrap();
        let directory = home.path().join("run");
        fs::create_dir(&directory).unwrap();
        fs::set_permissions(&directory, Permissions::from_mode(0o750)).unwrap();
        let refused = bind(&directory.join("server.sock"), 0o600)
            .await
            .unwrap_err();
        assert_eq!(refused.code(), "socket_directory_open");
        let link = home.path().join("link");
        std::os::unix::fs::symlink(&directory, &link).unwrap();
        fs::set_permissions(&directory, Permissions::from_mode(0o700)).unwrap();
        let refused = bind(&link.join("server.sock"), 0o600).await.unwrap_err();
        assert_eq!(refused.code(), "socket_directory_open");
    }

    #[tokio::test]
    async fn a_long_path_is_named() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("run").join("s".repeat(120));
        assert_eq!(
            bind(&path, 0o600).await.unwrap_err().code(),
            "socket_path_too_long"
        );
    }
}
