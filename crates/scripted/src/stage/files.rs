//! Actions on files.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use super::{ActionError, Stage};

impl Stage<'_> {
    pub(super) fn write(
        &mut self,
        path: &Path,
        content: &str,
        executable: Option<bool>,
    ) -> Result<(), ActionError> {
        let place = self.place(path);
        make_parent(&place)
            .and_then(|()| fs::write(&place, content))
            .and_then(|()| match executable {
                Some(executable) => set_executable(&place, executable),
                None => Ok(()),
            })
            .map_err(failed("write", path))?;
        self.note(&format!("wrote {}", path.display()));
        Ok(())
    }

    pub(super) fn append(&mut self, path: &Path, content: &str) -> Result<(), ActionError> {
        let place = self.place(path);
        make_parent(&place)
            .and_then(|()| OpenOptions::new().append(true).create(true).open(&place))
            .and_then(|mut file| file.write_all(content.as_bytes()))
            .map_err(failed("append to", path))?;
        self.note(&format!("appended to {}", path.display()));
        Ok(())
    }

    pub(super) fn replace(&mut self, path: &Path, from: &str, to: &str) -> Result<(), ActionError> {
        let place = self.place(path);
        let bytes = fs::read(&place).map_err(failed("read", path))?;
        let Some(replaced) = replace_all(&bytes, from.as_bytes(), to.as_bytes()) else {
            return Err(ActionError::TextAbsent {
                path: path.to_owned(),
                text: from.to_owned(),
            });
        };
        fs::write(&place, replaced).map_err(failed("write", path))?;
        self.note(&format!("edited {}", path.display()));
        Ok(())
    }

    pub(super) fn remove(&mut self, path: &Path) -> Result<(), ActionError> {
        let place = self.place(path);
        place
            .symlink_metadata()
            .and_then(|metadata| {
                if metadata.is_dir() {
                    fs::remove_dir_all(&place)
                } else {
                    fs::remove_file(&place)
                }
            })
            .map_err(failed("remove", path))?;
        self.note(&format!("removed {}", path.display()));
        Ok(())
    }

    pub(super) fn symlink(&mut self, path: &Path, target: &Path) -> Result<(), ActionError> {
        let place = self.place(path);
        make_parent(&place)
            .and_then(|()| symlink(target, &place))
            .map_err(failed("link", path))?;
        self.note(&format!(
            "linked {} to {}",
            path.display(),
            target.display()
        ));
        Ok(())
    }

    pub(super) fn touch(&mut self, path: &Path) -> Result<(), ActionError> {
        let place = self.place(path);
        make_parent(&place)
            .and_then(|()| OpenOptions::new().append(true).create(true).open(&place))
            .map_err(failed("touch", path))?;
        self.note(&format!("touched {}", path.display()));
        Ok(())
    }
}

fn failed(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> ActionError {
    let path = path.to_owned();
    move |source| ActionError::File { what, path, source }
}

fn make_parent(place: &Path) -> io::Result<()> {
    place.parent().map_or(Ok(()), fs::create_dir_all)
}

fn set_executable(place: &Path, executable: bool) -> io::Result<()> {
    let mut permissions = fs::metadata(place)?.permissions();
    let mode = permissions.mode();
    permissions.set_mode(if executable {
        mode | 0o111
    } else {
        mode & !0o111
    });
    fs::set_permissions(place, permissions)
}

/// The bytes with every occurrence replaced; nothing where there is none. `from` is not empty.
fn replace_all(bytes: &[u8], from: &[u8], to: &[u8]) -> Option<Vec<u8>> {
    let mut replaced = Vec::with_capacity(bytes.len());
    let mut found = false;
    let mut rest = bytes;
    while let Some((first, after)) = rest.split_first() {
        if let Some(after) = rest.strip_prefix(from) {
            replaced.extend_from_slice(to);
            found = true;
            rest = after;
        } else {
            replaced.push(*first);
            rest = after;
        }
    }
    found.then_some(replaced)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_occurrence_is_replaced_and_none_is_told() {
        assert_eq!(
            replace_all(b"a\xffbab", b"b", b"--").as_deref(),
            Some(&b"a\xff--a--"[..])
        );
        assert_eq!(
            replace_all(b"aaa", b"aa", b"b").as_deref(),
            Some(&b"ba"[..])
        );
        assert_eq!(replace_all(b"abc", b"x", b"y"), None);
        assert_eq!(replace_all(b"", b"x", b"y"), None);
    }
}
