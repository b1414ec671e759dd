//! The published schemas, made from the types.

use std::sync::LazyLock;

use serde_json::Value;

use super::draft::ContractDraft;
use super::stored::Contract;

/// The schema of what a person writes.
pub fn contract_schema() -> &'static Value {
    static SCHEMA: LazyLock<Value> =
        LazyLock::new(|| schemars::schema_for!(ContractDraft).to_value());
    &SCHEMA
}

/// The schema of what is stored.
pub fn stored_contract_schema() -> &'static Value {
    static SCHEMA: LazyLock<Value> = LazyLock::new(|| schemars::schema_for!(Contract).to_value());
    &SCHEMA
}
