//! What holds an agent here, each means as it was found by trying it.

use std::fs;
use std::os::unix::fs::MetadataExt as _;

use dogwatch_core::contract::Containment;
use dogwatch_supervisor::{Capabilities, Finding, containment};
use nix::unistd::geteuid;

use super::super::config::{Project, load};
use super::check::Check;
use crate::context::Context;

/// As whom the commands of a run would run here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AgentUser {
    /// As this very user, who is not root.
    Same,
    /// As the owner of the repository, as this user is root.
    Owner(u32),
    /// As root, as nobody else owns the repository.
    Root,
}

impl AgentUser {
    /// The user for the repository the command stands in.
    pub(super) fn here(context: &Context) -> Self {
        if !geteuid().is_root() {
            return Self::Same;
        }
        let checkout = Project::find(context).ok().and_then(|found| found.checkout);
        checkout
            .and_then(|checkout| fs::metadata(checkout.top_level()).ok())
            .filter(|found| found.uid() != 0 && found.gid() != 0)
            .map_or(Self::Root, |found| Self::Owner(found.uid()))
    }

    const fn is_root(self) -> bool {
        !matches!(self, Self::Same)
    }

    const fn is_own(self) -> bool {
        matches!(self, Self::Owner(_))
    }

    fn in_words(self) -> String {
        match self {
            Self::Same => "you, without a way to more rights".to_owned(),
            Self::Owner(uid) => {
                format!("the repository's owner (uid {uid}), as dogwatch runs as root")
            }
            Self::Root => {
                "root without capabilities, as no other user owns a repository here".to_owned()
            }
        }
    }
}

/// The level that runs need here unless their contract says otherwise. A configuration that cannot be read has a line of its own.
pub(super) fn required(context: &Context) -> Containment {
    let committed = Project::find(context)
        .ok()
        .and_then(|found| found.committed);
    match load(context, committed) {
        Ok(Ok(config)) => config.run.containment,
        Ok(Err(_)) | Err(_) => Containment::default(),
    }
}

/// The level that runs reach here.
pub(super) fn reached(found: &Capabilities, user: AgentUser) -> Containment {
    containment::level(found, user.is_root(), user.is_own()).0
}

/// How workspaces are made here.
pub(super) const fn method(found: &Capabilities) -> &'static str {
    if found.overlay.available {
        "overlay"
    } else {
        "plain_checkout"
    }
}

/// The level, what follows for runs, and each means it is made of.
pub(super) fn checks(found: &Capabilities, user: AgentUser, required: Containment) -> Vec<Check> {
    let mut checks = vec![
        contained(found, user, required),
        Check::ok("agent user", user.in_words()),
        process_tree(found),
        workspaces(found),
        network(found),
    ];
    let means = [
        ("bubblewrap", &found.bwrap, BUBBLEWRAP),
        ("user namespace", &found.user_namespace, USER_NAMESPACE),
        ("pid namespace", &found.pid_namespace, USER_NAMESPACE),
        ("fresh /proc", &found.fresh_proc, FRESH_PROC),
        ("landlock", &found.landlock, LANDLOCK),
        ("seccomp", &found.seccomp, SECCOMP),
        ("process limit", &found.process_limit, PROCESS_LIMIT),
        ("subreaper", &found.subreaper, ""),
        ("pidfd", &found.pidfd, ""),
        ("cgroup.kill", &found.cgroup_kill, ""),
    ];
    checks.extend(
        means
            .into_iter()
            .map(|(what, finding, next)| capability(what, finding, next)),
    );
    checks
}

const BUBBLEWRAP: &str = "install it with the system's package manager (apt install bubblewrap), not into a home directory";
const USER_NAMESPACE: &str = "allow user namespaces: sysctl user.max_user_namespaces above 0, kernel.unprivileged_userns_clone=1 on Debian, and \
     kernel.apparmor_restrict_unprivileged_userns=0 or an AppArmor profile for bwrap on Ubuntu; in a container, start it so that it may make them";
const FRESH_PROC: &str = "in a container /proc is often masked: start it with an unmasked /proc, or run dogwatch outside of it";
const LANDLOCK: &str = "use Linux 6.2 or newer with `landlock` in the list of `lsm=`";
const SECCOMP: &str = "use a kernel with CONFIG_SECCOMP_FILTER";
const PROCESS_LIMIT: &str =
    "use Linux 6.14 or newer; without it a fork bomb is bounded by the limits of the user alone";

fn contained(found: &Capabilities, user: AgentUser, required: Containment) -> Check {
    const WHAT: &str = "containment";
    let (level, missing) = containment::level(found, user.is_root(), user.is_own());
    let mut detail = match level {
        Containment::Full => {
            "full: an agent sees and writes only what its run is given, as an ordinary user"
                .to_owned()
        }
        Containment::Reduced => {
            "reduced: an agent writes only what its run is given; a layer behind that is missing"
                .to_owned()
        }
        Containment::None => {
            "none: agents and gates can read and write whatever you can".to_owned()
        }
    };
    if !missing.is_empty() {
        detail.push_str(&format!(" (missing: {})", missing.join("; ")));
    }
    if level < required {
        return Check::fail(
            WHAT,
            format!(
                "{detail}; runs need {}, so they do not start",
                required.as_str()
            ),
            format!(
                "{}; or, for agents and repositories you trust, `run --containment {}`",
                remedy(found, user),
                level.as_str()
            ),
        );
    }
    if required == Containment::None {
        let text = format!("{detail}; but runs are configured to be contained not at all");
        return Check::warn(
            WHAT,
            text,
            "take `run.containment` out of the configuration",
        );
    }
    match level {
        Containment::Full => Check::ok(WHAT, detail),
        Containment::Reduced | Containment::None => Check::warn(WHAT, detail, remedy(found, user)),
    }
}

/// The first thing to do about the level, as one thing often mends several.
fn remedy(found: &Capabilities, user: AgentUser) -> &'static str {
    for (finding, next) in [
        (&found.pid_namespace, USER_NAMESPACE),
        (&found.fresh_proc, FRESH_PROC),
        (&found.bwrap, BUBBLEWRAP),
        (&found.landlock, LANDLOCK),
        (&found.seccomp, SECCOMP),
    ] {
        if !finding.available {
            return next;
        }
    }
    if user == AgentUser::Root {
        "run dogwatch as an ordinary user, or let one own the repository: then its agents run as that user"
    } else {
        "see the lines below"
    }
}

/// Whether the processes of a run can be ended with certainty, and how.
fn process_tree(found: &Capabilities) -> Check {
    const WHAT: &str = "process tree";
    if !found.pidfd.available {
        return Check::fail(
            WHAT,
            "processes cannot be signalled exactly, so runs are refused",
            "use Linux 5.3 or newer, with /proc mounted",
        );
    }
    if found.pid_namespace.available {
        Check::ok(WHAT, "ended by the kernel with its PID namespace")
    } else if found.subreaper.available {
        Check::warn(
            WHAT,
            "ended by adopting and killing what is left, as there is no PID namespace",
            "allow user namespaces for a guarantee by the kernel",
        )
    } else {
        Check::fail(
            WHAT,
            "there is no sure way to end it, so runs are refused",
            "allow user namespaces",
        )
    }
}

fn workspaces(found: &Capabilities) -> Check {
    const WHAT: &str = "workspaces";
    if found.overlay.available {
        return Check::ok(WHAT, "overlays over a cached clone: ready in milliseconds");
    }
    let why = found.overlay.detail.as_deref().unwrap_or("refused");
    Check::warn(
        WHAT,
        format!("plain checkouts, as overlays do not work here ({why})"),
        "use Linux 5.11 or newer and a data directory on ext4, xfs or btrfs; nothing else depends on it",
    )
}

fn network(found: &Capabilities) -> Check {
    const WHAT: &str = "network";
    if found.network_namespace.available {
        return Check::ok(WHAT, "runs have the machine's; one without any can be made");
    }
    let why = found
        .network_namespace
        .detail
        .as_deref()
        .unwrap_or("refused");
    Check::warn(
        WHAT,
        format!("runs have the machine's, and none without can be made ({why})"),
        USER_NAMESPACE,
    )
}

fn capability(what: &'static str, finding: &Finding, next: &str) -> Check {
    let detail = finding.detail.clone();
    if finding.available {
        return Check::ok(what, detail.unwrap_or_else(|| "works".to_owned()));
    }
    let mut check = Check::warn(what, detail.unwrap_or_else(|| "refused".to_owned()), next);
    if next.is_empty() {
        // Nothing to do about it: it is a rung of a ladder, and the lines above say which one counts.
        check.next_action = None;
    }
    check
}

#[cfg(test)]
mod tests {
    use super::super::check::Status;
    use super::*;

    fn finding(available: bool) -> Finding {
        Finding {
            available,
            detail: (!available).then(|| "EPERM".to_owned()),
        }
    }

    fn everything() -> Capabilities {
        let yes = || finding(true);
        Capabilities {
            pid_namespace: yes(),
            user_namespace: yes(),
            fresh_proc: yes(),
            subreaper: yes(),
            pidfd: yes(),
            cgroup_kill: yes(),
            bwrap: yes(),
            overlay: yes(),
            landlock: yes(),
            seccomp: yes(),
            network_namespace: yes(),
            process_limit: yes(),
        }
    }

    #[test]
    fn it_fails_only_where_runs_would_be_refused() {
        for (pid_namespace, subreaper, pidfd, status) in [
            (true, true, true, Status::Ok),
            (false, true, true, Status::Warn),
            (false, false, true, Status::Fail),
            (true, true, false, Status::Fail),
        ] {
            let found = Capabilities {
                pid_namespace: finding(pid_namespace),
                subreaper: finding(subreaper),
                pidfd: finding(pidfd),
                ..everything()
            };
            assert_eq!(process_tree(&found).status, status, "{found:?}");
        }
    }

    #[test]
    fn the_level_comes_first_and_is_held_against_what_runs_need() {
        let without = |bwrap, landlock| Capabilities {
            bwrap: finding(bwrap),
            landlock: finding(landlock),
            ..everything()
        };
        use AgentUser::{Owner, Root, Same};
        use Containment::{Full, None, Reduced};
        for (found, user, required, status, part) in [
            (everything(), Same, Reduced, Status::Ok, "full"),
            (everything(), Owner(7), Full, Status::Ok, "full"),
            (everything(), Root, Reduced, Status::Warn, "ordinary user"),
            (everything(), Root, Full, Status::Fail, "runs need full"),
            (
                without(true, false),
                Same,
                Reduced,
                Status::Warn,
                "Linux 6.2",
            ),
            (
                without(false, true),
                Same,
                Reduced,
                Status::Fail,
                "apt install",
            ),
            (without(false, true), Same, None, Status::Warn, "none: "),
            (everything(), Same, None, Status::Warn, "not at all"),
        ] {
            let checks = checks(&found, user, required);
            let first = &checks[0];
            assert_eq!(
                (first.what, first.status),
                ("containment", status),
                "{first:?}"
            );
            assert!(first.line().contains(part), "{part}: {}", first.line());
        }
    }

    #[test]
    fn every_capability_has_a_line() {
        let tried = serde_json::to_value(everything()).unwrap();
        // Overlay and network are named by what they are for.
        let lines = checks(&everything(), AgentUser::Same, Containment::Reduced);
        let said = 3 + tried.as_object().unwrap().len();
        assert_eq!(lines.len(), said, "{lines:?}");
        assert!(lines.iter().all(|check| check.status == Status::Ok));
        assert_eq!(method(&everything()), "overlay");
    }
}
