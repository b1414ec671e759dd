//! The journal on disk: one writer, gapless over restarts, damaged ones refused.

use std::fs;
use std::path::PathBuf;

use dogwatch_bundle::{JournalFileError, JournalWriter};
use dogwatch_core::event::MAX_EVENT_BYTES;
use dogwatch_core::journal::{self, JournalCode};
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use serde_json::json;
use tempfile::TempDir;

use crate::fixture::{note, run_id};

struct Place {
    home: TempDir,
    path: PathBuf,
}

impl Place {
    /// A journal with some records and no writer.
    fn with(records: u64) -> Self {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("journal.jsonl");
        let mut writer = JournalWriter::create(&path, run_id(1)).unwrap();
        for number in 1..=records {
            let sealed = writer.append(note(1, number)).unwrap();
            assert_eq!(sealed.envelope.seq, number);
            assert_eq!(sealed.envelope.run, Some(run_id(1)));
        }
        Self { home, path }
    }

    fn torn(&self) -> PathBuf {
        self.home.path().join("journal.torn")
    }

    #[track_caller]
    fn assert_clean(&self, records: usize) {
        let reading = journal::read(run_id(1), &fs::read(&self.path).unwrap(), true);
        assert_eq!(reading.findings, []);
        assert_eq!(reading.entries.len(), records);
    }
}

#[test]
fn a_journal_goes_on_where_it_ended() {
    let place = Place::with(2);
    for number in 3..6 {
        let mut writer = JournalWriter::open(&place.path, run_id(1)).unwrap();
        assert_eq!(writer.head().seq, number - 1);
        assert_eq!(writer.append(note(1, number)).unwrap().envelope.seq, number);
    }
    place.assert_clean(5);
    let empty = Place::with(0);
    let mut writer = JournalWriter::open(&empty.path, run_id(1)).unwrap();
    assert_eq!(writer.append(note(1, 1)).unwrap().envelope.seq, 1);
}

#[test]
fn there_is_one_writer() {
    let place = Place::with(1);
    let again = JournalWriter::create(&place.path, run_id(1));
    assert!(matches!(again, Err(JournalFileError::Io { .. })));
    let first = JournalWriter::open(&place.path, run_id(1)).unwrap();
    let second = JournalWriter::open(&place.path, run_id(1)).unwrap_err();
    assert!(
        matches!(second, JournalFileError::Locked { .. }),
        "{second}"
    );
    drop(first);
    JournalWriter::open(&place.path, run_id(1)).unwrap();
}

#[test]
fn a_torn_tail_is_kept_beside_and_cut_off() {
    let place = Place::with(3);
    let whole = fs::read(&place.path).unwrap();
    let second = journal::read(run_id(1), &whole, true).entries[1].range.end + 1;
    for cut in [second + 1, second + 100, whole.len() - 1] {
        let _ = fs::remove_file(place.torn());
        fs::write(&place.path, &whole[..cut]).unwrap();
        let mut writer = JournalWriter::open(&place.path, run_id(1)).unwrap();
        assert_eq!(writer.head().seq, 2);
        assert_eq!(fs::read(place.torn()).unwrap(), &whole[second..cut]);
        writer.append(note(1, 3)).unwrap();
        drop(writer);
        place.assert_clean(3);
    }
}

#[test]
fn a_crash_while_cutting_the_tail_keeps_it_once() {
    let place = Place::with(1);
    let whole = fs::read(&place.path).unwrap();
    let torn = [whole.as_slice(), b"{\"half\":"].concat();
    fs::write(&place.path, &torn).unwrap();
    // As if the machine had stopped after the tail was kept and before it was cut off.
    fs::write(place.torn(), b"{\"half\":").unwrap();
    drop(JournalWriter::open(&place.path, run_id(1)).unwrap());
    assert_eq!(fs::read(place.torn()).unwrap(), b"{\"half\":");
    assert_eq!(fs::read(&place.path).unwrap(), whole);
}

#[test]
fn a_damaged_journal_is_refused_and_left_alone() {
    let place = Place::with(4);
    let whole = fs::read(&place.path).unwrap();
    let entries = journal::read(run_id(1), &whole, true).entries;
    let mut changed = whole.clone();
    changed[entries[1].range.start + 20] ^= 1;
    let missing = [
        &whole[..entries[1].range.start],
        &whole[entries[2].range.start..],
    ]
    .concat();
    for (bytes, seq) in [(changed, 2), (missing, 2)] {
        fs::write(&place.path, &bytes).unwrap();
        match JournalWriter::open(&place.path, run_id(1)).unwrap_err() {
            JournalFileError::Damaged { finding, .. } => assert_eq!(finding.seq, seq),
            other => panic!("{other}"),
        }
        assert_eq!(fs::read(&place.path).unwrap(), bytes);
        assert!(!place.torn().exists());
    }
    fs::write(&place.path, &whole).unwrap();
    match JournalWriter::open(&place.path, run_id(2)).unwrap_err() {
        JournalFileError::Damaged { finding, .. } => {
            assert_eq!(finding.code, JournalCode::ForeignRun);
        }
        other => panic!("{other}"),
    }
}

#[test]
fn an_event_that_is_too_large_changes_nothing() {
    let place = Place::with(1);
    let mut writer = JournalWriter::open(&place.path, run_id(1)).unwrap();
    let mut large = note(1, 2);
    large.data = json!({"text": "x".repeat(MAX_EVENT_BYTES)});
    let error = writer.append(large).unwrap_err();
    assert!(matches!(error, JournalFileError::Event(_)));
    writer.append(note(1, 2)).unwrap();
    drop(writer);
    place.assert_clean(2);
}

#[test]
fn a_file_that_someone_else_changed_or_deleted_is_not_written() {
    let place = Place::with(1);
    let honest = fs::read(&place.path).unwrap();
    let disturb: [&dyn Fn(); 3] = [
        &|| fs::write(&place.path, [honest.as_slice(), b"{}\n"].concat()).unwrap(),
        &|| fs::write(&place.path, b"").unwrap(),
        &|| fs::remove_file(&place.path).unwrap(),
    ];
    for change in disturb {
        fs::write(&place.path, &honest).unwrap();
        let mut writer = JournalWriter::open(&place.path, run_id(1)).unwrap();
        change();
        let error = writer.append(note(1, 2)).unwrap_err();
        assert!(
            matches!(error, JournalFileError::Disturbed { .. }),
            "{error}"
        );
        let error = writer.append(note(1, 2)).unwrap_err();
        assert!(
            matches!(error, JournalFileError::Poisoned { .. }),
            "{error}"
        );
    }
}

#[test]
fn neither_symlinks_nor_pipes_are_taken_for_a_journal() {
    let place = Place::with(1);
    let link = place.home.path().join("link.jsonl");
    std::os::unix::fs::symlink(&place.path, &link).unwrap();
    let error = JournalWriter::open(&link, run_id(1)).unwrap_err();
    assert!(matches!(error, JournalFileError::Io { .. }), "{error}");
    let pipe = place.home.path().join("pipe.jsonl");
    mkfifo(&pipe, Mode::from_bits_truncate(0o600)).unwrap();
    let error = JournalWriter::open(&pipe, run_id(1)).unwrap_err();
    assert!(matches!(error, JournalFileError::Io { .. }), "{error}");
    // A torn tail never goes through a link that someone laid.
    let victim = place.home.path().join("victim");
    fs::write(&victim, "mine").unwrap();
    std::os::unix::fs::symlink(&victim, place.torn()).unwrap();
    let torn = [fs::read(&place.path).unwrap(), b"{".to_vec()].concat();
    fs::write(&place.path, &torn).unwrap();
    assert!(JournalWriter::open(&place.path, run_id(1)).is_err());
    assert_eq!(fs::read(&victim).unwrap(), b"mine");
    assert_eq!(fs::read(&place.path).unwrap(), torn);
}

#[test]
fn a_sealed_journal_is_not_continued() {
    let place = Place::with(1);
    fs::write(place.home.path().join("manifest.json"), "{}").unwrap();
    let error = JournalWriter::open(&place.path, run_id(1)).unwrap_err();
    assert!(matches!(error, JournalFileError::Sealed { .. }));
}
