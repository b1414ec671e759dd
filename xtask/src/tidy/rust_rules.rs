//! Rules for Rust source: who may start processes, what core may not touch, what tests may not do, how files are named and sized.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use anyhow::Result;

use super::Finding;
use super::files::SourceFile;
use super::graph::Metadata;
use super::source::RustSource;
use crate::run::Root;

/// Lines a file may have; past that it holds a second concept.
const LONGEST: usize = 900;

/// Long tables, which are one concept however long: path and reason.
const LONG_TABLES: [(&str, &str); 0] = [];

/// Names that say nothing about what is inside.
const EMPTY_NAMES: [&str; 7] = [
    "util", "utils", "helper", "helpers", "manager", "managers", "misc",
];

/// The one file of the binary that starts a process: the server, which is to outlive whoever starts it and so is nobody's child to watch.
const STARTS_THE_SERVER: &str = "crates/dogwatch/src/connect/start.rs";

/// Crates that start programs other than through the supervisor, and why.
const STARTERS: [(&str, &str); 5] = [
    ("supervisor", "it is the one that supervises"),
    ("workspace", "it runs git"),
    (
        "scripted",
        "it plays an agent, which starts what it likes and is itself supervised",
    ),
    ("testkit", "it is part of the tests"),
    ("xtask", "it is a development tool"),
];

/// Crates that run git, and why.
const GIT_RUNNERS: [(&str, &str); 3] = [
    ("workspace", "the one crate of the product that does"),
    ("testkit", "it is part of the tests"),
    ("xtask", "it lists the files of this repository"),
];

/// What core's code does not name, and what to do instead.
const NOT_IN_CORE: [(&str, &str); 10] = [
    ("std::fs", "core does no IO: take the bytes"),
    ("std::net", "core does no IO: take the bytes"),
    ("std::process", "core does no IO: return what is to be done"),
    ("std::env", "core reads no environment: take the value"),
    ("std::thread", "core starts no threads"),
    ("SystemTime", "time comes in as data: take a Timestamp"),
    ("Instant", "time comes in as data: take a Timestamp"),
    ("HashMap", "its order differs between replays: use BTreeMap"),
    ("HashSet", "its order differs between replays: use BTreeSet"),
    ("async fn", "core is synchronous: keep async at the edges"),
];

/// Ways to wait that make a test slow when it is lucky and wrong when it is not.
const SLEEPS: [&str; 2] = ["thread::sleep", "time::sleep"];

/// What the comment of a permitted sleep begins with; the rest is the reason.
const SLEEP_COMMENT: &str = "// SLEEP:";

/// One file of Rust, with what the rules ask about it.
#[derive(Debug)]
struct RustFile {
    path: PathBuf,
    /// The directory under `crates`, or `xtask`.
    owner: String,
    source: RustSource,
    /// Whether the whole file is tests.
    all_tests: bool,
}

impl RustFile {
    fn is_test(&self, line: usize) -> bool {
        self.all_tests || self.source.is_test_line(line)
    }

    /// Lines, counted from one, where the code has the name.
    fn lines_with(&self, name: &str) -> Vec<usize> {
        let mut lines: Vec<usize> = self
            .source
            .find(name)
            .into_iter()
            .map(|offset| self.source.line_of(offset))
            .collect();
        lines.dedup();
        lines
    }

    fn shipped_lines_with(&self, name: &str) -> Vec<usize> {
        let mut lines = self.lines_with(name);
        lines.retain(|line| !self.is_test(*line));
        lines
    }

    fn finding(&self, line: usize, text: impl Into<String>) -> Finding {
        Finding::new(&self.path, line, text)
    }
}

/// Checks all Rust files.
pub(super) fn check(
    root: &Root,
    metadata: &Metadata,
    files: &[SourceFile],
) -> Result<Vec<Finding>> {
    let mut rust = Vec::new();
    for file in files.iter().filter(|file| file.is_rust()) {
        let Some(text) = file.text(root)? else {
            continue;
        };
        rust.push(RustFile {
            owner: owner(&file.path),
            all_tests: is_test_path(&file.path),
            path: file.path.clone(),
            source: RustSource::new(text),
        });
    }
    mark_test_modules(&mut rust);

    let roots: Vec<PathBuf> = metadata
        .members()
        .flat_map(|member| member.crate_roots(root))
        .collect();
    let mut findings = Vec::new();
    for file in &rust {
        findings.extend(size(file));
        findings.extend(names(file));
        findings.extend(git(file));
        findings.extend(processes(file));
        findings.extend(core(file));
        findings.extend(tests(file));
        if roots.contains(&file.path) {
            findings.extend(crate_docs(file));
        }
    }
    Ok(findings)
}

/// The crate a file belongs to, by its place.
fn owner(path: &Path) -> String {
    let mut parts = path.components().map(|part| part.as_os_str());
    let first = parts.next().unwrap_or_default();
    let name = if first == "crates" {
        parts.next().unwrap_or_default()
    } else {
        first
    };
    name.to_string_lossy().into_owned()
}

fn is_test_path(path: &Path) -> bool {
    path.file_name() == Some(OsStr::new("tests.rs"))
        || path.starts_with("crates/testkit")
        || path
            .components()
            .any(|part| part.as_os_str() == "tests" || part.as_os_str() == "benches")
}

/// Files of modules that another file declares as tests are tests as a whole.
fn mark_test_modules(files: &mut [RustFile]) {
    let mut places = Vec::new();
    for file in &*files {
        let directory = module_directory(&file.path);
        for module in file.source.test_modules() {
            places.push(directory.join(module));
        }
    }
    for file in files {
        let as_module = file.path.with_extension("");
        if places.iter().any(|place| as_module.starts_with(place)) {
            file.all_tests = true;
        }
    }
}

/// Where the modules a file declares live.
fn module_directory(path: &Path) -> PathBuf {
    let stem = path.file_stem().unwrap_or_default();
    if stem == "mod" || stem == "lib" || stem == "main" {
        path.parent().unwrap_or(Path::new("")).to_path_buf()
    } else {
        path.with_extension("")
    }
}

fn size(file: &RustFile) -> Option<Finding> {
    let lines = file.source.raw().lines().count();
    let is_table = LONG_TABLES
        .iter()
        .any(|(path, _)| Path::new(path) == file.path);
    (lines > LONGEST && !is_table).then(|| {
        file.finding(
            LONGEST + 1,
            format!(
                "{lines} lines, more than {LONGEST}: move its second concept to a file of its own"
            ),
        )
    })
}

fn names(file: &RustFile) -> Vec<Finding> {
    let mut findings = Vec::new();
    for part in file.path.with_extension("").components() {
        let part = part.as_os_str().to_string_lossy();
        if EMPTY_NAMES.contains(&part.as_ref()) {
            findings.push(file.finding(
                1,
                format!("a module named `{part}` says nothing: name it after what it holds"),
            ));
        }
    }
    for name in EMPTY_NAMES {
        for line in file.lines_with(&format!("mod {name}")) {
            findings.push(file.finding(
                line,
                format!("a module named `{name}` says nothing: name it after what it holds"),
            ));
        }
    }
    findings
}

fn git(file: &RustFile) -> Vec<Finding> {
    const CALL: &str = "Command::new(";
    if GIT_RUNNERS.iter().any(|(owner, _)| *owner == file.owner) {
        return Vec::new();
    }
    file.source
        .find(CALL)
        .into_iter()
        .filter(|offset| {
            file.source.raw()[offset + CALL.len()..]
                .trim_start()
                .starts_with("\"git\"")
        })
        .map(|offset| file.source.line_of(offset))
        .filter(|line| !file.is_test(*line))
        .map(|line| {
            file.finding(
                line,
                "git is run outside `dogwatch-workspace`: add what is needed there and call it",
            )
        })
        .collect()
}

fn processes(file: &RustFile) -> Vec<Finding> {
    let mut findings = Vec::new();
    if file.owner != "supervisor" {
        for line in file.lines_with("tokio::process") {
            findings.push(file.finding(
                line,
                "`tokio::process` outside `dogwatch-supervisor`: start the process through it, or in a test with `std::process`",
            ));
        }
    }
    let starter = STARTERS.iter().any(|(owner, _)| *owner == file.owner);
    if starter || file.path == Path::new(STARTS_THE_SERVER) {
        return findings;
    }
    for offset in file.source.find("std::process::") {
        let rest = &file.source.code()[offset + "std::process::".len()..];
        let named = match rest.strip_prefix('{') {
            Some(list) => list.split('}').next().unwrap_or_default(),
            None => rest.split([';', '(', ' ', ':']).next().unwrap_or_default(),
        };
        let names_command = named
            .split(|letter: char| !letter.is_alphanumeric())
            .any(|word| word == "Command");
        let line = file.source.line_of(offset);
        if names_command && !file.is_test(line) {
            findings.push(file.finding(
                line,
                "a process is started outside `dogwatch-supervisor`: go through it, so that the child has a group, drained pipes and a record",
            ));
        }
    }
    findings
}

fn core(file: &RustFile) -> Vec<Finding> {
    if file.owner != "core" {
        return Vec::new();
    }
    NOT_IN_CORE
        .iter()
        .flat_map(|(name, instead)| {
            file.shipped_lines_with(name)
                .into_iter()
                .map(move |line| file.finding(line, format!("`{name}` in core: {instead}")))
        })
        .collect()
}

fn tests(file: &RustFile) -> Vec<Finding> {
    let mut findings = Vec::new();
    for line in file.lines_with("#[ignore") {
        findings.push(file.finding(
            line,
            "an ignored test is never run: make it run, let it report why it cannot (DOGWATCH_SKIP_REPORT), or delete it",
        ));
    }
    for name in SLEEPS {
        for line in file.lines_with(name) {
            if file.is_test(line) && !has_sleep_comment(file.source.raw(), line) {
                findings.push(file.finding(
                    line,
                    format!(
                        "`{name}` in a test: wait for the condition with a deadline; for the pause between two looks say why in a comment `{SLEEP_COMMENT} ...` above it"
                    ),
                ));
            }
        }
    }
    findings
}

/// Whether the line, or the comment right above it, carries the reason of a sleep.
fn has_sleep_comment(raw: &str, line: usize) -> bool {
    let lines: Vec<&str> = raw.lines().collect();
    let own = lines.get(line - 1).copied().unwrap_or_default();
    let above = lines[..line - 1]
        .iter()
        .rev()
        .take_while(|line| line.trim_start().starts_with("//"));
    std::iter::once(&own)
        .chain(above)
        .filter_map(|line| line.split_once(SLEEP_COMMENT))
        .any(|(_, reason)| !reason.trim().is_empty())
}

fn crate_docs(file: &RustFile) -> Option<Finding> {
    let documented = file
        .source
        .raw()
        .lines()
        .take_while(|line| {
            let line = line.trim_start();
            line.is_empty() || line.starts_with("//") || line.starts_with("#!")
        })
        .any(|line| line.trim_start().starts_with("//!"));
    (!documented).then(|| {
        file.finding(
            1,
            "the crate has no `//!`: say in its first line what it is for",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: [usize; 0] = [];

    fn file(path: &str, text: &str) -> RustFile {
        RustFile {
            path: PathBuf::from(path),
            owner: owner(Path::new(path)),
            all_tests: is_test_path(Path::new(path)),
            source: RustSource::new(text.to_owned()),
        }
    }

    fn lines(findings: impl IntoIterator<Item = Finding>) -> Vec<usize> {
        findings.into_iter().map(|finding| finding.line).collect()
    }

    #[test]
    fn git_is_run_by_one_crate() {
        let text = "fn a() { Command::new(\"git\"); }\nfn b() { Command::new(\"sh\"); }\n";
        assert_eq!(lines(git(&file("crates/runner/src/a.rs", text))), [1]);
        assert_eq!(lines(git(&file("crates/workspace/src/a.rs", text))), NONE);
        assert_eq!(lines(git(&file("crates/runner/tests/it/a.rs", text))), NONE);
    }

    #[test]
    fn processes_are_started_by_the_supervisor() {
        let text = concat!(
            "use std::process::{Command, Stdio};\n",
            "use std::process::ExitCode;\n",
            "fn a() { std::process::Command::new(x); }\n",
            "#[cfg(test)]\n",
            "mod tests { use std::process::Command; }\n",
        );
        assert_eq!(
            lines(processes(&file("crates/gates/src/a.rs", text))),
            [1, 3]
        );
        assert_eq!(
            lines(processes(&file("crates/supervisor/src/a.rs", text))),
            NONE
        );
    }

    #[test]
    fn an_async_process_is_the_supervisors_even_in_tests() {
        let text = "use tokio::process::Command;\n";
        assert_eq!(
            lines(processes(&file("crates/gates/tests/it/a.rs", text))),
            [1]
        );
        assert_eq!(
            lines(processes(&file("crates/supervisor/tests/it/a.rs", text))),
            NONE
        );
    }

    #[test]
    fn core_does_no_io_and_reads_no_clock() {
        let text = "use std::fs;\n#[cfg(test)]\nmod tests { use std::fs; }\n// std::fs\nlet a = Instant::now();\n";
        assert_eq!(lines(core(&file("crates/core/src/a.rs", text))), [1, 5]);
        assert_eq!(lines(core(&file("crates/store/src/a.rs", text))), NONE);
    }

    #[test]
    fn a_sleep_in_a_test_needs_its_reason() {
        let text = concat!(
            "thread::sleep(d);\n",
            "// SLEEP: between two looks at the file.\n",
            "std::thread::sleep(d);\n",
            "tokio::time::sleep(d).await; // SLEEP: the stall is what is tested.\n",
            "// SLEEP:\n",
            "tokio::time::sleep(d).await;\n",
        );
        assert_eq!(
            lines(tests(&file("crates/gates/tests/it/a.rs", text))),
            [1, 6]
        );
        assert_eq!(lines(tests(&file("crates/gates/src/a.rs", text))), NONE);
    }

    #[test]
    fn ignored_tests_are_found_wherever_they_are() {
        let text = "#[test]\n#[ignore = \"slow\"]\nfn a() {}\n";
        assert_eq!(lines(tests(&file("crates/gates/src/a.rs", text))), [2]);
    }

    #[test]
    fn names_that_say_nothing_are_found() {
        assert_eq!(lines(names(&file("crates/gates/src/utils.rs", ""))), [1]);
        assert_eq!(
            lines(names(&file("crates/gates/src/helpers/a.rs", ""))),
            [1]
        );
        assert_eq!(
            lines(names(&file("crates/gates/src/lib.rs", "\nmod manager;\n"))),
            [2]
        );
        assert_eq!(
            lines(names(&file("crates/gates/src/manager_of_none.rs", ""))),
            NONE
        );
    }

    #[test]
    fn long_files_are_found() {
        let text = "\n".repeat(LONGEST);
        assert!(size(&file("crates/gates/src/a.rs", &text)).is_none());
        let longer = "\n".repeat(LONGEST + 1);
        assert!(size(&file("crates/gates/src/a.rs", &longer)).is_some());
    }

    #[test]
    fn a_crate_says_what_it_is_for() {
        assert!(
            crate_docs(&file(
                "crates/gates/src/lib.rs",
                "#![warn(x)]\n//! Gates.\n"
            ))
            .is_none()
        );
        assert!(crate_docs(&file("crates/gates/src/lib.rs", "mod a;\n//! Late.\n")).is_some());
    }

    #[test]
    fn a_test_module_in_its_own_file_is_a_test() {
        let mut files = [
            file("crates/gates/src/diff.rs", "#[cfg(test)]\nmod laws;\n"),
            file("crates/gates/src/diff/laws.rs", "fn a() {}\n"),
            file("crates/gates/src/laws.rs", "fn a() {}\n"),
        ];
        mark_test_modules(&mut files);
        let tests: Vec<bool> = files.iter().map(|file| file.all_tests).collect();
        assert_eq!(tests, [false, true, false]);
    }
}
