//! What holds an agent here, each means as it was found by trying it.

use dogwatch_supervisor::{Capabilities, Finding};

use super::check::Check;

/// How tightly agents are held in this version.
pub(super) const CONTAINMENT: &str = "none";

/// Each means of isolation, and what follows for runs.
pub(super) fn checks(found: &Capabilities) -> Vec<Check> {
    let means = [
        ("pid namespace", &found.pid_namespace),
        ("user namespace", &found.user_namespace),
        ("fresh /proc", &found.fresh_proc),
        ("subreaper", &found.subreaper),
        ("pidfd", &found.pidfd),
        ("cgroup.kill", &found.cgroup_kill),
        ("bubblewrap", &found.bwrap),
    ];
    let mut checks = vec![containment(), process_tree(found)];
    checks.extend(
        means
            .into_iter()
            .map(|(what, finding)| capability(what, finding)),
    );
    checks
}

fn containment() -> Check {
    Check::warn(
        "containment",
        format!(
            "{CONTAINMENT}: agents are not contained in this version; they and the gates can read and write whatever you can"
        ),
        "run only agents and repositories you trust, or use a machine or user of its own",
    )
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

fn capability(what: &'static str, finding: &Finding) -> Check {
    let detail = finding.detail.clone();
    if finding.available {
        Check::ok(what, detail.unwrap_or_else(|| "works".to_owned()))
    } else {
        let mut check = Check::warn(what, detail.unwrap_or_else(|| "refused".to_owned()), "");
        // Nothing to do about most of them: they are rungs of a ladder, and the line above says which one counts.
        check.next_action = None;
        check
    }
}

#[cfg(test)]
mod tests {
    use super::super::check::Status;
    use super::*;

    fn found(pid_namespace: bool, subreaper: bool, pidfd: bool) -> Capabilities {
        let finding = |available| Finding {
            available,
            detail: (!available).then(|| "EPERM".to_owned()),
        };
        Capabilities {
            pid_namespace: finding(pid_namespace),
            user_namespace: finding(true),
            fresh_proc: finding(true),
            subreaper: finding(subreaper),
            pidfd: finding(pidfd),
            cgroup_kill: finding(false),
            bwrap: finding(false),
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
            let found = found(pid_namespace, subreaper, pidfd);
            assert_eq!(process_tree(&found).status, status, "{found:?}");
        }
    }

    #[test]
    fn that_nothing_is_contained_is_said_first() {
        let checks = checks(&found(true, true, true));
        assert_eq!(checks[0].what, "containment");
        assert!(checks[0].detail.contains("not contained"));
    }
}
