//! Requests that are wrong in every way there is: each gets a problem with a code, nothing changes, and the server lives on.

use dogwatch_core::ids::{JobId, MachineId};
use dogwatch_server::{Payload, Verb, table};

use crate::bench::{Bench, Running};

/// Bodies that are no request of any route, and the codes they are refused with.
fn bodies() -> Vec<(Vec<u8>, &'static [&'static str])> {
    let json: &[&str] = &["json_invalid"];
    let request: &[&str] = &["request_invalid"];
    let deep: &[&str] = &["json_too_deep"];
    let nested = |levels: usize| ("[".repeat(levels) + &"]".repeat(levels)).into_bytes();
    vec![
        (b"".to_vec(), json),
        (b"{".to_vec(), json),
        (b"}".to_vec(), json),
        (b"nul".to_vec(), json),
        (b"{\"a\":}".to_vec(), &["json_invalid", "request_invalid"]),
        (b"{'a': 1}".to_vec(), json),
        (b"\xff\xfe{}".to_vec(), json),
        (b"\0".to_vec(), json),
        (b"\xef\xbb\xbf{}".to_vec(), json),
        (b"{} {}".to_vec(), &["json_invalid", "request_invalid"]),
        (b"[]".to_vec(), request),
        (b"null".to_vec(), request),
        (b"\"text\"".to_vec(), request),
        (b"1e999".to_vec(), &["json_invalid", "request_invalid"]),
        (b"99999999999999999999999999".to_vec(), request),
        (b"{\"no_such_field\": 1}".to_vec(), request),
        (b"{\"held\": {\"job\": \"job_x\"}}".to_vec(), request),
        (b"{\"reason\": 7, \"label\": {}, \"machine\": [], \"verdict\": \"maybe\", \"project\": null}".to_vec(), request),
        (b"{\"job\": \"\\u0000\", \"approval\": \"\", \"token\": \"tok_\", \"claim_id\": \"../..\", \"protocol\": -1}".to_vec(), request),
        (nested(33), deep),
        (nested(64), deep),
        (format!("{{\"a\": {}}}", String::from_utf8(nested(64)).unwrap()).into_bytes(), deep),
        (nested(100_000), deep),
    ]
}

struct Malformed {
    bench: Bench,
    running: Running,
    token: String,
}

impl Malformed {
    fn path(&self, template: &str) -> String {
        let path = template.replace("{job}", &self.running.held.job.to_string());
        let path = path.replace("{run}", &self.running.run.to_string());
        let path = path.replace("{id}", &self.running.run.to_string());
        let path = path.replace("{approval}", &format!("apr_{}", "0".repeat(32)));
        let path = path.replace("{token}", &format!("tok_{}", "0".repeat(32)));
        let path = path.replace("{sha256}", &"0".repeat(64));
        path.replace("{turn}", "1").replace("{stream}", "stdout")
    }

    fn request(&self, line: &str, headers: &str, body: &[u8]) -> Vec<u8> {
        let head = self.bench.head(line, &self.token);
        let length = body.len();
        let mut request = format!("{head}{headers}content-length: {length}\r\n\r\n").into_bytes();
        request.extend_from_slice(body);
        request
    }
}

/// A request and the codes that are right for it.
type Case = (Vec<u8>, Vec<&'static str>);

fn bad_bodies(malformed: &Malformed) -> Vec<Case> {
    let mut cases = Vec::new();
    for route in table() {
        let Payload::Json { .. } = route.payload else {
            continue;
        };
        let line = format!("POST {}", malformed.path(route.path));
        for (body, codes) in bodies() {
            let headers = "content-type: application/json\r\n";
            cases.push((malformed.request(&line, headers, &body), codes.to_vec()));
        }
        for media in [
            "text/plain",
            "application/x-www-form-urlencoded",
            "multipart/form-data; boundary=x",
            "application/xml",
        ] {
            let headers = format!("content-type: {media}\r\n");
            cases.push((
                malformed.request(&line, &headers, b"{}"),
                vec!["content_type_unsupported"],
            ));
        }
        let headers = "content-type: application/json\r\ncontent-encoding: gzip\r\n";
        cases.push((
            malformed.request(&line, headers, b"{}"),
            vec!["content_encoding_unsupported"],
        ));
        let head = malformed.bench.head(&line, &malformed.token);
        let large =
            format!("{head}content-type: application/json\r\ncontent-length: 104857600\r\n\r\n");
        cases.push((large.into_bytes(), vec!["body_too_large"]));
    }
    cases
}

fn bad_paths(malformed: &Malformed) -> Vec<Case> {
    let foreign = MachineId::mint(&malformed.bench.clock, &*malformed.bench.entropy);
    let mut cases = Vec::new();
    for route in table().filter(|route| route.verb == Verb::Get) {
        for (name, absent) in [
            ("job", "job_not_found"),
            ("run", "run_not_found"),
            ("approval", "approval_not_found"),
            ("sha256", "blob_not_found"),
            ("turn", ""),
            ("stream", ""),
        ] {
            let parameter = format!("{{{name}}}");
            if !route.path.contains(&parameter) {
                continue;
            }
            for bad in [
                "x",
                "%00",
                "%ff",
                "%2e%2e%2f",
                "%zz",
                "-1",
                "1.5",
                "job_",
                "job_0",
                "JOB_00000000000000000000000000000000",
                "99999999999999999999",
                "%F0%9F%92%A5",
                &foreign.to_string(),
                &"a".repeat(300),
            ] {
                let path = route.path.replace(&parameter, bad);
                let path = malformed.path(&path);
                let codes = vec!["path_invalid", "query_invalid"];
                cases.push((
                    malformed
                        .bench
                        .head(&format!("GET {path}"), &malformed.token)
                        .into_bytes(),
                    codes,
                ));
            }
            if !absent.is_empty() {
                let unknown = match name {
                    "sha256" => "f".repeat(64),
                    "approval" => format!("apr_{}", "f".repeat(32)),
                    _ => format!("{name}_{}", "f".repeat(32)),
                };
                let path = route.path.replace(&parameter, &unknown);
                let path = malformed.path(&path);
                let codes = vec![absent, "contract_not_found", "bundle_not_found"];
                cases.push((
                    malformed
                        .bench
                        .head(&format!("GET {path}"), &malformed.token)
                        .into_bytes(),
                    codes,
                ));
            }
        }
    }
    for case in &mut cases {
        case.0.extend_from_slice(b"\r\n");
    }
    cases
}

fn bad_queries(malformed: &Malformed) -> Vec<Case> {
    let mut cases = Vec::new();
    for route in table().filter(|route| route.verb == Verb::Get) {
        let queries: &[&str] = match route.query {
            Some(_) => &[
                "no_such=1",
                "limit=x",
                "limit=-1",
                "limit=4294967296",
                "after=x&limit=x",
                "job=x&run=x",
                "project=prj_0&x=1",
                "limit=1&limit=2",
                "%ff=1",
                "=",
                "offset=1e3&x=%00",
            ],
            None => &["a=1", "token=x", "%00", "access_token=x"],
        };
        for query in queries {
            let line = format!("GET {}?{query}", malformed.path(route.path));
            cases.push((malformed.request(&line, "", b""), vec!["query_invalid"]));
        }
    }
    for line in [
        "GET /v1/jobs?cursor=nonsense",
        "GET /v1/runs?cursor=%00",
        "GET /v1/jobs?cursor=-1",
        "GET /v1/approvals?cursor=%F0%9F%92%A5",
    ] {
        cases.push((
            malformed.request(line, "", b""),
            vec!["bad_cursor", "cursor_invalid", "query_invalid"],
        ));
    }
    for line in [
        "GET /v1/jobs?status=none",
        "GET /v1/jobs?status=",
        "GET /v1/approvals?state=maybe,pending",
    ] {
        cases.push((malformed.request(line, "", b""), vec!["query_invalid"]));
    }
    cases
}

fn bad_headers(malformed: &Malformed) -> Vec<Case> {
    let mut cases = Vec::new();
    let run = malformed.running.run;
    for path in [
        "/v1/events/stream".to_owned(),
        format!("/v1/runs/{run}/journal/stream"),
        format!("/v1/runs/{run}/logs/stream"),
    ] {
        for bad in ["x", "-1", "1..2", "99999999999999999999", "\u{e9}"] {
            let headers = format!("last-event-id: {bad}\r\n");
            cases.push((
                malformed.request(&format!("GET {path}"), &headers, b""),
                vec!["header_invalid"],
            ));
        }
    }
    let submit = serde_json::to_string(&malformed.bench.submit()).unwrap();
    for key in ["", &"k".repeat(256), "\u{e9}", "a\r\nidempotency-key: b"] {
        let headers = format!("content-type: application/json\r\nidempotency-key: {key}\r\n");
        cases.push((
            malformed.request("POST /v1/jobs", &headers, submit.as_bytes()),
            vec!["header_invalid"],
        ));
    }
    let twice = "content-type: application/json\r\nidempotency-key: a\r\n";
    let mut request = malformed.bench.submit();
    request.idempotency_key = Some("b".to_owned());
    let other = serde_json::to_string(&request).unwrap();
    cases.push((
        malformed.request("POST /v1/jobs", twice, other.as_bytes()),
        vec!["header_invalid"],
    ));
    let job = JobId::mint(&malformed.bench.clock, &*malformed.bench.entropy);
    let body = format!("{{\"job\": \"{job}\", \"reason\": \"no\"}}");
    let line = format!("POST /v1/jobs/{}/cancel", malformed.running.held.job);
    let headers = "content-type: application/json\r\n";
    cases.push((
        malformed.request(&line, headers, body.as_bytes()),
        vec!["request_invalid"],
    ));
    cases
}

fn no_requests(malformed: &Malformed) -> Vec<Case> {
    let head = malformed.bench.head("GET /v1/jobs", &malformed.token);
    let plain = |text: String, codes: &[&'static str]| (text.into_bytes(), codes.to_vec());
    vec![
        plain("\r\n\r\nhello\r\n\r\n".to_owned(), &["request_malformed"]),
        plain("GET /v1/jobs\r\n\r\n".to_owned(), &["request_malformed"]),
        plain(
            "GET /v1/jobs HTTP/3.0\r\n\r\n".to_owned(),
            &["request_malformed"],
        ),
        plain(
            "\u{16}\u{3}\u{1}\u{2}\0\u{1}\0\u{1}".to_owned(),
            &["request_malformed"],
        ),
        plain(
            "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(),
            &["request_malformed"],
        ),
        plain(format!("{head}bad header\r\n\r\n"), &["request_malformed"]),
        plain(format!("{head}a: \0\r\n\r\n"), &["request_malformed"]),
        plain(
            format!("{head}content-length: x\r\n\r\n"),
            &["request_malformed"],
        ),
        plain(
            format!("{head}content-length: 1\r\ncontent-length: 2\r\n\r\n"),
            &["request_malformed"],
        ),
        plain(
            format!("{head}content-length: 1\r\ntransfer-encoding: chunked\r\n\r\n"),
            &["request_malformed"],
        ),
        plain(
            format!("{head}transfer-encoding: chunked\r\n\r\nxyz\r\n"),
            &["body_not_expected"],
        ),
        plain(
            format!("{head}content-length: 2\r\n\r\n{{}}"),
            &["body_not_expected"],
        ),
        plain(
            format!("{head}a: {}\r\n\r\n", "a".repeat(100_000)),
            &["headers_too_large"],
        ),
        plain(
            format!("{head}{}\r\n", "a: b\r\n".repeat(200)),
            &["headers_too_large"],
        ),
        plain(
            malformed.bench.head(
                &format!("GET /v1/jobs?cursor={}", "a".repeat(10_000)),
                &malformed.token,
            ) + "\r\n",
            &["url_too_long"],
        ),
        plain(
            malformed.bench.head("BREW /v1/jobs", &malformed.token) + "\r\n",
            &["method_not_allowed"],
        ),
        plain(
            malformed.bench.head("DELETE /v1/jobs", &malformed.token) + "\r\n",
            &["method_not_allowed"],
        ),
        plain(
            malformed.bench.head("GET /v1/../v1/jobs", &malformed.token) + "\r\n",
            &["route_not_found"],
        ),
        plain(
            malformed.bench.head("GET /v2/jobs", &malformed.token) + "\r\n",
            &["route_not_found"],
        ),
    ]
}

#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::print_stdout, reason = "the count is a figure people ask for")]
async fn whatever_is_wrong_with_a_request_has_a_code_and_changes_nothing() {
    let bench = Bench::new().await;
    let running = bench.running().await;
    let token = bench.everything().await;
    let malformed = Malformed {
        bench,
        running,
        token,
    };
    let before = malformed.bench.log().await;
    let mut count = 0;
    for cases in [
        bad_bodies(&malformed),
        bad_paths(&malformed),
        bad_queries(&malformed),
        bad_headers(&malformed),
        no_requests(&malformed),
    ] {
        for (request, codes) in cases {
            let start = String::from_utf8_lossy(&request[..request.len().min(600)]).into_owned();
            let answer = malformed.bench.ask(&request).await;
            assert!((400..500).contains(&answer.status), "{start}\n{answer:?}");
            let code = answer.code();
            assert!(
                codes.contains(&code.as_str()),
                "{code} is not one of {codes:?} for\n{start}\n{answer:?}"
            );
            count += 1;
        }
    }
    assert!(count >= 200, "{count}");
    assert_eq!(
        malformed.bench.log().await,
        before,
        "none of these may change anything"
    );
    assert_eq!(malformed.bench.get("/healthz", "").await.status, 200);
    assert_eq!(
        malformed
            .bench
            .get("/v1/jobs", &malformed.token)
            .await
            .status,
        200
    );
    println!("{count} malformed requests");
}
