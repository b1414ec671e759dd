//! The copy of an agent's output that followers read.

use std::fs;

use dogwatch_api::{ControlPlane, OutputStream, ReadOutput};
use dogwatch_core::ids::RunId;
use dogwatch_core::job::JobStatus;

use crate::bench::{Bench, until};

async fn mirrored(bench: &Bench, run: RunId, turn: u32, stream: OutputStream) -> Vec<u8> {
    let mut all = Vec::new();
    loop {
        let request = ReadOutput {
            run,
            turn,
            stream,
            offset: all.len() as u64,
            limit: 1 << 20,
        };
        let piece = bench.user().read_output(request).await.unwrap();
        if piece.bytes.is_empty() {
            return all;
        }
        all.extend(piece.bytes);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_copy_grows_with_the_turn_and_is_the_bundles_in_the_end() {
    let bench = Bench::new(
        r#"
        echo early; echo early-error >&2
        touch "$M/here"; wait_for go
        n=0; while [ "$n" -lt 6000 ]; do echo "line $n of the output of an agent that says a lot"; n=$((n+1)); done
        printf 'no line end' >&2
        respond done"#,
    );
    let job = bench.submit().await;
    let working = bench.work();
    bench.met("here").await;
    let run = bench.job(job).await.runs[0].id;
    until(
        "what was printed is there while the agent is at work",
        async || {
            let listed = bench.user().list_output(run).await;
            listed.is_ok_and(|list| list.items.len() == 2)
        },
    )
    .await;
    let early = mirrored(&bench, run, 1, OutputStream::Stdout).await;
    assert_eq!(early, b"early\n");
    bench.touch("go");
    bench.job_in(job, JobStatus::Succeeded).await;
    let turn = bench.layout.bundle(run).join("turns/001");
    for (stream, file) in [
        (OutputStream::Stdout, "stdout"),
        (OutputStream::Stderr, "stderr"),
    ] {
        let kept = fs::read(turn.join(file)).unwrap();
        let copy = mirrored(&bench, run, 1, stream).await;
        assert!(
            copy == kept,
            "{file}: {} of {} bytes",
            copy.len(),
            kept.len()
        );
    }
    assert!(fs::metadata(turn.join("stdout")).unwrap().len() > 4 * 64 * 1024);
    working.drain().await;
}
