//! What payloads suffer as files.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

use dogwatch_blobs::FileBlobs;
use dogwatch_core::Sha256Digest;
use dogwatch_store::{BlobError, Blobs as _};
use tempfile::TempDir;

use crate::place::{assert_private, everything_below};

struct Place {
    directory: TempDir,
}

impl Place {
    fn new() -> Self {
        Self {
            directory: tempfile::tempdir().unwrap(),
        }
    }

    fn root(&self) -> PathBuf {
        self.directory.path().join("blobs")
    }

    fn open(&self) -> FileBlobs {
        FileBlobs::open(self.root()).unwrap()
    }

    fn file(&self, digest: Sha256Digest) -> PathBuf {
        let name = digest.to_string();
        self.root().join(&name[..2]).join(name)
    }
}

fn payload() -> (Sha256Digest, Vec<u8>) {
    let bytes = b"a payload".to_vec();
    (Sha256Digest::of(&bytes), bytes)
}

#[tokio::test]
async fn they_outlive_the_process_and_are_private() {
    let place = Place::new();
    let (digest, bytes) = payload();
    place.open().put(digest, bytes.clone()).await.unwrap();
    assert_eq!(place.open().get(digest).await.unwrap(), Some(bytes));
    assert_private(&place.root());
}

/// Every single flipped bit, a cut tail, an added byte, no bytes at all.
#[tokio::test]
async fn a_damaged_payload_is_never_handed_out_and_is_replaced() {
    let place = Place::new();
    let (digest, bytes) = payload();
    let blobs = place.open();
    blobs.put(digest, bytes.clone()).await.unwrap();
    let mut damages: Vec<Vec<u8>> = (0..bytes.len() * 8)
        .map(|bit| {
            let mut damaged = bytes.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            damaged
        })
        .collect();
    damages.push(bytes[..bytes.len() - 1].to_vec());
    damages.push([&bytes[..], b"\n"].concat());
    damages.push(Vec::new());
    for damaged in damages {
        fs::write(place.file(digest), &damaged).unwrap();
        let error = blobs.get(digest).await.unwrap_err();
        assert_eq!(error.code(), "blob_corrupt");
        assert!(
            matches!(error, BlobError::Corrupt { digest: of, .. } if of == digest),
            "{error:?}"
        );
        blobs.put(digest, bytes.clone()).await.unwrap();
        assert_eq!(blobs.get(digest).await.unwrap().as_ref(), Some(&bytes));
    }
}

#[tokio::test]
async fn too_large_a_payload_is_refused_before_anything_is_written() {
    let place = Place::new();
    let blobs = FileBlobs::open_with_limit(place.root(), 10).unwrap();
    let before = everything_below(&place.root());
    for (size, fits) in [(10, true), (11, false)] {
        let bytes = vec![b'x'; size];
        let digest = Sha256Digest::of(&bytes);
        match blobs.put(digest, bytes).await {
            Ok(()) => assert!(fits, "{size}"),
            Err(error) => {
                assert_eq!(error.code(), "blob_too_large");
                assert!(
                    matches!(
                        error,
                        BlobError::TooLarge {
                            size: 11,
                            limit: 10
                        }
                    ),
                    "{error:?}"
                );
                assert!(!fits, "{size}");
            }
        }
    }
    // The one that fits: its shard and itself.
    assert_eq!(everything_below(&place.root()).len(), before.len() + 2);
}

/// It would be read as "was never stored".
#[tokio::test]
async fn a_directory_that_has_gone_is_an_error() {
    let place = Place::new();
    let (digest, bytes) = payload();
    let blobs = place.open();
    blobs.put(digest, bytes.clone()).await.unwrap();
    fs::rename(place.root(), place.directory.path().join("elsewhere")).unwrap();
    for code in [
        blobs.get(digest).await.unwrap_err().code(),
        blobs.has(digest).await.unwrap_err().code(),
        blobs.put(digest, bytes.clone()).await.unwrap_err().code(),
    ] {
        assert_eq!(code, "store_unavailable");
    }
    assert!(!place.root().exists());
    fs::rename(place.directory.path().join("elsewhere"), place.root()).unwrap();
    assert_eq!(blobs.get(digest).await.unwrap(), Some(bytes));
}

/// A link may lead anywhere; a file that is no payload is not one.
#[tokio::test]
async fn links_and_directories_are_not_followed() {
    let place = Place::new();
    let (digest, bytes) = payload();
    let outside = place.directory.path().join("outside");
    fs::write(&outside, &bytes).unwrap();
    let blobs = place.open();
    fs::create_dir(place.file(digest).parent().unwrap()).unwrap();
    symlink(&outside, place.file(digest)).unwrap();
    assert_eq!(blobs.get(digest).await.unwrap_err().code(), "blob_corrupt");
    blobs.put(digest, bytes.clone()).await.unwrap();
    assert!(fs::symlink_metadata(place.file(digest)).unwrap().is_file());
    assert_eq!(fs::read(&outside).unwrap(), bytes);

    fs::remove_file(place.file(digest)).unwrap();
    fs::create_dir(place.file(digest)).unwrap();
    assert_eq!(blobs.get(digest).await.unwrap_err().code(), "blob_corrupt");
}

/// What a killed process was writing has no name of its own yet.
#[tokio::test]
async fn what_was_half_written_is_cleared_away() {
    let place = Place::new();
    let (digest, bytes) = payload();
    drop(place.open());
    let half = place.root().join("incoming/half");
    fs::write(&half, &bytes[..4]).unwrap();
    let blobs = place.open();
    assert!(!half.exists());
    assert_eq!(blobs.get(digest).await.unwrap(), None);
    blobs.put(digest, bytes).await.unwrap();
    assert_eq!(
        fs::read_dir(place.root().join("incoming")).unwrap().count(),
        0
    );
}
