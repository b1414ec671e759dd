//! Whatever is changed in the bundle of a real run is found and named.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use dogwatch_bundle::{TrustedKey, Verification, load_trusted_keys, verify};
use dogwatch_core::ids::RunId;
use dogwatch_testkit::Repo;
use serde_json::json;
use tempfile::TempDir;

use crate::invariants::copy_tree;
use crate::support::Case;

/// What lists the others: once it is spoiled they may not be looked at, so it is spoiled alone.
const MANIFEST: &str = "manifest.json";

/// The files of the seal itself.
const SEAL: [&str; 2] = [MANIFEST, "attestation.dsse.json"];

/// Files up to this size are tried at every byte, larger ones at some.
const WHOLE: usize = 4096;

/// At how many places a larger file is tried, and every file by itself.
const PLACES: usize = 250;
const PLACES_ALONE: usize = 5;

/// The evidence of a run: two turns, a gate that failed once and passed then, and one that passed.
struct Evidence {
    place: TempDir,
    keys: Vec<TrustedKey>,
}

impl Evidence {
    fn of_a_real_run() -> Self {
        let repo = Repo::init();
        repo.write("answer.txt", "0\n")
            .write(
                "dogwatch.toml",
                "[[acceptance]]\nname = \"passes\"\nrun = \"echo fine\"\n\
                 [[acceptance]]\nname = \"answer\"\nrun = \"grep 42 answer.txt || { echo not 42; exit 1; }\"\n",
            )
            .commit("start");
        let case = Case::in_repo(
            repo,
            json!([
                {"actions": [
                    {"replace": {"path": "answer.txt", "from": "0", "to": "41"}},
                    {"print": {"text": "a try", "stream": "stderr"}},
                ]},
                {"actions": [
                    {"expect_failed_gate": {"name": "answer", "output_contains": "not 42"}},
                    {"replace": {"path": "answer.txt", "from": "41", "to": "42"}},
                ]},
            ]),
        );
        let finished = case.expect_success(&case.run());
        assert_eq!(finished.result["turns"], 2);
        let results = |gate| {
            let rounds = finished.gate(gate);
            rounds.iter().map(|(result, _)| *result).collect::<Vec<_>>()
        };
        assert_eq!(results("answer"), ["failed", "passed"]);
        assert_eq!(results("passes"), ["passed", "passed"]);

        let evidence = Self {
            place: tempfile::tempdir().expect("a temporary directory"),
            keys: load_trusted_keys(&case.home.data()).expect("the trusted keys"),
        };
        let reports = finished.bundle.reports();
        if reports.exists() {
            fs::remove_dir_all(reports).expect("the seal does not cover the reports");
        }
        copy_tree(finished.bundle.root(), &evidence.bundle());
        let verification = evidence.verify();
        assert!(verification.valid, "{:?}", verification.findings);
        evidence
    }

    fn bundle(&self) -> PathBuf {
        self.place.path().join("bundle")
    }

    fn verify(&self) -> Verification {
        verify(&self.bundle(), &self.keys)
    }

    /// A bundle of one's own to spoil.
    fn copy(&self, name: &str) -> PathBuf {
        let copy = self.place.path().join(name);
        copy_tree(&self.bundle(), &copy);
        copy
    }

    /// Its files by their paths inside the bundle, in order.
    fn files(&self) -> Vec<String> {
        let mut files = Vec::new();
        let mut open = vec![self.bundle()];
        while let Some(directory) = open.pop() {
            for entry in fs::read_dir(directory).expect("a directory") {
                let path = entry.expect("an entry").path();
                if path.is_dir() {
                    open.push(path);
                } else {
                    let inside = path.strip_prefix(self.bundle()).expect("a path inside");
                    files.push(inside.to_str().expect("a path that is text").to_owned());
                }
            }
        }
        files.sort();
        files
    }

    /// Checks that a spoiled bundle is invalid and that the finding of this code names the file.
    #[track_caller]
    fn found(&self, bundle: &Path, path: &str, code: &str) {
        let verification = verify(bundle, &self.keys);
        assert!(!verification.valid, "{path}");
        let found =
            |finding: &dogwatch_bundle::Finding| finding.path == path && finding.code == code;
        assert!(
            verification.findings.iter().any(found),
            "no {code} of {path} in {:?}",
            verification.findings
        );
    }
}

/// Bytes that are flipped together: files and offsets.
type Flips = Vec<(String, usize)>;

/// About so many offsets of a file, evenly spread, and its last.
fn spread(size: usize, places: usize) -> Vec<usize> {
    let mut offsets: Vec<usize> = (0..size).step_by(size.div_ceil(places).max(1)).collect();
    offsets.extend(
        size.checked_sub(1)
            .filter(|last| offsets.last() != Some(last)),
    );
    offsets
}

/// Where a file is tried to the full.
fn offsets(size: usize) -> Vec<usize> {
    spread(size, if size <= WHOLE { WHOLE } else { PLACES })
}

/// What is tried. One flipped byte at a time, at some places of every file and wherever the manifest is tried; then every place of the
/// other files, one in each file together, as each is checked and named by itself.
fn plan(sizes: &[(String, usize)]) -> Vec<Flips> {
    let mut plan: Vec<Flips> = Vec::new();
    let mut together: Vec<Flips> = Vec::new();
    for (file, size) in sizes {
        let alone = if file == MANIFEST {
            offsets(*size)
        } else {
            for (round, offset) in offsets(*size).into_iter().enumerate() {
                if together.len() == round {
                    together.push(Vec::new());
                }
                together[round].push((file.clone(), offset));
            }
            spread(*size, PLACES_ALONE)
        };
        plan.extend(alone.into_iter().map(|offset| vec![(file.clone(), offset)]));
    }
    plan.extend(together);
    plan
}

#[test]
fn every_flipped_byte_is_found_and_its_file_named() {
    let evidence = Evidence::of_a_real_run();
    let sizes: Vec<(String, usize)> = evidence
        .files()
        .into_iter()
        .map(|file| {
            let path = evidence.bundle().join(&file);
            let size = fs::metadata(path).expect("a file").len();
            (file, usize::try_from(size).expect("a small file"))
        })
        .collect();
    for wanted in [
        "contract.json",
        "profile.json",
        "journal.jsonl",
        "patch.diff",
        "turns/001/stderr",
        "turns/002/request.json",
        "turns/002/exit.json",
        "gates/answer/round-001.stdout",
        "gates/passes/result.json",
    ] {
        let holds = |(file, size): &(String, usize)| file == wanted && *size > 0;
        assert!(sizes.iter().any(holds), "{wanted} is not in {sizes:?}");
    }
    let plan = plan(&sizes);
    let next = AtomicUsize::new(0);
    let workers = thread::available_parallelism()
        .map_or(2, usize::from)
        .min(8);
    thread::scope(|scope| {
        for worker in 0..workers {
            let bundle = evidence.copy(&format!("worker-{worker}"));
            scope.spawn(|| {
                let bundle = bundle;
                while let Some(flips) = plan.get(next.fetch_add(1, Ordering::Relaxed)) {
                    assert_found(&bundle, &evidence.keys, flips);
                }
                let verification = verify(&bundle, &evidence.keys);
                assert!(verification.valid, "{:?}", verification.findings);
            });
        }
    });
}

/// Flips these bytes, checks that each of the files is named, and puts them back.
fn assert_found(bundle: &Path, keys: &[TrustedKey], flips: &Flips) {
    flip(bundle, flips);
    let verification = verify(bundle, keys);
    assert!(!verification.valid, "{flips:?}");
    for (file, offset) in flips {
        let named = verification
            .findings
            .iter()
            .any(|finding| finding.path == *file);
        assert!(
            named,
            "byte {offset} of {file}: {:?}",
            verification.findings
        );
    }
    flip(bundle, flips);
}

/// Flips one bit of each of these bytes; twice is as before. Another bit at every offset, so that all eight have their turn.
fn flip(bundle: &Path, flips: &Flips) {
    for (file, offset) in flips {
        let path = bundle.join(file);
        let mut bytes = fs::read(&path).expect("a file");
        bytes[*offset] ^= 1 << (offset % 8);
        fs::write(&path, bytes).expect("a changed file");
    }
}

#[test]
fn files_that_come_go_or_move_are_named() {
    let evidence = Evidence::of_a_real_run();
    for (index, file) in evidence.files().iter().enumerate() {
        let sealing = SEAL.contains(&file.as_str());
        let missing = match file.as_str() {
            "manifest.json" => "unsealed",
            "attestation.dsse.json" => "unsigned",
            _ => "missing_file",
        };
        let bundle = evidence.copy(&format!("without-{index}"));
        fs::remove_file(bundle.join(file)).expect("it goes");
        evidence.found(&bundle, file, missing);

        let moved = format!("{file}.moved");
        let bundle = evidence.copy(&format!("renamed-{index}"));
        fs::rename(bundle.join(file), bundle.join(&moved)).expect("it moves");
        evidence.found(&bundle, file, missing);
        if !sealing {
            evidence.found(&bundle, &moved, "unlisted_file");
        }
    }
    for (index, added) in [
        "more.txt",
        "turns/001/more",
        "gates/answer/more",
        "turns/003/stdout",
    ]
    .iter()
    .enumerate()
    {
        let bundle = evidence.copy(&format!("added-{index}"));
        let path = bundle.join(added);
        fs::create_dir_all(path.parent().expect("a directory")).expect("its directory");
        fs::write(path, "more\n").expect("it comes");
        evidence.found(&bundle, added, "unlisted_file");
    }
    // Reports are made again at any time, so the seal leaves them alone.
    let bundle = evidence.copy("reports-added");
    fs::create_dir_all(bundle.join("reports")).expect("a directory");
    fs::write(bundle.join("reports/brief.md"), "brief\n").expect("a report");
    assert!(verify(&bundle, &evidence.keys).valid);
}

#[test]
fn dropped_and_swapped_records_are_named_by_number() {
    let evidence = Evidence::of_a_real_run();
    let journal = fs::read(evidence.bundle().join("journal.jsonl")).expect("a journal");
    let lines: Vec<&[u8]> = journal.split_inclusive(|byte| *byte == b'\n').collect();
    assert!(lines.len() > 10, "two turns and two rounds of gates");
    let spoiled = |name: String, lines: Vec<&[u8]>| -> Vec<u64> {
        let bundle = evidence.copy(&name);
        fs::write(bundle.join("journal.jsonl"), lines.concat()).expect("a journal");
        let verification = verify(&bundle, &evidence.keys);
        assert!(!verification.valid, "{name}");
        let findings = verification.findings.iter();
        findings
            .filter(|finding| finding.path == "journal.jsonl")
            .filter_map(|finding| finding.record)
            .collect()
    };
    for index in 0..lines.len() {
        let number = index as u64 + 1;
        let mut dropped = lines.clone();
        dropped.remove(index);
        let named = spoiled(format!("dropped-{number}"), dropped);
        assert!(
            named.contains(&number),
            "record {number} is not in {named:?}"
        );

        if index + 1 < lines.len() {
            let mut swapped = lines.clone();
            swapped.swap(index, index + 1);
            let named = spoiled(format!("swapped-{number}"), swapped);
            assert!(
                named.contains(&number),
                "record {number} is not in {named:?}"
            );
        }
    }
}

/// A record of another run in the place of one's own.
#[test]
fn a_record_of_another_run_is_named() {
    let (evidence, other) = (Evidence::of_a_real_run(), Evidence::of_a_real_run());
    let read = |evidence: &Evidence| {
        fs::read_to_string(evidence.bundle().join("journal.jsonl")).expect("a journal")
    };
    let (own, foreign) = (read(&evidence), read(&other));
    let mut lines: Vec<&str> = own.lines().collect();
    lines[3] = foreign.lines().nth(3).expect("a fourth line");
    let bundle = evidence.copy("spliced");
    fs::write(bundle.join("journal.jsonl"), lines.join("\n") + "\n").expect("a journal");
    let verification = verify(&bundle, &evidence.keys);
    let named = |finding: &dogwatch_bundle::Finding| {
        finding.path == "journal.jsonl" && finding.record == Some(4)
    };
    assert!(
        verification.findings.iter().any(named),
        "{:?}",
        verification.findings
    );
    let run: Option<RunId> = verification.run_id;
    assert_ne!(run, other.verify().run_id);
}
