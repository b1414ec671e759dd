//! What the server says about its requests.

use std::io;
use std::sync::{Arc, Mutex};

use tracing_subscriber::fmt::MakeWriter;

use super::bench::Bench;
use crate::Limits;

#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<u8>>>);

impl Kept {
    fn lines(&self) -> Vec<String> {
        let bytes = self.0.lock().unwrap().clone();
        let text = String::from_utf8(bytes).unwrap();
        text.lines().map(str::to_owned).collect()
    }
}

impl io::Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'w> MakeWriter<'w> for Kept {
    type Writer = Self;

    fn make_writer(&'w self) -> Self {
        self.clone()
    }
}

#[tokio::test]
async fn every_request_is_one_line_and_none_has_a_secret() {
    let kept = Kept::default();
    let subscriber = tracing_subscriber::fmt()
        .with_writer(kept.clone())
        .with_ansi(false)
        .finish();
    // All tasks of this test run on its own thread.
    let _guard = tracing::subscriber::set_default(subscriber);
    let mut bench = Bench::new(Limits::default()).await;
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    for request in [
        format!(
            "{}traceparent: {trace}\r\n\r\n",
            bench.head("GET /open?q=hidden-query")
        ),
        bench.get("/hangs?token=hidden-token"),
        bench.get("/none/hidden-path"),
        bench.get("/panics"),
        bench
            .get("/open")
            .replace("Bearer good", "Bearer hidden-credential"),
        bench
            .get("/hangs")
            .replace("Bearer good", "Bearer hidden-credential"),
        "GET /open HTTP/1.1\r\nhost: hidden-host\r\n\r\n".to_owned(),
        "hidden-nonsense\r\n\r\n".to_owned(),
    ] {
        bench.ask(&request).await;
    }
    bench.stop();
    bench.ended().await;
    let lines = kept.lines();
    let done: Vec<_> = lines
        .iter()
        .filter(|line| line.contains("request.done"))
        .collect();
    assert_eq!(done.len(), 8, "{lines:#?}");
    for (line, words) in done.iter().zip([
        "route=\"/open\" status=400 code=\"query_invalid\"",
        "route=\"/hangs\" status=400 code=\"query_invalid\"",
        "route=\"\" status=404 code=\"route_not_found\"",
        "route=\"/panics\" status=500 code=\"internal_error\"",
        "route=\"/open\" status=204",
        "route=\"/hangs\" status=401 code=\"token_unknown\"",
        "route=\"\" status=403 code=\"host_forbidden\"",
        "route=\"\" status=400 code=\"request_malformed\"",
    ]) {
        assert!(line.contains(words), "{words} in {line}");
        assert!(
            line.contains("lane=\"access\"") && line.contains("request_id=\"req_"),
            "{line}"
        );
    }
    assert!(
        done[0].contains("trace_id=\"4bf92f3577b34da6a3ce929d0e0e4736\""),
        "{}",
        done[0]
    );
    assert!(done[3].contains("principal=\"user:test\""), "{}", done[3]);
    let governance = lines
        .iter()
        .filter(|line| line.contains("lane=\"governance\""));
    assert_eq!(governance.count(), 2, "{lines:#?}");
    assert!(
        lines
            .iter()
            .any(|line| line.contains("request.panicked") && line.contains("a defect"))
    );
    for line in &lines {
        assert!(!line.contains("hidden"), "{line}");
    }
}
