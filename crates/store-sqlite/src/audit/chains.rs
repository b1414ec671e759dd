//! Recomputing every chain, and naming each line that does not fit.

use dogwatch_core::Sha256Digest;
use dogwatch_core::canonical;
use dogwatch_core::event::{Envelope, StreamId};
use dogwatch_core::job::JobEvent;
use dogwatch_core::run::RunEvent;
use dogwatch_core::server::ServerEvent;
use rusqlite::Connection;

use crate::fault::Fault;

/// Every line that does not fit into its chain, and every chain that ends elsewhere than its projection says.
pub(crate) fn check_chains(connection: &Connection) -> Result<Vec<String>, Fault> {
    let mut findings = Vec::new();
    walk(
        connection,
        "SELECT stream, seq, line FROM events ORDER BY stream, seq",
        "SELECT version, head FROM jobs WHERE id = ?1 UNION ALL SELECT version, head FROM server WHERE id = ?1",
        "SELECT id FROM (SELECT id FROM jobs UNION ALL SELECT id FROM server) WHERE id NOT IN (SELECT stream FROM events)",
        &mut findings,
    )?;
    walk(
        connection,
        "SELECT run, seq, line FROM run_lines ORDER BY run, seq",
        "SELECT lines, head FROM runs WHERE id = ?1",
        "SELECT id FROM runs WHERE lines > 0 AND id NOT IN (SELECT run FROM run_lines)",
        &mut findings,
    )?;
    Ok(findings)
}

/// One chain, as far as it was followed.
struct Chain {
    name: String,
    stream: Option<StreamId>,
    seq: i64,
    head: Option<Sha256Digest>,
}

fn walk(
    connection: &Connection,
    lines: &str,
    end: &str,
    empty: &str,
    findings: &mut Vec<String>,
) -> Result<(), Fault> {
    let mut statement = connection.prepare(lines)?;
    let mut rows = statement.query([])?;
    let mut chain: Option<Chain> = None;
    while let Some(row) = rows.next()? {
        let name: String = row.get(0)?;
        let seq: i64 = row.get(1)?;
        let line: Vec<u8> = row.get(2)?;
        if chain.as_ref().is_none_or(|chain| chain.name != name) {
            if let Some(chain) = chain.take() {
                close(connection, end, &chain, findings)?;
            }
            let stream: Option<StreamId> = name.parse().ok();
            if stream.is_none() {
                findings.push(format!("{name}: not the name of a stream"));
            }
            chain = Some(Chain {
                name,
                head: stream.map(StreamId::genesis),
                stream,
                seq: 0,
            });
        }
        if let Some(chain) = &mut chain {
            follow(chain, seq, &line, findings);
        }
    }
    if let Some(chain) = chain {
        close(connection, end, &chain, findings)?;
    }
    let mut statement = connection.prepare(empty)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let name: String = row.get(0)?;
        findings.push(format!("{name}: all its lines are missing"));
    }
    Ok(())
}

/// Takes the next line. After one that does not fit it goes on from that line's own bytes, so that the next bad one is found too.
fn follow(chain: &mut Chain, seq: i64, line: &[u8], findings: &mut Vec<String>) {
    let mut find = |what: &str| findings.push(format!("{} line {seq}: {what}", chain.name));
    if seq != chain.seq + 1 {
        find(&format!("line {} is missing before it", chain.seq + 1));
    }
    match serde_json::from_slice::<Envelope>(line) {
        Err(error) => find(&format!("not an event: {error}")),
        Ok(envelope) => {
            if Some(envelope.stream) != chain.stream {
                find(&format!("it belongs to {}", envelope.stream));
            }
            if i64::try_from(envelope.seq) != Ok(seq) {
                find(&format!("it claims to be line {}", envelope.seq));
            }
            if Some(envelope.prev) != chain.head {
                find("it does not link to the line before it");
            }
            if canonical::to_bytes(&envelope).ok().as_deref() != Some(line) {
                find("its bytes are not canonical");
            }
            let known = match envelope.stream {
                StreamId::Job(_) => JobEvent::from_parts(&envelope.kind, &envelope.data).err(),
                StreamId::Server => ServerEvent::from_parts(&envelope.kind, &envelope.data).err(),
                StreamId::Run(_) => RunEvent::from_parts(&envelope.kind, &envelope.data).err(),
            };
            if let Some(error) = known {
                find(&format!("`{}` cannot be read: {error}", envelope.kind));
            }
        }
    }
    chain.seq = seq;
    chain.head = chain
        .stream
        .map(|stream| stream.link(u64::try_from(seq).unwrap_or(0), line));
}

/// A tail that was cut off leaves a chain that fits, but ends too early.
fn close(
    connection: &Connection,
    sql: &str,
    chain: &Chain,
    findings: &mut Vec<String>,
) -> Result<(), Fault> {
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query([&chain.name])?;
    match rows.next()? {
        None => findings.push(format!("{}: nothing leads to it", chain.name)),
        Some(row) => {
            let end: i64 = row.get(0)?;
            let head: String = row.get(1)?;
            if end != chain.seq {
                findings.push(format!(
                    "{}: it ends at line {}, its projection at {end}",
                    chain.name, chain.seq
                ));
            } else if Some(head) != chain.head.map(|head| head.to_string()) {
                findings.push(format!(
                    "{}: its projection carries another head",
                    chain.name
                ));
            }
        }
    }
    Ok(())
}
