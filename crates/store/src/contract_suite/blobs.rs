//! What every store of payloads has to do. Each check gets an empty one.

use dogwatch_core::Sha256Digest;

use super::concurrently;
use crate::{BlobError, Blobs};

/// One `#[tokio::test]` per check, against the stores of payloads that the named function opens: an `async fn open() -> (impl Blobs, K)`,
/// where `K` is what has to live as long.
#[macro_export]
macro_rules! blobs_contract_suite {
    ($open:path) => {
        $crate::blobs_contract_suite!(@checks $open;
            what_is_stored_is_read;
            what_was_never_stored_is_nothing;
            bytes_of_another_digest_are_refused;
            repeating_changes_nothing;
            many_may_store_at_once;
        );
    };
    (@checks $open:path; $($check:ident;)*) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $check() {
            let (store, _keep) = $open().await;
            $crate::contract_suite::blobs::$check(&store).await;
        }
    )*};
}

fn payload(text: &str) -> (Sha256Digest, Vec<u8>) {
    let bytes = text.as_bytes().to_vec();
    (Sha256Digest::of(&bytes), bytes)
}

/// Byte for byte, whatever the bytes.
pub async fn what_is_stored_is_read(blobs: &dyn Blobs) {
    let payloads: [Vec<u8>; 4] = [
        Vec::new(),
        b"text\n".to_vec(),
        (0..=255).collect(),
        vec![0; 300_000],
    ];
    for bytes in &payloads {
        let digest = Sha256Digest::of(bytes);
        assert!(!blobs.has(digest).await.unwrap());
        blobs.put(digest, bytes.clone()).await.unwrap();
        assert!(blobs.has(digest).await.unwrap());
    }
    for bytes in payloads {
        let digest = Sha256Digest::of(&bytes);
        assert_eq!(blobs.get(digest).await.unwrap(), Some(bytes));
    }
}

/// Nothing is not an error, and not an empty payload.
pub async fn what_was_never_stored_is_nothing(blobs: &dyn Blobs) {
    let (digest, _) = payload("never stored");
    assert_eq!(blobs.get(digest).await.unwrap(), None);
    assert!(!blobs.has(digest).await.unwrap());
}

/// And leave nothing behind, under either name.
pub async fn bytes_of_another_digest_are_refused(blobs: &dyn Blobs) {
    let (digest, _) = payload("claimed");
    let (actual, bytes) = payload("sent");
    let error = blobs.put(digest, bytes).await.unwrap_err();
    assert_eq!(error.code(), "blob_digest_mismatch");
    assert!(
        matches!(error, BlobError::DigestMismatch { digest: claimed, actual: sent } if claimed == digest && sent == actual),
        "{error:?}"
    );
    assert!(!blobs.has(digest).await.unwrap());
    assert!(!blobs.has(actual).await.unwrap());
}

/// A wrong repetition is refused too, and does no harm to what is there.
pub async fn repeating_changes_nothing(blobs: &dyn Blobs) {
    let (digest, bytes) = payload("again");
    for _ in 0..3 {
        blobs.put(digest, bytes.clone()).await.unwrap();
    }
    blobs.put(digest, b"other".to_vec()).await.unwrap_err();
    assert_eq!(blobs.get(digest).await.unwrap(), Some(bytes));
}

/// The same payload from many at once, among others.
pub async fn many_may_store_at_once(blobs: &dyn Blobs) {
    let (shared, _) = payload("shared");
    let puts = (0..24).map(|number| {
        let text = if number % 2 == 0 {
            "shared".to_owned()
        } else {
            format!("own {number}")
        };
        let (digest, bytes) = payload(&text);
        blobs.put(digest, bytes)
    });
    for result in concurrently(puts).await {
        result.unwrap();
    }
    assert_eq!(blobs.get(shared).await.unwrap(), Some(b"shared".to_vec()));
    for number in (1..24).step_by(2) {
        let (digest, bytes) = payload(&format!("own {number}"));
        assert_eq!(blobs.get(digest).await.unwrap(), Some(bytes));
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_check_is_on_the_list() {
        let source = include_str!("blobs.rs");
        let mut checks = 0;
        for line in source.lines() {
            let Some(rest) = line.strip_prefix("pub async fn ") else {
                continue;
            };
            let name = rest.split('(').next().unwrap_or_default();
            assert!(
                source.contains(&format!("            {name};\n")),
                "{name} is never run"
            );
            checks += 1;
        }
        assert!(checks >= 5, "{checks}");
    }
}
