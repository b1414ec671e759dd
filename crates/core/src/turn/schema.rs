//! The published JSON Schemas of what an `exec` agent reads and writes.

use std::sync::LazyLock;

use serde_json::Value;

use super::request::AgentRequest;
use super::response::AgentResponse;

/// The schema of the file named by `DOGWATCH_REQUEST_FILE`.
pub fn request_schema() -> &'static Value {
    static SCHEMA: LazyLock<Value> =
        LazyLock::new(|| schemars::schema_for!(AgentRequest).to_value());
    &SCHEMA
}

/// The schema of the file named by `DOGWATCH_RESPONSE_FILE`.
pub fn response_schema() -> &'static Value {
    static SCHEMA: LazyLock<Value> =
        LazyLock::new(|| schemars::schema_for!(AgentResponse).to_value());
    &SCHEMA
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_committed_schemas_are_the_generated_ones() {
        let schemas = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../schemas");
        for (name, schema) in [
            ("agent-request", request_schema()),
            ("agent-response", response_schema()),
        ] {
            let path = schemas.join(format!("{name}.schema.json"));
            let generated = serde_json::to_string_pretty(schema).unwrap() + "\n";
            if std::env::var_os("DOGWATCH_WRITE_SCHEMAS").is_some() {
                std::fs::write(&path, &generated).unwrap();
            }
            assert_eq!(
                std::fs::read_to_string(&path).unwrap_or_default(),
                generated,
                "{} is out of date: run `cargo xtask schema`",
                path.display()
            );
        }
    }
}
