//! The token is in the one header it belongs to, and nowhere else.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use dogwatch_api::{ControlPlane as _, ListEvents};
use tracing_subscriber::fmt::MakeWriter;

use crate::scripted_server::{Act, ScriptedServer, nobody};

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// With every library's log at its most talkative.
#[tokio::test]
async fn a_token_is_in_no_output_no_error_and_no_log() {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing_subscriber::filter::LevelFilter::TRACE)
        .with_writer(log.clone())
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);

    let directory = tempfile::tempdir().unwrap();
    let mut shown = Vec::new();
    let missing = crate::scripted_server::client(&nobody(directory.path()));
    for act in [
        Act::HangUp,
        Act::json("nonsense"),
        Act::problem("401 Unauthorized", r#"{"code":"token_unknown"}"#),
        Act::events("data: nonsense\n\n"),
    ] {
        let server = ScriptedServer::tcp([act]).await;
        for client in [server.client(), missing.clone()] {
            shown.push(format!("{client:?}"));
            let problem = client.list_runners().await.unwrap_err();
            shown.push(format!("{problem:?} {problem}"));
            if let Err(problem) = client.events(ListEvents::default()).await {
                shown.push(format!("{problem:?}"));
            }
        }
        let authorization = server.seen()[0].header("authorization").map(str::to_owned);
        assert_eq!(authorization.as_deref(), Some("Bearer hidden-token"));
        assert!(!server.seen()[0].line.contains("hidden"));
    }
    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(log.contains("the call is repeated"), "the log is read");
    assert!(!log.contains("hidden-token"));
    for text in shown {
        assert!(!text.contains("hidden-token"), "{text}");
    }
}
