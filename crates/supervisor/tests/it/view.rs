//! What a command in a view finds, in every setting this machine offers.

use std::fs;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};

use dogwatch_core::contract::Containment;
use dogwatch_supervisor::containment::{
    AgentUser, Network, Overlay, View, standard_masks, standard_readable,
};
use dogwatch_supervisor::{Cause, ExitRecord, Rung};

use crate::case::{Case, Setting, settings};

const NOBODY: u32 = 65534;

/// Who runs the shim, and as whom the command runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Who {
    /// The tests' own user.
    Same,
    /// Root's shim and an ordinary user's command.
    Given,
    /// An ordinary user's shim, although the tests run as root.
    Nobody,
}

/// The settings that exist here.
pub(crate) async fn whoever() -> Vec<Who> {
    let namespaces: Vec<Setting> = settings()
        .await
        .into_iter()
        .filter(|setting| setting.rung == Rung::PidNamespace)
        .collect();
    let root = nix::unistd::geteuid().is_root();
    let mut found = Vec::new();
    if namespaces.iter().any(|setting| !setting.as_nobody) {
        found.push(Who::Same);
        if root {
            found.push(Who::Given);
        }
    }
    if namespaces.iter().any(|setting| setting.as_nobody) {
        found.push(Who::Nobody);
    }
    assert!(!found.is_empty(), "no PID namespace can be had here");
    found
}

/// A command in a view: a host directory of its own, a home and a workspace as overlays.
pub(crate) struct Contained {
    pub(crate) who: Who,
    pub(crate) case: Case,
}

impl Contained {
    pub(crate) fn sh(who: Who, script: &str) -> Self {
        Self::new(who, &["/bin/sh", "-c", script])
    }

    pub(crate) fn new(who: Who, argv: &[&str]) -> Self {
        let setting = Setting {
            as_nobody: who == Who::Nobody,
            rung: Rung::PidNamespace,
        };
        let mut case = Case::new(setting, argv);
        let whole = case.path().to_owned();
        let at = |name: &str| whole.join(name);
        for name in [
            "host/checkout/.git/hooks",
            "host/readable",
            "host/data/keys",
            "host/data/out",
            "home/real/.ssh",
            "home/real/.config/git",
            "home/real/.cache",
            "home/upper",
            "home/work",
            "ws/lower/src",
            "ws/upper",
            "ws/work",
            "host/data/ws",
        ] {
            fs::create_dir_all(at(name)).unwrap();
        }
        for (name, text) in [
            ("host/checkout/file", "checkout"),
            ("host/data/keys/secret", "secret"),
            ("host/readable/file", "readable"),
            ("home/real/.ssh/id", "key"),
            ("home/real/.netrc", "login"),
            ("home/real/.profile", "profile"),
            ("ws/lower/src/main.rs", "fn main() {}"),
        ] {
            fs::write(at(name), text).unwrap();
        }
        let mut view = View::new(Containment::Reduced, &[&at("host/data/out")]);
        view.overlays = vec![
            Overlay {
                target: at("host/data/ws").into(),
                lower: at("ws/lower").into(),
                upper: at("ws/upper").into(),
                work: at("ws/work").into(),
            },
            Overlay {
                target: at("home/real").into(),
                lower: at("home/real").into(),
                upper: at("home/upper").into(),
                work: at("home/work").into(),
            },
        ];
        view.masked = standard_masks(&at("home/real"))
            .into_iter()
            .chain([at("host/data")])
            .map(Into::into)
            .collect();
        view.readable = standard_readable()
            .into_iter()
            .chain([at("host/checkout")])
            .map(Into::into)
            .collect();
        if who == Who::Given {
            view.user = Some(AgentUser {
                uid: NOBODY,
                gid: NOBODY,
            });
        }
        if who != Who::Same {
            own(case.path(), NOBODY);
        }
        case.spec.cwd = at("host/data/ws").into();
        case.spec.env.push(crate::case::variable(
            "HOME",
            at("home/real").to_str().unwrap(),
        ));
        case.spec
            .env
            .push(crate::case::variable("ROOT", case.path().to_str().unwrap()));
        case.spec.view = Some(view);
        Self { who, case }
    }

    pub(crate) fn view(&mut self) -> &mut View {
        self.case.spec.view.as_mut().unwrap()
    }

    pub(crate) fn at(&self, name: &str) -> PathBuf {
        self.case.path().join(name)
    }

    /// Runs it and gives the record and both outputs.
    pub(crate) async fn run(&self) -> (ExitRecord, String, String) {
        let record = self.case.run().await;
        let plain = self.case.plain();
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        (record, text(plain.stdout), text(plain.stderr))
    }
}

/// Gives a whole tree to a user.
pub(crate) fn own(path: &Path, user: u32) {
    chown(path, Some(user), Some(user)).unwrap();
    if path.symlink_metadata().unwrap().is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            own(&entry.unwrap().path(), user);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_works_in_its_workspace_and_its_home() {
    for who in whoever().await {
        let contained = Contained::sh(
            who,
            "set -e; id -u; pwd; cat src/main.rs; echo; echo more > src/more.rs; rm src/main.rs; \
             echo x > $HOME/new; mkdir $HOME/.cache/deep; echo y > $ROOT/host/data/out/file; \
             echo t > /tmp/t; echo t > /var/tmp/t; echo t > /dev/shm/t; echo t > /run/user/$(id -u)/t; \
             echo n > /dev/null; grep -c . /proc/self/status > /dev/null; ls -a ~/.ssh | wc -l",
        );
        let (record, out, err) = contained.run().await;
        assert_eq!(
            record.cause,
            Cause::Exited { code: 0 },
            "{who:?} {out} {err}"
        );
        let uid = if who == Who::Same {
            nix::unistd::geteuid().as_raw()
        } else {
            NOBODY
        };
        let ws = contained.at("host/data/ws");
        assert_eq!(out, format!("{uid}\n{}\nfn main() {{}}\n2\n", ws.display()));
        let reached = record.containment.unwrap();
        assert_eq!((reached.uid, reached.network), (uid, Network::Host));
        let expected = if uid == 0 {
            Containment::Reduced
        } else {
            Containment::Full
        };
        assert_eq!(reached.level, expected, "{reached:?}");
        // Changes are in the upper directories, and nowhere else.
        assert_eq!(
            fs::read(contained.at("ws/upper/src/more.rs")).unwrap(),
            b"more\n"
        );
        assert!(contained.at("ws/lower/src/main.rs").exists());
        assert_eq!(fs::read(contained.at("home/upper/new")).unwrap(), b"x\n");
        assert_eq!(
            fs::read(contained.at("host/data/out/file")).unwrap(),
            b"y\n"
        );
        assert!(!contained.at("home/real/new").exists());
    }
}
