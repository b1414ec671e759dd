//! Between typed events and the `kind` and `data` fields of an envelope.

use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

/// Splits an event enum (`tag = "kind", content = "data"`) into its kind and data.
pub(crate) fn split_tagged<E: Serialize>(event: &E) -> (String, Value) {
    let mut value = serde_json::to_value(event)
        .expect("event enums hold only strings, numbers and maps with string keys");
    let data = value.get_mut("data").map_or(Value::Null, Value::take);
    let kind = value["kind"].as_str().unwrap_or_default().to_owned();
    (kind, data)
}

/// The reverse of [`split_tagged`]; an unknown kind or field is an error.
pub(crate) fn join_tagged<E: DeserializeOwned>(
    kind: &str,
    data: &Value,
) -> Result<E, serde_json::Error> {
    serde_json::from_value(json!({ "kind": kind, "data": data }))
}
