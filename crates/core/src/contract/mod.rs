//! The contract: the validated, hashed statement of a task. The only execution authority; all else that shows it is a read model.
//!
//! A person writes a [`ContractDraft`] in TOML or JSON. [`ContractDraft::expand`] puts every default in and gives a [`Contract`], whose
//! canonical bytes are stored once and hashed once; from then on the hash stands for those bytes and is never taken from a struct
//! again. Nothing is ignored: an unknown key, and a known field that dogwatch does not enforce yet, are both refused.

mod acceptance;
mod draft;
mod expand;
mod paths;
mod reserved;
mod schema;
mod stored;
mod timeout;
mod validate;

#[cfg(test)]
mod tests;

pub use acceptance::{Acceptance, AcceptanceDraft, GateCommand, read_acceptance};
pub use draft::{
    CONTRACT_SCHEMA, Containment, ContractDraft, ContractError, MAX_TASK_BYTES, RetryDraft,
    ReviewDraft,
};
pub use expand::{ContractContext, Expanded};
pub use paths::{PathRuleError, PathRules, PathVerdict};
pub use reserved::{NOT_ENFORCED_FIELDS, key_problems};
pub use schema::{contract_schema, stored_contract_schema};
pub use stored::{
    Contract, DEFAULT_APPROVAL_MS, MAX_ATTEMPTS, Retry, Review, StoredContract, StoredContractError,
};
pub use timeout::{ParseTimeoutError, Timeout};
pub use validate::{is_name, is_object_id};

pub use crate::strict::{Problem as ContractProblem, ProblemCode};
