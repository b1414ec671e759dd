//! One line of a `.gitignore` file, as a regular expression with exactly git's meaning.
//!
//! The matching crates for such files read lines as text and know braces, but not git's byte classes or its rules for trailing blanks.
//! What T contains must not differ from what git would commit, so lines are translated here and the matching, in time linear in the
//! path whatever an agent writes into the file, is left to the `regex` crate.

/// A pattern and what it decides.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Pattern {
    /// Matches the whole path relative to the directory of the file.
    pub(super) regex: String,
    /// Lets in what an earlier line left out.
    pub(super) negative: bool,
    /// Only for directories.
    pub(super) directories_only: bool,
}

/// The patterns of a file, in order. Lines that match nothing are left out.
pub(super) fn parse(file: &[u8]) -> Vec<Pattern> {
    let file = file.strip_prefix(b"\xef\xbb\xbf").unwrap_or(file);
    file.split(|byte| *byte == b'\n')
        .filter_map(parse_line)
        .collect()
}

fn parse_line(line: &[u8]) -> Option<Pattern> {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    // git's lines end at a NUL.
    let line = line.split(|byte| *byte == 0).next().unwrap_or(line);
    if line.starts_with(b"#") {
        return None;
    }
    let line = trim_trailing_spaces(line);
    let (negative, line) = line
        .strip_prefix(b"!")
        .map_or((false, line), |rest| (true, rest));
    let (directories_only, line) = line
        .strip_suffix(b"/")
        .map_or((false, line), |rest| (true, rest));
    let anchored = line.contains(&b'/');
    let glob = if anchored {
        line.strip_prefix(b"/").unwrap_or(line)
    } else {
        line
    };
    if glob.is_empty() {
        return None;
    }
    let body = translate(glob)?;
    let prefix = if anchored { "" } else { "(?:.*/)?" };
    Some(Pattern {
        regex: format!("\\A{prefix}{body}\\z"),
        negative,
        directories_only,
    })
}

/// Drops spaces at the end unless the first of them is escaped.
fn trim_trailing_spaces(line: &[u8]) -> &[u8] {
    let mut end = None;
    let mut index = 0;
    while index < line.len() {
        match line[index] {
            b' ' => end = end.or(Some(index)),
            b'\\' => {
                index += 1;
                if index == line.len() {
                    return line;
                }
                end = None;
            }
            _ => end = None,
        }
        index += 1;
    }
    &line[..end.unwrap_or(line.len())]
}

/// git's `wildmatch` with path semantics. None if nothing can match.
fn translate(glob: &[u8]) -> Option<String> {
    let mut regex = String::new();
    let mut index = 0;
    while index < glob.len() {
        match glob[index] {
            b'\\' => {
                index += 1;
                push_literal(*glob.get(index)?, &mut regex);
                index += 1;
            }
            b'?' => {
                regex.push_str("[^/]");
                index += 1;
            }
            b'*' => index = translate_stars(glob, index, &mut regex),
            b'[' => {
                let (class, after) = Class::parse(glob, index + 1)?;
                class.push_to(&mut regex)?;
                index = after;
            }
            literal => {
                push_literal(literal, &mut regex);
                index += 1;
            }
        }
    }
    Some(regex)
}

/// Two stars cross directories only when they are a whole component. Returns the index behind what was read.
fn translate_stars(glob: &[u8], start: usize, regex: &mut String) -> usize {
    let mut after = start;
    while glob.get(after) == Some(&b'*') {
        after += 1;
    }
    let opens = start == 0 || glob[start - 1] == b'/';
    if after - start < 2 || !opens {
        regex.push_str("[^/]*");
        return after;
    }
    match glob[after..] {
        [] | [b'\\', b'/', ..] => regex.push_str(".*"),
        [b'/', ..] => {
            regex.push_str("(?:.*/)?");
            return after + 1;
        }
        _ => regex.push_str("[^/]*"),
    }
    after
}

fn push_literal(byte: u8, regex: &mut String) {
    if byte.is_ascii_alphanumeric() {
        regex.push(char::from(byte));
    } else {
        regex.push_str(&format!("\\x{byte:02x}"));
    }
}

/// The bytes a bracket expression accepts.
struct Class {
    accepts: [bool; 256],
}

impl Class {
    /// Reads from behind the opening bracket. None for an expression git does not understand, which makes the whole line match nothing.
    fn parse(glob: &[u8], start: usize) -> Option<(Self, usize)> {
        let mut accepts = [false; 256];
        let mut index = start;
        let negated = matches!(glob.get(index), Some(b'!' | b'^'));
        index += usize::from(negated);
        let mut previous: Option<u8> = None;
        loop {
            let byte = *glob.get(index)?;
            match byte {
                b'\\' => {
                    index += 1;
                    let literal = *glob.get(index)?;
                    accepts[usize::from(literal)] = true;
                    previous = Some(literal);
                }
                b'-' if previous.is_some() && !matches!(glob.get(index + 1), None | Some(b']')) => {
                    index += 1;
                    if glob[index] == b'\\' {
                        index += 1;
                    }
                    let last = *glob.get(index)?;
                    let first = previous.take().unwrap_or(last);
                    accepts
                        .iter_mut()
                        .take(usize::from(last) + 1)
                        .skip(usize::from(first))
                        .for_each(|slot| *slot = true);
                }
                b'[' if glob.get(index + 1) == Some(&b':') => {
                    let close =
                        index + 2 + glob[index + 2..].iter().position(|byte| *byte == b']')?;
                    if glob[close - 1] == b':' && close > index + 2 {
                        let member = named_class(&glob[index + 2..close - 1])?;
                        (0..=255_u8)
                            .filter(|byte| member(*byte))
                            .for_each(|byte| accepts[usize::from(byte)] = true);
                        previous = None;
                        index = close;
                    } else {
                        accepts[usize::from(b'[')] = true;
                        previous = Some(b'[');
                    }
                }
                literal => {
                    accepts[usize::from(literal)] = true;
                    previous = Some(literal);
                }
            }
            index += 1;
            if *glob.get(index)? == b']' {
                break;
            }
        }
        if negated {
            accepts.iter_mut().for_each(|slot| *slot = !*slot);
        }
        accepts[usize::from(b'/')] = false;
        Some((Self { accepts }, index + 1))
    }

    fn push_to(&self, regex: &mut String) -> Option<()> {
        let members: Vec<usize> = (0..256).filter(|byte| self.accepts[*byte]).collect();
        let first = *members.first()?;
        regex.push('[');
        let (mut start, mut end) = (first, first);
        let mut push =
            |start: usize, end: usize| regex.push_str(&format!("\\x{start:02x}-\\x{end:02x}"));
        for member in members.into_iter().skip(1) {
            if member == end + 1 {
                end = member;
            } else {
                push(start, end);
                (start, end) = (member, member);
            }
        }
        push(start, end);
        regex.push(']');
        Some(())
    }
}

fn named_class(name: &[u8]) -> Option<fn(u8) -> bool> {
    Some(match name {
        b"alnum" => |byte| byte.is_ascii_alphanumeric(),
        b"alpha" => |byte| byte.is_ascii_alphabetic(),
        b"blank" => |byte| matches!(byte, b' ' | b'\t'),
        b"cntrl" => |byte| byte.is_ascii_control(),
        b"digit" => |byte| byte.is_ascii_digit(),
        b"graph" => |byte| byte.is_ascii_graphic(),
        b"lower" => |byte| byte.is_ascii_lowercase(),
        b"print" => |byte| byte.is_ascii_graphic() || byte == b' ',
        b"punct" => |byte| byte.is_ascii_punctuation(),
        b"space" => |byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r'),
        b"upper" => |byte| byte.is_ascii_uppercase(),
        b"xdigit" => |byte| byte.is_ascii_hexdigit(),
        _ => return None,
    })
}
