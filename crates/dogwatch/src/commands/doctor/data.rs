//! The data directory: who may read it, how much room it has, who uses it, and whether its keys are in order.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use dogwatch_bundle::{KeyStore, load_trusted_keys};
use dogwatch_runner::MachineRecord;
use nix::sys::statvfs::statvfs;
use nix::unistd::{AccessFlags, Uid, access};

use super::check::{Check, chain};
use crate::context::Context;

/// Below this much room runs are likely to fail for want of it.
const RESERVE: u64 = 1 << 30;

pub(super) fn checks(context: &Context) -> Vec<Check> {
    let root = context.layout.root();
    let mut checks = vec![directory(root)];
    checks.extend(free_space(root));
    checks.push(lock(&context.layout.lock()));
    checks.push(signing_key(root));
    checks.push(machine(&context.places.machine_identity()));
    checks
}

fn directory(root: &Path) -> Check {
    const WHAT: &str = "data directory";
    let shown = root.display();
    let metadata = match fs::metadata(root) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return absent(root),
        Err(error) => {
            return Check::fail(
                WHAT,
                format!("{shown}: {error}"),
                "mend its permissions, or set DOGWATCH_HOME to another directory",
            );
        }
    };
    let mode = metadata.mode() & 0o7777;
    if !metadata.is_dir() {
        Check::fail(
            WHAT,
            format!("{shown} is not a directory"),
            "move it away, or set DOGWATCH_HOME to another directory",
        )
    } else if metadata.uid() != Uid::effective().as_raw() {
        Check::warn(
            WHAT,
            format!("{shown} belongs to another user (uid {})", metadata.uid()),
            "set DOGWATCH_HOME to a directory of your own",
        )
    } else if access(root, AccessFlags::W_OK | AccessFlags::X_OK).is_err() {
        Check::fail(
            WHAT,
            format!("{shown} cannot be written to"),
            "mend its permissions, or set DOGWATCH_HOME to another directory",
        )
    } else if mode & 0o077 != 0 {
        Check::warn(
            WHAT,
            format!("{shown} has mode {mode:04o}, which lets others in"),
            format!("chmod 700 {shown}"),
        )
    } else {
        Check::ok(WHAT, shown.to_string())
    }
}

fn absent(root: &Path) -> Check {
    const WHAT: &str = "data directory";
    let parent = existing_part(root);
    if access(&parent, AccessFlags::W_OK | AccessFlags::X_OK).is_ok() {
        Check::ok(
            WHAT,
            format!(
                "{} is not there yet: the first run makes it",
                root.display()
            ),
        )
    } else {
        Check::fail(
            WHAT,
            format!(
                "{} is not there and cannot be made in {}",
                root.display(),
                parent.display()
            ),
            "set DOGWATCH_HOME to a directory you can write to",
        )
    }
}

/// The nearest directory above a path that exists.
fn existing_part(path: &Path) -> PathBuf {
    path.ancestors()
        .find(|ancestor| ancestor.is_dir())
        .unwrap_or(Path::new("/"))
        .to_owned()
}

fn free_space(root: &Path) -> Option<Check> {
    let stat = statvfs(&existing_part(root)).ok()?;
    // The types of these differ from platform to platform.
    #[allow(clippy::useless_conversion, clippy::unnecessary_cast)]
    let free = (stat.blocks_available() as u64).saturating_mul(stat.fragment_size() as u64);
    let detail = format!("{} MiB free", free >> 20);
    Some(if free < RESERVE {
        Check::warn(
            "disk",
            detail,
            "make room: below 1 GiB runs may fail for want of it",
        )
    } else {
        Check::ok("disk", detail)
    })
}

/// Who has the lock, as the kernel lists it: taking it, even for an instant, could make another command fail.
fn lock(path: &Path) -> Check {
    let held = fs::metadata(path)
        .ok()
        .zip(fs::read_to_string("/proc/locks").ok())
        .is_some_and(|(metadata, locks)| is_locked(&locks, metadata.ino(), metadata.dev()));
    if !held {
        return Check::ok("lock", "free");
    }
    let pid = fs::read_to_string(path).unwrap_or_default();
    Check::ok("lock", format!("held by process {}", pid.trim()))
}

/// Whether a file is locked, by lines such as `1: FLOCK  ADVISORY  WRITE 4711 00:2f:815 0 EOF`.
fn is_locked(locks: &str, inode: u64, device: u64) -> bool {
    let (major, minor) = (nix::libc::major(device), nix::libc::minor(device));
    let wanted = format!("{major:02x}:{minor:02x}:{inode}");
    locks
        .lines()
        .any(|line| line.split_whitespace().any(|word| word == wanted))
}

fn signing_key(root: &Path) -> Check {
    const WHAT: &str = "signing key";
    // Opening the store of keys makes the first one, so it is not opened before there is one.
    if fs::symlink_metadata(root.join("keys")).is_err() {
        return Check::ok(WHAT, "none yet: the first run makes it");
    }
    let next = "mend it as the message says; bundles cannot be sealed without it";
    let own = match KeyStore::open(root) {
        Ok(keys) => keys.keyid(),
        Err(error) => return Check::fail(WHAT, chain(&error), next),
    };
    match load_trusted_keys(root) {
        Ok(trusted) if trusted.iter().any(|key| key.keyid() == own) => Check::ok(
            WHAT,
            format!(
                "{}, {} trusted",
                own.get(..16).unwrap_or(&own),
                trusted.len()
            ),
        ),
        Ok(_) => Check::warn(
            WHAT,
            format!("{own} is not among the trusted keys"),
            "restore <data>/trusted-keys, or `dogwatch verify` calls your own bundles invalid",
        ),
        Err(error) => Check::fail(
            "trusted keys",
            chain(&error),
            "mend them as the message says",
        ),
    }
}

fn machine(path: &Path) -> Check {
    const WHAT: &str = "machine";
    match fs::read(path) {
        Ok(bytes) => match serde_json::from_slice::<MachineRecord>(&bytes) {
            Ok(record) => Check::ok(WHAT, record.machine_id.to_string()),
            Err(error) => Check::fail(
                WHAT,
                format!("{} is damaged: {error}", path.display()),
                "restore it; if this machine has no runs worth keeping, delete it",
            ),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Check::ok(WHAT, "no identity yet: the first run makes it")
        }
        Err(error) => Check::fail(
            WHAT,
            format!("{}: {error}", path.display()),
            "mend its permissions",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::super::check::Status;
    use super::*;

    #[test]
    fn a_lock_that_is_held_is_seen_without_touching_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("server.lock");
        assert_eq!(lock(&path).detail, "free");
        let file = fs::File::create(&path).unwrap();
        fs::write(&path, "4711").unwrap();
        assert_eq!(lock(&path).detail, "free");
        file.lock().unwrap();
        assert_eq!(lock(&path).detail, "held by process 4711");
        drop(file);
        assert_eq!(lock(&path).detail, "free");
    }

    #[test]
    fn a_directory_that_lets_others_in_is_named_and_an_absent_one_is_fine() {
        use std::os::unix::fs::PermissionsExt;
        let stage = tempfile::tempdir().unwrap();
        let root = stage.path().join("a/b");
        assert_eq!(directory(&root).status, Status::Ok);
        assert!(!stage.path().join("a").exists());
        fs::create_dir_all(&root).unwrap();
        fs::set_permissions(&root, fs::Permissions::from_mode(0o700)).unwrap();
        assert_eq!(directory(&root).status, Status::Ok);
        fs::set_permissions(&root, fs::Permissions::from_mode(0o755)).unwrap();
        assert_eq!(directory(&root).status, Status::Warn);
        fs::write(stage.path().join("file"), "").unwrap();
        assert_eq!(directory(&stage.path().join("file")).status, Status::Fail);
    }

    #[test]
    fn keys_are_looked_for_and_never_made() {
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(signing_key(directory.path()).status, Status::Ok);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
        let own = KeyStore::open(directory.path()).unwrap().keyid();
        let check = signing_key(directory.path());
        assert!(check.detail.starts_with(&own[..16]), "{check:?}");
        fs::remove_file(directory.path().join(format!("trusted-keys/{own}.pem"))).unwrap();
        assert_eq!(signing_key(directory.path()).status, Status::Warn);
        fs::remove_file(directory.path().join("keys/runner.pem")).unwrap();
        assert_eq!(signing_key(directory.path()).status, Status::Fail);
    }
}
