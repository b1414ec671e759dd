//! The task behind a stream.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::Response;
use axum::http::header::{CONTENT_TYPE, HeaderValue};
use tokio::sync::mpsc::Sender;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use super::body::fed;
use super::frame;
use super::source::Source;
use crate::app::App;
use crate::auth;
use crate::exchange::Who;
use crate::problem::HttpProblem;
use crate::problem_codes::{REQUEST_TIMEOUT, SERVER_STOPPING};
use crate::route::Access;

/// Events that are asked for at once.
const BATCH: usize = 256;

/// How long the last event may wait for a client that reads slowly.
const LAST_WORD: Duration = Duration::from_millis(250);

/// What has to stay true for a stream to go on.
pub(crate) struct Watch {
    pub(crate) app: Arc<App>,
    pub(crate) who: Option<Who>,
    pub(crate) access: Access,
}

/// Answers with the events of a source.
pub(crate) fn respond(
    watch: Watch,
    source: Box<dyn Source>,
    after: Option<String>,
) -> Response<Body> {
    let (sender, body) = fed();
    tokio::spawn(run(watch, source, after, sender));
    let mut response = Response::new(Body::new(body));
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    response
}

async fn run(watch: Watch, mut source: Box<dyn Source>, after: Option<String>, to: Sender<Bytes>) {
    let _open = watch.app.metrics.stream();
    let keep_alive = watch.app.limits.keep_alive;
    let reason = tokio::select! {
        biased;
        () = to.closed() => return,
        problem = broken(&watch) => Some(problem.code().to_owned()),
        reason = pump(&mut *source, after, &to, keep_alive) => reason,
    };
    if let Some(reason) = reason {
        let _ = timeout(LAST_WORD, to.send(frame::end(&reason))).await;
    }
}

/// Resolves when a stream has to end whatever it has to say, or a request that waits: its token is no longer good, or the server is stopping.
pub(crate) async fn broken(watch: &Watch) -> HttpProblem {
    let mut looks = interval(watch.app.limits.recheck);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            biased;
            () = watch.app.stopping.begun() => return SERVER_STOPPING.because("the server is stopping"),
            _ = looks.tick() => {
                // A look that cannot be made in time is no permission either.
                match timeout(watch.app.limits.recheck, look(watch)).await {
                    Ok(Ok(())) => {}
                    Ok(Err(problem)) => return problem,
                    Err(_) => return REQUEST_TIMEOUT.because("the token could not be looked up in time"),
                }
            }
        }
    }
}

async fn look(watch: &Watch) -> Result<(), HttpProblem> {
    let Some(who) = &watch.who else {
        return Ok(());
    };
    let caller = who.credential.caller(&*watch.app.tokens).await?;
    auth::authorise(&caller, watch.access)
}

/// Sends what there is, and waits for more, until the source ends.
async fn pump(
    source: &mut dyn Source,
    mut cursor: Option<String>,
    to: &Sender<Bytes>,
    keep_alive: Duration,
) -> Option<String> {
    to.send(frame::opening()).await.ok()?;
    loop {
        let batch = match source.after(cursor.as_deref(), BATCH).await {
            Ok(batch) => batch,
            Err(problem) => return Some(problem.code().to_owned()),
        };
        for item in &batch.items {
            to.send(frame::event(item)).await.ok()?;
            if item.cursor.is_some() {
                cursor.clone_from(&item.cursor);
            }
        }
        if let Some(reason) = batch.ended {
            return Some(reason.to_owned());
        }
        if batch.more {
            continue;
        }
        let mut changed = source.changed();
        loop {
            tokio::select! {
                () = &mut changed => break,
                () = sleep(keep_alive) => to.send(frame::keep_alive()).await.ok()?,
            }
        }
    }
}
