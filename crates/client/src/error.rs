//! Why there is no client.

/// Why a client could not be made. Nothing was sent.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The token cannot be one.
    #[error("the token is empty, or holds something other than printable ASCII")]
    Token,
    /// The address cannot be one.
    #[error("the server's address cannot be used: {reason}")]
    Url {
        /// Why.
        reason: &'static str,
    },
    /// The token would cross a network in plain text.
    #[error("http:// is for this machine only: everyone on the way could read the token")]
    PlainText,
    /// TLS or the HTTP client could not be set up.
    #[error("the HTTP client cannot be set up")]
    Setup(#[source] reqwest::Error),
}

impl ConnectError {
    /// The stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Token => "token_malformed",
            Self::Url { .. } => "server_target",
            Self::PlainText => "server_plain_text",
            Self::Setup(_) => "server_tls",
        }
    }
}
