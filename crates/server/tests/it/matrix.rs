//! Every route, with every kind of credential, from every kind of place. What is expected is computed from the route table.

use dogwatch_api::Scope;
use dogwatch_core::Sha256Digest;
use dogwatch_core::ids::{ApprovalId, ProjectId, TokenId};
use dogwatch_server::{Access, Answer, Payload, Route, table};

use crate::bench::{Bench, MARK, Running};

/// What a request presents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Credential {
    None,
    EmptyBearer,
    Malformed,
    WrongScheme,
    Unknown,
    Expired,
    Revoked,
    TooLittle,
    OtherProject,
    Agent,
    InTheUrl,
    Right,
}

const CREDENTIALS: [Credential; 12] = [
    Credential::None,
    Credential::EmptyBearer,
    Credential::Malformed,
    Credential::WrongScheme,
    Credential::Unknown,
    Credential::Expired,
    Credential::Revoked,
    Credential::TooLittle,
    Credential::OtherProject,
    Credential::Agent,
    Credential::InTheUrl,
    Credential::Right,
];

/// Where a request comes from: its host and headers, with `PORT` for the server's, and the code it is refused with.
const PLACES: [(&str, &str, &str, Option<&str>); 10] = [
    ("a program", "host: localhost:PORT", "", None),
    (
        "its own page",
        "host: localhost:PORT",
        "origin: http://localhost:PORT",
        None,
    ),
    (
        "another page",
        "host: localhost:PORT",
        "origin: http://evil.example",
        Some("origin_forbidden"),
    ),
    (
        "a page without origin",
        "host: localhost:PORT",
        "origin: null",
        Some("origin_forbidden"),
    ),
    (
        "a page that sounds like it",
        "host: localhost:PORT",
        "origin: http://localhost.evil.example:PORT",
        Some("origin_forbidden"),
    ),
    (
        "a rebound name",
        "host: evil.example:PORT",
        "",
        Some("host_forbidden"),
    ),
    (
        "another port",
        "host: localhost:1",
        "",
        Some("host_forbidden"),
    ),
    ("nowhere", "", "", Some("host_invalid")),
    (
        "another site",
        "host: localhost:PORT",
        "sec-fetch-site: cross-site",
        Some("cross_site_forbidden"),
    ),
    ("IPv6 loopback", "host: [::1]:PORT", "", None),
];

struct Matrix {
    bench: Bench,
    running: Running,
    right: String,
    other: String,
    expired: String,
    revoked: String,
    /// A token for each scope alone.
    alone: Vec<(Scope, String)>,
}

impl Matrix {
    async fn new() -> Self {
        let bench = Bench::new().await;
        let running = bench.running().await;
        let right = bench.everything().await;
        let scopes: Vec<_> = Scope::ALL
            .into_iter()
            .filter(|scope| *scope != Scope::Agent)
            .collect();
        let elsewhere = ProjectId::mint(&bench.clock, &*bench.entropy);
        let (_, other) = bench.token(&scopes, Some(elsewhere), None).await;
        let soon = bench
            .clock
            .advance(std::time::Duration::from_secs(1))
            .plus(std::time::Duration::from_secs(1));
        let (_, expired) = bench.token(&scopes, None, Some(soon)).await;
        bench.clock.advance(std::time::Duration::from_secs(5));
        let (id, revoked) = bench.token(&scopes, None, None).await;
        dogwatch_api::ControlPlane::revoke_token(&bench.owner(), id)
            .await
            .unwrap();
        let mut alone = Vec::new();
        for scope in scopes {
            alone.push((scope, bench.token(&[scope], None, None).await.1));
        }
        Self {
            bench,
            running,
            right,
            other,
            expired,
            revoked,
            alone,
        }
    }

    fn path(&self, route: &Route) -> String {
        let (clock, entropy) = (&self.bench.clock, &*self.bench.entropy);
        let mut path = route.path.to_owned();
        for name in route.parameters() {
            let value = match name {
                "job" => self.running.held.job.to_string(),
                "run" => self.running.run.to_string(),
                "id" => self.running.held.job.to_string(),
                "approval" => ApprovalId::mint(clock, entropy).to_string(),
                "token" => TokenId::mint(clock, entropy).to_string(),
                "sha256" if route.id == "getContract" => self.running.contract.to_string(),
                "sha256" => Sha256Digest::of(b"not what is sent").to_string(),
                "turn" => "1".to_owned(),
                "stream" => "stdout".to_owned(),
                _ => panic!("no value for {name}"),
            };
            path = path.replace(&format!("{{{name}}}"), &value);
        }
        if route.id == "streamWakeups" {
            path += &format!("?machine={}", self.bench.machine);
        }
        path
    }

    fn header(&self, credential: Credential, route: &Route) -> String {
        let token = match credential {
            Credential::None | Credential::InTheUrl => return String::new(),
            Credential::EmptyBearer => return "authorization: Bearer \r\n".to_owned(),
            Credential::Malformed => {
                return format!("authorization: Bearer {} twice\r\n", self.right);
            }
            Credential::WrongScheme => return format!("authorization: Basic {}\r\n", self.right),
            Credential::Unknown => "dwt_nobody-made-this-one",
            Credential::Expired => &self.expired,
            Credential::Revoked => &self.revoked,
            Credential::TooLittle => self.too_little(route),
            Credential::OtherProject => &self.other,
            Credential::Agent => &self.running.agent,
            Credential::Right => &self.right,
        };
        format!("authorization: Bearer {token}\r\n")
    }

    fn too_little(&self, route: &Route) -> &str {
        let Access::AnyOf(enough) = route.access else {
            return &self.right;
        };
        let lacking = self.alone.iter().find(|(scope, _)| !enough.contains(scope));
        &lacking.unwrap().1
    }

    fn request(&self, route: &Route, credential: Credential, place: (&str, &str)) -> String {
        let mut path = self.path(route);
        if credential == Credential::InTheUrl {
            path += if path.contains('?') { "&" } else { "?" };
            path += &format!("token={}", self.right);
        }
        let port = self.bench.tcp.port().to_string();
        let mut request = format!("{} {path} HTTP/1.1\r\n", route.verb.as_str());
        for header in [place.0, place.1] {
            if !header.is_empty() {
                request += &(header.replace("PORT", &port) + "\r\n");
            }
        }
        request += &self.header(credential, route);
        // Nothing here is a whole request of its route, so nothing is ever changed.
        request += match route.payload {
            Payload::None => "\r\n",
            Payload::Json { .. } => "content-type: application/json\r\ncontent-length: 2\r\n\r\n{}",
            Payload::Octets { .. } => {
                "content-type: application/octet-stream\r\ncontent-length: 4\r\n\r\nsent"
            }
        };
        request
    }
}

/// The code that the table says, or that the request gets through.
fn expected(
    route: &Route,
    credential: Credential,
    refused: Option<&'static str>,
) -> Option<&'static str> {
    if refused.is_some() {
        return refused;
    }
    let Access::AnyOf(enough) = route.access else {
        return (credential == Credential::InTheUrl).then_some("query_invalid");
    };
    match credential {
        Credential::None
        | Credential::EmptyBearer
        | Credential::Malformed
        | Credential::WrongScheme
        | Credential::InTheUrl => Some("unauthenticated"),
        Credential::Unknown => Some("token_unknown"),
        Credential::Expired => Some("token_expired"),
        Credential::Revoked => Some("token_revoked"),
        Credential::TooLittle => Some("scope_missing"),
        Credential::Agent if !enough.contains(&Scope::Agent) => Some("scope_missing"),
        Credential::Agent | Credential::OtherProject | Credential::Right => None,
    }
}

/// The status of a request that gets through with the right token.
fn status_of(route: &Route) -> u16 {
    match (route.payload, route.id) {
        (Payload::Json { .. } | Payload::Octets { .. }, id) if id != "revokeToken" => 400,
        (_, "revokeToken" | "getApproval" | "getBlob" | "getBundle") => 404,
        _ => 200,
    }
}

#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::print_stdout, reason = "the count is a figure people ask for")]
async fn every_route_with_every_credential_from_every_place() {
    let matrix = Matrix::new().await;
    let before = matrix.bench.log().await;
    let (mut count, mut through) = (0, 0);
    for route in table() {
        for credential in CREDENTIALS {
            for (from, host, header, refused) in PLACES {
                let what = format!("{} with {credential:?} from {from}", route.id);
                let mut wire = matrix.bench.connect().await;
                wire.send(matrix.request(route, credential, (host, header)))
                    .await;
                count += 1;
                if let Some(code) = expected(route, credential, refused) {
                    let answer = wire.answer().await;
                    assert_eq!(answer.code(), code, "{what}: {answer:?}");
                    assert_eq!(
                        answer.status == 401,
                        answer.head.contains("www-authenticate"),
                        "{what}"
                    );
                    continue;
                }
                through += 1;
                let streams = matches!(route.answer, Answer::Events(_));
                let (status, text) = if streams {
                    let head = wire.until("\r\n\r\n").await;
                    (head[9..12].parse().unwrap(), head)
                } else {
                    let answer = wire.answer().await;
                    (answer.status, answer.head + &answer.body)
                };
                match credential {
                    // What is named by its content is known to whoever can name it.
                    Credential::OtherProject if route.id == "getContract" => {}
                    Credential::OtherProject => {
                        assert!(
                            !text.contains(MARK),
                            "{what} tells of another project: {text}"
                        );
                        let own = format!("\"project\":\"{}\"", matrix.bench.project);
                        assert!(
                            !text.contains(&own),
                            "{what} tells of another project: {text}"
                        );
                        assert!(matches!(status, 200 | 400 | 403 | 404), "{what}: {text}");
                    }
                    Credential::Agent => {
                        assert!(matches!(status, 200 | 400 | 403 | 404), "{what}: {text}");
                    }
                    _ => assert_eq!(status, status_of(route), "{what}: {text}"),
                }
            }
        }
    }
    assert_eq!(count, table().count() * CREDENTIALS.len() * PLACES.len());
    assert_eq!(
        matrix.bench.log().await,
        before,
        "none of these may change anything"
    );
    println!("{count} requests, {through} of them let in");
}
