//! A published crate, as it came from its registry: an agent edits its code, and its own tests are the gate.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use dogwatch_testkit::Repo;
use serde_json::{Value, json};

use crate::invariants::copy_tree;
use crate::record::Record;
use crate::support::Case;

/// A crate that dogwatch itself is built from, without dependencies and without dev-dependencies.
const CRATE: &str = "strsim";

/// Breaks the crate first; the second time it has to have been told of it, puts it right and adds a function with an example.
const AGENT: &str = r#"
set -eu
case "$DOGWATCH_TURN" in
1)
    sed -i 's/            count += 1;/            count += 2;/' src/lib.rs
    ;;
2)
    grep -q 'test result: FAILED' "$DOGWATCH_REQUEST_FILE"
    sed -i 's/            count += 2;/            count += 1;/' src/lib.rs
    cat >> src/lib.rs <<'END'

/// In how many positions two texts of the same length agree.
///
/// ```
/// assert_eq!(strsim::hamming_matches("hammers", "hamming"), Ok(4));
/// ```
pub fn hamming_matches(a: &str, b: &str) -> HammingResult {
    hamming(a, b).map(|distance| a.chars().count() - distance)
}
END
    ;;
esac
"#;

/// The program that builds, as the test was built.
fn cargo() -> Command {
    Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

fn text_of(command: &mut Command) -> String {
    let output = command.output().expect("cargo runs");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {errors}");
    String::from_utf8(output.stdout).expect("text")
}

/// Where cargo keeps the crate's source.
fn source() -> PathBuf {
    let version = text_of(cargo().arg("-vV"));
    let host = version
        .lines()
        .find_map(|line| line.strip_prefix("host: "))
        .expect("cargo names its host");
    let metadata = text_of(
        cargo()
            .args(["metadata", "--format-version=1", "--offline", "--locked"])
            .args(["--filter-platform", host])
            .current_dir(env!("CARGO_MANIFEST_DIR")),
    );
    let metadata: Value = serde_json::from_str(&metadata).expect("JSON");
    let packages = metadata["packages"].as_array().expect("packages");
    let package = packages
        .iter()
        .find(|package| package["name"] == CRATE)
        .expect("dogwatch is built from it");
    assert_eq!(package["dependencies"], json!([]), "it stands by itself");
    let manifest = Path::new(package["manifest_path"].as_str().expect("a path"));
    manifest.parent().expect("a directory").to_owned()
}

/// Where the tools are, which a home without them does not tell.
fn tool_homes() -> [(&'static str, PathBuf); 2] {
    let home = PathBuf::from(std::env::var_os("HOME").unwrap_or_default());
    [("CARGO_HOME", ".cargo"), ("RUSTUP_HOME", ".rustup")].map(|(name, directory)| {
        let place = std::env::var_os(name).map_or_else(|| home.join(directory), PathBuf::from);
        (name, place)
    })
}

/// Every file below a directory.
fn contents(root: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut open = vec![root.to_owned()];
    while let Some(directory) = open.pop() {
        for entry in fs::read_dir(directory).expect("a directory") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                open.push(path);
            } else {
                let bytes = fs::read(&path).expect("a file");
                files.insert(
                    path.strip_prefix(root).expect("a path inside").to_owned(),
                    bytes,
                );
            }
        }
    }
    files
}

#[test]
fn an_agent_edits_a_published_crate_and_its_own_tests_are_the_gate() {
    let repo = Repo::init();
    for entry in fs::read_dir(source()).expect("the crate's source") {
        let entry = entry.expect("an entry");
        let place = repo.path().join(entry.file_name());
        if entry.file_type().expect("a kind").is_dir() {
            copy_tree(&entry.path(), &place);
        } else {
            fs::write(place, fs::read(entry.path()).expect("a file")).expect("a copy");
        }
    }
    repo.write(".gitignore", "/target\nCargo.lock\n");
    repo.commit("as published");
    let code = fs::read_to_string(repo.path().join("src/lib.rs")).expect("the crate's code");
    let tests = code.matches("#[test]").count();
    assert!(tests > 10, "the crate tests itself");

    let case = Case::in_repo(repo, json!([]));
    case.home.write_config(&format!(
        "[agents.editor]\ndriver = \"exec\"\ncommand = {}\n",
        json!(["sh", "-c", AGENT])
    ));
    let contract = case.write_contract(json!({
        "allowed_paths": ["src/**"],
        "acceptance": [
            {"name": "unit", "run": "cargo test --offline --lib", "timeout": "5m"},
            {"name": "examples", "run": "cargo test --offline --doc", "timeout": "5m"},
        ],
    }));
    let mut command = case.command(["run", "--json", "--contract"]);
    command.arg(contract).envs(tool_homes());
    let finished = case.expect_success(&case.start(command).wait());

    assert_eq!(finished.result["turns"], 2);
    assert_eq!(finished.result["assurance"], "gates");
    let unit = finished.gate("unit");
    assert_eq!(
        unit.iter().map(|(result, _)| *result).collect::<Vec<_>>(),
        ["failed", "passed"]
    );
    let said = |gate: &str, file: &str| {
        let path = finished.bundle.gate(gate).dir.join(file);
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    };
    let before = said("unit", "round-001.stdout");
    assert!(
        before.contains(&format!("running {tests} tests")),
        "{before}"
    );
    assert!(before.contains("test result: FAILED"), "{before}");
    let after = said("unit", "stdout");
    assert!(after.contains(&format!("running {tests} tests")), "{after}");
    assert!(
        after.contains(&format!("test result: ok. {tests} passed; 0 failed")),
        "{after}"
    );
    let examples = said("examples", "stdout");
    assert!(examples.contains("hamming_matches"), "{examples}");
    assert!(examples.contains("test result: ok"), "{examples}");

    // T is the base with one file edited; what the tests built is nowhere in it.
    let files = fs::read_to_string(finished.bundle.files()).expect("the changed paths");
    assert_eq!(files, "M\tsrc/lib.rs\n");
    let patch = finished.patch();
    assert!(patch.contains("+pub fn hamming_matches"), "{patch}");
    assert!(!patch.contains("count += 2"), "{patch}");
    let record = Record::read(&case.home.data());
    let tree = finished.result["tree"].as_str().expect("a tree");
    let restored = record.restored(record.only_job().id, tree);
    assert_eq!(case.repo.status(), "", "the user's checkout is as it was");
    fs::remove_dir_all(case.repo.path().join(".git")).expect("only the files count");
    let (base, result) = (contents(case.repo.path()), contents(restored.path()));
    let names = |files: &BTreeMap<PathBuf, Vec<u8>>| files.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&base), names(&result));
    let changed: Vec<_> = base
        .iter()
        .filter(|(path, bytes)| result[*path] != **bytes)
        .collect();
    assert_eq!(changed.len(), 1);
    assert_eq!(changed[0].0, Path::new("src/lib.rs"));
}
