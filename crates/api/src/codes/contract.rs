//! What is wrong with a contract, or with any other file that is read strictly.

use super::info::codes;

codes! {
    contract_unreadable "The contract file cannot be read" {
        "The file given with --contract does not exist, may not be read, or is not UTF-8."
        next "Give the path of a contract in TOML or JSON."
    }
    contract_invalid(400) "The contract cannot be used" {
        "What was submitted is no contract in its canonical form, or says something that is not allowed."
        next "Mend what the message names; the schema is schemas/contract.schema.json."
    }
    contract_hash_mismatch(400) "The contract is not the one its hash names" {
        "The SHA-256 sent with a contract is not that of its bytes."
        next "Send the canonical bytes of the contract and their own SHA-256."
    }
    contract_not_found(404) "There is no such contract" {
        "No job was ever submitted with a contract of this hash."
        next "Take the hash from `dogwatch jobs show`."
    }
    invalid_toml "The text is not TOML" {
        "The file cannot be parsed as TOML. The message names line and column."
        next "Mend the syntax at the place that is named."
    }
    invalid_json "The text is not JSON" {
        "The file cannot be parsed as JSON, or a key stands in it twice. The message names line and column."
        next "Mend the syntax at the place that is named."
    }
    unknown_key "There is no such key" {
        "The file has a key that dogwatch does not know. Unknown keys are refused, because ignoring one would change what was asked for."
        next "Take the key that is suggested, or remove it."
    }
    not_enforced "dogwatch does not enforce this yet" {
        "The key is part of the format, and this version does not act on it. It is refused, so that nobody relies on it."
        next "Remove the key, or use a version that enforces it."
    }
    limit_zero "A limit is zero" {
        "Zero would be read as none by some and as unlimited by others, so it is refused."
        next "Give a number of at least one, or leave the limit out for its default."
    }
    invalid_value "A value cannot be used" {
        "A value has the wrong type or lies outside what is allowed."
        next "Give a value as the message says."
    }
    missing_field "A required key is missing" {
        "The file lacks a key without which it means nothing."
        next "Add the key that the message names."
    }
}
