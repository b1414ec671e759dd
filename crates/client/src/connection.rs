//! Sends requests, again where that is harmless.

use std::fmt;
use std::time::Duration;

use backon::{ExponentialBuilder, Retryable as _};
use dogwatch_api::Problem;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE};
use reqwest::{Response, Url, redirect, retry};
use serde::de::DeserializeOwned;

use crate::answer::{Again, Failure, decode, read, successful};
use crate::call::{Body, Call, Twice};
use crate::target::is_loopback;
use crate::tls::install_provider;
use crate::{ConnectError, Options, Target, Token};

/// A server, and how to talk to it.
pub(crate) struct Connection {
    http: reqwest::Client,
    base: Url,
    /// The target, for messages.
    pub(crate) server: String,
    token: Token,
    pub(crate) options: Options,
}

/// The HTTP client's own output would show more than anyone needs.
impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("server", &self.server)
            .field("token", &self.token)
            .finish_non_exhaustive()
    }
}

impl Connection {
    pub(crate) fn new(
        target: &Target,
        token: Token,
        options: Options,
    ) -> Result<Self, ConnectError> {
        let base = target.base()?;
        if target.is_overheard() && !options.plain_text {
            return Err(ConnectError::PlainText);
        }
        install_provider();
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("dogwatch/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(options.connect_time)
            // The token is for this server and for no other one.
            .redirect(redirect::Policy::none())
            .referer(false)
            // What may be repeated is known here alone.
            .retry(retry::never())
            .http1_only()
            // Well before the server hangs up: what is sent just then may be lost.
            .pool_idle_timeout(Duration::from_secs(15));
        if base.scheme() == "http" {
            // No certificate will be looked at, so none are read from the disk.
            builder = builder.tls_certs_only([]);
        }
        if is_loopback(&base) {
            // A proxy would see the token, and would look for the server on its own machine.
            builder = builder.no_proxy();
        }
        if let Target::Unix(path) = target {
            builder = builder.unix_socket(path.clone());
        }
        Ok(Self {
            http: builder.build().map_err(ConnectError::Setup)?,
            base,
            server: target.to_string(),
            token,
            options,
        })
    }

    /// The answer as a document.
    pub(crate) async fn document<T: DeserializeOwned>(&self, call: Call) -> Result<T, Problem> {
        decode(&self.bytes(call).await?, &self.server)
    }

    /// No answer but that it was done.
    pub(crate) async fn done(&self, call: Call) -> Result<(), Problem> {
        self.bytes(call).await.map(drop)
    }

    /// The answer as bytes.
    pub(crate) async fn bytes(&self, call: Call) -> Result<Vec<u8>, Problem> {
        let pauses = ExponentialBuilder::default()
            .with_min_delay(self.options.first_pause)
            .with_max_delay(self.options.longest_pause)
            .with_max_times(self.options.repeats)
            .with_jitter();
        (|| self.once(&call))
            .retry(pauses)
            .when(|failure: &Failure| match failure.again {
                Again::No => false,
                Again::IfHarmless => call.twice == Twice::Same,
                Again::Yes => true,
            })
            .notify(|failure, pause| {
                tracing::debug!(code = failure.problem.code, ?pause, "the call is repeated");
            })
            .await
            .map_err(|failure| failure.problem)
    }

    async fn once(&self, call: &Call) -> Result<Vec<u8>, Failure> {
        let request = self
            .request(call)
            .timeout(call.waits.saturating_add(self.options.answer_time));
        let response = self.send(request).await?;
        read(response, call.most, &self.server).await
    }

    /// The beginning of an answer that has no end.
    pub(crate) async fn open(&self, call: &Call) -> Result<Response, Failure> {
        let opening = self.send(self.request(call));
        match tokio::time::timeout(self.options.answer_time, opening).await {
            Ok(opened) => opened,
            Err(_) => Err(Failure::silence(&self.server)),
        }
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> Result<Response, Failure> {
        let response = request
            .send()
            .await
            .map_err(|error| Failure::transport(error, &self.server))?;
        successful(response, &self.server).await
    }

    fn request(&self, call: &Call) -> reqwest::RequestBuilder {
        let mut request = self
            .http
            .request(call.method.clone(), call.url(&self.base))
            .header(AUTHORIZATION, self.token.header());
        for (name, value) in &call.headers {
            request = request.header(name, value);
        }
        match &call.body {
            Body::None => request,
            Body::Json(bytes) => request
                .header(CONTENT_TYPE, "application/json")
                .body(bytes.clone()),
            Body::Octets(bytes) => request
                .header(CONTENT_TYPE, "application/octet-stream")
                .body(bytes.clone()),
        }
    }
}
