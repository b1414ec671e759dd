//! TOML and JSON as one kind of value.
//!
//! What only one of the formats can say is refused (dates, infinities), and so is what would not survive being stored as canonical
//! JSON (integers beyond 2^53-1) or what readers would disagree about (a key given twice).

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::path::{index, join};
use super::problem::{Position, Problem, ProblemCode, Problems};
use crate::canonical::MAX_SAFE_INTEGER;

/// The longest text a person's contract or configuration may have.
pub const MAX_DOCUMENT_BYTES: usize = 1024 * 1024;

/// A parsed document, with what is wrong with its values so far.
#[derive(Clone, Debug)]
pub struct Document {
    /// The document; a value that was refused stands as null.
    pub value: Value,
    /// Values that have no place in a document.
    pub problems: Problems,
    text: String,
    /// Byte offsets by path, for TOML only.
    offsets: BTreeMap<String, usize>,
}

impl Document {
    /// Reads TOML.
    pub fn from_toml(text: &str) -> Result<Self, Problem> {
        refuse_too_long(text, ProblemCode::InvalidToml)?;
        let table = DeTable::parse(text).map_err(|error| {
            let position = error.span().map(|span| Position::of(text, span.start));
            let message = format!("not valid TOML: {}", error.message().trim_end());
            Problem::new(ProblemCode::InvalidToml, "", message).at(position)
        })?;
        let mut reader = TomlReader::default();
        let value = reader.table(table.get_ref(), "");
        Ok(Self {
            value,
            problems: reader.problems,
            text: text.to_owned(),
            offsets: reader.offsets,
        })
    }

    /// Reads JSON.
    pub fn from_json(text: &str) -> Result<Self, Problem> {
        refuse_too_long(text, ProblemCode::InvalidJson)?;
        let StrictValue(mut value) = serde_json::from_str(text).map_err(|error| {
            let position = Position {
                line: error.line().max(1),
                column: error.column().max(1),
            };
            let text = error.to_string();
            let bare = text.split(" at line ").next().unwrap_or(&text);
            Problem::new(
                ProblemCode::InvalidJson,
                "",
                format!("not valid JSON: {bare}"),
            )
            .at(Some(position))
        })?;
        let mut problems = Problems::default();
        refuse_unsafe_integers(&mut value, "", &mut problems);
        Ok(Self {
            value,
            problems,
            text: text.to_owned(),
            offsets: BTreeMap::new(),
        })
    }

    /// Where in the text `path` stands, or else the nearest thing around it.
    pub fn position(&self, path: &str) -> Option<Position> {
        let mut path = path;
        loop {
            if let Some(offset) = self.offsets.get(path) {
                return Some(Position::of(&self.text, *offset));
            }
            let end = path.rfind(['.', '['])?;
            path = &path[..end];
        }
    }

    /// Gives every problem its place in the text and puts them in the order of the text.
    pub fn place(&self, problems: Problems) -> Vec<Problem> {
        let mut problems = problems.into_vec();
        for problem in &mut problems {
            problem.position = problem.position.or_else(|| self.position(&problem.path));
        }
        problems.sort_by_key(|problem| problem.position);
        problems
    }
}

fn refuse_too_long(text: &str, code: ProblemCode) -> Result<(), Problem> {
    if text.len() <= MAX_DOCUMENT_BYTES {
        return Ok(());
    }
    let message = format!(
        "the file is {} bytes long, more than the {MAX_DOCUMENT_BYTES} that are read",
        text.len()
    );
    Err(Problem::new(code, "", message))
}

fn unsafe_integer(path: &str, number: impl fmt::Display) -> Problem {
    let message =
        format!("`{path}` is {number}, beyond 2^53-1, and would be rounded when it is stored");
    Problem::new(ProblemCode::InvalidValue, path, message)
}

fn refuse_unsafe_integers(value: &mut Value, path: &str, problems: &mut Problems) {
    match value {
        Value::Number(number) => {
            let safe = match (number.as_i64(), number.as_f64()) {
                (Some(integer), _) => (-MAX_SAFE_INTEGER..=MAX_SAFE_INTEGER).contains(&integer),
                // Integers too long for 64 bits arrive as floats, so large whole floats are refused with them.
                (None, Some(float)) => float.abs() <= MAX_SAFE_INTEGER as f64,
                (None, None) => false,
            };
            if !safe {
                problems.push(unsafe_integer(path, number));
                *value = Value::Null;
            }
        }
        Value::Array(items) => {
            for (position, item) in items.iter_mut().enumerate() {
                refuse_unsafe_integers(item, &index(path, position), problems);
            }
        }
        Value::Object(fields) => {
            for (key, field) in fields.iter_mut() {
                refuse_unsafe_integers(field, &join(path, key), problems);
            }
        }
        Value::Null | Value::Bool(_) | Value::String(_) => {}
    }
}

#[derive(Default)]
struct TomlReader {
    problems: Problems,
    offsets: BTreeMap<String, usize>,
}

impl TomlReader {
    fn table(&mut self, table: &DeTable<'_>, path: &str) -> Value {
        let mut fields = Map::new();
        for (key, value) in table {
            let path = join(path, key.get_ref());
            self.offsets.insert(path.clone(), key.span().start);
            let value = self.value(value, &path);
            fields.insert(key.get_ref().clone().into_owned(), value);
        }
        Value::Object(fields)
    }

    fn value(&mut self, value: &Spanned<DeValue<'_>>, path: &str) -> Value {
        match value.get_ref() {
            DeValue::String(text) => Value::String(text.clone().into_owned()),
            DeValue::Boolean(flag) => Value::Bool(*flag),
            DeValue::Integer(integer) => {
                match i64::from_str_radix(integer.as_str(), integer.radix()) {
                    Ok(number) if (-MAX_SAFE_INTEGER..=MAX_SAFE_INTEGER).contains(&number) => {
                        Value::from(number)
                    }
                    _ => self.refuse(unsafe_integer(path, integer)),
                }
            }
            DeValue::Float(float) => match float.as_str().parse::<f64>() {
                Ok(number) if number.abs() <= MAX_SAFE_INTEGER as f64 => Value::from(number),
                _ => {
                    let message = format!("`{path}` is {float}, which cannot be stored exactly");
                    let problem = Problem::new(ProblemCode::InvalidValue, path, message);
                    self.refuse(problem)
                }
            },
            DeValue::Datetime(_) => {
                let message = format!("`{path}` is a TOML date or time, which is not taken here");
                let problem = Problem::new(ProblemCode::InvalidValue, path, message)
                    .hint("put it in quotes if text is meant");
                self.refuse(problem)
            }
            DeValue::Array(items) => {
                let mut values = Vec::with_capacity(items.len());
                for (at, item) in items.iter().enumerate() {
                    let path = index(path, at);
                    self.offsets.insert(path.clone(), item.span().start);
                    values.push(self.value(item, &path));
                }
                Value::Array(values)
            }
            DeValue::Table(table) => self.table(table, path),
        }
    }

    fn refuse(&mut self, problem: Problem) -> Value {
        self.problems.push(problem);
        Value::Null
    }
}

/// A JSON value in which no object gives a key twice.
struct StrictValue(Value);

impl<'de> Deserialize<'de> for StrictValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(StrictVisitor)
    }
}

struct StrictVisitor;

impl<'de> Visitor<'de> for StrictVisitor {
    type Value = StrictValue;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<StrictValue, E> {
        Ok(StrictValue(Value::Bool(value)))
    }

    fn visit_i64<E>(self, value: i64) -> Result<StrictValue, E> {
        Ok(StrictValue(Value::from(value)))
    }

    fn visit_u64<E>(self, value: u64) -> Result<StrictValue, E> {
        Ok(StrictValue(Value::from(value)))
    }

    fn visit_f64<E>(self, value: f64) -> Result<StrictValue, E> {
        Ok(StrictValue(Value::from(value)))
    }

    fn visit_str<E>(self, value: &str) -> Result<StrictValue, E> {
        Ok(StrictValue(Value::from(value)))
    }

    fn visit_string<E>(self, value: String) -> Result<StrictValue, E> {
        Ok(StrictValue(Value::String(value)))
    }

    fn visit_unit<E>(self) -> Result<StrictValue, E> {
        Ok(StrictValue(Value::Null))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<StrictValue, A::Error> {
        let mut values = Vec::new();
        while let Some(StrictValue(value)) = items.next_element()? {
            values.push(value);
        }
        Ok(StrictValue(Value::Array(values)))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<StrictValue, A::Error> {
        let mut fields = Map::new();
        while let Some(key) = entries.next_key::<String>()? {
            if fields.contains_key(&key) {
                return Err(de::Error::custom(format_args!(
                    "key {key:?} is given twice"
                )));
            }
            let StrictValue(value) = entries.next_value()?;
            fields.insert(key, value);
        }
        Ok(StrictValue(Value::Object(fields)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn refused(document: &Document) -> Vec<String> {
        document
            .place(document.problems.clone())
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    #[test]
    fn both_formats_give_the_same_value() {
        let toml = Document::from_toml("a = [1, 0x10]\n[b]\nc = 1.5\nd = \"x\"").unwrap();
        let json = Document::from_json(r#"{"b": {"d": "x", "c": 1.5}, "a": [1, 16]}"#).unwrap();
        assert_eq!(toml.value, json.value);
        assert_eq!(toml.value, json!({"a": [1, 16], "b": {"c": 1.5, "d": "x"}}));
    }

    #[test]
    fn a_key_given_twice_is_refused_in_both_formats() {
        let json = Document::from_json("{\"a\": {\"b\": 1,\n \"b\": 2}}").unwrap_err();
        assert_eq!(
            json.to_string(),
            "2:4: not valid JSON: key \"b\" is given twice"
        );
        let toml = Document::from_toml("a = 1\na = 2").unwrap_err();
        assert_eq!(toml.code, ProblemCode::InvalidToml);
        assert_eq!(toml.position.unwrap().line, 2);
    }

    #[test]
    fn syntax_errors_name_line_and_column() {
        let toml = Document::from_toml("ok = 1\nbad = = 2")
            .unwrap_err()
            .to_string();
        assert!(toml.starts_with("2:7: not valid TOML: "), "{toml}");
        let json = Document::from_json("{\"a\": }").unwrap_err().to_string();
        assert_eq!(json, "1:7: not valid JSON: expected value");
        assert!(Document::from_json("").is_err());
        assert!(Document::from_json("{} {}").is_err());
    }

    #[test]
    fn values_that_cannot_be_stored_are_named_and_all_reported() {
        let toml = Document::from_toml(
            "when = 2026-01-01\n[b]\nn = 9007199254740992\nlist = [inf, 99999999999999999999]",
        )
        .unwrap();
        assert_eq!(
            refused(&toml),
            [
                "1:1: `when` is a TOML date or time, which is not taken here; put it in quotes if text is meant",
                "3:1: `b.n` is 9007199254740992, beyond 2^53-1, and would be rounded when it is stored",
                "4:9: `b.list[0]` is inf, which cannot be stored exactly",
                "4:14: `b.list[1]` is 99999999999999999999, beyond 2^53-1, and would be rounded when it is stored",
            ]
        );
        let json = Document::from_json(r#"{"a": [9007199254740992], "b": 1e300}"#).unwrap();
        assert_eq!(refused(&json).len(), 2);
        assert_eq!(
            refused(&Document::from_json("9007199254740991").unwrap()),
            [""; 0]
        );
    }

    #[test]
    fn positions_fall_back_to_what_is_around() {
        let document = Document::from_toml("[a]\nb = 1\n").unwrap();
        assert_eq!(document.position("a.b").unwrap().line, 2);
        assert_eq!(document.position("a.missing").unwrap().line, 1);
        assert!(document.position("z").is_none());
    }

    #[test]
    fn endless_files_are_not_read() {
        let long = " ".repeat(MAX_DOCUMENT_BYTES + 1);
        assert!(Document::from_toml(&long).is_err());
        assert!(Document::from_json(&long).is_err());
    }

    #[test]
    fn deep_nesting_is_an_error_and_not_a_crash() {
        assert!(Document::from_json(&"[".repeat(100_000)).is_err());
        assert!(Document::from_toml(&format!("a = {}", "[".repeat(100_000))).is_err());
    }
}
