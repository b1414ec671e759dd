//! Paths in git's line-based formats.

/// Appends `path` in double quotes, with every byte that could matter as an octal escape.
pub(crate) fn quote_path(path: &[u8], line: &mut Vec<u8>) {
    line.push(b'"');
    for byte in path {
        if byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\') || *byte == b' ' {
            line.push(*byte);
        } else {
            line.extend_from_slice(format!("\\{byte:03o}").as_bytes());
        }
    }
    line.push(b'"');
}
