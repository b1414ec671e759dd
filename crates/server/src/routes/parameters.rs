//! The parameters of paths, by name.

use dogwatch_core::Sha256Digest;
use dogwatch_core::ids::{ApprovalId, JobId, RunId, TokenId};
use dogwatch_core::schemars::{Schema, SchemaGenerator, json_schema};

use crate::route::{SchemaOf, schema_of};

/// What a parameter looks like. A name that is not known here is a mistake in the table.
pub(crate) fn schema(name: &str) -> SchemaOf {
    match name {
        "job" => schema_of::<JobId>,
        "run" => run_or_job,
        "id" => any_id,
        "approval" => schema_of::<ApprovalId>,
        "token" => schema_of::<TokenId>,
        "sha256" => schema_of::<Sha256Digest>,
        "turn" => schema_of::<u32>,
        "stream" => schema_of::<dogwatch_api::OutputStream>,
        _ => panic!("the parameter `{name}` has no schema"),
    }
}

fn run_or_job(generator: &mut SchemaGenerator) -> Schema {
    let (run, job) = (schema_of::<RunId>(generator), schema_of::<JobId>(generator));
    json_schema!({"description": "A run, or a job for its latest run.", "anyOf": [run, job]})
}

fn any_id(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "string", "minLength": 1, "maxLength": 64,
        "description": "The id of a job or run; the start or the end of one is enough where only one has it.",
    })
}
