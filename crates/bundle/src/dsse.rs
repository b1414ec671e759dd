//! DSSE, the envelope in-toto statements are signed in: <https://github.com/secure-systems-lab/dsse>.
//!
//! The envelope is ours because no kept crate fits: `sigstore-types` makes several signatures unrepresentable and takes no Ed25519 keys,
//! `dsse` is weeks old and treats the key id as a hint. What a DSSE crate would give is the ten lines of [`pae`]; the rest here is rules
//! that are stricter than DSSE: one canonical spelling of the file, and every signature must be by a trusted key named by its id, so that
//! not one byte of the file can change unseen.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signature, Signer as _, SigningKey};
use serde::{Deserialize, Serialize};

use dogwatch_core::canonical::{self, CanonicalError};

use crate::keys::{TrustedKey, keyid};

/// The payload type of an in-toto statement.
pub const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";

/// More signatures than anyone needs; each costs a verification.
const MAX_SIGNATURES: usize = 16;

/// A signed payload as it stands in a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DsseEnvelope {
    /// The payload in base64.
    pub payload: String,
    /// What the payload is; signed with it.
    pub payload_type: String,
    /// Who signed.
    pub signatures: Vec<DsseSignature>,
}

/// One signature of an envelope.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DsseSignature {
    /// The id of the key, see [`keyid`].
    pub keyid: String,
    /// The signature in base64.
    pub sig: String,
}

/// An envelope whose every signature is by a trusted key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenedEnvelope {
    /// The exact bytes that were signed.
    pub payload: Vec<u8>,
    /// The ids of the keys that signed, in file order.
    pub keyids: Vec<String>,
}

/// Why an envelope is not believed.
#[derive(Debug, thiserror::Error)]
pub enum DsseError {
    /// Not a DSSE envelope.
    #[error("the file is not a DSSE envelope")]
    Unparsable(#[source] serde_json::Error),
    /// Not in its one spelling.
    #[error("the file is not the canonical spelling of its envelope")]
    NotCanonical,
    /// A payload or signature is not base64 in its one spelling.
    #[error("the {0} is not canonical base64")]
    NotBase64(&'static str),
    /// Signed as something else.
    #[error("the payload type is {0:?}")]
    PayloadType(String),
    /// Nobody signed.
    #[error("the envelope has no signature")]
    Unsigned,
    /// More signatures than are looked at.
    #[error("the envelope has {0} signatures, more than {MAX_SIGNATURES}")]
    TooManySignatures(usize),
    /// One key signed twice.
    #[error("key {0} signed twice")]
    RepeatedKey(String),
    /// There is no key to check against.
    #[error("there is no trusted key to check the signature with")]
    NoTrustedKey,
    /// The key that is named is not among the trusted ones.
    #[error("key {0:?} is not trusted")]
    UntrustedKey(String),
    /// The signature is wrong.
    #[error("the signature does not belong to this payload and key {0}")]
    BadSignature(String),
}

impl DsseError {
    /// The stable code of this refusal.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Unparsable(_) => "envelope_unparsable",
            Self::NotCanonical | Self::NotBase64(_) => "envelope_not_canonical",
            Self::PayloadType(_) => "wrong_payload_type",
            Self::Unsigned => "unsigned",
            Self::TooManySignatures(_) | Self::RepeatedKey(_) => "bad_signature_list",
            Self::NoTrustedKey => "no_trusted_key",
            Self::UntrustedKey(_) => "untrusted_key",
            Self::BadSignature(_) => "bad_signature",
        }
    }
}

/// The pre-authentication encoding: the bytes that are signed.
pub fn pae(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let mut encoded = Vec::with_capacity(payload_type.len() + payload.len() + 32);
    encoded.extend_from_slice(b"DSSEv1 ");
    encoded.extend_from_slice(payload_type.len().to_string().as_bytes());
    encoded.push(b' ');
    encoded.extend_from_slice(payload_type.as_bytes());
    encoded.push(b' ');
    encoded.extend_from_slice(payload.len().to_string().as_bytes());
    encoded.push(b' ');
    encoded.extend_from_slice(payload);
    encoded
}

/// The canonical file of an envelope around an in-toto payload, signed by every key.
pub fn sign_envelope(payload: &[u8], keys: &[&SigningKey]) -> Result<Vec<u8>, CanonicalError> {
    let message = pae(PAYLOAD_TYPE, payload);
    let signatures = keys
        .iter()
        .map(|key| DsseSignature {
            keyid: keyid(&key.verifying_key()),
            sig: STANDARD.encode(key.sign(&message).to_bytes()),
        })
        .collect();
    canonical::to_bytes(&DsseEnvelope {
        payload: STANDARD.encode(payload),
        payload_type: PAYLOAD_TYPE.to_owned(),
        signatures,
    })
}

/// Opens an envelope: its form is the canonical one and every signature is by a trusted key.
pub fn open_envelope(file: &[u8], keys: &[TrustedKey]) -> Result<OpenedEnvelope, DsseError> {
    let envelope: DsseEnvelope = serde_json::from_slice(file).map_err(DsseError::Unparsable)?;
    if canonical::to_bytes(&envelope).ok().as_deref() != Some(file) {
        return Err(DsseError::NotCanonical);
    }
    let payload = decode(&envelope.payload, "payload")?;
    if envelope.payload_type != PAYLOAD_TYPE {
        return Err(DsseError::PayloadType(envelope.payload_type));
    }
    if envelope.signatures.is_empty() {
        return Err(DsseError::Unsigned);
    }
    if envelope.signatures.len() > MAX_SIGNATURES {
        return Err(DsseError::TooManySignatures(envelope.signatures.len()));
    }
    if keys.is_empty() {
        return Err(DsseError::NoTrustedKey);
    }
    let message = pae(&envelope.payload_type, &payload);
    let mut keyids = Vec::new();
    for signature in envelope.signatures {
        if keyids.contains(&signature.keyid) {
            return Err(DsseError::RepeatedKey(signature.keyid));
        }
        check(&signature, &message, keys)?;
        keyids.push(signature.keyid);
    }
    Ok(OpenedEnvelope { payload, keyids })
}

fn check(signature: &DsseSignature, message: &[u8], keys: &[TrustedKey]) -> Result<(), DsseError> {
    let Some(trusted) = keys.iter().find(|key| key.keyid() == signature.keyid) else {
        return Err(DsseError::UntrustedKey(signature.keyid.clone()));
    };
    let refused = || DsseError::BadSignature(signature.keyid.clone());
    let bytes = decode(&signature.sig, "signature")?;
    let parsed = Signature::from_slice(&bytes).map_err(|_| refused())?;
    trusted
        .key()
        .verify_strict(message, &parsed)
        .map_err(|_| refused())
}

fn decode(text: &str, what: &'static str) -> Result<Vec<u8>, DsseError> {
    let bytes = STANDARD
        .decode(text)
        .map_err(|_| DsseError::NotBase64(what))?;
    if STANDARD.encode(&bytes) == text {
        Ok(bytes)
    } else {
        Err(DsseError::NotBase64(what))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pae_is_that_of_the_specification() {
        assert_eq!(
            pae("http://example.com/HelloWorld", b"hello world"),
            b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
        );
        assert_eq!(pae("", b""), b"DSSEv1 0  0 ");
    }

    #[test]
    fn several_signatures_must_all_be_trusted() {
        let (runner, server) = (
            SigningKey::from_bytes(&[1; 32]),
            SigningKey::from_bytes(&[2; 32]),
        );
        let trust = |key: &SigningKey| TrustedKey::new(key.verifying_key(), "test").unwrap();
        let file = sign_envelope(b"{}", &[&runner, &server]).unwrap();
        let opened = open_envelope(&file, &[trust(&server), trust(&runner)]).unwrap();
        assert_eq!(opened.payload, b"{}");
        assert_eq!(opened.keyids.len(), 2);
        let one = open_envelope(&file, &[trust(&runner)]).unwrap_err();
        assert_eq!(one.code(), "untrusted_key");
        let twice = sign_envelope(b"{}", &[&runner, &runner]).unwrap();
        let error = open_envelope(&twice, &[trust(&runner)]).unwrap_err();
        assert_eq!(error.code(), "bad_signature_list");
        let unsigned = sign_envelope(b"{}", &[]).unwrap();
        let error = open_envelope(&unsigned, &[trust(&runner)]).unwrap_err();
        assert_eq!(error.code(), "unsigned");
    }
}
