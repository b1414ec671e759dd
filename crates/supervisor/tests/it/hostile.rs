//! Commands that try to get out of their view, or to see or plant what they must not. Nothing of the host changes.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::{Command, Stdio};

use dogwatch_supervisor::{Cause, WantedRung};

use crate::case::{marked, marked_seconds, variable};
use crate::view::{Contained, Who, whoever};

/// A name and a script that ends with 0 if it got through. `$A` carries out an attack that needs system calls; `$C` is a name that
/// exists nowhere; `$H` is the host's part of the test's directory.
const ATTACKS: &[(&str, &str)] = &[
    // Writing where all is read-only.
    ("write in /", "echo > /$C"),
    ("write in /etc", "echo > /etc/$C"),
    ("write in /usr/bin", "echo > /usr/bin/$C"),
    ("write in /var/lib", "mkdir /var/lib/$C"),
    ("write in /opt", "mkdir /opt/$C || mkdir /srv/$C"),
    ("write in /dev", "echo > /dev/$C"),
    ("append to /etc/passwd", ": >> /etc/passwd"),
    (
        "touch /etc/hostname",
        "touch /etc/hostname || touch /etc/passwd",
    ),
    // The checkout.
    ("change the checkout", "echo x > $H/checkout/file"),
    (
        "plant a hook",
        "echo x > $H/checkout/.git/hooks/post-checkout",
    ),
    ("move the checkout", "mv $H/checkout $H/other"),
    (
        "delete in the checkout",
        "rm -f $H/checkout/file; test ! -e $H/checkout/file",
    ),
    ("open the checkout's modes", "chmod 777 $H/checkout/file"),
    (
        "reopen a file for writing",
        "exec 3< $H/checkout/file; echo x > /proc/self/fd/3",
    ),
    // The data directory, which is masked, although the workspace is in it.
    ("read a key", "cat $H/data/keys/secret"),
    ("make a directory among the data", "mkdir $H/data/new"),
    ("write among the data", "echo > $H/data/new"),
    ("move the data", "mv $H/data $H/other"),
    ("move the workspace", "mv $H/data/ws $H/data/other"),
    ("delete the data", "rm -rf $H/data/keys; rmdir $H/data"),
    (
        "connect to a socket among the data",
        "$A connect $H/data/host.sock",
    ),
    ("reach the layers", "ls $ROOT/ws/upper $ROOT/home/upper"),
    (
        "follow a symlink to a key",
        "ln -s $H/data/keys/secret k; cat k",
    ),
    (
        "follow a symlink to write",
        "ln -s $H/checkout w; echo x > w/file",
    ),
    ("take a host file by a hard link", "ln /etc/passwd hard"),
    (
        "take a file of the checkout by a hard link",
        "ln $H/checkout/file hard2",
    ),
    // What is hidden in the home directory, there or not.
    ("read an ssh key", "cat ~/.ssh/id"),
    ("add an ssh key", "echo x > ~/.ssh/authorized_keys"),
    ("move .ssh away", "mv ~/.ssh ~/s"),
    ("move something over .ssh", "mkdir ~/s2; mv -T ~/s2 ~/.ssh"),
    ("exchange .ssh", "mkdir ~/s3; $A exchange ~/s3:$HOME/.ssh"),
    (
        "replace .ssh by a symlink",
        "rmdir ~/.ssh; ln -sT /tmp ~/.ssh",
    ),
    ("remove .ssh", "rm -rf ~/.ssh"),
    ("bind over .ssh", "$A bind $HOME/.ssh"),
    ("uncover .ssh", "$A umount $HOME/.ssh"),
    ("create .aws", "mkdir ~/.aws; echo x > ~/.aws/credentials"),
    ("move something over .aws", "mkdir ~/a; mv -T ~/a ~/.aws"),
    (
        "replace .aws by a symlink",
        "rmdir ~/.aws; ln -sT /tmp ~/.aws",
    ),
    ("exchange .aws", "mkdir ~/a3; $A exchange ~/a3:$HOME/.aws"),
    ("read .netrc", "grep . ~/.netrc"),
    ("write .netrc", "echo x > ~/.netrc"),
    (
        "move something over .netrc",
        "echo x > ~/n; mv -f ~/n ~/.netrc",
    ),
    ("remove .netrc", "rm -f ~/.netrc"),
    ("write .git-credentials", "echo x > ~/.git-credentials"),
    (
        "move something over .git-credentials",
        "echo x > ~/g; mv -f ~/g ~/.git-credentials",
    ),
    (
        "write git's credentials",
        "echo x > ~/.config/git/credentials",
    ),
    (
        "create .config/gh",
        "mkdir -p ~/.config/gh; echo x > ~/.config/gh/hosts.yml",
    ),
    ("move .config away", "mv ~/.config ~/c2"),
    ("move .config/git away", "mv ~/.config/git ~/g2"),
    (
        "exchange .config",
        "mkdir ~/c3; $A exchange ~/c3:$HOME/.config",
    ),
    (
        "create our own configuration",
        "mkdir -p ~/.config/dogwatch; echo x > ~/.config/dogwatch/config.toml",
    ),
    // Services of the machine.
    ("make a docker socket", "echo > /run/docker.sock"),
    ("make another docker socket", "echo > /var/run/docker.sock"),
    (
        "see the bus",
        "test -e /run/dbus/system_bus_socket || test -e /run/dbus",
    ),
    ("write in /run", "mkdir /run/$C"),
    ("see systemd", "ls /run/systemd/private"),
    (
        "plant a cron job",
        "echo > /var/spool/cron/$C || echo > /etc/cron.d/$C",
    ),
    ("abstract sockets", "$A abstract $ABSTRACT"),
    // The kernel's files.
    ("see /sys", "ls /sys/kernel"),
    ("write /sys", "echo mem > /sys/power/state"),
    ("make a cgroup", "mkdir /sys/fs/cgroup/$C"),
    ("write /proc/sys", "echo x > /proc/sys/kernel/core_pattern"),
    (
        "lift the limit of processes",
        "echo 4000000 > /proc/sys/kernel/pid_max",
    ),
    ("press a key", "echo h > /proc/sysrq-trigger"),
    (
        "read the kernel's memory",
        "head -c 1 /proc/kcore | grep -q .",
    ),
    ("read its keys", "grep -q . /proc/keys"),
    ("read its log", "$A dmesg"),
    (
        "write interrupts",
        "echo 1 > /proc/irq/default_smp_affinity",
    ),
    ("memory device", "head -c 1 /dev/mem || test -e /dev/kmem"),
    ("disk device", "test -b /dev/vda || test -b /dev/sda"),
    ("make a device", "$A mknod $PWD/device"),
    ("make a device in memory", "$A mknod /tmp/device"),
    // Other processes.
    (
        "see a host process",
        "for p in /proc/[0-9]*; do tr '\\0' ' ' < $p/cmdline | grep -qx \"sleep $MARK \" && exit 0; done; exit 1",
    ),
    ("kill a host process", "$A kill $VICTIM"),
    ("trace a host process", "$A ptrace $VICTIM"),
    ("read a host process", "$A read_memory $VICTIM"),
    ("kill the first process", "kill -9 1; test ! -d /proc/1"),
    (
        "stop the first process",
        "kill -STOP 1; grep -q 'State:.T' /proc/1/status",
    ),
    ("trace the first process", "$A ptrace 1"),
    ("read the first process", "$A read_memory 1"),
    ("its root", "ls /proc/1/root/"),
    ("its environment", "cat /proc/1/environ | grep -q ."),
    ("its descriptors", "readlink /proc/1/fd/* | grep -q ."),
    ("its program", "echo >> /proc/1/exe"),
    ("its namespaces", "$A setns /proc/1/ns/mnt"),
    ("its working directory", "ls /proc/1/cwd/"),
    (
        "inherited descriptors",
        "ls /proc/self/fd | grep -v -x -E '[0-3]'",
    ),
    // Mounts and roots.
    ("mount", "$A mount /tmp"),
    ("mount on the workspace", "$A mount $PWD"),
    ("remount / for writing", "$A remount /"),
    ("change the attributes of /", "$A mount_setattr"),
    ("unmount the data's mask", "$A umount $H/data"),
    ("unmount /sys", "$A umount /sys"),
    ("unmount /proc/sys", "$A umount /proc/sys"),
    ("pivot_root", "$A pivot_root"),
    ("chroot", "$A chroot $PWD"),
    ("open_tree", "$A open_tree"),
    ("fsopen", "$A fsopen"),
    ("open by handle", "$A open_by_handle"),
    // Namespaces.
    ("a user namespace", "$A unshare 268435456"),
    ("a mount namespace", "$A unshare 131072"),
    ("a network namespace", "$A unshare 1073741824"),
    (
        "a user namespace and a mount in it",
        "unshare -Urm mount -t tmpfs none /mnt",
    ),
    ("a user namespace by clone", "$A clone"),
    ("a user namespace by clone3", "$A clone3"),
    ("bubblewrap inside", "bwrap --ro-bind / / --tmpfs /mnt true"),
    ("nsenter", "nsenter -t 1 -m true"),
    // Powers.
    ("capabilities held", "$A privileged"),
    ("capabilities taken", "$A capabilities"),
    ("another group", "$A setgroups"),
    ("a setuid program", "$H/checkout/suid attack suid"),
    (
        "su",
        "su -c 'true' nobody < /dev/null || su -c true < /dev/null || sudo -n true",
    ),
    ("type into a terminal", "$A tiocsti"),
    ("io_uring", "$A io_uring"),
    ("bpf", "$A bpf"),
    ("keyrings", "$A keyctl || $A add_key"),
    ("performance events", "$A perf"),
    ("userfaultfd", "$A userfaultfd"),
    ("load a module", "$A module"),
    ("reboot", "$A reboot"),
    ("the host's name", "$A hostname"),
    ("swap", "$A swapon"),
    ("sockets to the hypervisor", "$A socket 40"),
    ("packet sockets", "$A socket 17"),
    ("sockets of the kernel's ciphers", "$A socket 38"),
];

/// Attacks that only mean something to somebody who is not root already.
const FOR_ORDINARY_USERS: &[(&str, &str)] = &[
    ("become root", "$A setuid"),
    ("become root's group", "$A setgid"),
];

/// Everything about a tree that a command could change.
fn state(root: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut open = vec![root.to_owned()];
    while let Some(path) = open.pop() {
        let meta = fs::symlink_metadata(&path).unwrap();
        let content = if meta.is_file() {
            String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned()
        } else {
            String::new()
        };
        let times = (meta.mtime(), meta.mtime_nsec());
        found.insert(
            path.display().to_string(),
            format!(
                "{:o} {} {} {times:?} {content}",
                meta.mode(),
                meta.uid(),
                meta.nlink()
            ),
        );
        if meta.is_dir() {
            open.extend(
                fs::read_dir(&path)
                    .unwrap()
                    .map(|entry| entry.unwrap().path()),
            );
        }
    }
    found
}

/// A name and a script.
pub(crate) type Attack = (&'static str, &'static str);

/// All that can be tried by somebody.
pub(crate) fn attacks_of(who: Who) -> Vec<Attack> {
    let mut attacks = ATTACKS.to_vec();
    if who != Who::Same || !nix::unistd::geteuid().is_root() {
        attacks.extend(FOR_ORDINARY_USERS);
    }
    attacks
}

/// Each attack on its own, one after the other.
fn one_by_one(attacks: &[Attack]) -> String {
    script(attacks, |_| false)
}

/// The attacks in this order, some of them beside those that follow.
pub(crate) fn script(attacks: &[Attack], mut beside: impl FnMut(usize) -> bool) -> String {
    let mut script = String::from("cd $PWD\n");
    for (number, (_, attack)) in attacks.iter().enumerate() {
        let quoted = attack.replace('\'', "'\\''");
        let end = if beside(number) { " &" } else { "" };
        // One write says what came of it, so that nothing gets between its lines.
        writeln!(
            script,
            "{{ if sh -c '{quoted}' > out.{number} 2>&1; then printf 'THROUGH {number}\\n%s\\n' \"$(head -c 1000 out.{number})\"; else echo 'HELD {number}'; fi; }}{end}"
        )
        .unwrap();
    }
    script.push_str("wait\n");
    script
}

/// Those that harm nothing outside the test's directory where nothing holds them. They get through there: the table means something.
const HARMLESS: &[&str] = &[
    "change the checkout",
    "plant a hook",
    "reopen a file for writing",
    "read a key",
    "write among the data",
    "connect to a socket among the data",
    "follow a symlink to a key",
    "take a file of the checkout by a hard link",
    "read an ssh key",
    "add an ssh key",
    "exchange .ssh",
    "create .aws",
    "read .netrc",
    "move something over .netrc",
    "write .git-credentials",
    "create .config/gh",
    "move .config away",
    "abstract sockets",
    "see a host process",
    "kill a host process",
];

#[tokio::test(flavor = "multi_thread")]
async fn nobody_gets_out() {
    for who in whoever().await {
        let attacks = attacks_of(who);
        assault(who, true, &attacks, &one_by_one(&attacks)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_view_the_same_attacks_get_through() {
    let mut attacks = attacks_of(Who::Same);
    attacks.retain(|(name, _)| HARMLESS.contains(name));
    assert_eq!(attacks.len(), HARMLESS.len());
    assault(Who::Same, false, &attacks, &one_by_one(&attacks)).await;
}

/// Carries out attacks. In a view none of them gets through, and nothing of the host is another than before.
pub(crate) async fn assault(who: Who, in_view: bool, attacks: &[Attack], script: &str) {
    use std::os::linux::net::SocketAddrExt as _;
    let program = env!("CARGO_BIN_EXE_dogwatch-shim-for-tests");
    let mark = marked_seconds();
    let root = nix::unistd::geteuid().is_root();
    let mut contained = Contained::sh(who, script);
    let host = contained.at("host");
    let socket = UnixListener::bind(host.join("data/host.sock")).unwrap();
    let name = format!("dogwatch-{}-{who:?}-{in_view}", std::process::id());
    let address = std::os::unix::net::SocketAddr::from_abstract_name(&name).unwrap();
    let abstract_socket = UnixListener::bind_addr(&address).unwrap();
    let suid = host.join("checkout/suid");
    fs::copy(program, &suid).unwrap();
    fs::set_permissions(&suid, fs::Permissions::from_mode(0o4755)).unwrap();
    // A process of the same user as the command: nothing but the containment protects it.
    let mut victim = if who == Who::Same || !root {
        Command::new("sleep")
    } else {
        let mut command = Command::new("/usr/bin/setpriv");
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups", "sleep"]);
        command
    };
    let mut victim = victim.arg(&mark).stdin(Stdio::null()).spawn().unwrap();
    let canary = format!("dogwatch-canary-{}", std::process::id());
    for (name, value) in [
        ("A", format!("{program} attack")),
        ("C", canary.clone()),
        ("H", host.display().to_string()),
        ("ABSTRACT", name.clone()),
        ("MARK", mark.clone()),
        ("VICTIM", victim.id().to_string()),
    ] {
        contained.case.spec.env.push(variable(name, &value));
    }
    contained.view().readable.push(program.into());
    if !in_view {
        contained.case.spec.view = None;
        contained.case.spec.rung = WantedRung::Subreaper;
    }
    let real_home = contained.at("home/real");
    let lower = contained.at("ws/lower");
    let before = [state(&host), state(&real_home), state(&lower)];
    let (record, out, err) = contained.run().await;
    let after = [state(&host), state(&real_home), state(&lower)];
    assert_eq!(
        record.cause,
        Cause::Exited { code: 0 },
        "{who:?} {out} {err}"
    );
    if !in_view {
        victim.kill().unwrap();
        victim.wait().unwrap();
        assert_eq!(out.matches("THROUGH").count(), attacks.len(), "{out}");
        assert_ne!(before, after);
        return;
    }
    let through: Vec<&str> = out
        .lines()
        .filter_map(|line| line.strip_prefix("THROUGH "))
        .map(|number| attacks[number.parse::<usize>().unwrap()].0)
        .collect();
    assert!(
        through.is_empty(),
        "{who:?} got through with {through:?}: {out}"
    );
    let held = out.lines().filter(|line| line.starts_with("HELD ")).count();
    assert_eq!(held, attacks.len(), "{who:?} {out} {err}");
    assert_eq!(before, after, "{who:?}");
    for directory in [
        "/", "/etc", "/usr/bin", "/var/lib", "/opt", "/srv", "/dev", "/run", "/tmp",
    ] {
        assert!(!Path::new(directory).join(&canary).exists(), "{directory}");
    }
    assert_eq!(marked(&mark), [victim.id().cast_signed()]);
    victim.kill().unwrap();
    victim.wait().unwrap();
    drop((socket, abstract_socket));
}

/// What a command leaves behind in a home that it will see again is hidden as well: nothing can be planted for the next one.
#[tokio::test(flavor = "multi_thread")]
async fn what_an_earlier_command_planted_is_hidden_again() {
    for who in whoever().await {
        let contained = Contained::sh(
            who,
            "ls -la ~/.ssh ~/.aws ~/.config/gh; cat ~/.netrc ~/.git-credentials; cat ~/.aws/credentials ~/.config/gh/planted; exit 0",
        );
        let upper = contained.at("home/upper");
        // What only a way past the masks could have made: a planted login, a symlink on the way, a file where a directory was.
        fs::create_dir_all(upper.join(".aws")).unwrap();
        fs::write(upper.join(".aws/credentials"), "planted").unwrap();
        fs::write(upper.join(".netrc"), "planted").unwrap();
        fs::write(upper.join(".git-credentials"), "planted").unwrap();
        let elsewhere = contained.at("host/data/out");
        fs::create_dir_all(elsewhere.join("gh")).unwrap();
        fs::write(elsewhere.join("gh/planted"), "planted").unwrap();
        std::os::unix::fs::symlink(&elsewhere, upper.join(".config")).unwrap();
        if who != Who::Same {
            crate::view::own(&upper, 65534);
            crate::view::own(&elsewhere, 65534);
        }
        let (record, out, err) = contained.run().await;
        assert_eq!(record.cause, Cause::Exited { code: 0 }, "{who:?} {err}");
        assert!(!out.contains("planted"), "{who:?} {out} {err}");
        assert_eq!(fs::read(elsewhere.join("gh/planted")).unwrap(), b"planted");
    }
}
