//! The attestation: removed, re-signed, re-encoded or relabelled, it is not believed.

use std::fs;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE};
use dogwatch_bundle::{
    DsseEnvelope, Manifest, Statement, TrustedKey, VERDICT_TYPE_PREFIX, codes, pae, sign_envelope,
    verify,
};
use dogwatch_core::{Sha256Digest, canonical};
use ed25519_dalek::pkcs8::EncodePublicKey as _;
use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use ed25519_dalek::{Signer as _, SigningKey};
use serde_json::{Value, json};

use crate::fixture::{Bundle, Plan, runner_key, trust, trusted};

const ATTESTATION: &str = "attestation.dsse.json";

fn stranger() -> SigningKey {
    SigningKey::from_bytes(&[66; 32])
}

fn envelope(bundle: &Bundle) -> DsseEnvelope {
    serde_json::from_slice(&bundle.read(ATTESTATION)).unwrap()
}

/// Writes an envelope in canonical form.
fn put(bundle: &Bundle, envelope: &DsseEnvelope) {
    bundle.write(ATTESTATION, canonical::to_bytes(envelope).unwrap());
}

fn payload(bundle: &Bundle) -> Vec<u8> {
    STANDARD.decode(envelope(bundle).payload).unwrap()
}

#[test]
fn without_keys_nothing_is_valid() {
    let bundle = Bundle::sealed(&Plan::small());
    let verification = verify(&bundle.dir, &[]);
    assert!(!verification.valid);
    let found: Vec<_> = verification.findings.iter().map(|f| f.code).collect();
    assert_eq!(found, [codes::NO_TRUSTED_KEY]);
    assert_eq!(verification.keyid, None);
}

#[test]
fn a_valid_bundle_names_the_key_that_signed() {
    let bundle = Bundle::sealed(&Plan::reference());
    let keys = [trust(&stranger()), trust(&runner_key())];
    let verification = verify(&bundle.dir, &keys);
    assert!(verification.valid);
    assert_eq!(verification.keyid.as_deref(), Some(keys[1].keyid()));
    assert_eq!(verification.run_id, Some(bundle.facts.run_id));
    let statement: Value = serde_json::from_slice(&payload(&bundle)).unwrap();
    assert_eq!(statement["_type"], "https://in-toto.io/Statement/v1");
    assert_eq!(statement["subject"][0]["name"], "manifest.json");
    assert_eq!(
        statement["subject"][0]["digest"]["sha256"],
        Sha256Digest::of(&bundle.read("manifest.json")).to_string()
    );
    assert_eq!(
        statement["subject"][1]["digest"]["gitTree"],
        bundle.facts.tree.clone().unwrap()
    );
}

#[test]
fn unsigned_in_any_form_is_invalid() {
    let bundle = Bundle::sealed(&Plan::small());
    let honest = bundle.read(ATTESTATION);
    fs::remove_file(bundle.path(ATTESTATION)).unwrap();
    bundle.expect(codes::UNSIGNED, ATTESTATION);
    bundle.write(ATTESTATION, &honest);

    let mut none = envelope(&bundle);
    none.signatures.clear();
    put(&bundle, &none);
    bundle.expect("unsigned", ATTESTATION);
    bundle.write(ATTESTATION, b"");
    bundle.expect("envelope_unparsable", ATTESTATION);
    // Forms that other ecosystems use to say "no signature needed".
    for trick in [
        json!({"alg": "none", "payload": "", "payloadType": "application/vnd.in-toto+json", "signatures": []}),
        json!({"payload": "", "payloadType": "application/vnd.in-toto+json", "signatures": [{"alg": "none", "keyid": "", "sig": ""}]}),
        json!({"payload": "", "payloadType": "application/vnd.in-toto+json"}),
        json!(null),
    ] {
        bundle.write(ATTESTATION, serde_json::to_vec(&trick).unwrap());
        bundle.expect("envelope_unparsable", ATTESTATION);
    }
}

#[test]
fn a_stranger_cannot_sign_not_even_with_a_key_left_in_the_bundle() {
    let bundle = Bundle::sealed(&Plan::small());
    let resigned = sign_envelope(&payload(&bundle), &[&stranger()]).unwrap();
    bundle.write(ATTESTATION, &resigned);
    bundle.expect("untrusted_key", ATTESTATION);

    let id = trust(&stranger()).keyid().to_owned();
    let pem = stranger()
        .verifying_key()
        .to_public_key_pem(LineEnding::LF)
        .unwrap();
    fs::create_dir_all(bundle.path("reports/trusted-keys")).unwrap();
    bundle.write(&format!("reports/trusted-keys/{id}.pem"), &pem);
    fs::create_dir(bundle.path("trusted-keys")).unwrap();
    bundle.write(&format!("trusted-keys/{id}.pem"), &pem);
    bundle.expect("untrusted_key", ATTESTATION);
    bundle.expect(codes::UNLISTED_DIRECTORY, "trusted-keys");
    assert!(!verify(&bundle.dir, &[]).valid);

    // A second signature by a stranger could be changed unseen, so it is not accepted beside a good one either.
    fs::remove_dir_all(bundle.path("trusted-keys")).unwrap();
    let both = sign_envelope(&payload(&bundle), &[&runner_key(), &stranger()]).unwrap();
    bundle.write(ATTESTATION, &both);
    bundle.expect("untrusted_key", ATTESTATION);
    assert!(verify(&bundle.dir, &[trust(&stranger()), trust(&runner_key())]).valid);
}

#[test]
fn key_ids_must_name_the_key_that_was_used() {
    let bundle = Bundle::sealed(&Plan::small());
    let mut edited = envelope(&bundle);
    edited.signatures[0].keyid = edited.signatures[0].keyid.to_uppercase();
    put(&bundle, &edited);
    bundle.expect("untrusted_key", ATTESTATION);
    edited.signatures[0].keyid = String::new();
    put(&bundle, &edited);
    bundle.expect("untrusted_key", ATTESTATION);
    edited.signatures[0].keyid = trust(&stranger()).keyid().to_owned();
    put(&bundle, &edited);
    let verification = verify(&bundle.dir, &[trust(&stranger()), trust(&runner_key())]);
    assert!(!verification.valid);
    assert_eq!(verification.findings[0].code, "bad_signature");
}

#[test]
fn another_spelling_of_the_same_envelope_is_refused() {
    let bundle = Bundle::sealed(&Plan::reference());
    let honest = bundle.read(ATTESTATION);
    let text = String::from_utf8(honest.clone()).unwrap();
    let value: Value = serde_json::from_slice(&honest).unwrap();
    let spellings = [
        format!("{text}\n"),
        format!(" {text}"),
        serde_json::to_string_pretty(&value).unwrap(),
        text.replacen("\"payload\"", "\"\\u0070ayload\"", 1),
        text.replacen('{', r#"{"payload":"","#, 1),
        text.replace(r"application/vnd", r"application\/vnd"),
    ];
    for spelling in spellings {
        assert_ne!(spelling, text);
        bundle.write(ATTESTATION, &spelling);
        let verification = bundle.verify();
        assert!(!verification.valid, "{spelling}");
        assert_eq!(verification.findings[0].path, ATTESTATION);
    }

    let payload = payload(&bundle);
    let mut other = envelope(&bundle);
    let sealed = other.clone();
    for encoded in [
        STANDARD_NO_PAD.encode(&payload),
        format!("{}\n", STANDARD.encode(&payload)),
        format!("{}====", STANDARD_NO_PAD.encode(&payload)),
    ] {
        if encoded == sealed.payload {
            continue;
        }
        other.payload = encoded;
        put(&bundle, &other);
        bundle.expect("envelope_not_canonical", ATTESTATION);
    }
    other = sealed.clone();
    let signature = STANDARD.decode(&other.signatures[0].sig).unwrap();
    for encoded in [
        STANDARD_NO_PAD.encode(&signature),
        URL_SAFE.encode(&signature),
    ] {
        if encoded != sealed.signatures[0].sig {
            other.signatures[0].sig = encoded;
            put(&bundle, &other);
            bundle.expect("envelope_not_canonical", ATTESTATION);
        }
    }
    // The last digit before the padding has bits that decoders may ignore.
    let mut loose = sealed.signatures[0].sig.clone().into_bytes();
    let at = loose.len() - 3;
    assert_eq!(&loose[at + 1..], b"==");
    loose[at] += 1;
    other.signatures[0].sig = String::from_utf8(loose).unwrap();
    put(&bundle, &other);
    bundle.expect("envelope_not_canonical", ATTESTATION);
}

#[test]
fn a_signature_over_something_else_is_refused() {
    let bundle = Bundle::sealed(&Plan::small());
    let honest = envelope(&bundle);
    let payload = payload(&bundle);

    let mut other = honest.clone();
    other.payload_type = "application/json".to_owned();
    put(&bundle, &other);
    bundle.expect("wrong_payload_type", ATTESTATION);
    // The bare payload, and the payload under another type: both properly signed.
    for message in [payload.clone(), pae("application/json", &payload)] {
        let mut other = honest.clone();
        other.signatures[0].sig = STANDARD.encode(runner_key().sign(&message).to_bytes());
        put(&bundle, &other);
        bundle.expect("bad_signature", ATTESTATION);
    }
    // A signature of another length, and one with a scalar beyond the group order.
    let signature = STANDARD.decode(&honest.signatures[0].sig).unwrap();
    let mut large = signature.clone();
    large[63] |= 0xe0;
    for bytes in [&signature[..63], &large] {
        let mut other = honest.clone();
        other.signatures[0].sig = STANDARD.encode(bytes);
        put(&bundle, &other);
        bundle.expect("bad_signature", ATTESTATION);
    }
}

#[test]
fn a_statement_that_differs_from_the_manifest_is_refused_even_if_signed() {
    let bundle = Bundle::sealed(&Plan::reference());
    let bytes = bundle.read("manifest.json");
    let manifest = Manifest::from_bytes(&bytes).unwrap();
    let honest = Statement::for_run(&manifest, Sha256Digest::of(&bytes));
    let sign = |payload: &[u8]| {
        bundle.write(
            ATTESTATION,
            sign_envelope(payload, &[&runner_key()]).unwrap(),
        );
    };
    sign(&canonical::to_bytes(&honest).unwrap());
    assert!(bundle.verify().valid);

    let mut other = honest.clone();
    other.predicate.journal.count += 1;
    sign(&canonical::to_bytes(&other).unwrap());
    bundle.expect(codes::ATTESTATION_MISMATCH, ATTESTATION);
    let mut other = honest.clone();
    other.subject.pop();
    sign(&canonical::to_bytes(&other).unwrap());
    bundle.expect(codes::ATTESTATION_MISMATCH, ATTESTATION);
    let mut other = honest.clone();
    other.predicate_type = format!("{VERDICT_TYPE_PREFIX}promote/v1");
    sign(&canonical::to_bytes(&other).unwrap());
    bundle.expect(codes::ATTESTATION_MISMATCH, ATTESTATION);
    sign(&serde_json::to_vec_pretty(&honest).unwrap());
    bundle.expect(codes::STATEMENT_UNPARSABLE, ATTESTATION);
    sign(b"{}");
    bundle.expect(codes::STATEMENT_UNPARSABLE, ATTESTATION);
}

#[test]
fn a_weak_key_is_never_trusted() {
    let weak = ed25519_dalek::VerifyingKey::from_bytes(&{
        let mut identity = [0; 32];
        identity[0] = 1;
        identity
    })
    .unwrap();
    assert!(TrustedKey::new(weak, "test").is_err());
    assert_eq!(trusted().len(), 1);
}
