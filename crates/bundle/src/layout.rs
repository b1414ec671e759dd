//! Where everything stands in a bundle, and which of it the seal covers.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use dogwatch_core::Sha256Digest;

pub(crate) const MANIFEST: &str = "manifest.json";
pub(crate) const CONTRACT: &str = "contract.json";
pub(crate) const PROFILE: &str = "profile.json";
pub(crate) const JOURNAL: &str = "journal.jsonl";
pub(crate) const TORN: &str = "journal.torn";
pub(crate) const ATTESTATION: &str = "attestation.dsse.json";
pub(crate) const TURNS: &str = "turns";
pub(crate) const GATES: &str = "gates";
pub(crate) const REPORTS: &str = "reports";
pub(crate) const VERDICTS: &str = "verdicts";
pub(crate) const VERDICT_SUFFIX: &str = ".dsse.json";

/// Where the seal writes before it renames; left behind only by a crash.
pub(crate) const MANIFEST_DRAFT: &str = ".manifest.json.draft";
/// See [`MANIFEST_DRAFT`].
pub(crate) const ATTESTATION_DRAFT: &str = ".attestation.dsse.json.draft";

/// The longest name a gate's directory gets; file systems allow 255 bytes.
const MAX_GATE_NAME: usize = 120;

/// The places of a bundle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BundleLayout {
    root: PathBuf,
}

impl BundleLayout {
    /// The bundle at a directory, which need not exist yet.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The directory itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// What the seal covers, with digests.
    pub fn manifest(&self) -> PathBuf {
        self.root.join(MANIFEST)
    }

    /// The stored bytes of the contract.
    pub fn contract(&self) -> PathBuf {
        self.root.join(CONTRACT)
    }

    /// The stored bytes of the configuration the run had.
    pub fn profile(&self) -> PathBuf {
        self.root.join(PROFILE)
    }

    /// The journal.
    pub fn journal(&self) -> PathBuf {
        self.root.join(JOURNAL)
    }

    /// What was cut off the journal's end after a crash.
    pub fn torn_journal(&self) -> PathBuf {
        self.root.join(TORN)
    }

    /// The difference between the base and the result.
    pub fn patch(&self) -> PathBuf {
        self.root.join("patch.diff")
    }

    /// The changed paths.
    pub fn files(&self) -> PathBuf {
        self.root.join("files.txt")
    }

    /// All turns.
    pub fn turns(&self) -> PathBuf {
        self.root.join(TURNS)
    }

    /// One turn, counted from 1.
    pub fn turn(&self, number: u32) -> TurnPaths {
        TurnPaths {
            dir: self.turns().join(format!("{number:03}")),
        }
    }

    /// All gates.
    pub fn gates(&self) -> PathBuf {
        self.root.join(GATES)
    }

    /// One gate by its name in the contract.
    pub fn gate(&self, name: &str) -> GatePaths {
        GatePaths {
            dir: self.gates().join(gate_directory_name(name)),
        }
    }

    /// Derived reports, which the seal does not cover.
    pub fn reports(&self) -> PathBuf {
        self.root.join(REPORTS)
    }

    /// The signatures.
    pub fn attestation(&self) -> PathBuf {
        self.root.join(ATTESTATION)
    }

    /// Signed statements about the sealed bundle.
    pub fn verdicts(&self) -> PathBuf {
        self.root.join(VERDICTS)
    }
}

/// The files of one turn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TurnPaths {
    /// The turn's directory.
    pub dir: PathBuf,
}

impl TurnPaths {
    /// What the agent was told.
    pub fn prompt(&self) -> PathBuf {
        self.dir.join("prompt.md")
    }

    /// The request file.
    pub fn request(&self) -> PathBuf {
        self.dir.join("request.json")
    }

    /// The agent's answer, as it left it.
    pub fn response(&self) -> PathBuf {
        self.dir.join("response.json")
    }

    /// The normalised events.
    pub fn agent_events(&self) -> PathBuf {
        self.dir.join("agent-events.jsonl")
    }

    /// The captured output with times.
    pub fn frames(&self) -> PathBuf {
        self.dir.join("output.frames")
    }

    /// How the process tree ended.
    pub fn exit(&self) -> PathBuf {
        self.dir.join("exit.json")
    }

    /// Standard output, derived from the frames.
    pub fn stdout(&self) -> PathBuf {
        self.dir.join("stdout")
    }

    /// Standard error, derived from the frames.
    pub fn stderr(&self) -> PathBuf {
        self.dir.join("stderr")
    }
}

/// The files of one gate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GatePaths {
    /// The gate's directory.
    pub dir: PathBuf,
}

impl GatePaths {
    /// What the gate says, on which tree, by which command.
    pub fn result(&self) -> PathBuf {
        self.dir.join("result.json")
    }

    /// The captured output with times.
    pub fn frames(&self) -> PathBuf {
        self.dir.join("output.frames")
    }

    /// Standard output of its command.
    pub fn stdout(&self) -> PathBuf {
        self.dir.join("stdout")
    }

    /// Standard error of its command.
    pub fn stderr(&self) -> PathBuf {
        self.dir.join("stderr")
    }

    /// Its JUnit report, where it makes one.
    pub fn junit(&self) -> PathBuf {
        self.dir.join("junit.xml")
    }

    /// Its SARIF report, where it makes one.
    pub fn sarif(&self) -> PathBuf {
        self.dir.join("results.sarif")
    }
}

/// The directory of a gate: its name where that is a plain file name, otherwise with every other byte as `%` and two hex digits.
///
/// Names come from contracts, so `../..`, a slash or a line feed must not lead anywhere. Two names never share a directory.
pub fn gate_directory_name(name: &str) -> String {
    let mut encoded = String::with_capacity(name.len());
    for (index, byte) in name.bytes().enumerate() {
        let plain = byte.is_ascii_alphanumeric()
            || matches!(byte, b'-' | b'_')
            || (byte == b'.' && index > 0);
        if plain {
            encoded.push(char::from(byte));
        } else {
            let _ = write!(encoded, "%{byte:02x}");
        }
    }
    if encoded.is_empty() {
        return "%".to_owned();
    }
    if encoded.len() > MAX_GATE_NAME {
        encoded.truncate(MAX_GATE_NAME - 65);
        let _ = write!(encoded, "~{}", Sha256Digest::of(name.as_bytes()));
    }
    encoded
}

/// What may be at a place inside a bundle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Area {
    /// Covered by the seal; may hold files.
    Sealed,
    /// Derived; not covered and not looked at.
    Reports,
    /// Signed statements, each with its own signature.
    Verdicts,
}

/// What a directory at a relative path is, if the layout has it.
pub(crate) fn directory_area(path: &str) -> Option<Area> {
    match path.split_once('/') {
        None => match path {
            TURNS | GATES => Some(Area::Sealed),
            REPORTS => Some(Area::Reports),
            VERDICTS => Some(Area::Verdicts),
            _ => None,
        },
        Some((TURNS, turn)) => is_turn_name(turn).then_some(Area::Sealed),
        Some((GATES, gate)) => is_gate_directory_name(gate).then_some(Area::Sealed),
        Some(_) => None,
    }
}

/// The number of a turn from the name of its directory.
pub(crate) fn turn_number(name: &str) -> Option<u32> {
    let number = name.parse().ok()?;
    (format!("{number:03}") == name && number > 0).then_some(number)
}

fn is_turn_name(name: &str) -> bool {
    turn_number(name).is_some()
}

pub(crate) fn is_gate_directory_name(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with('.')
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_.%~".contains(&byte))
}

/// Whether a file at the root is made by the seal itself and so cannot stand in the manifest.
pub(crate) fn is_seal_file(path: &str) -> bool {
    matches!(
        path,
        MANIFEST | ATTESTATION | MANIFEST_DRAFT | ATTESTATION_DRAFT
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn turns_are_numbered_with_at_least_three_digits() {
        let layout = BundleLayout::new("b");
        assert_eq!(layout.turn(1).dir, Path::new("b/turns/001"));
        assert_eq!(layout.turn(1234).dir, Path::new("b/turns/1234"));
        assert_eq!(turn_number("001"), Some(1));
        assert_eq!(turn_number("1234"), Some(1234));
        for other in ["1", "01", "0001", "000", "+01", "abc", ""] {
            assert_eq!(turn_number(other), None, "{other}");
        }
    }

    #[test]
    fn a_gate_name_never_leads_anywhere_else() {
        assert_eq!(gate_directory_name("unit-tests"), "unit-tests");
        assert_eq!(gate_directory_name("../../etc"), "%2e.%2f..%2fetc");
        assert_eq!(gate_directory_name("."), "%2e");
        assert_eq!(gate_directory_name("a b\n"), "a%20b%0a");
        assert_eq!(gate_directory_name(""), "%");
        assert_ne!(
            gate_directory_name(&"x".repeat(300)),
            gate_directory_name(&"x".repeat(301))
        );
    }

    #[test]
    fn only_the_layouts_directories_have_an_area() {
        assert_eq!(directory_area("turns/002"), Some(Area::Sealed));
        assert_eq!(directory_area("gates/%2e"), Some(Area::Sealed));
        assert_eq!(directory_area("reports"), Some(Area::Reports));
        for other in [
            "turn",
            "turns/x",
            "turns/001/deep",
            "gates/.hidden",
            "gates/a/b",
            "x/y",
        ] {
            assert_eq!(directory_area(other), None, "{other}");
        }
    }

    proptest! {
        #[test]
        fn every_gate_name_has_one_directory_inside_gates(name in ".{0,200}", other in ".{0,200}") {
            let encoded = gate_directory_name(&name);
            prop_assert!(is_gate_directory_name(&encoded) && encoded.len() <= MAX_GATE_NAME);
            prop_assert_eq!(name == other, encoded == gate_directory_name(&other));
        }
    }
}
