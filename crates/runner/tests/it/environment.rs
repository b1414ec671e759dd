//! What an agent is given, and what nobody else gets.

use std::fs;

use dogwatch_api::ControlPlane;
use dogwatch_core::Sha256Digest;
use dogwatch_core::job::JobStatus;
use serde_json::json;

use crate::bench::{Bench, files_below};

const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

#[tokio::test(flavor = "multi_thread")]
async fn the_agent_gets_endpoint_token_trace_and_payload() {
    let bench = Bench::new(
        r#"
        cp "$DOGWATCH_CONTEXT_FILE" context.txt
        case "$DOGWATCH_CONTEXT_FILE" in "$DOGWATCH_WORKSPACE"/*) exit 5 ;; esac
        stat -c %a "$DOGWATCH_CONTEXT_FILE" > mode.txt
        echo "$TRACEPARENT" > trace.txt
        echo "$DOGWATCH_ENDPOINT" > endpoint.txt
        echo "$DOGWATCH_JOB_ID" > job.txt
        printf %s "$DOGWATCH_TOKEN" > "$M/token"
        respond done"#,
    );
    let payload = b"a payload that is not for the contract\n".to_vec();
    let digest = Sha256Digest::of(&payload);
    bench
        .user()
        .put_blob(digest, payload.clone())
        .await
        .unwrap();
    let mut request = bench.request(json!({}));
    request.context = Some(digest);
    request.trace = Some(TRACE.to_owned());
    let job = bench.user().submit(request).await.unwrap().job_id;
    let working = bench.work();
    let done = bench.job_in(job, JobStatus::Succeeded).await;
    working.drain().await;

    let run = &done.runs[0];
    let tree = run.closed.as_ref().unwrap().tree.clone().unwrap();
    let file = |name| bench.file_in(&tree, name).unwrap();
    assert_eq!(file("context.txt").as_bytes(), payload);
    assert_eq!(file("mode.txt"), "400\n");
    // The trace is the one that was given; the step in it may be the server's own.
    assert_eq!(file("trace.txt")[3..35], TRACE[3..35]);
    assert_eq!(file("endpoint.txt"), "unix:/run/agent.sock\n");
    assert_eq!(file("job.txt").trim(), job.to_string());

    let token = fs::read(bench.meeting("token")).unwrap();
    assert!(token.len() > 20, "there is a token");
    let files = files_below(bench.layout.root());
    assert!(files.len() > 10);
    for file in files {
        let bytes = fs::read(&file).unwrap();
        let found = bytes.windows(token.len()).any(|window| window == token);
        assert!(!found, "the token stands in {}", file.display());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payload_that_is_gone_fails_the_run_before_its_agent_starts() {
    let bench = Bench::new("touch \"$M/ran\"; respond done");
    let payload = b"soon gone".to_vec();
    let digest = Sha256Digest::of(&payload);
    bench.user().put_blob(digest, payload).await.unwrap();
    let mut request = bench.request(json!({}));
    request.context = Some(digest);
    let job = bench.user().submit(request).await.unwrap().job_id;
    for blob in files_below(&bench.meeting("").join("../blobs")) {
        fs::remove_file(blob).unwrap();
    }
    let working = bench.work();
    let failed = bench.job_in(job, JobStatus::Failed).await;
    working.drain().await;
    assert_eq!(failed.state.failure().unwrap().code, "blob_not_found");
    assert!(!bench.meeting("ran").exists());
}
