//! The header of a bundle file, of which one form is accepted: one prerequisite, which is base, and one ref, which is HEAD.

use std::io::{self, BufRead, Read as _};

use super::HistoryRefusal;
use crate::object_id::{ObjectFormat, ObjectId};

/// What the header says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct BundleHeader {
    pub(super) tip: ObjectId,
    /// Where the pack begins.
    pub(super) length: u64,
    /// How many objects the pack says it has.
    pub(super) objects: u32,
}

/// No line of an honest header is nearly as long.
const MAX_LINE: u64 = 4096;
const MAX_LINES: usize = 16;

fn form(detail: &'static str) -> HistoryRefusal {
    HistoryRefusal::Header { detail }
}

/// Reads the header and the first bytes of the pack after it.
pub(super) fn read(
    source: &mut impl BufRead,
    base: ObjectId,
) -> io::Result<Result<BundleHeader, HistoryRefusal>> {
    let mut length = 0;
    let mut lines: Vec<Vec<u8>> = Vec::new();
    loop {
        let mut line = Vec::new();
        let read = source
            .by_ref()
            .take(MAX_LINE)
            .read_until(b'\n', &mut line)?;
        length += read as u64;
        if line.pop() != Some(b'\n') || lines.len() == MAX_LINES {
            return Ok(Err(form("it does not end")));
        }
        if line.is_empty() {
            break;
        }
        lines.push(line);
    }
    let tip = match parse(&lines, base) {
        Ok(tip) => tip,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let mut pack = [0; 12];
    match source.read_exact(&mut pack) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            return Ok(Err(form("there is no pack after it")));
        }
        other => other?,
    }
    if !pack.starts_with(b"PACK\0\0\0\x02") {
        return Ok(Err(form("there is no pack after it")));
    }
    let objects = u32::from_be_bytes([pack[8], pack[9], pack[10], pack[11]]);
    Ok(Ok(BundleHeader {
        tip,
        length,
        objects,
    }))
}

fn parse(lines: &[Vec<u8>], base: ObjectId) -> Result<ObjectId, HistoryRefusal> {
    let mut lines = lines.iter().map(Vec::as_slice);
    let mut format = ObjectFormat::Sha1;
    let mut next = match lines.next() {
        Some(b"# v2 git bundle") => lines.next(),
        Some(b"# v3 git bundle") => match lines.next() {
            Some(b"@object-format=sha256") => {
                format = ObjectFormat::Sha256;
                lines.next()
            }
            Some(b"@object-format=sha1") => lines.next(),
            other => other,
        },
        Some(_) | None => return Err(form("it is none of a bundle")),
    };
    if format != base.format() {
        return Err(form("its object ids are of another kind"));
    }
    let mut prerequisites = 0;
    while let Some(line) = next.and_then(|line| line.strip_prefix(b"-")) {
        let id = line.split(|byte| *byte == b' ').next().unwrap_or_default();
        if ObjectId::from_hex(id) != Ok(base) {
            return Err(form("it builds on another commit than base"));
        }
        prerequisites += 1;
        next = lines.next();
    }
    if prerequisites != 1 {
        return Err(form("it does not build on base"));
    }
    let (id, name) = next
        .and_then(|line| line.split_at_checked(base.format().hex_len()))
        .ok_or(form("it has no HEAD"))?;
    if name != b" HEAD" || lines.next().is_some() {
        return Err(form("it has other refs than HEAD"));
    }
    ObjectId::from_hex(id).map_err(|_| form("its HEAD is not an object id"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Result<BundleHeader, &'static str> {
        let base = "1".repeat(40).parse().unwrap();
        let text = text
            .replace("BASE", &"1".repeat(40))
            .replace("TIP", &"2".repeat(40));
        let mut bytes = text.into_bytes();
        bytes.extend_from_slice(b"PACK\0\0\0\x02\0\0\x01\x02rest");
        match read(&mut bytes.as_slice(), base).unwrap() {
            Ok(header) => Ok(header),
            Err(HistoryRefusal::Header { detail }) => Err(detail),
            Err(other) => panic!("{other}"),
        }
    }

    #[test]
    fn one_form_is_accepted() {
        for version in [
            "# v2 git bundle\n",
            "# v3 git bundle\n@object-format=sha1\n",
        ] {
            let header = of(&format!("{version}-BASE subject\nTIP HEAD\n\n")).unwrap();
            assert_eq!(header.objects, 258);
            assert_eq!(header.tip, "2".repeat(40).parse().unwrap());
        }
    }

    #[test]
    fn every_other_form_is_refused() {
        for other in [
            "",
            "\n",
            "# v1 git bundle\n-BASE x\nTIP HEAD\n\n",
            "# v2 git bundle\nTIP HEAD\n\n",
            "# v2 git bundle\n-TIP x\nTIP HEAD\n\n",
            "# v2 git bundle\n-BASE x\n-BASE x\nTIP HEAD\n\n",
            "# v2 git bundle\n-BASE x\nTIP refs/heads/main\n\n",
            "# v2 git bundle\n-BASE x\nTIP HEAD\nTIP refs/heads/x\n\n",
            "# v2 git bundle\n-BASE x\nTIP HEAD",
            "# v2 git bundle\n-BASE x\n\n",
            "# v2 git bundle\n-BASE x\nxyz HEAD\n\n",
            "# v3 git bundle\n@object-format=sha256\n-BASE x\nTIP HEAD\n\n",
            "# v3 git bundle\n@filter=blob:none\n-BASE x\nTIP HEAD\n\n",
        ] {
            assert!(of(other).is_err(), "{other:?}");
        }
        assert!(of(&"x".repeat(10_000)).is_err());
        assert!(of(&"# v2 git bundle\n".repeat(100)).is_err());
    }
}
