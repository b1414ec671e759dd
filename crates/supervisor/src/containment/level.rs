//! What this machine can give, told from what the probe tried.

use dogwatch_core::contract::Containment;

use crate::os::probe::{Capabilities, Finding};

/// The level that a command with a view will reach here, and what is missing for the full one.
///
/// `is_root` is whether the shims will run as root, `has_agent_user` whether commands then get a user of their own.
pub fn level(
    found: &Capabilities,
    is_root: bool,
    has_agent_user: bool,
) -> (Containment, Vec<String>) {
    let of = |needs: &[(&str, &Finding)]| -> Vec<String> {
        needs
            .iter()
            .filter(|(_, finding)| !finding.available)
            .map(|(what, finding)| match &finding.detail {
                Some(detail) => format!("{what}: {detail}"),
                None => (*what).to_owned(),
            })
            .collect()
    };
    let view = of(&[
        ("pid namespace", &found.pid_namespace),
        ("/proc of its own", &found.fresh_proc),
        ("bubblewrap", &found.bwrap),
    ]);
    let mut second = of(&[("landlock", &found.landlock), ("seccomp", &found.seccomp)]);
    if is_root && !has_agent_user {
        second.push("the command's user is root, as no other user owns the repository".to_owned());
    }
    let level = match (view.is_empty(), second.is_empty()) {
        (true, true) => Containment::Full,
        (true, false) => Containment::Reduced,
        (false, _) => Containment::None,
    };
    (level, view.into_iter().chain(second).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found() -> Capabilities {
        let yes = Finding {
            available: true,
            detail: None,
        };
        Capabilities {
            pid_namespace: yes.clone(),
            user_namespace: yes.clone(),
            fresh_proc: yes.clone(),
            subreaper: yes.clone(),
            pidfd: yes.clone(),
            cgroup_kill: yes.clone(),
            bwrap: yes.clone(),
            overlay: yes.clone(),
            landlock: yes.clone(),
            seccomp: yes.clone(),
            network_namespace: yes.clone(),
            process_limit: yes,
        }
    }

    #[test]
    fn the_level_is_what_the_weakest_part_allows() {
        let refused = Finding {
            available: false,
            detail: Some("EPERM".to_owned()),
        };
        assert_eq!(level(&found(), false, false), (Containment::Full, vec![]));
        assert_eq!(level(&found(), true, true), (Containment::Full, vec![]));
        assert_eq!(level(&found(), true, false).0, Containment::Reduced);
        let without_landlock = Capabilities {
            landlock: refused.clone(),
            ..found()
        };
        assert_eq!(
            level(&without_landlock, false, false),
            (Containment::Reduced, vec!["landlock: EPERM".to_owned()])
        );
        let without_bwrap = Capabilities {
            bwrap: refused,
            ..without_landlock
        };
        let (level, missing) = level(&without_bwrap, true, false);
        assert_eq!((level, missing.len()), (Containment::None, 3));
    }
}
