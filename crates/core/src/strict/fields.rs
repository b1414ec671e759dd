//! Reading an object field by field, so that one wrong field does not hide the next.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::path::{index, join};
use super::problem::{Problem, ProblemCode, Problems};

/// The fields of one object in a document.
#[derive(Debug)]
pub struct Fields<'v> {
    object: &'v Map<String, Value>,
    path: String,
}

impl<'v> Fields<'v> {
    /// The fields of `value`, which has to be an object.
    pub fn of(value: &'v Value, path: &str, problems: &mut Problems) -> Option<Self> {
        if let Value::Object(object) = value {
            return Some(Self {
                object,
                path: path.to_owned(),
            });
        }
        let place = if path.is_empty() {
            "the document".to_owned()
        } else {
            format!("`{path}`")
        };
        let message = format!("{place} has to be a table of keys and values");
        problems.push(Problem::new(ProblemCode::InvalidValue, path, message));
        None
    }

    /// The path of the object itself.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The path of a field.
    pub fn path_of(&self, key: &str) -> String {
        join(&self.path, key)
    }

    /// A field as it stands; null counts as absent.
    pub fn raw(&self, key: &str) -> Option<&'v Value> {
        self.object.get(key).filter(|value| !value.is_null())
    }

    /// A field that may be absent.
    pub fn optional<T: DeserializeOwned>(&self, key: &str, problems: &mut Problems) -> Option<T> {
        let value = self.raw(key)?;
        read(value, &self.path_of(key), problems)
    }

    /// A field that has to be there.
    pub fn required<T: DeserializeOwned>(
        &self,
        key: &str,
        hint: &str,
        problems: &mut Problems,
    ) -> Option<T> {
        if self.raw(key).is_some() {
            return self.optional(key, problems);
        }
        let path = self.path_of(key);
        let problem = Problem::new(
            ProblemCode::MissingField,
            path.clone(),
            format!("`{path}` is missing"),
        );
        problems.push(problem.hint(hint));
        None
    }

    /// The items of a list of objects; anything else is a problem.
    pub fn objects(&self, key: &str, problems: &mut Problems) -> Option<Vec<Fields<'v>>> {
        let value = self.raw(key)?;
        let path = self.path_of(key);
        let Value::Array(items) = value else {
            let message = format!("`{path}` has to be a list of tables");
            problems.push(
                Problem::new(ProblemCode::InvalidValue, path.clone(), message)
                    .hint(format!("in TOML, write [[{path}]]")),
            );
            return None;
        };
        let fields = items
            .iter()
            .enumerate()
            .filter_map(|(position, item)| Fields::of(item, &index(&path, position), problems));
        Some(fields.collect())
    }

    /// The fields of an object that may be absent.
    pub fn object(&self, key: &str, problems: &mut Problems) -> Option<Fields<'v>> {
        Fields::of(self.raw(key)?, &self.path_of(key), problems)
    }

    /// Every key with its value.
    pub fn entries(&self) -> impl Iterator<Item = (&'v String, &'v Value)> {
        self.object.iter()
    }
}

fn read<T: DeserializeOwned>(value: &Value, path: &str, problems: &mut Problems) -> Option<T> {
    match serde_path_to_error::deserialize::<_, T>(value) {
        Ok(value) => Some(value),
        Err(error) => {
            let inner = error.path().to_string();
            let path = match inner.as_str() {
                "." => path.to_owned(),
                inner if inner.starts_with('[') => format!("{path}{inner}"),
                inner => format!("{path}.{inner}"),
            };
            let message = format!("`{path}` has an invalid value: {}", error.inner());
            problems.push(Problem::new(ProblemCode::InvalidValue, path, message));
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_wrong_field_is_reported_with_its_path() {
        let value = json!({"a": 1, "list": ["x", 2], "none": null, "gates": 3, "deep": []});
        let mut problems = Problems::default();
        let fields = Fields::of(&value, "", &mut problems).unwrap();
        assert_eq!(fields.optional::<String>("a", &mut problems), None);
        assert_eq!(fields.optional::<Vec<String>>("list", &mut problems), None);
        assert_eq!(fields.optional::<u64>("none", &mut problems), None);
        assert_eq!(
            fields.required::<u64>("none", "add `none = 1`", &mut problems),
            None
        );
        assert!(fields.objects("gates", &mut problems).is_none());
        assert!(fields.object("deep", &mut problems).is_none());
        let messages: Vec<String> = problems
            .into_vec()
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(
            messages,
            [
                "`a` has an invalid value: invalid type: integer `1`, expected a string",
                "`list[1]` has an invalid value: invalid type: integer `2`, expected a string",
                "`none` is missing; add `none = 1`",
                "`gates` has to be a list of tables; in TOML, write [[gates]]",
                "`deep` has to be a table of keys and values",
            ]
        );
    }
}
