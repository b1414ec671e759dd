//! The way of a job with nothing but requests, as the OpenAPI document describes them.

use dogwatch_api::{AppendOutput, ControlPlane as _, OutputStream, Scope};
use serde_json::json;

use crate::bench::{Bench, Done, MARK};

#[tokio::test(flavor = "multi_thread")]
async fn a_job_is_asked_for_run_and_called_off() {
    let bench = Bench::new().await;
    let token = bench.everything().await;
    let body = serde_json::to_value(bench.submit()).unwrap();
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let headers = format!("idempotency-key: once\r\ntraceparent: {trace}\r\n");
    let first = bench
        .post_with("/v1/jobs", &token, &headers, &body)
        .await
        .json();
    let again = bench
        .post_with("/v1/jobs", &token, &headers, &body)
        .await
        .json();
    assert_eq!(first["job_id"], again["job_id"]);
    assert_eq!(
        (&first["replayed"], &again["replayed"]),
        (&json!(false), &json!(true))
    );
    let mut other = body.clone();
    other["priority"] = json!(7);
    let conflict = bench
        .post_with("/v1/jobs", &token, "idempotency-key: once\r\n", &other)
        .await;
    assert_eq!(
        (conflict.status, conflict.code().as_str()),
        (409, "idempotency_conflict")
    );
    let job = first["job_id"].as_str().unwrap().to_owned();
    let shown = bench.get(&format!("/v1/jobs/{job}"), &token).await;
    assert!(shown.body.contains(MARK), "{shown:?}");
    let events = bench.get(&format!("/v1/events?job={job}"), &token).await;
    assert!(events.body.contains(trace), "the trace is kept: {events:?}");

    let sync = serde_json::to_value(bench.sync()).unwrap();
    bench.post("/v1/runner/sync", &token, &sync).await.json();
    let claim = serde_json::to_value(bench.claim(None)).unwrap();
    let claimed = bench
        .post("/v1/runner/jobs/claim", &token, &claim)
        .await
        .json();
    let same = bench
        .post("/v1/runner/jobs/claim", &token, &claim)
        .await
        .json();
    assert_eq!(claimed["jobs"][0]["lease"], same["jobs"][0]["lease"]);
    let lease = &claimed["jobs"][0]["lease"];
    let held = json!({"job": job, "lease": lease["id"], "epoch": lease["epoch"]});
    let run = dogwatch_core::ids::RunId::mint(&bench.clock, &*bench.entropy).to_string();
    let start = json!({"held": held, "run": run, "start_from": "base"});
    let started = bench
        .post(&format!("/v1/runner/jobs/{job}/start"), &token, &start)
        .await
        .json();
    let agent = started["token"].as_str().unwrap().to_owned();
    // A job stands for its latest run.
    let detail = bench.get(&format!("/v1/runs/{job}"), &token).await.json();
    assert_eq!(detail["id"], json!(run));
    assert_eq!(
        bench.get(&format!("/v1/runs/{run}"), &agent).await.json()["id"],
        json!(run)
    );

    let heartbeat = json!({"machine": bench.machine, "leases": [held]});
    let directives = bench
        .post("/v1/runner/heartbeat", &token, &heartbeat)
        .await
        .json();
    assert_eq!(
        directives["leases"][0]["directive"]["directive"],
        "continue"
    );
    let mut stale = held.clone();
    stale["epoch"] = json!(99);
    let message = json!({"held": stale, "run": run, "topic": "progress", "text": "half way"});
    let refused = bench
        .post(&format!("/v1/runner/jobs/{job}/messages"), &token, &message)
        .await;
    assert_eq!(
        (refused.status, refused.code().as_str()),
        (409, "lease_lost")
    );
    let message = json!({"held": held, "run": run, "topic": "progress", "text": "half way"});
    assert_eq!(
        bench
            .post(&format!("/v1/runner/jobs/{job}/messages"), &agent, &message)
            .await
            .status,
        204
    );

    let reason = json!({"reason": "enough"});
    let cancelled = bench
        .post(&format!("/v1/jobs/{job}/cancel"), &token, &reason)
        .await
        .json();
    assert_eq!(cancelled["id"], json!(job));
    let directives = bench
        .post("/v1/runner/heartbeat", &token, &heartbeat)
        .await
        .json();
    assert_eq!(directives["leases"][0]["directive"]["directive"], "cancel");
    let why = bench.get(&format!("/v1/why/{job}"), &token).await.json();
    assert!(!why["causes"].as_array().unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn output_is_mirrored_by_offset() {
    let bench = Bench::new().await;
    let token = bench.everything().await;
    let running = bench.running().await;
    let job = running.held.job;
    let path = format!("/v1/runner/jobs/{job}/logs");
    let piece = |offset, bytes: &[u8]| {
        let request = AppendOutput {
            held: running.held,
            run: running.run,
            turn: 1,
            stream: OutputStream::Stdout,
            offset,
            bytes: bytes.to_vec(),
        };
        serde_json::to_value(request).unwrap()
    };
    let next = bench.post(&path, &token, &piece(0, b"hello ")).await.json();
    assert_eq!(next["next_offset"], 6);
    // Once more is no more, and a gap says where to go on.
    let next = bench.post(&path, &token, &piece(0, b"hello ")).await.json();
    assert_eq!(next["next_offset"], 6);
    let gap = bench.post(&path, &token, &piece(9, b"late")).await;
    assert_eq!((gap.status, gap.code().as_str()), (409, "log_gap"));
    let document: serde_json::Value = serde_json::from_str(&gap.body).unwrap();
    assert_eq!(document["facts"]["expected"], 6);
    bench.post(&path, &token, &piece(6, b"world")).await.json();
    let run = running.run;
    let read = bench
        .get(&format!("/v1/runs/{run}/logs/1/stdout?offset=6"), &token)
        .await
        .json();
    assert_eq!(
        (&read["offset"], &read["length"], &read["bytes"]),
        (&json!(6), &json!(11), &json!("d29ybGQ="))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn payloads_are_kept_by_digest() {
    let bench = Bench::new().await;
    let (_, submitter) = bench.token(&[Scope::Submit], None, None).await;
    let (_, reader) = bench.token(&[Scope::Read], None, None).await;
    let digest = dogwatch_core::Sha256Digest::of(b"payload");
    let put = |token: &str| {
        let head = bench.head(&format!("PUT /v1/blobs/{digest}"), token);
        format!("{head}content-type: application/octet-stream\r\ncontent-length: 7\r\n\r\npayload")
    };
    assert_eq!(bench.ask(put(&reader)).await.code(), "scope_missing");
    for _ in 0..2 {
        assert_eq!(bench.ask(put(&submitter)).await.status, 204);
    }
    let got = bench.get(&format!("/v1/blobs/{digest}"), &reader).await;
    assert_eq!((got.status, got.body.as_str()), (200, "payload"));
    assert!(
        got.head.contains("content-type: application/octet-stream"),
        "{got:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_server_tells_of_itself() {
    let bench = Bench::new().await;
    let token = bench.everything().await;
    assert_eq!(
        bench.get("/healthz", "").await.json(),
        json!({"status": "ok"})
    );
    assert_eq!(
        bench.get("/readyz", "").await.json(),
        json!({"status": "ok"})
    );
    assert_eq!(
        bench.get("/v1/openapi.json", "").await.json(),
        dogwatch_server::document()
    );
    let metrics = bench.get("/metrics", &token).await;
    assert!(
        metrics.head.contains("application/openmetrics-text"),
        "{metrics:?}"
    );
    let line = "dogwatch_http_requests_total{method=\"GET\",route=\"/healthz\",status=\"200\"} 1";
    assert!(metrics.body.contains(line), "{metrics:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn counters_are_read_off_the_control_log() {
    let bench = Bench::new().await;
    let (_, reader) = bench.token(&[Scope::Read], None, None).await;
    let (_, bound) = bench.token(&[Scope::Read], Some(bench.project), None).await;
    assert_eq!(
        bench.get("/metrics", &bound).await.code(),
        "project_forbidden"
    );
    bench.owner().submit(bench.submit()).await.unwrap();
    let has = async |line: &str| {
        let metrics = bench.get("/metrics", &reader).await;
        assert!(
            metrics.body.lines().any(|it| it == line),
            "{line}: {metrics:?}"
        );
    };
    has("dogwatch_tasks{state=\"queued\"} 1").await;
    bench.clock.advance(std::time::Duration::from_secs(3));
    let running = bench.running().await;
    has("dogwatch_tasks{state=\"running\"} 1").await;
    has("dogwatch_tasks{state=\"queued\"} 1").await;
    has("dogwatch_queue_wait_seconds_count 1").await;
    has("dogwatch_approvals_pending 0").await;
    has("dogwatch_policy_decisions_total{decision=\"allow\",rule=\"builtin:allow-all@1\"} 3").await;
    // A write under an epoch that is over.
    let runner = bench.everything().await;
    let mut held = serde_json::to_value(running.held).unwrap();
    held["epoch"] = json!(9);
    let late = json!({"held": held, "reason": "late"});
    let path = format!("/v1/runner/jobs/{}/release", running.held.job);
    assert_eq!(bench.post(&path, &runner, &late).await.code(), "lease_lost");
    has("dogwatch_fenced_writes_total 1").await;
    has("dogwatch_lease_expirations_total 0").await;
}
