//! Keys on disk: made once, private, never made again in silence; public ones read with clear refusals.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use dogwatch_bundle::{KeyError, KeyStore, load_public_key, load_trusted_keys};
use ed25519_dalek::Signer as _;

/// The key pair of RFC 8410, as OpenSSL writes it.
const PUBLIC: &str = "-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=
-----END PUBLIC KEY-----
";
const PRIVATE: &str = "-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC
-----END PRIVATE KEY-----
";

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

#[test]
fn the_key_is_made_once_and_is_private() {
    let data = tempfile::tempdir().unwrap();
    let made = KeyStore::open(data.path()).unwrap();
    assert_eq!(mode(&data.path().join("keys")), 0o700);
    assert_eq!(mode(&data.path().join("keys/runner.pem")), 0o600);
    let again = KeyStore::open(data.path()).unwrap();
    assert_eq!(again.keyid(), made.keyid());
    let trusted = again.trusted_keys().unwrap();
    assert_eq!(trusted.len(), 1);
    assert_eq!(trusted[0].keyid(), made.keyid());
    let signature = made.signing_key().sign(b"x");
    trusted[0].key().verify_strict(b"x", &signature).unwrap();
    let mut names: Vec<_> = fs::read_dir(data.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    names.sort();
    assert_eq!(names, ["keys", "trusted-keys"]);
    let other = tempfile::tempdir().unwrap();
    assert_ne!(KeyStore::open(other.path()).unwrap().keyid(), made.keyid());
}

#[test]
fn the_files_have_the_forms_openssl_reads() {
    let data = tempfile::tempdir().unwrap();
    let store = KeyStore::open(data.path()).unwrap();
    let private = fs::read_to_string(data.path().join("keys/runner.pem")).unwrap();
    assert!(private.starts_with("-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEI"));
    assert_eq!(private.len(), PRIVATE.len());
    let public = data
        .path()
        .join(format!("trusted-keys/{}.pem", store.keyid()));
    let public = fs::read_to_string(public).unwrap();
    assert!(public.starts_with("-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA"));
    assert_eq!(public.len(), PUBLIC.len());
}

#[test]
fn many_openers_at_once_agree_on_one_key() {
    let data = tempfile::tempdir().unwrap();
    let start = std::sync::Barrier::new(8);
    let ids: Vec<String> = std::thread::scope(|scope| {
        let opened: Vec<_> = (0..8)
            .map(|_| {
                scope.spawn(|| {
                    start.wait();
                    KeyStore::open(data.path()).unwrap().keyid()
                })
            })
            .collect();
        opened
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    });
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    let trusted = load_trusted_keys(data.path()).unwrap();
    assert_eq!(trusted.len(), 1);
    assert_eq!(trusted[0].keyid(), ids[0]);
}

#[test]
fn a_lost_or_open_or_broken_key_is_an_error_and_stays_as_it_is() {
    let data = tempfile::tempdir().unwrap();
    KeyStore::open(data.path()).unwrap();
    let (keys, key) = (
        data.path().join("keys"),
        data.path().join("keys/runner.pem"),
    );
    let honest = fs::read(&key).unwrap();

    fs::set_permissions(&key, Permissions::from_mode(0o644)).unwrap();
    let error = KeyStore::open(data.path()).unwrap_err();
    assert!(matches!(error, KeyError::Permissions { .. }), "{error}");
    assert!(error.to_string().contains("0644"), "{error}");
    fs::set_permissions(&key, Permissions::from_mode(0o600)).unwrap();

    fs::set_permissions(&keys, Permissions::from_mode(0o750)).unwrap();
    let error = KeyStore::open(data.path()).unwrap_err();
    assert!(matches!(error, KeyError::Permissions { .. }), "{error}");
    fs::set_permissions(&keys, Permissions::from_mode(0o700)).unwrap();

    for broken in [b"".as_slice(), b"garbage", PUBLIC.as_bytes(), b"\xff\xfe"] {
        fs::write(&key, broken).unwrap();
        let error = KeyStore::open(data.path()).unwrap_err();
        assert!(matches!(error, KeyError::Malformed { .. }), "{error}");
        assert_eq!(fs::read(&key).unwrap(), broken);
    }

    fs::rename(&key, keys.join("elsewhere.pem")).unwrap();
    let error = KeyStore::open(data.path()).unwrap_err();
    assert!(matches!(error, KeyError::Missing { .. }), "{error}");
    assert!(!key.exists());
    fs::write(&key, honest).unwrap();
    fs::set_permissions(&key, Permissions::from_mode(0o600)).unwrap();
    KeyStore::open(data.path()).unwrap();
}

#[test]
fn public_keys_from_openssl_are_read() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("key.pem");
    fs::write(&path, PUBLIC).unwrap();
    let key = load_public_key(&path).unwrap();
    assert_eq!(
        hex::encode(key.key().as_bytes()),
        "19bf44096984cdfe8541bac167dc3b96c85086aa30b6b6cb0c5c38ad703166e1"
    );
    assert_eq!(key.origin(), path.display().to_string());
    fs::write(&path, PUBLIC.replace('\n', "\r\n")).unwrap();
    assert_eq!(load_public_key(&path).unwrap().keyid(), key.keyid());
}

#[test]
fn what_is_no_public_key_is_refused_with_a_hint() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("key.pem");
    let refuse = |content: &str, hint: &str| {
        fs::write(&path, content).unwrap();
        let error = load_public_key(&path).unwrap_err().to_string();
        assert!(error.contains(hint), "{error}");
        assert!(error.contains("key.pem"), "{error}");
    };
    refuse(PRIVATE, "openssl pkey -in");
    refuse("-----BEGIN OPENSSH PRIVATE KEY-----\n", "private key");
    refuse("ssh-ed25519 AAAAC3 me@home\n", "OpenSSH");
    refuse("-----BEGIN CERTIFICATE-----\n", "certificate");
    refuse("hello\n", "BEGIN PUBLIC KEY");
    refuse("", "BEGIN PUBLIC KEY");
    refuse(&PUBLIC.replace("MCow", "MCox"), "an Ed25519 public key");
    refuse(&"x".repeat(100_000), "far too large");
    let weak = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAAQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n-----END PUBLIC KEY-----\n";
    refuse(weak, "weak");

    let missing = load_public_key(&home.path().join("none.pem")).unwrap_err();
    assert!(matches!(missing, KeyError::Io { .. }), "{missing}");
    let directory = load_public_key(home.path()).unwrap_err();
    assert!(
        matches!(directory, KeyError::NotAFile { .. }),
        "{directory}"
    );
}

#[test]
fn trusted_keys_are_read_strictly_and_nothing_is_made() {
    let data = tempfile::tempdir().unwrap();
    assert_eq!(load_trusted_keys(data.path()).unwrap(), []);
    assert_eq!(fs::read_dir(data.path()).unwrap().count(), 0);

    let directory = data.path().join("trusted-keys");
    fs::create_dir(&directory).unwrap();
    fs::set_permissions(&directory, Permissions::from_mode(0o755)).unwrap();
    fs::write(directory.join("README"), "not a key").unwrap();
    fs::write(directory.join("ana.pem"), PUBLIC).unwrap();
    let error = load_trusted_keys(data.path()).unwrap_err();
    let KeyError::Misnamed { keyid, .. } = error else {
        panic!("{error}")
    };
    fs::rename(
        directory.join("ana.pem"),
        directory.join(format!("{keyid}.pem")),
    )
    .unwrap();
    let keys = load_trusted_keys(data.path()).unwrap();
    assert_eq!(keys.len(), 1);
    assert_eq!(keys[0].keyid(), keyid);

    fs::set_permissions(&directory, Permissions::from_mode(0o777)).unwrap();
    let error = load_trusted_keys(data.path()).unwrap_err();
    assert!(matches!(error, KeyError::Permissions { .. }), "{error}");
}
