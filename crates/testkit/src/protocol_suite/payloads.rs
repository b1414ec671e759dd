//! Payloads and the bundles made of them.

use std::collections::BTreeMap;

use dogwatch_api::{DeclareBundle, ProblemCode};
use dogwatch_core::Sha256Digest;

use super::bench::Bench;

/// Any bytes, once.
pub async fn a_payload_is_named_by_its_digest(bench: &Bench) {
    for bytes in [Vec::new(), (0..=255).collect(), vec![7; 200_000]] {
        let digest = Sha256Digest::of(&bytes);
        let problem = bench.user.blob(digest).await.unwrap_err();
        assert_eq!(
            (problem.kind, problem.code.as_str()),
            (ProblemCode::NotFound, "blob_not_found")
        );
        for _ in 0..2 {
            bench.runner.put_blob(digest, bytes.clone()).await.unwrap();
        }
        assert_eq!(bench.user.blob(digest).await.unwrap(), bytes);
    }
}

/// And stored under neither name.
pub async fn a_payload_of_another_digest_is_refused(bench: &Bench) {
    let (claimed, sent) = (Sha256Digest::of(b"claimed"), Sha256Digest::of(b"sent"));
    let problem = bench
        .runner
        .put_blob(claimed, b"sent".to_vec())
        .await
        .unwrap_err();
    assert_eq!(
        (problem.kind, problem.code.as_str()),
        (ProblemCode::Invalid, "blob_digest_mismatch")
    );
    for digest in [claimed, sent] {
        let problem = bench.user.blob(digest).await.unwrap_err();
        assert_eq!(problem.code, "blob_not_found");
    }
}

/// Every file first; then the bundle, for good.
pub async fn a_bundle_is_declared_when_it_is_whole(bench: &Bench) {
    let held = bench.run_of("task").await;
    let file = |text: &str| Sha256Digest::of(text.as_bytes());
    let declare = |files: &[(&str, &str)]| DeclareBundle {
        held: held.lease,
        run: held.run,
        files: files
            .iter()
            .map(|(path, text)| ((*path).to_owned(), file(text)))
            .collect(),
    };
    let whole = [("manifest.json", "{}"), ("turns/001/prompt", "do it")];
    bench
        .runner
        .put_blob(file("{}"), b"{}".to_vec())
        .await
        .unwrap();
    for (files, missing) in [(&whole[..], "turns/001/prompt"), (&[][..], "manifest.json")] {
        let problem = bench
            .runner
            .declare_bundle(declare(files))
            .await
            .unwrap_err();
        assert_eq!(
            (problem.kind, problem.code.as_str()),
            (ProblemCode::Conflict, "bundle_incomplete")
        );
        assert!(problem.detail.contains(missing), "{}", problem.detail);
    }
    let problem = bench.user.bundle(held.run).await.unwrap_err();
    assert_eq!(problem.code, "bundle_not_found");

    let prompt = file("do it");
    bench
        .runner
        .put_blob(prompt, b"do it".to_vec())
        .await
        .unwrap();
    for _ in 0..2 {
        bench.runner.declare_bundle(declare(&whole)).await.unwrap();
    }
    let files: BTreeMap<_, _> = whole
        .iter()
        .map(|(path, text)| ((*path).to_owned(), file(text)))
        .collect();
    assert_eq!(bench.user.bundle(held.run).await.unwrap().files, files);

    let problem = bench
        .runner
        .declare_bundle(declare(&whole[..1]))
        .await
        .unwrap_err();
    assert_eq!(problem.kind, ProblemCode::Conflict);
    let problem = bench
        .runner
        .declare_bundle(declare(&[("manifest.json", "{}"), ("../escape", "{}")]))
        .await
        .unwrap_err();
    assert_eq!(problem.kind, ProblemCode::Invalid);
    assert_eq!(bench.user.bundle(held.run).await.unwrap().files, files);
}
