//! The same by HTTP alone, as anybody's program would do it: paths from the document that the server gives out, requests by curl.

use std::io::Write;
use std::process::{Command, Stdio};
use std::time::Duration;

use dogwatch_core::Sha256Digest;
use dogwatch_testkit::{skip, wait_for};
use serde_json::{Value, json};

use crate::support::Case;

const SOON: Duration = Duration::from_secs(60);

/// A server's socket, a token, and the paths by the names of their operations.
struct Api {
    socket: String,
    token: String,
    document: Value,
}

impl Api {
    fn new(case: &Case) -> Self {
        let created = case.dogwatch(&[
            "token",
            "create",
            "a program",
            "--scope",
            "read,submit,operate,approve",
        ]);
        assert_eq!(created.code, Some(0), "{created:?}");
        let socket = case.home.data().join("server/server.sock");
        let mut api = Self {
            socket: socket.display().to_string(),
            token: created.out.trim().to_owned(),
            document: Value::Null,
        };
        let (status, document) = api.send("GET", "/v1/openapi.json", None);
        assert_eq!(status, 200);
        api.document = document;
        api
    }

    /// Calls an operation by its name, with the values of its path's parameters.
    fn call(&self, operation: &str, values: &[&str], body: Option<Value>) -> (u16, Value) {
        let paths = self.document["paths"].as_object().expect("paths");
        let found = paths.iter().find_map(|(path, methods)| {
            let methods = methods.as_object()?;
            let (method, _) = methods
                .iter()
                .find(|(_, described)| described["operationId"] == operation)?;
            Some((path.clone(), method.to_uppercase()))
        });
        let (mut path, method) = found.unwrap_or_else(|| panic!("there is no {operation}"));
        for value in values {
            let (start, end) = (path.find('{').unwrap(), path.find('}').unwrap());
            path.replace_range(start..=end, value);
        }
        self.send(&method, &path, body)
    }

    fn send(&self, method: &str, path: &str, body: Option<Value>) -> (u16, Value) {
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--show-error", "--max-time", "60"])
            .args(["--unix-socket", &self.socket])
            .args(["--request", method])
            .args(["--write-out", "\n%{http_code}"])
            .args(["--header", &format!("Authorization: Bearer {}", self.token)])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        if body.is_some() {
            curl.args(["--header", "Content-Type: application/json"])
                .args(["--data-binary", "@-"]);
        }
        curl.arg(format!("http://localhost{path}"));
        let mut child = curl.spawn().expect("curl");
        let mut stdin = child.stdin.take().expect("a pipe");
        if let Some(body) = body {
            stdin.write_all(body.to_string().as_bytes()).expect("sent");
        }
        drop(stdin);
        let output = child.wait_with_output().expect("it ends");
        assert!(output.status.success(), "{output:?}");
        let text = String::from_utf8(output.stdout).expect("text");
        let (answer, status) = text.rsplit_once('\n').expect("a status");
        (
            status.parse().expect("a status"),
            serde_json::from_str(answer).unwrap_or(Value::Null),
        )
    }

    /// Waits until a job stands in a state.
    fn wait(&self, job: &str, status: &str) -> Value {
        wait_for(&format!("{job} is {status}"), SOON, || {
            let (code, job) = self.call("getJob", &[job], None);
            assert_eq!(code, 200, "{job}");
            (job["state"]["status"] == status).then_some(job)
        })
        .unwrap()
    }
}

#[test]
fn a_program_submits_approves_watches_cancels_and_retries_with_a_hint() {
    if Command::new("curl").arg("--version").output().is_err() {
        skip("server::curl", "there is no curl");
        return;
    }
    let case = Case::new(json!([{"respond": {"status": "blocked", "summary": "no database"}}]));
    // A contract's canonical bytes, as a program would have them from its own.
    let ended = case.run_contract(json!({"review": {"approve_before_start": true}}));
    let first = ended.result()["job_id"].as_str().unwrap().to_owned();
    let api = Api::new(&case);
    let (status, first) = api.call("getJob", &[&first], None);
    assert_eq!(status, 200, "{first}");
    assert_eq!(first["queue"]["waiting_reason"], "awaiting_approval");
    let hash = first["contract"].as_str().unwrap();
    let (status, contract) = api.call("getContract", &[hash], None);
    assert_eq!(status, 200);
    let contract = dogwatch_core::canonical::value_to_bytes(&contract).unwrap();
    assert_eq!(Sha256Digest::of(&contract).to_string(), hash);
    let (status, cancelled) = api.call(
        "cancelJob",
        &[first["id"].as_str().unwrap()],
        Some(json!({"reason": "once is enough"})),
    );
    assert_eq!(
        (status, &cancelled["state"]["status"]),
        (200, &json!("cancelled"))
    );

    let (status, submitted) = api.call(
        "submitJob",
        &[],
        Some(json!({
            "project": first["project"],
            "topic": "task",
            "contract": String::from_utf8(contract).unwrap(),
            "contract_hash": hash,
        })),
    );
    assert!((200..300).contains(&status), "{status} {submitted}");
    let job = submitted["job_id"].as_str().unwrap().to_owned();
    let approve = || {
        let (status, page) = api.call("listApprovals", &[], None);
        assert_eq!(status, 200);
        let approval = page["items"][0]["approval"]["id"]
            .as_str()
            .unwrap()
            .to_owned();
        let (status, decided) = api.call(
            "decideApproval",
            &[&approval],
            Some(json!({"verdict": "approve"})),
        );
        assert_eq!(status, 200, "{decided}");
    };
    api.wait(&job, "awaiting_approval");
    approve();
    api.wait(&job, "blocked");

    // The database is up: the same job goes on, in the same agent's eyes, and every start needs its own yes.
    case.script(json!([{"actions": [{"write": {"path": "made.txt", "content": "made\n"}}]}]));
    let (status, retried) = api.call(
        "retryJob",
        &[&job],
        Some(json!({"reason": "it is up", "goes_on": {"say": "the database is up now"}})),
    );
    assert!((200..300).contains(&status), "{status} {retried}");
    assert_eq!(retried["job_id"], job.as_str());
    api.wait(&job, "awaiting_approval");
    approve();
    let over = api.wait(&job, "succeeded");
    let run = over["runs"][1]["id"].as_str().unwrap();
    assert_eq!(over["runs"][1]["continues"], over["runs"][0]["id"]);
    let request = case
        .home
        .data()
        .join(format!("runs/{run}/turns/001/request.json"));
    let request = std::fs::read_to_string(request).expect("the request");
    assert!(request.contains("the database is up now"), "{request}");
    let (status, why) = api.call("why", &[&job], None);
    assert_eq!(status, 200);
    assert!(why["causes"].as_array().unwrap().len() > 5, "{why}");
    // And what it may not do it is told.
    let (status, refused) = api.call("listTokens", &[], None);
    assert_eq!((status, &refused["code"]), (403, &json!("scope_missing")));
}
