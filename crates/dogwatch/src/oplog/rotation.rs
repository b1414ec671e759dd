//! Files that were rolled over: numbered, gzipped, and only so many of them.
//!
//! Rolling over is a rename; compressing is a new file that takes the plain one's place once it is whole. Whatever instruction a crash
//! hits, each line is in exactly one file that the next start keeps.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use dogwatch_core::log_event::LogLane;
use flate2::Compression;
use flate2::write::GzEncoder;

/// What becomes of a lane's file when it is full.
#[derive(Debug)]
pub(super) struct Rotation {
    directory: PathBuf,
    lane: LogLane,
    keep: usize,
}

/// A file that was rolled over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Rolled {
    number: u64,
    form: Form,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Form {
    /// Not compressed yet.
    Plain,
    /// Compressed, whole.
    Gzip,
    /// Being compressed.
    Draft,
}

impl Rotation {
    pub(super) fn new(directory: &Path, lane: LogLane, keep: usize) -> Self {
        Self {
            directory: directory.to_owned(),
            lane,
            keep,
        }
    }

    /// The file that is written.
    pub(super) fn current(&self) -> PathBuf {
        self.directory.join(format!("{}.jsonl", self.lane.as_str()))
    }

    /// Puts the current file aside under the next number.
    pub(super) fn roll_over(&self) -> io::Result<()> {
        let last = self.rolled()?.into_iter().map(|file| file.number).max();
        let next = Rolled {
            number: last.map_or(1, |last| last + 1),
            form: Form::Plain,
        };
        fs::rename(self.current(), self.path(next))
    }

    /// Compresses what was put aside, also by a process before this one, and removes the oldest.
    pub(super) fn tidy(&self) -> io::Result<()> {
        let files = self.rolled()?;
        for file in &files {
            let is_whole = files.contains(&Rolled {
                form: Form::Gzip,
                ..*file
            });
            match file.form {
                // The crash came between the new name and the removal of the old file.
                Form::Plain if is_whole => fs::remove_file(self.path(*file))?,
                Form::Plain => self.compress(*file)?,
                Form::Gzip | Form::Draft => {}
            }
        }
        for file in self.rolled()? {
            if file.form == Form::Draft {
                fs::remove_file(self.path(file))?;
            }
        }
        let mut kept = self.rolled()?;
        kept.sort_by(|one, other| other.cmp(one));
        for old in kept.into_iter().skip(self.keep) {
            fs::remove_file(self.path(old))?;
        }
        Ok(())
    }

    fn compress(&self, plain: Rolled) -> io::Result<()> {
        let at = |form| self.path(Rolled { form, ..plain });
        let draft = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(at(Form::Draft))?;
        let mut encoder = GzEncoder::new(draft, Compression::default());
        io::copy(&mut File::open(at(Form::Plain))?, &mut encoder)?;
        let mut draft = encoder.finish()?;
        draft.flush()?;
        draft.sync_all()?;
        fs::rename(at(Form::Draft), at(Form::Gzip))?;
        fs::remove_file(at(Form::Plain))
    }

    fn path(&self, file: Rolled) -> PathBuf {
        let end = match file.form {
            Form::Plain => "",
            Form::Gzip => ".gz",
            Form::Draft => ".gz.draft",
        };
        let name = format!("{}.{:06}.jsonl{end}", self.lane.as_str(), file.number);
        self.directory.join(name)
    }

    fn rolled(&self) -> io::Result<Vec<Rolled>> {
        let mut files = Vec::new();
        for entry in fs::read_dir(&self.directory)? {
            let name = entry?.file_name();
            files.extend(name.to_str().and_then(|name| self.parse(name)));
        }
        Ok(files)
    }

    fn parse(&self, name: &str) -> Option<Rolled> {
        let rest = name.strip_prefix(self.lane.as_str())?.strip_prefix('.')?;
        let (number, end) = rest.split_once('.')?;
        let form = match end {
            "jsonl" => Form::Plain,
            "jsonl.gz" => Form::Gzip,
            "jsonl.gz.draft" => Form::Draft,
            _ => return None,
        };
        Some(Rolled {
            number: number.parse().ok()?,
            form,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    fn names(directory: &Path) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(directory)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    fn unzipped(path: &Path) -> String {
        let mut text = String::new();
        flate2::read::GzDecoder::new(File::open(path).unwrap())
            .read_to_string(&mut text)
            .unwrap();
        text
    }

    #[test]
    fn the_newest_are_kept_and_numbers_go_on() {
        let directory = tempfile::tempdir().unwrap();
        let rotation = Rotation::new(directory.path(), LogLane::Ci, 2);
        for round in 1..=4 {
            fs::write(rotation.current(), format!("round {round}\n")).unwrap();
            rotation.roll_over().unwrap();
            rotation.tidy().unwrap();
        }
        assert_eq!(
            names(directory.path()),
            ["ci.000003.jsonl.gz", "ci.000004.jsonl.gz"]
        );
        let last = directory.path().join("ci.000004.jsonl.gz");
        assert_eq!(unzipped(&last), "round 4\n");
    }

    #[test]
    fn what_a_crash_left_is_put_in_order() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        // Put aside and not compressed; half compressed; compressed and not removed; of another lane.
        fs::write(at("ci.000001.jsonl"), "one\n").unwrap();
        fs::write(at("ci.000002.jsonl"), "two\n").unwrap();
        fs::write(at("ci.000002.jsonl.gz.draft"), "half").unwrap();
        let rotation = Rotation::new(directory.path(), LogLane::Ci, 9);
        rotation.tidy().unwrap();
        fs::write(at("ci.000001.jsonl"), "one\n").unwrap();
        fs::write(at("e2e.000001.jsonl"), "other\n").unwrap();
        rotation.tidy().unwrap();
        assert_eq!(
            names(directory.path()),
            [
                "ci.000001.jsonl.gz",
                "ci.000002.jsonl.gz",
                "e2e.000001.jsonl"
            ]
        );
        assert_eq!(unzipped(&at("ci.000001.jsonl.gz")), "one\n");
        assert_eq!(unzipped(&at("ci.000002.jsonl.gz")), "two\n");
    }
}
