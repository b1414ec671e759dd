//! Verdicts: several, each bound to the manifest, none of them to be changed.

use std::fs;
use std::path::Path;

use dogwatch_bundle::{
    LandedAt, VERDICT_TYPE_PREFIX, Verdict, VerdictError, VerdictKind, VerdictPredicate, codes,
    sign_envelope, verify, write_verdict,
};
use dogwatch_core::{Sha256Digest, Timestamp, canonical};
use ed25519_dalek::SigningKey;
use serde_json::{Value, json};

use crate::fixture::{AT, Bundle, Plan, runner_key, trust, trusted};

fn sealed() -> (Bundle, Sha256Digest) {
    let bundle = Bundle::sealed(&Plan::small());
    let digest = Sha256Digest::of(&bundle.read("manifest.json"));
    (bundle, digest)
}

fn promote(manifest: Sha256Digest) -> Verdict {
    Verdict {
        manifest,
        predicate: VerdictPredicate {
            kind: VerdictKind::Promote,
            by: "user:ana".to_owned(),
            reason: Some("looks good".to_owned()),
            at: AT,
            landed: Some(LandedAt {
                reference: "refs/heads/main".to_owned(),
                commit: "2".repeat(40),
            }),
        },
    }
}

fn reject(manifest: Sha256Digest, at: Timestamp) -> Verdict {
    Verdict {
        manifest,
        predicate: VerdictPredicate {
            kind: VerdictKind::Reject,
            by: "user:bo".to_owned(),
            reason: None,
            at,
            landed: None,
        },
    }
}

fn name(path: &Path) -> String {
    format!("verdicts/{}", path.file_name().unwrap().to_str().unwrap())
}

#[test]
fn verdicts_add_up_and_are_read_back() {
    let (bundle, digest) = sealed();
    assert_eq!(bundle.verify().verdicts, []);
    let later = Timestamp::from_micros(AT.as_micros() + 1);
    let (rejected, promoted) = (reject(digest, later), promote(digest));
    let first = write_verdict(&bundle.dir, &rejected, &runner_key()).unwrap();
    let second = write_verdict(&bundle.dir, &promoted, &runner_key()).unwrap();
    assert_ne!(first, second);
    let before = fs::read(&first).unwrap();
    assert_eq!(
        write_verdict(&bundle.dir, &rejected, &runner_key()).unwrap(),
        first
    );
    assert_eq!(fs::read(&first).unwrap(), before);
    let verification = bundle.verify();
    assert!(verification.valid, "{:?}", verification.findings);
    assert_eq!(verification.verdicts, [promoted, rejected], "by time");
    let left: Vec<_> = fs::read_dir(bundle.path("reports"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(left, ["brief.md"], "no draft stays");
    let other = SigningKey::from_bytes(&[9; 32]);
    write_verdict(&bundle.dir, &promote(digest), &other).unwrap();
    assert!(!bundle.verify().valid);
    assert!(verify(&bundle.dir, &[trust(&other), trusted().remove(0)]).valid);
}

#[test]
fn every_flipped_byte_is_found() {
    let (bundle, digest) = sealed();
    let path = write_verdict(&bundle.dir, &promote(digest), &runner_key()).unwrap();
    let good = fs::read(&path).unwrap();
    for at in 0..good.len() {
        let mut changed = good.clone();
        changed[at] ^= 1 << (at % 8);
        fs::write(&path, &changed).unwrap();
        let verification = bundle.verify();
        assert!(!verification.valid, "byte {at}");
        assert_eq!(verification.findings[0].path, name(&path));
        assert_eq!(verification.verdicts, []);
    }
    fs::write(&path, &good).unwrap();
    assert!(bundle.verify().valid);
    fs::rename(&path, bundle.path("verdicts/promote.dsse.json")).unwrap();
    bundle.expect(codes::BAD_VERDICT, "verdicts/promote.dsse.json");
}

#[test]
fn only_verdicts_about_this_manifest_count() {
    let (bundle, digest) = sealed();
    fs::create_dir(bundle.path("verdicts")).unwrap();
    assert!(bundle.verify().valid);
    let statement = |digest: Sha256Digest, kind: &str, predicate: Value| {
        canonical::to_bytes(&json!({
            "_type": "https://in-toto.io/Statement/v1",
            "subject": [{"name": "manifest.json", "digest": {"sha256": digest}}],
            "predicateType": kind,
            "predicate": predicate,
        }))
        .unwrap()
    };
    let good = json!({"kind": "reject", "by": "user:ana", "at": AT});
    let kind = format!("{VERDICT_TYPE_PREFIX}reject/v1");
    let put = |payload: &[u8], key: &SigningKey| {
        let file = sign_envelope(payload, &[key]).unwrap();
        let name = format!("verdicts/reject-{}.dsse.json", Sha256Digest::of(&file));
        bundle.write(&name, file);
        name
    };
    let name = put(&statement(digest, &kind, good.clone()), &runner_key());
    assert!(bundle.verify().valid, "{:?}", bundle.verify().findings);
    fs::remove_file(bundle.path(&name)).unwrap();
    let promoted = format!("{VERDICT_TYPE_PREFIX}promote/v1");
    let other = Sha256Digest::of(b"other");
    let stranger = SigningKey::from_bytes(&[66; 32]);
    let with = |key: &str, value: Value| {
        let mut changed = good.clone();
        changed[key] = value;
        statement(digest, &kind, changed)
    };
    for (payload, key, code) in [
        (
            statement(other, &kind, good.clone()),
            runner_key(),
            codes::BAD_VERDICT,
        ),
        (
            statement(digest, "https://x", good.clone()),
            runner_key(),
            codes::BAD_VERDICT,
        ),
        (
            statement(digest, &promoted, good.clone()),
            runner_key(),
            codes::BAD_VERDICT,
        ),
        (
            statement(digest, &kind, json!({})),
            runner_key(),
            codes::BAD_VERDICT,
        ),
        (with("extra", json!(1)), runner_key(), codes::BAD_VERDICT),
        (with("by", json!("")), runner_key(), codes::BAD_VERDICT),
        (
            with("reason", json!("x".repeat(20_000))),
            runner_key(),
            codes::BAD_VERDICT,
        ),
        (
            with("landed", json!({"ref": "x", "commit": "y"})),
            runner_key(),
            codes::BAD_VERDICT,
        ),
        (b"[]".to_vec(), runner_key(), codes::BAD_VERDICT),
        (
            statement(digest, &kind, good.clone()),
            stranger,
            "untrusted_key",
        ),
    ] {
        let name = put(&payload, &key);
        bundle.expect(code, &name);
        fs::remove_file(bundle.path(&name)).unwrap();
    }
    bundle.write("verdicts/readme", "x");
    bundle.expect(codes::UNLISTED_FILE, "verdicts/readme");
    fs::remove_file(bundle.path("verdicts/readme")).unwrap();
    fs::create_dir(bundle.path("verdicts/turns")).unwrap();
    bundle.expect(codes::UNLISTED_DIRECTORY, "verdicts/turns");
}

#[test]
fn nothing_unsound_is_written() {
    let open = Bundle::open(&Plan::small());
    let digest = Sha256Digest::of(b"x");
    let write = |bundle: &Bundle, verdict: &Verdict| {
        write_verdict(&bundle.dir, verdict, &runner_key()).unwrap_err()
    };
    assert!(matches!(
        write(&open, &promote(digest)),
        VerdictError::Unsealed { .. }
    ));
    let (bundle, manifest) = sealed();
    assert!(matches!(
        write(&bundle, &promote(digest)),
        VerdictError::OtherManifest { .. }
    ));
    let mut nowhere = promote(manifest);
    nowhere.predicate.landed = None;
    assert!(matches!(
        write(&bundle, &nowhere),
        VerdictError::Form { .. }
    ));
    let mut nobody = reject(manifest, AT);
    nobody.predicate.by.clear();
    assert!(matches!(write(&bundle, &nobody), VerdictError::Form { .. }));
    assert!(!bundle.path("verdicts").exists());
}
