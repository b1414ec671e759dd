//! Making tokens and taking them back.

use std::collections::BTreeSet;

use dogwatch_api::{
    Caller, CreateToken, CreatedToken, Problem, ProblemCode, Scope, TokenList, TokenView,
};
use dogwatch_core::Sha256Digest;
use dogwatch_core::ids::{ProjectId, TokenId};
use dogwatch_core::server::{ServerCommand, TokenCreated, TokenRecord};

use crate::Engine;
use crate::access::is_owner;
use crate::hints::Hint;
use crate::problems;
use crate::texts::fit;
use crate::tokens::fresh_secret;

/// The longest label, as it stands in an event.
const MAX_LABEL: usize = 100;

/// The longest principal.
const MAX_PRINCIPAL: usize = 100;

/// The most projects of one token: they stand in one event.
const MAX_PROJECTS: usize = 50;

/// What a principal of a token begins with. Others are names of the control plane itself and of running agents.
const PRINCIPALS: [&str; 3] = ["user:", "runner:", "service:"];

impl Engine {
    /// Makes a token. Its secret is in the answer and nowhere else.
    pub async fn create_token(
        &self,
        caller: &Caller,
        request: CreateToken,
    ) -> Result<CreatedToken, Problem> {
        Self::allow(caller, Scope::Admin)?;
        let now = self.clock.now();
        if request.label.trim().is_empty() {
            return Err(problems::field("label", "says nothing"));
        }
        if request.expires_at.is_some_and(|at| at <= now) {
            return Err(problems::field("expires_at", "is past"));
        }
        may_give_scopes(caller, &request.scopes)?;
        may_give_projects(caller, request.projects.as_ref())?;
        let principal = match request.principal {
            Some(principal) => checked(principal)?,
            None => principal_for(&request.label, &request.scopes),
        };
        let secret = fresh_secret()?;
        let id = TokenId::mint(&*self.clock, &*self.entropy);
        let command = ServerCommand::CreateToken(TokenCreated {
            id,
            label: fit(request.label.trim(), MAX_LABEL),
            principal,
            secret: Sha256Digest::of(secret.as_bytes()),
            scopes: request
                .scopes
                .iter()
                .map(|scope| scope.as_str().to_owned())
                .collect(),
            projects: request.projects,
            expires_at: request.expires_at,
        });
        let view = self.change_server(caller, command).await?;
        self.hints.send(Hint::Tokens);
        let record = view.state.tokens.get(&id);
        let record = record.ok_or_else(|| no_token(id))?;
        Ok(CreatedToken {
            token: self.shown(record),
            secret,
        })
    }

    /// Takes a token back: from the answer on it opens nothing. Repeating it changes nothing.
    pub async fn revoke_token(&self, caller: &Caller, id: TokenId) -> Result<TokenView, Problem> {
        Self::allow(caller, Scope::Admin)?;
        let view = self.known.view().await?;
        view.state
            .tokens
            .get(&id)
            .filter(|record| is_visible(caller, record))
            .ok_or_else(|| no_token(id))?;
        let command = ServerCommand::RevokeToken { id };
        let view = self.change_server(caller, command).await?;
        self.hints.send(Hint::Tokens);
        let record = view.state.tokens.get(&id);
        record
            .map(|record| self.shown(record))
            .ok_or_else(|| no_token(id))
    }

    /// The tokens there are, newest first, without their secrets.
    pub async fn list_tokens(&self, caller: &Caller) -> Result<TokenList, Problem> {
        Self::allow(caller, Scope::Admin)?;
        let view = self.known.view().await?;
        let mut items: Vec<TokenView> = view
            .state
            .tokens
            .values()
            .filter(|record| is_visible(caller, record))
            .map(|record| self.shown(record))
            .collect();
        items.sort_by_key(|token| std::cmp::Reverse((token.created_at, token.id)));
        Ok(TokenList { items })
    }

    fn shown(&self, record: &TokenRecord) -> TokenView {
        let created = &record.created;
        TokenView {
            id: created.id,
            label: created.label.clone(),
            principal: created.principal.clone(),
            scopes: created
                .scopes
                .iter()
                .filter_map(|name| Scope::parse(name))
                .collect(),
            projects: created.projects.clone(),
            expires_at: created.expires_at,
            created_at: record.created_at,
            status: record.status(self.clock.now()),
        }
    }
}

/// Nobody gives what they do not have. The owner of the data directory has everything but the voice of an agent, which nobody gives.
fn may_give_scopes(caller: &Caller, scopes: &BTreeSet<Scope>) -> Result<(), Problem> {
    if scopes.is_empty() {
        return Err(problems::field("scopes", "names none"));
    }
    let beyond: Vec<&str> = scopes
        .iter()
        .filter(|scope| **scope == Scope::Agent || !(caller.may(**scope) || is_owner(caller)))
        .map(|scope| scope.as_str())
        .collect();
    if beyond.is_empty() {
        return Ok(());
    }
    Err(Problem::new(
        ProblemCode::Forbidden,
        "scope_missing",
        format!(
            "the caller cannot give the scope `{}`",
            beyond.join("` or `")
        ),
        "leave it out; `agent` belongs to running agents alone, anything else is given by whoever has it",
    ))
}

fn may_give_projects(
    caller: &Caller,
    projects: Option<&BTreeSet<ProjectId>>,
) -> Result<(), Problem> {
    if projects.is_some_and(|projects| projects.is_empty() || projects.len() > MAX_PROJECTS) {
        return Err(problems::field(
            "projects",
            format_args!("has to name 1 to {MAX_PROJECTS}, or be left out"),
        ));
    }
    match (&caller.projects, projects) {
        (None, _) => Ok(()),
        (Some(own), Some(given)) => match given.difference(own).next() {
            None => Ok(()),
            Some(foreign) => Err(problems::foreign_project(*foreign)),
        },
        (Some(_), None) => Err(Problem::new(
            ProblemCode::Forbidden,
            "project_forbidden",
            "the caller does not see every project, so neither may the token",
            "name the projects",
        )),
    }
}

fn is_visible(caller: &Caller, record: &TokenRecord) -> bool {
    match (&caller.projects, &record.created.projects) {
        (None, _) => true,
        (Some(own), Some(projects)) => projects.is_subset(own),
        (Some(_), None) => false,
    }
}

fn checked(principal: String) -> Result<String, Problem> {
    let name = PRINCIPALS
        .iter()
        .find_map(|prefix| principal.strip_prefix(prefix));
    let sound = name.is_some_and(|name| !name.is_empty())
        && principal.len() <= MAX_PRINCIPAL
        && principal
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"._@:+-".contains(&byte));
    if sound {
        Ok(principal)
    } else {
        Err(problems::field(
            "principal",
            format_args!(
                "has to be {} and a name of letters, digits and ._@:+-",
                PRINCIPALS.join(", ")
            ),
        ))
    }
}

fn principal_for(label: &str, scopes: &BTreeSet<Scope>) -> String {
    let kind = if scopes.contains(&Scope::Runner) {
        "runner"
    } else {
        "user"
    };
    let name: String = label
        .trim()
        .chars()
        .map(|character| {
            if character.is_ascii_alphanumeric() || "._@+-".contains(character) {
                character.to_ascii_lowercase()
            } else {
                '-'
            }
        })
        .take(60)
        .collect();
    format!("{kind}:{name}")
}

fn no_token(id: TokenId) -> Problem {
    Problem::new(
        ProblemCode::NotFound,
        "token_not_found",
        format!("there is no {id}"),
        "list what there is with `dogwatch token list`",
    )
}
