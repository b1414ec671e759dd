//! The way of every request, whatever its route: logged, guarded, and answered even when something breaks.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderName, HeaderValue, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{Request, Response};
use axum::response::IntoResponse;
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;

use crate::access_log::{Entry, Logged};
use crate::app::App;
use crate::catch;
use crate::guard::{self, Door};
use crate::problem::HttpProblem;
use crate::problem_codes::INTERNAL_ERROR;

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What stands in every answer that does not say otherwise: answers are for programs, and nobody's to keep or to show.
const HEADERS: [(HeaderName, HeaderValue); 5] = [
    (CACHE_CONTROL, HeaderValue::from_static("no-store")),
    (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (
        CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"),
    ),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        HeaderValue::from_static("same-origin"),
    ),
];

/// Answers requests.
#[derive(Clone)]
pub(crate) struct Pipeline {
    app: Arc<App>,
    router: TowerToHyperService<Router>,
}

impl std::fmt::Debug for Pipeline {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Pipeline(..)")
    }
}

impl Pipeline {
    pub(crate) fn new(app: Arc<App>, router: Router) -> Self {
        Self {
            app,
            router: TowerToHyperService::new(router),
        }
    }

    pub(crate) fn app(&self) -> &App {
        &self.app
    }

    /// Answers a request that came in through `door`.
    pub(crate) async fn answer<B>(&self, door: &Door, request: Request<B>) -> Response<Body>
    where
        B: axum::body::HttpBody<Data = axum::body::Bytes> + Send + 'static,
        B::Error: Into<axum::BoxError>,
    {
        let (mut parts, body) = request.into_parts();
        let entry = Entry::begin(&self.app, door, parts.method.as_str(), &parts.headers);
        parts.extensions.insert(entry.clone());
        let answer = async {
            guard::check(&parts, door, &self.app.hosts, &self.app.limits)?;
            let request = Request::from_parts(parts, Body::new(body));
            let Ok(response) = self.router.call(request).await;
            Ok::<_, HttpProblem>(response)
        };
        let mut response = match catch::panics(answer).await {
            Ok(Ok(response)) => response,
            Ok(Err(problem)) => IntoResponse::into_response(problem),
            Err(panic) => {
                entry.broke(&panic);
                INTERNAL_ERROR
                    .because("something is broken in the server")
                    .into_response()
            }
        };
        let headers = response.headers_mut();
        for (name, value) in HEADERS {
            headers.entry(name).or_insert(value);
        }
        headers.insert(X_REQUEST_ID, entry.id_header());
        entry.answered(&response);
        response.map(|body| Body::new(Logged::new(body, entry)))
    }
}
