//! Acceptance gates: the named commands that decide whether a change is what was asked for.

use std::collections::BTreeSet;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, de};

use super::reserved::reserve_acceptance_fields;
use super::timeout::Timeout;
use super::validate;
use crate::strict::{Fields, Problem, ProblemCode, Problems, index, join};

/// What a gate runs: a line for `sh -c`, or a program with its arguments.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum GateCommand {
    /// A line for the shell.
    Shell(#[schemars(length(min = 1))] String),
    /// A program and its arguments, run as they are.
    Program(#[schemars(length(min = 1))] Vec<String>),
}

impl GateCommand {
    /// The program and arguments to start.
    pub fn argv(&self) -> Vec<String> {
        match self {
            Self::Shell(line) => vec!["sh".to_owned(), "-c".to_owned(), line.clone()],
            Self::Program(argv) => argv.clone(),
        }
    }

    fn fault(&self) -> Option<&'static str> {
        let (blank, nul) = match self {
            Self::Shell(line) => (line.trim().is_empty(), line.contains('\0')),
            Self::Program(argv) => (
                argv.first().is_none_or(|program| program.trim().is_empty()),
                argv.iter().any(|argument| argument.contains('\0')),
            ),
        };
        match (blank, nul) {
            (true, _) => Some("is blank, so it would run nothing"),
            (false, true) => Some("contains a NUL character, which no command can"),
            (false, false) => None,
        }
    }
}

impl fmt::Display for GateCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shell(line) => f.write_str(line),
            Self::Program(argv) => f.write_str(&argv.join(" ")),
        }
    }
}

impl<'de> Deserialize<'de> for GateCommand {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Command;
        impl<'de> de::Visitor<'de> for Command {
            type Value = GateCommand;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(
                    "a shell line as a string, or a program and its arguments as a list of strings",
                )
            }

            fn visit_str<E>(self, line: &str) -> Result<GateCommand, E> {
                Ok(GateCommand::Shell(line.to_owned()))
            }

            fn visit_seq<A: de::SeqAccess<'de>>(
                self,
                mut items: A,
            ) -> Result<GateCommand, A::Error> {
                let mut argv = Vec::new();
                while let Some(argument) = items.next_element()? {
                    argv.push(argument);
                }
                Ok(GateCommand::Program(argv))
            }
        }
        deserializer.deserialize_any(Command)
    }
}

/// A gate as a person writes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(transform = reserve_acceptance_fields)]
pub struct AcceptanceDraft {
    /// What the gate is called; unique.
    #[schemars(regex(pattern = "^[A-Za-z0-9._-]{1,64}$"))]
    pub name: String,
    /// The command; exit code 0 passes.
    pub run: GateCommand,
    /// Whether the run fails when the gate does; true if not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub must_pass: Option<bool>,
    /// How long the gate may take, such as `10m`; `limits.gate_timeout_ms` if not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Timeout>,
}

/// A gate with every default in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Acceptance {
    /// What the gate is called; unique.
    #[schemars(regex(pattern = "^[A-Za-z0-9._-]{1,64}$"))]
    pub name: String,
    /// The command; exit code 0 passes.
    pub run: GateCommand,
    /// Whether the run fails when the gate does.
    pub must_pass: bool,
    /// How long the gate may take.
    #[schemars(range(min = 1))]
    pub timeout_ms: u64,
}

impl AcceptanceDraft {
    /// The gate with its defaults.
    pub(super) fn expand(&self, default_timeout_ms: u64) -> Acceptance {
        Acceptance {
            name: self.name.clone(),
            run: self.run.clone(),
            must_pass: self.must_pass.unwrap_or(true),
            timeout_ms: self.timeout.map_or(default_timeout_ms, Timeout::as_millis),
        }
    }
}

impl From<&Acceptance> for AcceptanceDraft {
    fn from(gate: &Acceptance) -> Self {
        Self {
            name: gate.name.clone(),
            run: gate.run.clone(),
            must_pass: Some(gate.must_pass),
            timeout: Some(Timeout::from_millis(gate.timeout_ms)),
        }
    }
}

/// Reads and checks the `acceptance` list of a document.
pub fn read_acceptance(
    fields: &Fields<'_>,
    problems: &mut Problems,
) -> Option<Vec<AcceptanceDraft>> {
    let gates = fields.objects("acceptance", problems)?;
    let mut names = BTreeSet::new();
    let mut drafts = Vec::with_capacity(gates.len());
    for gate in gates {
        let name: Option<String> = gate.required("name", "every gate needs a name", problems);
        let run: Option<GateCommand> =
            gate.required("run", "give the command of the gate", problems);
        let must_pass = gate.optional("must_pass", problems);
        let timeout = gate.optional("timeout", problems);
        if let (Some(name), Some(run)) = (name, run) {
            let draft = AcceptanceDraft {
                name,
                run,
                must_pass,
                timeout,
            };
            check(&draft, gate.path(), &mut names, problems);
            drafts.push(draft);
        }
    }
    Some(drafts)
}

/// Checks a list of gates that did not come from a document.
pub(super) fn check_all(gates: &[AcceptanceDraft], problems: &mut Problems) {
    let mut names = BTreeSet::new();
    for (position, gate) in gates.iter().enumerate() {
        let place = index("acceptance", position);
        check(gate, &place, &mut names, problems);
    }
}

fn check(
    gate: &AcceptanceDraft,
    place: &str,
    names: &mut BTreeSet<String>,
    problems: &mut Problems,
) {
    let at = |field: &str| join(place, field);
    let path = at("name");
    validate::name(&gate.name, &path, problems);
    if !names.insert(gate.name.clone()) {
        let message = format!("`{path}` is {:?}, the name of an earlier gate", gate.name);
        problems.push(
            Problem::new(ProblemCode::InvalidValue, path, message)
                .hint("give every gate a name of its own"),
        );
    }
    if let Some(fault) = gate.run.fault() {
        let path = at("run");
        let message = format!("`{path}` {fault}");
        problems.push(Problem::new(ProblemCode::InvalidValue, path, message));
    }
    if gate.timeout == Some(Timeout::from_millis(0)) {
        let path = at("timeout");
        let message = format!("`{path}` is 0, which would mean nothing or no limit at all");
        problems.push(
            Problem::new(ProblemCode::LimitZero, path, message)
                .hint("give at least \"1ms\", or leave it out for the default"),
        );
    }
}
