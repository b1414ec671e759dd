//! What the server answers to: each route is data, from which the router, the OpenAPI document and the tests are made.

use std::pin::Pin;

use dogwatch_api::Scope;
use dogwatch_core::schemars::{JsonSchema, Schema, SchemaGenerator};

use crate::exchange::Exchange;
use crate::problem::HttpProblem;
use crate::reply::Reply;

/// A method.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verb {
    /// Reads.
    Get,
    /// Asks for something to be done.
    Post,
    /// Stores under a name that the client chose.
    Put,
}

impl Verb {
    /// The word in the request line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
        }
    }
}

/// Who may use a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Anyone who reaches the server.
    Public,
    /// A token with at least one of the scopes.
    AnyOf(&'static [Scope]),
}

/// Writes the schema of a type into a document.
pub type SchemaOf = fn(&mut SchemaGenerator) -> Schema;

/// The schema of a type.
pub(crate) fn schema_of<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}

/// The body of a request.
#[derive(Clone, Copy, Debug)]
pub enum Payload {
    /// None; one that is sent is refused.
    None,
    /// A JSON document.
    Json {
        /// The most bytes.
        most: u64,
        /// What it has to look like.
        schema: SchemaOf,
    },
    /// Bytes.
    Octets {
        /// The most of them.
        most: u64,
    },
}

/// The body of an answer that is no problem.
#[derive(Clone, Copy, Debug)]
pub enum Answer {
    /// A JSON document.
    Json(SchemaOf),
    /// Bytes of that media type.
    Bytes(&'static str),
    /// Server-sent events; each one's data is such a document.
    Events(SchemaOf),
    /// Nothing.
    Empty,
}

/// How a handler answers.
pub(crate) type Handled = Pin<Box<dyn Future<Output = Result<Reply, HttpProblem>> + Send>>;

/// One route.
#[derive(Clone, Copy, Debug)]
pub struct Route {
    /// Its name in the OpenAPI document.
    pub id: &'static str,
    /// Its method.
    pub verb: Verb,
    /// Its path; parameters stand in braces.
    pub path: &'static str,
    /// What it does, in one sentence.
    pub summary: &'static str,
    /// Who may use it.
    pub access: Access,
    /// What has to be sent.
    pub payload: Payload,
    /// The parameters in the query.
    pub query: Option<SchemaOf>,
    /// What comes back.
    pub answer: Answer,
    /// Whether it changes something. Such a request is finished even when the client hangs up.
    pub mutation: bool,
    /// Whether it takes an `Idempotency-Key`.
    pub keyed: bool,
    /// Whether it may take longer than the usual time limit, because waiting is what it is for. It ends when the client hangs up, so
    /// asking again has to give what was given already.
    pub waits: bool,
    pub(crate) handler: fn(Exchange) -> Handled,
}

/// The usual limit of a JSON body.
const JSON_BYTES: u64 = 1024 * 1024;

impl Route {
    /// A route that reads.
    pub(crate) const fn get(
        id: &'static str,
        path: &'static str,
        summary: &'static str,
        access: Access,
        answer: Answer,
        handler: fn(Exchange) -> Handled,
    ) -> Self {
        Self {
            id,
            verb: Verb::Get,
            path,
            summary,
            access,
            payload: Payload::None,
            query: None,
            answer,
            mutation: false,
            keyed: false,
            waits: false,
            handler,
        }
    }

    /// A route that changes something, as a JSON document says.
    pub(crate) const fn post(
        id: &'static str,
        path: &'static str,
        summary: &'static str,
        access: Access,
        (body, answer): (SchemaOf, Answer),
        handler: fn(Exchange) -> Handled,
    ) -> Self {
        Self {
            verb: Verb::Post,
            payload: Payload::Json {
                most: JSON_BYTES,
                schema: body,
            },
            mutation: true,
            ..Self::get(id, path, summary, access, answer, handler)
        }
    }

    /// A route that takes bytes.
    pub(crate) const fn put(
        id: &'static str,
        path: &'static str,
        summary: &'static str,
        access: Access,
        (most, answer): (u64, Answer),
        handler: fn(Exchange) -> Handled,
    ) -> Self {
        Self {
            verb: Verb::Put,
            payload: Payload::Octets { most },
            mutation: true,
            ..Self::get(id, path, summary, access, answer, handler)
        }
    }

    pub(crate) const fn query(self, query: SchemaOf) -> Self {
        Self {
            query: Some(query),
            ..self
        }
    }

    pub(crate) const fn keyed(self) -> Self {
        Self {
            keyed: true,
            ..self
        }
    }

    pub(crate) const fn waits(self) -> Self {
        Self {
            waits: true,
            ..self
        }
    }

    /// The same with a JSON body of another size.
    pub(crate) const fn most(self, most: u64) -> Self {
        let payload = match self.payload {
            Payload::Json { schema, .. } => Payload::Json { most, schema },
            Payload::Octets { .. } => Payload::Octets { most },
            Payload::None => Payload::None,
        };
        Self { payload, ..self }
    }

    /// The names of the parameters in its path.
    pub fn parameters(&self) -> impl Iterator<Item = &'static str> {
        self.path
            .split('/')
            .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
    }
}
