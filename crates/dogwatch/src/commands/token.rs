//! `dogwatch token`: who else may call, and what for.

use std::collections::BTreeSet;

use clap::{Args, Subcommand};
use dogwatch_api::{ControlPlane, CreateToken, Scope, TokenView};
use dogwatch_core::ids::{ProjectId, TokenId};
use dogwatch_core::{Clock, Timestamp};
use dogwatch_supervisor::os::clock::SystemClock;

use crate::connect::{block_on, connect};
use crate::context::Context;
use crate::error::CliError;
use crate::exit::Exit;
use crate::output::{Table, age, print, print_json, say};

/// Create, list and revoke tokens.
#[derive(Debug, Subcommand)]
pub(crate) enum TokenCommand {
    /// Make a token. Its secret is printed this once.
    Create(CreateArgs),
    /// List the tokens there are, without their secrets.
    List,
    /// Take a token back. It ends open streams within a second.
    Revoke(RevokeArgs),
}

/// Make a token.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  dogwatch token create \"ci\" --scope read,submit --expires-in-days 30
  dogwatch token create \"runner on build-7\" --scope runner")]
pub(crate) struct CreateArgs {
    /// What it is for.
    label: String,
    /// What it may do: read, submit, operate, approve, admin, runner.
    #[arg(long, value_name = "SCOPE", value_delimiter = ',', required = true)]
    scope: Vec<String>,
    /// The only projects it may see.
    #[arg(long, value_name = "PROJECT", value_delimiter = ',')]
    project: Vec<ProjectId>,
    /// The name that stands in events for whoever presents it.
    #[arg(long, value_name = "NAME")]
    principal: Option<String>,
    /// Worthless after so many days.
    #[arg(long, value_name = "DAYS", conflicts_with = "expires_at")]
    expires_in_days: Option<u32>,
    /// Worthless from this instant on.
    #[arg(long, value_name = "INSTANT")]
    expires_at: Option<Timestamp>,
}

/// Take a token back.
#[derive(Debug, Args)]
pub(crate) struct RevokeArgs {
    /// The token, by its id or the end of it.
    token: String,
}

pub(crate) fn run(context: &Context, command: TokenCommand) -> Result<Exit, CliError> {
    block_on(async {
        let plane = connect(context).await?.plane();
        match command {
            TokenCommand::Create(args) => create(context, &*plane, args).await,
            TokenCommand::List => list(context, &*plane).await,
            TokenCommand::Revoke(args) => revoke(context, &*plane, &args.token).await,
        }
    })
}

async fn create(
    context: &Context,
    plane: &dyn ControlPlane,
    args: CreateArgs,
) -> Result<Exit, CliError> {
    let day = std::time::Duration::from_secs(86_400);
    let in_days = args
        .expires_in_days
        .map(|days| SystemClock.now().plus(day * days));
    let created = plane
        .create_token(CreateToken {
            label: args.label,
            principal: args.principal,
            scopes: scopes(&args.scope)?,
            projects: (!args.project.is_empty()).then(|| args.project.into_iter().collect()),
            expires_at: args.expires_at.or(in_days),
        })
        .await?;
    if context.json {
        print_json(&created);
    } else {
        print(&created.secret);
        say(&format!(
            "{} is made; its secret above is shown this once and stored nowhere",
            created.token.id
        ));
    }
    Ok(Exit::Success)
}

fn scopes(names: &[String]) -> Result<BTreeSet<Scope>, CliError> {
    names
        .iter()
        .map(|name| {
            Scope::parse(name.trim()).ok_or_else(|| {
                let valid = Scope::ALL.map(Scope::as_str).join(", ");
                CliError::new("scope_unknown", format!("`{name}` is no scope"))
                    .next(format!("give some of {valid}"))
            })
        })
        .collect()
}

async fn list(context: &Context, plane: &dyn ControlPlane) -> Result<Exit, CliError> {
    let tokens = plane.list_tokens().await?;
    if context.json {
        print_json(&tokens);
        return Ok(Exit::Success);
    }
    if tokens.items.is_empty() {
        print("there are no tokens; commands on this machine need none");
        return Ok(Exit::Success);
    }
    let now = SystemClock.now();
    let mut table = Table::new(&["TOKEN", "STATUS", "AGE", "SCOPES", "EXPIRES", "LABEL"]);
    for token in &tokens.items {
        table.row(vec![
            token.id.short(),
            status(token),
            age(token.created_at, now),
            token
                .scopes
                .iter()
                .map(|scope| scope.as_str())
                .collect::<Vec<_>>()
                .join(","),
            token
                .expires_at
                .map_or_else(|| "never".to_owned(), |at| at.to_string()),
            token.label.clone(),
        ]);
    }
    table.print();
    Ok(Exit::Success)
}

fn status(token: &TokenView) -> String {
    serde_json::to_value(token.status)
        .ok()
        .and_then(|value| value.as_str().map(str::to_owned))
        .unwrap_or_default()
}

async fn revoke(context: &Context, plane: &dyn ControlPlane, text: &str) -> Result<Exit, CliError> {
    let id: TokenId = match text.parse() {
        Ok(id) => id,
        Err(_) => ending_in(plane, text).await?,
    };
    let token = plane.revoke_token(id).await?;
    if context.json {
        print_json(&token);
    } else {
        print(&format!("{} is {}", token.id, status(&token)));
    }
    Ok(Exit::Success)
}

async fn ending_in(plane: &dyn ControlPlane, text: &str) -> Result<TokenId, CliError> {
    let tokens = plane.list_tokens().await?.items;
    let mut found = tokens
        .iter()
        .map(|token| token.id)
        .filter(|id| text.len() >= 4 && id.to_string().ends_with(text));
    match (found.next(), found.next()) {
        (Some(id), None) => Ok(id),
        (None, _) => Err(
            CliError::new("token_not_found", format!("there is no token `{text}`"))
                .next("list what there is with `dogwatch token list`"),
        ),
        (Some(_), Some(_)) => Err(CliError::new(
            "ambiguous_id",
            format!("`{text}` is the end of several tokens"),
        )
        .next("give more of it")),
    }
}
