//! The keys of a document against its schema.
//!
//! The schema is the one that is published, so what an editor underlines and what dogwatch refuses cannot drift apart. Objects are
//! closed unless their schema says what else they hold.

use serde_json::{Map, Value, json};

use super::nearest::nearest;
use super::path::{index, join};

/// The keyword that marks a property dogwatch knows but does not enforce yet.
pub const NOT_ENFORCED: &str = "x-dogwatch-not-enforced";

/// A key that the schema does not know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownKey {
    /// Where it stands, the key included.
    pub path: String,
    /// The key.
    pub key: String,
    /// What it was probably meant to be; a dotted path if that belongs elsewhere in the document.
    pub nearest: Option<String>,
}

/// A key that is known but not enforced yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReservedKey {
    /// Where it stands, the key included.
    pub path: String,
    /// The key.
    pub key: String,
}

/// What [`check`] found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    /// Keys the schema does not know, in document order.
    pub unknown: Vec<UnknownKey>,
    /// Keys that are not enforced yet.
    pub reserved: Vec<ReservedKey>,
}

impl Findings {
    fn len(&self) -> usize {
        self.unknown.len() + self.reserved.len()
    }

    fn extend(&mut self, other: Self) {
        self.unknown.extend(other.unknown);
        self.reserved.extend(other.reserved);
    }
}

/// Compares every key in `value`, at any depth, with `schema`.
pub fn check(schema: &Value, value: &Value) -> Findings {
    let mut findings = Findings::default();
    let walk = Walk { root: schema };
    walk.visit(schema, value, "", &mut findings);
    for unknown in &mut findings.unknown {
        if unknown.nearest.is_none() {
            unknown.nearest = walk.elsewhere(&unknown.key);
        }
    }
    findings
}

/// Marks `property` of an object schema as known but not enforced; `keys` are what it will hold.
pub fn reserve(schema: &mut Map<String, Value>, property: &str, keys: &[&str]) {
    let mut marker = Map::new();
    marker.insert(
        "description".to_owned(),
        "Known, but not enforced yet: a file that sets it is refused.".into(),
    );
    marker.insert(NOT_ENFORCED.to_owned(), true.into());
    marker.insert("not".to_owned(), json!({}));
    if !keys.is_empty() {
        let keys: Map<String, Value> = keys
            .iter()
            .map(|key| ((*key).to_owned(), Value::Bool(true)))
            .collect();
        marker.insert("properties".to_owned(), keys.into());
        marker.insert("additionalProperties".to_owned(), false.into());
    }
    let properties = schema
        .entry("properties")
        .or_insert_with(|| Value::Object(Map::new()));
    if let Value::Object(properties) = properties {
        properties.insert(property.to_owned(), marker.into());
    }
}

struct Walk<'s> {
    root: &'s Value,
}

impl<'s> Walk<'s> {
    fn resolve(&self, schema: &'s Value) -> &'s Value {
        let mut schema = schema;
        // A chain of references is short; a circle of nothing but references means nothing.
        for _ in 0..16 {
            let Some(pointer) = schema
                .get("$ref")
                .and_then(Value::as_str)
                .and_then(|reference| reference.strip_prefix('#'))
            else {
                return schema;
            };
            let Some(target) = self.root.pointer(pointer) else {
                return schema;
            };
            schema = target;
        }
        schema
    }

    fn visit(&self, schema: &'s Value, value: &Value, path: &str, findings: &mut Findings) {
        let schema = self.resolve(schema);
        if let Some(branches) = alternatives(schema) {
            // The reading with the fewest complaints is what was meant.
            let best = branches
                .iter()
                .filter(|branch| self.fits(branch, value))
                .map(|branch| {
                    let mut found = Findings::default();
                    self.visit(branch, value, path, &mut found);
                    found
                })
                .min_by_key(Findings::len);
            findings.extend(best.unwrap_or_default());
        }
        match value {
            Value::Object(fields) => self.object(schema, fields, path, findings),
            Value::Array(items) => {
                if let Some(each) = schema.get("items") {
                    for (position, item) in items.iter().enumerate() {
                        self.visit(each, item, &index(path, position), findings);
                    }
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }

    fn object(
        &self,
        schema: &'s Value,
        fields: &Map<String, Value>,
        path: &str,
        findings: &mut Findings,
    ) {
        let properties = schema.get("properties").and_then(Value::as_object);
        let rest = schema.get("additionalProperties");
        if properties.is_none() && rest.is_none() {
            // Any object, or one that the alternatives above have described.
            return;
        }
        for (key, field) in fields {
            let path = join(path, key);
            if let Some(property) = properties.and_then(|properties| properties.get(key)) {
                if property.get(NOT_ENFORCED).is_some() {
                    findings.reserved.push(ReservedKey {
                        path: path.clone(),
                        key: key.clone(),
                    });
                }
                self.visit(property, field, &path, findings);
                continue;
            }
            match rest {
                Some(Value::Bool(true)) => {}
                Some(each @ Value::Object(_)) => self.visit(each, field, &path, findings),
                _ => {
                    let known = properties.into_iter().flat_map(Map::keys);
                    findings.unknown.push(UnknownKey {
                        path,
                        key: key.clone(),
                        nearest: nearest(key, known.map(String::as_str)).map(str::to_owned),
                    });
                }
            }
        }
    }

    /// Whether a branch describes this type of value at all.
    fn fits(&self, schema: &'s Value, value: &Value) -> bool {
        let name = match value {
            Value::Null => "null",
            Value::Bool(_) => "boolean",
            Value::Number(_) => "number",
            Value::String(_) => "string",
            Value::Array(_) => "array",
            Value::Object(_) => "object",
        };
        let is = |given: &str| given == name || (given == "integer" && name == "number");
        match self.resolve(schema).get("type") {
            Some(Value::String(given)) => is(given),
            Some(Value::Array(given)) => given.iter().filter_map(Value::as_str).any(is),
            _ => true,
        }
    }

    /// The one place where a key of exactly this name belongs.
    fn elsewhere(&self, key: &str) -> Option<String> {
        let mut places = Vec::new();
        self.places(self.root, key, "", 0, &mut places);
        match places.as_slice() {
            [place] => Some(place.clone()),
            _ => None,
        }
    }

    fn places(
        &self,
        schema: &'s Value,
        key: &str,
        path: &str,
        depth: usize,
        places: &mut Vec<String>,
    ) {
        if depth > 8 {
            return;
        }
        let schema = self.resolve(schema);
        for branch in alternatives(schema).into_iter().flatten() {
            self.places(branch, key, path, depth + 1, places);
        }
        let properties = schema.get("properties").and_then(Value::as_object);
        for (name, property) in properties.into_iter().flatten() {
            let path = join(path, name);
            if name == key {
                places.push(path.clone());
            }
            self.places(property, key, &path, depth + 1, places);
        }
        if let Some(each) = schema.get("items") {
            self.places(each, key, &format!("{path}[]"), depth + 1, places);
        }
    }
}

fn alternatives(schema: &Value) -> Option<&Vec<Value>> {
    schema
        .get("anyOf")
        .or_else(|| schema.get("oneOf"))
        .and_then(Value::as_array)
}

/// The keywords of `schema` that change which keys are known in a way [`check`] does not follow. Tests hold every schema to none.
pub fn unsupported(schema: &Value) -> Vec<String> {
    fn visit(schema: &Value, path: &str, found: &mut Vec<String>) {
        let Value::Object(keywords) = schema else {
            return;
        };
        for (keyword, inner) in keywords {
            let path = format!("{path}/{keyword}");
            match keyword.as_str() {
                "allOf"
                | "if"
                | "then"
                | "else"
                | "dependentSchemas"
                | "patternProperties"
                | "prefixItems"
                | "unevaluatedProperties"
                | "propertyNames"
                | "$dynamicRef" => {
                    found.push(path);
                }
                "properties" | "$defs" => {
                    if keyword == "properties" && !keywords.contains_key("additionalProperties") {
                        found.push(format!("{path} (without additionalProperties)"));
                    }
                    for (name, property) in inner.as_object().into_iter().flatten() {
                        visit(property, &format!("{path}/{name}"), found);
                    }
                }
                "anyOf" | "oneOf" => {
                    for branch in inner.as_array().into_iter().flatten() {
                        visit(branch, &path, found);
                    }
                }
                "items" | "additionalProperties" => visit(inner, &path, found),
                _ => {}
            }
        }
    }
    let mut found = Vec::new();
    visit(schema, "", &mut found);
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schema() -> Value {
        json!({
            "type": "object",
            "additionalProperties": false,
            "properties": {
                "task": {"type": "string"},
                "limits": {"anyOf": [{"$ref": "#/$defs/Limits"}, {"type": "null"}]},
                "gates": {"type": ["array", "null"], "items": {"$ref": "#/$defs/Gate"}},
                "agents": {"type": "object", "additionalProperties": {"$ref": "#/$defs/Gate"}},
                "free": true,
                "later": {(NOT_ENFORCED): true, "properties": {"shell": true}, "additionalProperties": false}
            },
            "$defs": {
                "Limits": {
                    "type": "object",
                    "properties": {"max_turns": {"type": "integer"}},
                    "additionalProperties": false
                },
                "Gate": {
                    "type": "object",
                    "properties": {"name": {"type": "string"}, "run": {"oneOf": [{"type": "string"}, {"type": "array"}]}},
                    "additionalProperties": false
                }
            }
        })
    }

    fn unknown(value: &Value) -> Vec<(String, Option<String>)> {
        check(&schema(), value)
            .unknown
            .into_iter()
            .map(|unknown| (unknown.path, unknown.nearest))
            .collect()
    }

    #[test]
    fn known_keys_pass_at_any_depth() {
        let value = json!({
            "task": "x", "limits": {"max_turns": 1}, "gates": [{"name": "a", "run": ["b"]}],
            "agents": {"any name": {"run": "x"}}, "free": {"what": {"ever": 1}}
        });
        assert_eq!(check(&schema(), &value), Findings::default());
    }

    #[test]
    fn unknown_keys_are_named_at_any_depth_with_the_nearest() {
        let value = json!({
            "tsk": "x", "limits": {"max_turn": 1}, "gates": [{}, {"nmae": 1}],
            "agents": {"a": {"zzzzz": 1}}
        });
        let some = |text: &str| Some(text.to_owned());
        let mut found = unknown(&value);
        found.sort();
        assert_eq!(
            found,
            [
                ("agents.a.zzzzz".to_owned(), None),
                ("gates[1].nmae".to_owned(), some("name")),
                ("limits.max_turn".to_owned(), some("max_turns")),
                ("tsk".to_owned(), some("task")),
            ]
        );
    }

    #[test]
    fn a_key_in_the_wrong_table_is_told_where_it_belongs() {
        assert_eq!(
            unknown(&json!({"max_turns": 1})),
            [("max_turns".to_owned(), Some("limits.max_turns".to_owned()))]
        );
    }

    #[test]
    fn reserved_keys_are_not_unknown_but_what_they_hold_is_checked() {
        let findings = check(&schema(), &json!({"later": {"shell": 1, "shel": 2}}));
        assert_eq!(findings.reserved[0].path, "later");
        assert_eq!(findings.reserved.len(), 1);
        assert_eq!(findings.unknown[0].path, "later.shel");
        assert_eq!(findings.unknown[0].nearest.as_deref(), Some("shell"));
    }

    #[test]
    fn keywords_that_are_not_followed_are_found() {
        assert_eq!(unsupported(&schema()), [""; 0]);
        let odd = json!({"properties": {"a": {"allOf": []}}});
        assert_eq!(
            unsupported(&odd),
            [
                "/properties (without additionalProperties)",
                "/properties/a/allOf"
            ]
        );
    }

    #[test]
    fn a_circle_of_references_ends() {
        let circle = json!({"$ref": "#/$defs/A", "$defs": {"A": {"$ref": "#/$defs/A"}}});
        assert_eq!(check(&circle, &json!({"x": 1})), Findings::default());
    }
}
