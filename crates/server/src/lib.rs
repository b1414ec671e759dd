//! The control API over HTTP: routes, authentication, streams.
