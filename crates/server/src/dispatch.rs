//! From a path of the table to its handler.

use std::panic::resume_unwind;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{FromRequestParts, RawPathParams};
use axum::http::header::{ALLOW, HeaderValue};
use axum::http::{Request, Response};
use axum::response::IntoResponse;
use axum::routing::any;
use tokio::time::timeout;

use crate::access_log::Entry;
use crate::app::App;
use crate::auth::{self, Credential};
use crate::body;
use crate::exchange::{Exchange, Who};
use crate::guard;
use crate::problem::HttpProblem;
use crate::problem_codes::{
    INTERNAL_ERROR, METHOD_NOT_ALLOWED, PATH_INVALID, QUERY_INVALID, REQUEST_TIMEOUT,
    ROUTE_NOT_FOUND, SERVER_STOPPING,
};
use crate::reply::Reply;
use crate::route::{Access, Route};
use crate::sse;
use crate::trace::TraceParent;

/// The most that a route which waits may add to the usual time.
const LONGEST_WAIT: Duration = Duration::from_secs(90);

/// The routes of one path.
type Siblings = Arc<[&'static Route]>;

/// The router over a table, with the routes that stand beside it.
pub(crate) fn router(
    app: &Arc<App>,
    table: impl Iterator<Item = &'static Route>,
    extra: Option<Router>,
) -> Router {
    let mut paths: Vec<(&'static str, Vec<&'static Route>)> = Vec::new();
    for route in table {
        match paths.iter_mut().find(|(path, _)| *path == route.path) {
            Some((_, routes)) => routes.push(route),
            None => paths.push((route.path, vec![route])),
        }
    }
    let mut router = extra.unwrap_or_default();
    for (path, routes) in paths {
        let (app, siblings) = (app.clone(), Siblings::from(routes));
        let handler = move |request: Request<Body>| dispatch(app, siblings, request);
        router = router.route(path, any(handler));
    }
    router.fallback(|| async {
        ROUTE_NOT_FOUND
            .because("there is no such route")
            .into_response()
    })
}

async fn dispatch(app: Arc<App>, siblings: Siblings, request: Request<Body>) -> Response<Body> {
    answer(app, &siblings, request)
        .await
        .unwrap_or_else(IntoResponse::into_response)
}

async fn answer(
    app: Arc<App>,
    siblings: &Siblings,
    request: Request<Body>,
) -> Result<Response<Body>, HttpProblem> {
    let (mut parts, sent) = request.into_parts();
    let entry = parts.extensions.remove::<Arc<Entry>>();
    let parameters = RawPathParams::from_request_parts(&mut parts, &())
        .await
        .map_err(|_| PATH_INVALID.because("the path is not well-formed text"))?;
    let parameters = parameters
        .iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let route = chosen(siblings, parts.method.as_str())?;
    if let Some(entry) = &entry {
        entry.found(route);
    }
    guard::check_content(&parts.headers, route.payload)?;
    let who = match route.access {
        Access::Public => None,
        Access::AnyOf(_) => {
            let credential = Credential::of(&parts.headers)?;
            let caller = credential.caller(&*app.tokens).await?;
            if let Some(entry) = &entry {
                entry.made_by(&caller);
            }
            auth::authorise(&caller, route.access)?;
            Some(Who { caller, credential })
        }
    };
    // What nobody reads is a mistake, or a token where none belongs.
    if route.query.is_none() && parts.uri.query().is_some_and(|query| !query.is_empty()) {
        return Err(QUERY_INVALID.because("this route takes no parameters"));
    }
    let content = body::receive(route.payload, sent, &app.limits).await?;
    let exchange = Exchange {
        app: app.clone(),
        who: who.clone(),
        parameters,
        uri: parts.uri,
        trace: TraceParent::of(&parts.headers),
        headers: parts.headers,
        content,
    };
    let watch = sse::Watch {
        app: app.clone(),
        who,
        access: route.access,
    };
    match handled(&watch, route, exchange).await? {
        Reply::Whole(response) => Ok(response),
        Reply::Events { source, after } => Ok(sse::respond(watch, source, after)),
    }
}

fn chosen(siblings: &Siblings, method: &str) -> Result<&'static Route, HttpProblem> {
    if let Some(route) = siblings.iter().find(|route| route.verb.as_str() == method) {
        return Ok(route);
    }
    let verbs: Vec<_> = siblings.iter().map(|route| route.verb.as_str()).collect();
    let verbs = verbs.join(", ");
    let allow = HeaderValue::from_str(&verbs)
        .map_err(|_| INTERNAL_ERROR.because("the methods of the path cannot be listed"))?;
    Err(METHOD_NOT_ALLOWED
        .because(format!("this path is for {verbs}"))
        .with(ALLOW, allow))
}

/// Runs the handler within its time. What changes something has a task of its own, so that neither a client that hangs up nor the time
/// limit leaves it half done.
async fn handled(
    watch: &sse::Watch,
    route: &Route,
    exchange: Exchange,
) -> Result<Reply, HttpProblem> {
    let app = &watch.app;
    let limit = app.limits.request_time;
    let work = (route.handler)(exchange);
    if route.waits {
        // Nobody is there to use what a client waited for that hung up, or whose token was revoked meanwhile.
        return tokio::select! {
            biased;
            problem = sse::broken(watch) => Err(problem),
            done = timeout(limit + LONGEST_WAIT, work) => done.unwrap_or_else(|_| Err(late())),
        };
    }
    if !route.mutation {
        return timeout(limit, work).await.unwrap_or_else(|_| Err(late()));
    }
    let Some(unfinished) = app.unfinished.hold() else {
        return Err(SERVER_STOPPING.because("the server is stopping"));
    };
    let task = tokio::spawn(async move {
        let done = work.await;
        drop(unfinished);
        done
    });
    match timeout(limit, task).await {
        Err(_) => Err(late()),
        Ok(Ok(done)) => done,
        Ok(Err(failed)) => match failed.try_into_panic() {
            Ok(panic) => resume_unwind(panic),
            Err(_) => Err(SERVER_STOPPING.because("the server is stopping")),
        },
    }
}

fn late() -> HttpProblem {
    REQUEST_TIMEOUT.because("the request was not done in time")
}
