//! Invariants of the design that are not about a crash alone: one control plane per data directory, decisions before their effects,
//! evidence that stands by itself.

use std::fs;
use std::path::{Path, PathBuf};

use dogwatch_core::job::{DecisionEffect, JobEvent, JobStatus};

use crate::record::status;
use crate::scene::{Scene, kill_alone};

/// Invariant 17: two control planes on one data directory: the second refuses; after SIGKILL of the first the next starts at once.
#[test]
fn invariant_17_one_control_plane_per_data_directory() {
    let scene = Scene::new();
    let first = scene.start(scene.command(["run", "write the file"]));
    first.wait_for_file(&scene.arrived());
    let job = scene.record().only_job().id;
    let retry = ["jobs", "retry", &job.to_string()];
    let server = scene.home.server().expect("the server is up");
    scene
        .dogwatch(&["up", "--foreground"])
        .expect_refusal("already_running", &[&format!("pid {server}")]);

    // Its shim and the agent live on, and neither holds the lock.
    kill_alone(&scene, first);
    scene.let_go();
    scene.succeeds(&retry);
    let record = scene.record();
    record.upholds_invariants(&[job]);
    assert_eq!(status(record.job(job)), JobStatus::Succeeded);
}

/// Every decision stands in the control stream before what it allowed.
#[test]
fn decisions_come_before_their_effects() {
    let scene = Scene::new();
    scene.let_go();
    scene.succeeds(&["run", "write the file"]);
    let job = scene.record().only_job().id;
    scene.succeeds(&["jobs", "retry", &job.to_string()]);
    let record = scene.record();
    assert_eq!(record.jobs.len(), 2);
    for (job, stream) in &record.streams {
        let mut allowed = Vec::new();
        let mut effects = 0;
        for (envelope, event) in stream {
            let action = match event {
                JobEvent::PolicyDecided(decided) => {
                    assert_eq!(decided.effect, DecisionEffect::Allow);
                    assert_eq!(decided.policy, "builtin:allow-all@1");
                    allowed.push(decided.action.as_str());
                    continue;
                }
                JobEvent::Submitted(_) => "job.submit",
                JobEvent::LeaseGranted { .. } => "job.dispatch",
                _ => continue,
            };
            // Each decision is good for one effect.
            let decision = allowed.iter().position(|allowed| *allowed == action);
            let decision =
                decision.unwrap_or_else(|| panic!("{job}: nobody allowed {}", envelope.kind));
            allowed.remove(decision);
            effects += 1;
        }
        assert_eq!(effects, 2, "{job} was submitted and leased");
    }
}

/// A bundle needs neither the repository, nor the data directory, nor the program's configuration.
#[test]
fn a_bundle_outlives_the_repository_and_the_data_directory() {
    let scene = Scene::new();
    scene.let_go();
    scene.succeeds(&["run", "write the file"]);
    let record = scene.record();
    let run = record.last_run(record.only_job().id);

    let elsewhere = tempfile::tempdir().expect("a temporary directory");
    let bundle = elsewhere.path().join("evidence");
    copy_tree(&scene.bundle(run), &bundle);
    let key = elsewhere.path().join("alice.pem");
    fs::copy(only_key(&scene.home.data()), &key).expect("a copy of the key");
    fs::remove_dir_all(scene.repo.path()).expect("the repository goes");
    fs::remove_dir_all(scene.home.data()).expect("the data directory goes");

    let (bundle, key) = (bundle.to_string_lossy(), key.to_string_lossy());
    let verify = |args: &[&str]| {
        let mut command = scene.command(args);
        command.current_dir(elsewhere.path());
        scene.start(command).wait()
    };
    let ended = verify(&["verify", &bundle, "--key", &key]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    // Without a key nobody vouches for it.
    let ended = verify(&["verify", &bundle]);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(!scene.home.data().exists(), "looking makes nothing");
}

fn only_key(data: &Path) -> PathBuf {
    let entries = fs::read_dir(data.join("trusted-keys")).expect("the trusted keys");
    let keys: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    assert_eq!(keys.len(), 1, "{keys:?}");
    keys[0].clone()
}

/// Copies a directory with all that is in it.
pub(crate) fn copy_tree(from: &Path, to: &Path) {
    fs::create_dir(to).expect("a new directory");
    for entry in fs::read_dir(from).expect("a directory") {
        let entry = entry.expect("an entry");
        let place = to.join(entry.file_name());
        if entry.file_type().expect("a kind").is_dir() {
            copy_tree(&entry.path(), &place);
        } else {
            fs::copy(entry.path(), place).expect("a copy");
        }
    }
}
