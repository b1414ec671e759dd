//! What a command in a view finds, in every setting this machine offers.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};

use dogwatch_core::contract::Containment;
use dogwatch_supervisor::containment::{
    AgentUser, Network, Overlay, View, standard_masks, standard_readable,
};
use dogwatch_supervisor::{Cause, ExitRecord, Rung};

use crate::case::{Case, Setting, say, settings};

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
            ("host/data/one", "one"),
            ("home/real/.ssh/id", "key"),
            ("home/real/.netrc", "login"),
            ("home/real/.profile", "profile"),
            ("ws/lower/src/main.rs", "fn main() {}"),
        ] {
            fs::write(at(name), text).unwrap();
        }
        let writable = [at("host/data/out"), at("host/data/one")];
        let mut view = View::new(Containment::Reduced, &[&writable[0], &writable[1]]);
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
        Self { case }
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
             echo z > $ROOT/host/data/one; \
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
        assert_eq!(fs::read(contained.at("host/data/one")).unwrap(), b"z\n");
        assert!(!contained.at("home/real/new").exists());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_level_that_cannot_be_had_keeps_the_command_from_starting() {
    for who in whoever().await {
        let mut contained = Contained::sh(who, "echo ran > $ROOT/host/data/out/ran");
        contained.view().required = Containment::Full;
        let record = contained.case.run().await;
        let ran = contained.at("host/data/out/ran").exists();
        if who == Who::Same && nix::unistd::geteuid().is_root() {
            let Cause::ContainmentMissing {
                required,
                available,
                reasons,
            } = record.cause
            else {
                panic!("{record:?}");
            };
            assert_eq!(
                (required, available),
                (Containment::Full, Containment::Reduced)
            );
            assert_eq!(reasons, ["the command's user is root"]);
            assert_eq!((record.containment, record.main, ran), (None, None, false));
        } else {
            assert_eq!(record.cause, Cause::Exited { code: 0 }, "{who:?}");
            assert_eq!(record.containment.unwrap().level, Containment::Full);
            assert!(ran);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_view_that_cannot_be_made_is_said_and_nothing_runs() {
    for who in whoever().await {
        // The directory for the kernel's work is not there.
        let contained = Contained::sh(who, "echo ran > $ROOT/host/data/out/ran");
        fs::remove_dir(contained.at("ws/work")).unwrap();
        let record = contained.case.run().await;
        let Cause::ContainmentMissing {
            available, reasons, ..
        } = record.cause
        else {
            panic!("{record:?}");
        };
        assert_eq!(available, Containment::None);
        assert!(reasons[0].contains("ws/work"), "{reasons:?}");
        assert!(!contained.at("host/data/out/ran").exists());

        let mut contained = Contained::sh(who, "true");
        let missing = contained.at("missing");
        contained.view().writable.push(missing.into());
        let record = contained.case.run().await;
        assert!(
            matches!(&record.cause, Cause::ContainmentMissing { reasons, .. } if reasons[0].contains("missing")),
            "{record:?}"
        );

        // A symlink would show something else than what was named.
        let mut contained = Contained::sh(who, "true");
        let link = contained.at("link");
        std::os::unix::fs::symlink("/etc", &link).unwrap();
        contained.view().writable.push(link.into());
        let record = contained.case.run().await;
        assert!(
            matches!(record.cause, Cause::ContainmentMissing { .. }),
            "{record:?}"
        );

        let mut contained = Contained::sh(who, "true");
        contained.case.spec.rung = dogwatch_supervisor::WantedRung::Subreaper;
        let record = contained.case.run().await;
        assert!(
            matches!(record.cause, Cause::ContainmentMissing { .. }),
            "{record:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn how_a_command_ends_in_a_view_is_known_exactly() {
    for who in whoever().await {
        for (script, expected) in [
            ("exit 7", Cause::Exited { code: 7 }),
            ("exit 143", Cause::Exited { code: 143 }),
            ("kill -TERM $$; sleep 60", Cause::Signalled { signal: 15 }),
            ("kill -SEGV $$; sleep 60", Cause::Signalled { signal: 11 }),
        ] {
            let record = Contained::sh(who, script).case.run().await;
            assert_eq!(record.cause, expected, "{who:?}");
            assert!(record.main.is_some());
        }
        let record = Contained::new(who, &["no-such-agent"]).case.run().await;
        let Cause::SpawnFailed { errno, message } = &record.cause else {
            panic!("{record:?}");
        };
        assert_eq!(*errno, 2);
        assert!(
            message.contains("`no-such-agent` was not found"),
            "{message}"
        );
        assert_eq!(record.containment, None);
        // What the command is told is all it gets, and no process of ours is beside it.
        let mut contained = Contained::sh(who, "env; for p in /proc/[0-9]*; do cat $p/comm; done");
        contained.case.spec.env = vec![crate::case::variable("ONE", "1")];
        let (_, out, _) = contained.run().await;
        let lines: Vec<&str> = out
            .lines()
            .filter(|line| !line.starts_with("PWD=") && !line.starts_with("_="))
            .filter(|line| !line.starts_with("SHLVL=") && *line != "cat")
            .collect();
        assert_eq!(lines, ["ONE=1", "dogwatch-init", "sh"], "{who:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_network_there_is_nothing_but_a_loopback() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let program = env!("CARGO_BIN_EXE_dogwatch-shim-for-tests");
    for who in whoever().await {
        for (network, code) in [(Network::Host, 0), (Network::None, 1)] {
            let script = format!("grep -c : /proc/net/dev; {program} attack network {address}");
            let mut contained = Contained::sh(who, &script);
            contained.view().readable.push(program.into());
            contained.view().network = network;
            let (record, out, err) = contained.run().await;
            assert_eq!(record.cause, Cause::Exited { code }, "{who:?} {out} {err}");
            assert_eq!(record.containment.unwrap().network, network);
            if network == Network::None {
                assert_eq!(out, "1\n");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn any_name_can_be_shown() {
    use std::os::unix::ffi::OsStrExt as _;
    for who in whoever().await {
        let mut contained = Contained::sh(who, "cat file; echo more > other");
        for name in [&b"a,b:c=d\\e"[..], b"with space\nand line", b"\xff\xfe"] {
            let place = contained.at("odd").join(std::ffi::OsStr::from_bytes(name));
            for part in ["lower", "upper", "work", "target"] {
                fs::create_dir_all(place.join(part)).unwrap();
            }
            fs::write(place.join("lower/file"), "shown").unwrap();
            let target = place.join("target");
            contained.view().overlays = vec![Overlay {
                target: target.clone().into(),
                lower: place.join("lower").into(),
                upper: place.join("upper").into(),
                work: place.join("work").into(),
            }];
            contained.case.spec.cwd = target.into();
            if who != Who::Same {
                own(&contained.at("odd"), NOBODY);
            }
            let (record, out, err) = contained.run().await;
            assert_eq!(record.cause, Cause::Exited { code: 0 }, "{who:?} {err}");
            assert_eq!(out, "shown");
            assert_eq!(fs::read(place.join("upper/other")).unwrap(), b"more\n");
            contained.case.forget();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tools_in_a_home_directory_work() {
    let home = std::env::var_os("HOME").map(PathBuf::from).unwrap();
    for who in whoever().await {
        let mut wanted = vec![(
            "git",
            "git init -q r && cd r && git -c user.name=a -c user.email=a@b commit -q --allow-empty -m one && echo x > f && git add f && git stash -q -u && git status --porcelain && git log --oneline | wc -l",
        )];
        let proxies = home.join(".cargo/bin/cargo").exists() && home.join(".rustup").exists();
        let by_path = |name: &str| {
            let path = std::env::var_os("PATH")?;
            std::env::split_paths(&path)
                .filter(|directory| directory.is_absolute())
                .find(|directory| directory.join(name).exists())
        };
        if proxies {
            wanted.push(("cargo", "cargo --version && cargo init -q --vcs none p && cd p && cargo build -q --offline && ./target/debug/p"));
        } else {
            say("SKIPPED: no cargo in the home directory");
        }
        for (name, script) in [
            (
                "node",
                "node -e 'new (require(\"worker_threads\").Worker)(\"console.log(6*7)\", {eval: true})'",
            ),
            (
                "python3",
                "python3 -c 'import subprocess, multiprocessing as m, tempfile; tempfile.mkdtemp(); print(m.Pool(2).map(abs, [-42])[0])'",
            ),
        ] {
            match by_path(name) {
                Some(_) => wanted.push((name, script)),
                None => say(&format!("SKIPPED: no {name}")),
            }
        }
        let path: Vec<String> = wanted
            .iter()
            .filter_map(|(name, _)| by_path(name))
            .map(|directory| directory.display().to_string())
            .collect();
        let path = format!("{}:/usr/local/bin:/usr/bin:/bin", path.join(":"));
        for (name, script) in wanted {
            let mut contained = Contained::sh(who, script);
            let spec = &mut contained.case.spec;
            spec.env
                .retain(|variable| variable.name.as_bytes() != b"PATH");
            spec.env.push(crate::case::variable("PATH", &path));
            for (name, below) in [("RUSTUP_HOME", ".rustup"), ("PYENV_ROOT", ".pyenv")] {
                let value = home.join(below);
                spec.env
                    .push(crate::case::variable(name, value.to_str().unwrap()));
            }
            for below in [".cargo", ".rustup", ".pyenv"] {
                contained.view().readable.push(home.join(below).into());
            }
            // Nobody may not look for what is below root's home, nor show it.
            if who == Who::Nobody
                && fs::metadata(&home).unwrap().permissions().mode() & 1 == 0
                && name != "git"
                && name != "node"
            {
                say(&format!(
                    "SKIPPED: {name} as an ordinary user below a closed home directory"
                ));
                continue;
            }
            let (record, out, err) = contained.run().await;
            assert_eq!(
                record.cause,
                Cause::Exited { code: 0 },
                "{who:?} {name} {out} {err}"
            );
        }
    }
}
