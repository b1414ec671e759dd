//! Tokens of running agents: the lease they speak for, under a key of the server. Nothing is stored, so nothing outlives the lease.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use dogwatch_api::LeaseClaim;
use dogwatch_core::event::Epoch;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

/// How such a token begins.
const PREFIX: &str = "dwr_";

/// What stands before the text that is authenticated, so that the key serves for nothing else.
const DOMAIN: &[u8] = b"dogwatch.run-token.v1\0";

/// The key that run tokens are made with. Whoever has it can speak for every run of the server.
#[derive(Clone)]
pub struct TokenKey([u8; 32]);

impl std::fmt::Debug for TokenKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TokenKey(..)")
    }
}

impl TokenKey {
    /// A key from its bytes, which must be random.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    fn mac(&self, text: &str) -> Hmac<Sha256> {
        let mut mac =
            Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes a key of any length");
        mac.update(DOMAIN);
        mac.update(text.as_bytes());
        mac
    }

    /// The token that speaks for a run under a lease.
    pub(crate) fn token(&self, claim: &LeaseClaim) -> String {
        let text = format!(
            "{PREFIX}{}.{}.{}.{}",
            claim.run, claim.job, claim.lease, claim.epoch
        );
        let mac = self.mac(&text).finalize().into_bytes();
        format!("{text}.{}", URL_SAFE_NO_PAD.encode(mac))
    }

    /// What a token speaks for, if this key made it. Whether that lease is still there is another question.
    pub(crate) fn read(&self, token: &str) -> Option<LeaseClaim> {
        let (text, mac) = token.rsplit_once('.')?;
        let mac = URL_SAFE_NO_PAD.decode(mac).ok()?;
        self.mac(text).verify_slice(&mac).ok()?;
        spoken_for(text)
    }
}

/// What a token of a run says that it speaks for. Nothing is proved by it: only the server that made the token can tell.
pub fn unproved_claim(token: &str) -> Option<LeaseClaim> {
    spoken_for(token.rsplit_once('.')?.0)
}

fn spoken_for(text: &str) -> Option<LeaseClaim> {
    let mut parts = text.strip_prefix(PREFIX)?.split('.');
    let claim = LeaseClaim {
        run: parts.next()?.parse().ok()?,
        job: parts.next()?.parse().ok()?,
        lease: parts.next()?.parse().ok()?,
        epoch: Epoch(parts.next()?.parse().ok()?),
    };
    parts.next().is_none().then_some(claim)
}

/// Whether a token says of itself that it is one.
pub(super) fn is_run_token(token: &str) -> bool {
    token.starts_with(PREFIX)
}

#[cfg(test)]
mod tests {
    use dogwatch_core::Timestamp;
    use dogwatch_core::ids::{JobId, LeaseId, RunId, uuid_v7};

    use super::*;

    fn claim(byte: u8) -> LeaseClaim {
        let uuid = |add| uuid_v7(Timestamp::EPOCH, &[byte + add; 10]);
        LeaseClaim {
            job: JobId::from_uuid(uuid(0)),
            run: RunId::from_uuid(uuid(1)),
            lease: LeaseId::from_uuid(uuid(2)),
            epoch: Epoch(7),
        }
    }

    #[test]
    fn a_token_reads_back_under_its_key_only() {
        let key = TokenKey::from_bytes([1; 32]);
        let token = key.token(&claim(9));
        assert_eq!(key.read(&token), Some(claim(9)));
        assert_eq!(TokenKey::from_bytes([2; 32]).read(&token), None);
        assert!(token.len() < 300, "{token}");
    }

    #[test]
    fn no_byte_of_it_can_be_changed() {
        let key = TokenKey::from_bytes([1; 32]);
        let token = key.token(&claim(9));
        for at in 0..token.len() {
            let mut forged = token.clone().into_bytes();
            forged[at] = if forged[at] == b'0' { b'1' } else { b'0' };
            let forged = String::from_utf8(forged).unwrap();
            assert_eq!(key.read(&forged), None, "{forged}");
        }
        for forged in [
            "",
            "dwr_",
            ".",
            &token[..token.len() - 1],
            &format!("{token}A"),
        ] {
            assert_eq!(key.read(forged), None, "{forged}");
        }
    }

    #[test]
    fn parts_of_two_tokens_make_no_third() {
        let key = TokenKey::from_bytes([1; 32]);
        let (one, two) = (key.token(&claim(1)), key.token(&claim(2)));
        let (head, _) = one.rsplit_once('.').unwrap();
        let (_, mac) = two.rsplit_once('.').unwrap();
        assert_eq!(key.read(&format!("{head}.{mac}")), None);
    }
}
