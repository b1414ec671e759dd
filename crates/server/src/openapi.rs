//! The OpenAPI document, made from the route table.

use dogwatch_core::schemars::SchemaGenerator;
use dogwatch_core::schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use crate::exchange::{IDEMPOTENCY_KEY, LAST_EVENT_ID};
use crate::problem::ProblemDocument;
use crate::route::{Access, Answer, Payload, Route, SchemaOf, schema_of};
use crate::routes;

/// The document.
pub fn document() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.definitions_path = "/components/schemas".into();
        settings.meta_schema = None;
    });
    let mut generator = settings.into_generator();
    let problem = schema_of::<ProblemDocument>(&mut generator);
    let mut paths = Map::new();
    for route in routes::table() {
        let operation = operation(route, &mut generator);
        let path = paths.entry(route.path).or_insert_with(|| json!({}));
        if let Value::Object(path) = path {
            path.insert(route.verb.as_str().to_lowercase(), operation);
        }
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "dogwatch control API",
            "version": "1",
            "description": "The control plane for unattended coding agents. Errors are RFC 9457 problems with a stable `code`. \
                A mutation is finished even if the client hangs up. Lists are paged by cursor. Streams are server-sent events: \
                each `id:` is a cursor, `Last-Event-ID` goes on after it, and the last event is `end` with a reason.",
            "license": {"name": "MIT OR Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "security": [{"bearer": []}],
        "paths": paths,
        "components": {
            "schemas": generator.take_definitions(true),
            "responses": {
                "Problem": {
                    "description": "What went wrong and what to do next.",
                    "content": {"application/problem+json": {"schema": problem}},
                },
            },
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "key": {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": "Another name for the bearer token."},
            },
        },
    })
}

fn operation(route: &Route, generator: &mut SchemaGenerator) -> Value {
    let area = area(route.path);
    let mut operation = json!({
        "operationId": route.id,
        "summary": route.summary,
        "tags": [area],
        "parameters": parameters(route, generator),
        "responses": responses(route, generator),
    });
    match route.access {
        Access::Public => operation["security"] = json!([]),
        Access::AnyOf(scopes) => {
            let scopes: Vec<_> = scopes.iter().map(|scope| scope.as_str()).collect();
            operation["description"] =
                json!(format!("Needs the scope `{}`.", scopes.join("` or `")));
            operation["security"] = json!([{"bearer": scopes}, {"key": scopes}]);
        }
    }
    if let Some(body) = body(route.payload, generator) {
        operation["requestBody"] = body;
    }
    operation
}

/// The word after `/v1/`.
fn area(path: &str) -> &str {
    let rest = path.strip_prefix("/v1/").unwrap_or("meta");
    match rest.split('/').next() {
        Some("openapi.json") | None => "meta",
        Some(area) => area,
    }
}

fn parameters(route: &Route, generator: &mut SchemaGenerator) -> Vec<Value> {
    let mut parameters: Vec<Value> = route
        .parameters()
        .map(|name| {
            let schema = routes::parameter_schema(name)(generator);
            json!({"name": name, "in": "path", "required": true, "schema": schema})
        })
        .collect();
    if let Some(query) = route.query {
        parameters.extend(query_parameters(query, generator));
    }
    let mut header = |name: &str, description: &str| {
        parameters.push(json!({
            "name": name, "in": "header", "description": description,
            "schema": {"type": "string", "minLength": 1, "maxLength": 255},
        }));
    };
    if route.keyed {
        let text = "The same key with the same request gives the same answer; with another request it is refused.";
        header(IDEMPOTENCY_KEY.as_str(), text);
    }
    if matches!(route.answer, Answer::Events(_)) {
        header(
            LAST_EVENT_ID.as_str(),
            "The `id` of the last event that was seen.",
        );
    }
    parameters
}

/// Each property of the query's type is a parameter.
fn query_parameters(query: SchemaOf, generator: &mut SchemaGenerator) -> Vec<Value> {
    let schema = query(generator);
    let required = schema.get("required").cloned().unwrap_or_default();
    let Some(Value::Object(properties)) = schema.get("properties") else {
        return Vec::new();
    };
    properties
        .iter()
        .map(|(name, schema)| {
            let mut schema = schema.clone();
            let description = schema
                .as_object_mut()
                .and_then(|schema| schema.remove("description"))
                .unwrap_or_default();
            let required = required
                .as_array()
                .is_some_and(|names| names.iter().any(|it| it == name));
            json!({
                "name": name, "in": "query", "required": required, "description": description, "schema": present(schema),
            })
        })
        .collect()
}

/// The schema of a value that is there: whether it may be left out is said beside it.
fn present(mut schema: Value) -> Value {
    if let Some(Value::Array(types)) = schema.get_mut("type") {
        types.retain(|name| name != "null");
        if let [only] = &types[..] {
            schema["type"] = only.clone();
        }
    }
    if let Some(Value::Array(choices)) = schema.get_mut("anyOf") {
        choices.retain(|choice| choice != &json!({"type": "null"}));
        if let [only] = &choices[..] {
            return only.clone();
        }
    }
    schema
}

fn body(payload: Payload, generator: &mut SchemaGenerator) -> Option<Value> {
    match payload {
        Payload::None => None,
        Payload::Json { most, schema } => Some(json!({
            "required": true,
            "description": format!("At most {most} bytes."),
            "content": {"application/json": {"schema": schema(generator)}},
        })),
        Payload::Octets { most } => Some(json!({
            "required": true,
            "description": format!("At most {most} bytes."),
            "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
        })),
    }
}

fn responses(route: &Route, generator: &mut SchemaGenerator) -> Value {
    let (status, good) = match route.answer {
        Answer::Json(schema) => (
            "200",
            json!({"description": "Done.", "content": {"application/json": {"schema": schema(generator)}}}),
        ),
        Answer::Bytes(media) => (
            "200",
            json!({"description": "Done.", "content": {media: {}}}),
        ),
        Answer::Events(schema) => {
            let data = schema(generator);
            let content =
                json!({"text/event-stream": {"schema": {"type": "string"}, "x-event-data": data}});
            (
                "200",
                json!({"description": "Events, as they happen.", "content": content}),
            )
        }
        Answer::Empty => ("204", json!({"description": "Done."})),
    };
    json!({status: good, "default": {"$ref": "#/components/responses/Problem"}})
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_committed_document_is_the_generated_one() {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../openapi.json");
        let generated = serde_json::to_string_pretty(&document()).unwrap() + "\n";
        if std::env::var_os("DOGWATCH_WRITE_SCHEMAS").is_some() {
            std::fs::write(&path, &generated).unwrap();
        }
        assert!(
            std::fs::read_to_string(&path).unwrap_or_default() == generated,
            "{} is out of date: run `cargo xtask schema`",
            path.display()
        );
    }

    fn references<'v>(value: &'v Value, found: &mut BTreeSet<&'v str>) {
        match value {
            Value::Object(members) => {
                if let Some(Value::String(reference)) = members.get("$ref") {
                    found.insert(reference);
                }
                members.values().for_each(|value| references(value, found));
            }
            Value::Array(items) => items.iter().for_each(|value| references(value, found)),
            _ => {}
        }
    }

    #[test]
    fn every_reference_leads_somewhere_and_every_component_is_used() {
        let document = document();
        let mut found = BTreeSet::new();
        references(&document, &mut found);
        for reference in &found {
            let place = reference.strip_prefix('#').unwrap();
            assert!(document.pointer(place).is_some(), "{reference}");
        }
        for name in document["components"]["schemas"]
            .as_object()
            .unwrap()
            .keys()
        {
            let reference = format!("#/components/schemas/{name}");
            assert!(found.contains(reference.as_str()), "{reference}");
        }
    }

    #[test]
    fn every_route_is_described_with_its_parameters_and_its_scopes() {
        let document = document();
        for route in routes::table() {
            let verb = route.verb.as_str().to_lowercase();
            let operation = &document["paths"][route.path][&verb];
            assert_eq!(operation["operationId"], route.id);
            let parameters = operation["parameters"].as_array().unwrap();
            let named = |place: &str| {
                let there = parameters.iter().filter(|it| it["in"] == place);
                there
                    .map(|it| it["name"].as_str().unwrap())
                    .collect::<Vec<_>>()
            };
            assert_eq!(
                named("path"),
                route.parameters().collect::<Vec<_>>(),
                "{}",
                route.id
            );
            assert_eq!(
                named("query").is_empty(),
                route.query.is_none(),
                "{}",
                route.id
            );
            let open = operation["security"].as_array().unwrap().is_empty();
            assert_eq!(open, route.access == Access::Public, "{}", route.id);
        }
    }
}
