//! What an overlay workspace costs: ready, first status, T after a small change, and gone again.
//!
//! `cargo bench -p dogwatch-workspace --bench overlay`, with `DOGWATCH_BENCH_FILES=5000,50000` and `DOGWATCH_BENCH_ROUNDS=15`. Needs to be
//! allowed to mount overlays, as root or in a user namespace.

#![allow(clippy::print_stdout, reason = "it is what a bench is for")]

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use dogwatch_core::Timestamp;
use dogwatch_core::ids::{ProjectId, RunId, uuid_v7};
use dogwatch_workspace::tree::{Marks, TreeLimits};
use dogwatch_workspace::{
    CacheLimits, Checkout, InitialContent, ObjectFormat, ObjectId, OverlayRequest,
    OverlayWorkspace, PristineCache, PrivateClone, SnapshotRequest, Trash, Vault, snapshot,
};
use serde_json::json;

const AT: Timestamp = Timestamp::from_micros(1_763_656_200_000_000);

fn main() {
    let numbers = |name: &str, default: &str| -> Vec<usize> {
        let text = std::env::var(name).unwrap_or_else(|_| default.to_owned());
        text.split(',').map(|part| part.parse().unwrap()).collect()
    };
    let rounds = numbers("DOGWATCH_BENCH_ROUNDS", "15")[0];
    for files in numbers("DOGWATCH_BENCH_FILES", "5000,50000") {
        bench(files, rounds);
    }
}

fn git(directory: &Path, arguments: &[&str]) {
    let done = Command::new("git")
        .current_dir(directory)
        .args(["-c", "user.name=A", "-c", "user.email=a@example.com"])
        // A collection in the background would be measured too.
        .args(["-c", "gc.auto=0", "-c", "maintenance.auto=false"])
        .args(arguments)
        .status()
        .unwrap();
    assert!(done.success());
}

fn bench(files: usize, rounds: usize) {
    let root = tempfile::tempdir().unwrap();
    let repository = root.path().join("repository");
    fs::create_dir(&repository).unwrap();
    git(&repository, &["init", "-q", "-b", "main"]);
    fs::write(repository.join(".gitignore"), "target/\n*.o\n").unwrap();
    for index in 0..files {
        let directory = repository.join(format!(
            "crate{}/src/module{}",
            index / 500,
            index / 25 % 20
        ));
        fs::create_dir_all(&directory).unwrap();
        let content = format!("//! File {index}.\n").repeat(60);
        fs::write(directory.join(format!("file{index}.rs")), content).unwrap();
    }
    git(&repository, &["add", "-A"]);
    git(&repository, &["commit", "-q", "-m", "base"]);
    let checkout = Checkout::discover(&repository).unwrap();
    let base = checkout.resolve("HEAD").unwrap();
    let data = root.path().join("data");
    fs::create_dir(&data).unwrap();
    let project = ProjectId::from_uuid(uuid_v7(AT, &[7; 10]));
    let vault = Vault::open_or_create(&data, project, ObjectFormat::Sha1).unwrap();
    vault.fetch_base(&checkout, base).unwrap();
    let trash = Trash::of(&data);
    let cache = PristineCache::new(
        &data.join("pristine"),
        trash.clone(),
        CacheLimits::default(),
    );
    println!("{files} files");
    let started = Instant::now();
    cache.prepare(&vault, base, None).unwrap();
    println!(
        "  base checked out for the first time  {:>9.1?}",
        started.elapsed()
    );
    let started = Instant::now();
    PrivateClone::create(&vault, base, &data.join("plain"), "dogwatch/x").unwrap();
    println!(
        "  (a plain checkout                    {:>9.1?})",
        started.elapsed()
    );
    let mut times: [(&str, Vec<Duration>); 6] = [
        ("workspace ready", Vec::new()),
        ("first mount, nothing done", Vec::new()),
        ("first mount, git status", Vec::new()),
        ("snapshot, nothing changed", Vec::new()),
        ("snapshot, five changes", Vec::new()),
        ("released", Vec::new()),
    ];
    let mut tree = None;
    for round in 0..rounds {
        let run_dir = data.join(format!("run{round}"));
        fs::create_dir(&run_dir).unwrap();
        let request = OverlayRequest {
            run_dir: &run_dir,
            base,
            branch: "dogwatch/x",
            owner: None,
            content: tree.map_or(InitialContent::Base, InitialContent::Result),
        };
        // The first round starts from base, the others judge what it left; both are shown.
        let started = Instant::now();
        let overlay = OverlayWorkspace::create(&vault, &cache, &request).unwrap();
        if tree.is_some() {
            println!(
                "  (made of a result instead            {:>9.1?})",
                started.elapsed()
            );
            drop(overlay.release(&cache, &trash).unwrap());
            tree = None;
            continue;
        }
        times[0].1.push(started.elapsed());
        times[1].1.push(mounted(&overlay, "true"));
        times[2]
            .1
            .push(mounted(&overlay, "test -z \"$(git status --porcelain)\""));
        times[3]
            .1
            .push(snapshot(&vault, &overlay, base, round, "before").1);
        mounted(
            &overlay,
            "echo 1 >> crate0/src/module0/file0.rs; echo 1 >> crate1/src/module1/file525.rs; rm crate2/src/module3/file1075.rs; echo new > crate3/new.rs; mkdir new; echo new > new/file",
        );
        let (taken, time) = snapshot(&vault, &overlay, base, round, "after");
        times[4].1.push(time);
        if round == 0 {
            tree = Some(taken);
        }
        let started = Instant::now();
        let discarded = overlay.release(&cache, &trash).unwrap();
        times[5].1.push(started.elapsed());
        discarded.delete().unwrap();
    }
    for (what, mut times) in times {
        times.sort_unstable();
        println!(
            "  {what:<36} {:>9.1?}  ({:.1?} to {:.1?})",
            times[times.len() / 2],
            times[0],
            times[times.len() - 1]
        );
        let goal = match (what, files) {
            ("workspace ready", 5_000) => 60,
            ("workspace ready", 50_000) => 120,
            ("released", _) => 30,
            ("snapshot, five changes", 50_000) => 20,
            _ => continue,
        };
        let (name, middle) = (format!("{what}, {files} files"), times[times.len() / 2]);
        println!(
            "{}",
            json!({"name": name, "value": middle.as_secs_f64() * 1e3, "unit": "ms", "goal": format!("<= {goal}")})
        );
    }
}

fn snapshot(
    vault: &Vault,
    overlay: &OverlayWorkspace,
    base: ObjectId,
    round: usize,
    label: &str,
) -> (ObjectId, Duration) {
    let label = format!("{label}-{round}");
    let request = SnapshotRequest {
        workspace: overlay.contents(),
        base,
        run: RunId::from_uuid(uuid_v7(AT, &[9; 10])),
        label: &label,
        parent: base,
        message: "turn\n",
        at: AT,
        limits: TreeLimits::default(),
    };
    let started = Instant::now();
    let taken = snapshot::create(vault, &request).unwrap();
    (taken.tree, started.elapsed())
}

/// Mounts the workspace, runs a script in it, and says how long the script took.
fn mounted(overlay: &OverlayWorkspace, script: &str) -> Duration {
    let paths = overlay.paths();
    let own = match overlay.marks() {
        Marks::Trusted => "redirect_dir=off",
        Marks::User => "userxattr",
    };
    let options = format!(
        "lowerdir={},upperdir={},workdir={},{own},metacopy=off,index=off",
        paths.lower.display(),
        paths.upper.display(),
        paths.work.display()
    );
    let mut command = Command::new("unshare");
    command.arg("-m");
    if overlay.marks() == Marks::User {
        command.arg("-Ur");
    }
    let started = Instant::now();
    let done = command
        .args(["sh", "-c"])
        .arg(r#"mount -t overlay overlay -o "$1" "$2" && cd "$2" && eval "$3""#)
        .arg("sh")
        .arg(options)
        .arg(&paths.target)
        .arg(script)
        .status()
        .unwrap();
    assert!(done.success());
    started.elapsed()
}
