//! What a commit contains, in one piece of memory that is also a file: paths in order, found by bisection, without reading the rest.
//!
//! A cached listing is why a snapshot of an overlay costs what changed and not what there is.

use std::fs;
use std::io;
use std::ops::Range;
use std::path::Path;

use super::Mode;
use crate::git::GitError;
use crate::object_id::{ObjectFormat, ObjectId};
use crate::vault::Vault;

const MAGIC: &[u8; 16] = b"dogwatch-list-1\n";
/// Magic, number of entries, bytes of all paths, bytes of all files.
const HEADER: usize = 16 + 8 + 8 + 8;

/// One path of a commit.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Listed {
    pub(crate) mode: Mode,
    pub(crate) id: ObjectId,
    pub(crate) size: u64,
}

/// All paths of a commit that are not directories.
pub(crate) struct Listing {
    bytes: Vec<u8>,
    count: usize,
    commit: ObjectId,
}

/// A listing that could not be read back.
fn damaged(what: &str) -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        format!("the listing is damaged: {what}"),
    )
}

impl Listing {
    /// Asks git. Sizes are looked up only if they are wanted, because git has to open every object for them.
    pub(crate) fn read(vault: &Vault, commit: ObjectId, sizes: bool) -> Result<Self, GitError> {
        let mut command = vault.command("ls-tree")?.args(["-r", "-z", "--full-tree"]);
        if sizes {
            command = command.arg("-l");
        }
        let output = command.arg(commit.to_string()).run()?;
        let mut entries = Vec::new();
        for record in output
            .split(|byte| *byte == 0)
            .filter(|record| !record.is_empty())
        {
            let entry = parse(record).ok_or_else(|| {
                GitError::unexpected("ls-tree", format!("`{}`", crate::PathBytes::new(record)))
            })?;
            entries.push(entry);
        }
        entries.sort_unstable_by(|left, right| left.0.cmp(right.0));
        Ok(Self::of(commit, &entries))
    }

    fn of(commit: ObjectId, entries: &[(&[u8], Listed)]) -> Self {
        let paths: usize = entries.iter().map(|(path, _)| path.len()).sum();
        let total: u64 = entries.iter().map(|(_, listed)| listed.size).sum();
        let record = Self::record_len(commit.format());
        let mut bytes = Vec::with_capacity(HEADER + 32 + entries.len() * (record + 4) + paths);
        bytes.extend_from_slice(MAGIC);
        for number in [entries.len() as u64, paths as u64, total] {
            bytes.extend_from_slice(&number.to_le_bytes());
        }
        bytes.extend_from_slice(commit.as_bytes());
        let mut end = 0_u64;
        for (path, listed) in entries {
            end += path.len() as u64;
            bytes.extend_from_slice(&end.to_le_bytes());
            bytes.extend_from_slice(&listed.size.to_le_bytes());
            bytes.push(code_of(listed.mode));
            bytes.extend_from_slice(listed.id.as_bytes());
        }
        let mut by_id: Vec<u32> = (0..).take(entries.len()).collect();
        by_id.sort_unstable_by_key(|index| entries[*index as usize].1.id);
        for index in by_id {
            bytes.extend_from_slice(&index.to_le_bytes());
        }
        for (path, _) in entries {
            bytes.extend_from_slice(path);
        }
        Self {
            bytes,
            count: entries.len(),
            commit,
        }
    }

    /// Reads back what [`save`](Self::save) wrote. Anything else is an error.
    pub(crate) fn load(path: &Path, format: ObjectFormat) -> io::Result<Self> {
        let bytes = fs::read(path)?;
        let number = |at: usize| bytes.get(at..at + 8).map(le_u64);
        if !bytes.starts_with(MAGIC) {
            return Err(damaged("it does not begin as one"));
        }
        let id_len = format.hex_len() / 2;
        let (Some(count), Some(paths), Some(id)) =
            (number(16), number(24), bytes.get(HEADER..HEADER + id_len))
        else {
            return Err(damaged("it breaks off"));
        };
        let commit = id_of(id).ok_or_else(|| damaged("it names no commit"))?;
        let wanted = usize::try_from(count).ok().zip(usize::try_from(paths).ok());
        let expected = wanted.and_then(|(count, paths)| {
            count
                .checked_mul(Self::record_len(format) + 4)?
                .checked_add(HEADER + id_len)?
                .checked_add(paths)
        });
        let (Some((count, paths)), true) = (wanted, expected == Some(bytes.len())) else {
            return Err(damaged("it has the wrong length"));
        };
        let listing = Self {
            bytes,
            count,
            commit,
        };
        listing.check(paths)?;
        Ok(listing)
    }

    /// After this no index in the file leads anywhere but into it.
    fn check(&self, paths: usize) -> io::Result<()> {
        let mut previous: Option<&[u8]> = None;
        let mut end = 0;
        for index in 0..self.count {
            let next = self.path_end(index);
            if next < end || next > paths as u64 {
                return Err(damaged("a path has no place"));
            }
            end = next;
            let path = self.path(index);
            if previous.is_some_and(|previous| previous >= path) {
                return Err(damaged("paths are out of order"));
            }
            previous = Some(path);
            if mode_of(self.bytes[self.record(index) + 16]).is_none() {
                return Err(damaged("an entry has no mode"));
            }
            if self.by_id(index) >= self.count {
                return Err(damaged("an id has no entry"));
            }
        }
        Ok(())
    }

    /// Writes the listing to a file that must not exist.
    pub(crate) fn save(&self, path: &Path) -> io::Result<()> {
        let file = fs::File::create_new(path)?;
        io::Write::write_all(&mut &file, &self.bytes)
    }

    /// Whose listing it is.
    pub(crate) fn commit(&self) -> ObjectId {
        self.commit
    }

    /// How many entries there are.
    pub(crate) fn len(&self) -> usize {
        self.count
    }

    /// The sizes of all entries together, if they were looked up.
    pub(crate) fn total_size(&self) -> u64 {
        le_u64(&self.bytes[32..40])
    }

    /// How many entries are files or links.
    pub(crate) fn files(&self) -> u64 {
        let all = (0..self.count).map(|index| self.entry(index).mode);
        all.filter(|mode| *mode != Mode::Submodule).count() as u64
    }

    /// The path of an entry.
    pub(crate) fn path(&self, index: usize) -> &[u8] {
        let start = if index == 0 {
            0
        } else {
            self.path_end(index - 1)
        };
        let paths = self.record(self.count) + 4 * self.count;
        &self.bytes[paths + at(start)..paths + at(self.path_end(index))]
    }

    /// What stands at an entry.
    pub(crate) fn entry(&self, index: usize) -> Listed {
        let record = self.record(index);
        let id = &self.bytes[record + 17..record + 17 + self.commit.as_bytes().len()];
        Listed {
            // Checked when the listing was read, or written by us.
            mode: mode_of(self.bytes[record + 16]).unwrap_or(Mode::File),
            id: id_of(id).unwrap_or(self.commit),
            size: le_u64(&self.bytes[record + 8..record + 16]),
        }
    }

    /// Where `path` is.
    pub(crate) fn find(&self, path: &[u8]) -> Option<usize> {
        let index = self.lower_bound(path);
        (index < self.count && self.path(index) == path).then_some(index)
    }

    /// Everything below the directory `path`; everything there is for the root.
    pub(crate) fn below(&self, path: &[u8]) -> Range<usize> {
        if path.is_empty() {
            return 0..self.count;
        }
        // A slash is followed by a zero, so this is where the directory ends.
        self.lower_bound(&[path, b"/"].concat())..self.lower_bound(&[path, b"0"].concat())
    }

    /// Whether some entry is this object.
    pub(crate) fn holds(&self, id: ObjectId) -> bool {
        let found = bisect(self.count, |index| self.entry(self.by_id(index)).id < id);
        found < self.count && self.entry(self.by_id(found)).id == id
    }

    fn lower_bound(&self, path: &[u8]) -> usize {
        bisect(self.count, |index| self.path(index) < path)
    }

    fn by_id(&self, index: usize) -> usize {
        let start = self.record(self.count) + 4 * index;
        let mut number = [0; 4];
        number.copy_from_slice(&self.bytes[start..start + 4]);
        at(u64::from(u32::from_le_bytes(number)))
    }

    fn path_end(&self, index: usize) -> u64 {
        let record = self.record(index);
        le_u64(&self.bytes[record..record + 8])
    }

    fn record(&self, index: usize) -> usize {
        HEADER + self.commit.as_bytes().len() + index * Self::record_len(self.commit.format())
    }

    const fn record_len(format: ObjectFormat) -> usize {
        8 + 8 + 1 + format.hex_len() / 2
    }
}

fn bisect(count: usize, mut before: impl FnMut(usize) -> bool) -> usize {
    let (mut low, mut high) = (0, count);
    while low < high {
        let middle = low + (high - low) / 2;
        if before(middle) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    low
}

fn at(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

fn le_u64(bytes: &[u8]) -> u64 {
    let mut number = [0; 8];
    number.copy_from_slice(bytes);
    u64::from_le_bytes(number)
}

fn id_of(bytes: &[u8]) -> Option<ObjectId> {
    match bytes.len() {
        20 => bytes.try_into().ok().map(ObjectId::Sha1),
        32 => bytes.try_into().ok().map(ObjectId::Sha256),
        _ => None,
    }
}

const fn code_of(mode: Mode) -> u8 {
    match mode {
        Mode::File => 0,
        Mode::Executable => 1,
        Mode::Symlink => 2,
        Mode::Submodule => 3,
    }
}

const fn mode_of(code: u8) -> Option<Mode> {
    match code {
        0 => Some(Mode::File),
        1 => Some(Mode::Executable),
        2 => Some(Mode::Symlink),
        3 => Some(Mode::Submodule),
        _ => None,
    }
}

/// Reads a line of `git ls-tree -r -z`, with or without `-l`.
fn parse(record: &[u8]) -> Option<(&[u8], Listed)> {
    let tab = record.iter().position(|byte| *byte == b'\t')?;
    let mut fields = record[..tab]
        .split(|byte| *byte == b' ')
        .filter(|field| !field.is_empty());
    let (mode, _kind, id) = (fields.next()?, fields.next()?, fields.next()?);
    let size = match fields.next() {
        // Without `-l`, or of a submodule.
        None | Some(b"-") => 0,
        Some(digits) => std::str::from_utf8(digits).ok()?.parse().ok()?,
    };
    let listed = Listed {
        mode: Mode::parse(mode)?,
        id: ObjectId::from_hex(id).ok()?,
        size,
    };
    Some((&record[tab + 1..], listed))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object_id::BlobHasher;

    fn listing(format: ObjectFormat, paths: &[&[u8]]) -> Listing {
        let mut entries: Vec<(&[u8], Listed)> = paths
            .iter()
            .map(|path| {
                let id = BlobHasher::blob(format, path);
                let listed = Listed {
                    mode: Mode::Executable,
                    id,
                    size: path.len() as u64,
                };
                (*path, listed)
            })
            .collect();
        entries.sort_unstable_by(|left, right| left.0.cmp(right.0));
        Listing::of(BlobHasher::blob(format, b"commit"), &entries)
    }

    #[test]
    fn every_path_and_id_is_found_again() {
        let paths: [&[u8]; 6] = [b"a", b"a.b", b"a/b", b"a/c/d", b"a0", b"\xff/x"];
        for format in [ObjectFormat::Sha1, ObjectFormat::Sha256] {
            let written = listing(format, &paths);
            let directory = tempfile::tempdir().unwrap();
            let file = directory.path().join("listing");
            written.save(&file).unwrap();
            let listing = Listing::load(&file, format).unwrap();
            assert_eq!(listing.commit(), written.commit());
            assert_eq!(
                listing.total_size(),
                paths.iter().map(|path| path.len() as u64).sum::<u64>()
            );
            for path in paths {
                let index = listing.find(path).unwrap();
                assert_eq!(listing.path(index), path);
                assert!(listing.holds(listing.entry(index).id));
            }
            assert!(listing.find(b"a/c").is_none() && listing.find(b"b").is_none());
            assert!(!listing.holds(listing.commit()));
            let below = |path| {
                listing
                    .below(path)
                    .map(|index| listing.path(index))
                    .collect::<Vec<_>>()
            };
            assert_eq!(below(b"a"), [&b"a/b"[..], b"a/c/d"]);
            assert_eq!(below(b"a/c"), [&b"a/c/d"[..]]);
            assert!(below(b"a/b").is_empty());
            assert_eq!(below(b"").len(), 6);
        }
    }

    #[test]
    fn no_broken_file_is_read_as_a_listing() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("listing");
        let whole = listing(ObjectFormat::Sha1, &[b"a", b"b/c", b"d"]).bytes;
        for len in 0..whole.len() {
            fs::write(&file, &whole[..len]).unwrap();
            assert!(Listing::load(&file, ObjectFormat::Sha1).is_err(), "{len}");
        }
        for place in 0..whole.len() {
            let mut changed = whole.clone();
            changed[place] ^= 0x80;
            fs::write(&file, &changed).unwrap();
            // Whatever is accepted can be asked anything.
            if let Ok(listing) = Listing::load(&file, ObjectFormat::Sha1) {
                for index in 0..listing.len() {
                    assert!(listing.find(listing.path(index)).is_some());
                    let _ = listing.holds(listing.entry(index).id);
                }
            }
        }
        fs::write(&file, &whole).unwrap();
        assert!(Listing::load(&file, ObjectFormat::Sha1).is_ok());
    }
}
