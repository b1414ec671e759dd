//! What every view hides, and what it shows again.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// Below the home directory: keys, logins, and our own configuration.
const HOME: [&str; 20] = [
    ".ssh",
    ".gnupg",
    ".aws",
    ".netrc",
    ".config/gh",
    ".config/dogwatch",
    ".docker",
    ".kube",
    ".config/gcloud",
    ".azure",
    ".git-credentials",
    ".config/git/credentials",
    ".config/containers/auth.json",
    ".local/share/keyrings",
    ".password-store",
    ".config/systemd",
    ".config/autostart",
    ".config/rclone",
    ".cargo/credentials.toml",
    ".cargo/credentials",
];

/// The machine's own. `/run` as a whole, for the sockets of every service stand there, and a read-only mount does not keep anybody
/// from connecting.
const MACHINE: [&str; 14] = [
    "/run",
    "/var/run",
    "/run/docker.sock",
    "/var/run/docker.sock",
    "/run/containerd",
    "/run/podman",
    "/run/dbus",
    "/run/systemd",
    "/sys",
    "/var/spool/cron",
    "/var/spool/at",
    "/var/spool/atjobs",
    "/var/lib/docker",
    "/var/lib/containerd",
];

/// What is hidden as an empty file where it does not exist. Everything else that does not exist shows as an empty directory.
const FILES_WHEN_ABSENT: [&str; 7] = [
    ".netrc",
    ".git-credentials",
    "credentials",
    "credentials.toml",
    "auth.json",
    "docker.sock",
    ".npmrc",
];

/// What nobody may change through a `/proc` of one's own, as it is the machine's.
pub(crate) const PROC_READ_ONLY: [&str; 5] = [
    "/proc/sys",
    "/proc/sysrq-trigger",
    "/proc/irq",
    "/proc/bus",
    "/proc/fs",
];

/// What nobody needs to read there.
pub(crate) const PROC_MASKED: [&str; 9] = [
    "/proc/acpi",
    "/proc/kcore",
    "/proc/keys",
    "/proc/kmsg",
    "/proc/latency_stats",
    "/proc/mtrr",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/timer_list",
];

/// What a view hides on every machine: keys and logins below `home`, the sockets of services, `/sys`, and what is run later by others.
pub fn standard_masks(home: &Path) -> Vec<PathBuf> {
    let runtime = std::env::var_os("XDG_RUNTIME_DIR")
        .map(PathBuf::from)
        .filter(|path| path.is_absolute() && path.parent().is_some());
    HOME.iter()
        .map(|path| home.join(path))
        .chain(MACHINE.iter().map(PathBuf::from))
        .chain(runtime)
        .collect()
}

/// What commands need of what [`standard_masks`] hides: how names are resolved, and where some systems keep their programs.
pub fn standard_readable() -> Vec<PathBuf> {
    let resolver = std::fs::canonicalize("/etc/resolv.conf").ok();
    resolver
        .into_iter()
        .chain(["/run/current-system", "/run/opengl-driver"].map(PathBuf::from))
        .filter(|path| path.starts_with("/run") && path.exists())
        .collect()
}

/// Whether an absent path of this name is hidden as a file.
pub(crate) fn is_file_when_absent(name: &OsStr) -> bool {
    FILES_WHEN_ABSENT
        .iter()
        .any(|file| OsStr::new(file) == name)
}
