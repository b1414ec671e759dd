//! Tokens.

use dogwatch_api::{CreateToken, CreatedToken, Scope, TokenList, TokenView};
use dogwatch_core::ids::TokenId;
use dogwatch_core::schemars::JsonSchema;
use serde::Deserialize;

use crate::exchange::Exchange;
use crate::problem::HttpProblem;
use crate::reply::Reply;
use crate::route::{Access, Answer, Route, schema_of};

const ADMIN: Access = Access::AnyOf(&[Scope::Admin]);

pub(super) const ROUTES: &[Route] = &[
    Route::post(
        "createToken",
        "/v1/tokens",
        "Makes a token. Its secret is in the answer and nowhere else.",
        ADMIN,
        (
            schema_of::<CreateToken>,
            Answer::Json(schema_of::<CreatedToken>),
        ),
        |exchange| Box::pin(create(exchange)),
    ),
    Route::get(
        "listTokens",
        "/v1/tokens",
        "Lists tokens, without their secrets.",
        ADMIN,
        Answer::Json(schema_of::<TokenList>),
        |exchange| Box::pin(list(exchange)),
    ),
    Route::post(
        "revokeToken",
        "/v1/tokens/{token}/revoke",
        "Takes a token back; what it has open ends within a second.",
        ADMIN,
        (
            schema_of::<RevokeBody>,
            Answer::Json(schema_of::<TokenView>),
        ),
        |exchange| Box::pin(revoke(exchange)),
    ),
];

/// Someone takes a token back.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(crate = "dogwatch_core::schemars")]
struct RevokeBody {
    /// The token of the path, where a client says it twice.
    token: Option<TokenId>,
}

async fn create(exchange: Exchange) -> Result<Reply, HttpProblem> {
    let request: CreateToken = exchange.json()?;
    Reply::json(&exchange.plane()?.create_token(request).await?)
}

async fn list(exchange: Exchange) -> Result<Reply, HttpProblem> {
    Reply::json(&exchange.plane()?.list_tokens().await?)
}

async fn revoke(exchange: Exchange) -> Result<Reply, HttpProblem> {
    let body: RevokeBody = exchange.json()?;
    let token = exchange.same("token", body.token)?;
    Reply::json(&exchange.plane()?.revoke_token(token).await?)
}
