//! Rust source seen as code: without comments and literals, and knowing which lines are tests.
//!
//! A search for a name would otherwise find it in the comment that forbids it.

/// One Rust file.
#[derive(Debug)]
pub(super) struct RustSource {
    raw: String,
    /// As long as `raw`, with every byte of a comment or of the inside of a literal blanked.
    code: String,
    /// For each line, whether it belongs to an item under `#[cfg(test)]`.
    test_lines: Vec<bool>,
    /// The modules declared as `#[cfg(test)] mod name;`, which live in files of their own.
    test_modules: Vec<String>,
}

impl RustSource {
    /// Reads a file's text.
    pub(super) fn new(raw: String) -> Self {
        let code = blank(&raw);
        let (test_lines, test_modules) = tests_in(&code);
        Self {
            raw,
            code,
            test_lines,
            test_modules,
        }
    }

    /// The text as it is.
    pub(super) fn raw(&self) -> &str {
        &self.raw
    }

    /// The text without comments and literals, of the same length.
    pub(super) fn code(&self) -> &str {
        &self.code
    }

    /// The modules that hold only tests, in files of their own.
    pub(super) fn test_modules(&self) -> &[String] {
        &self.test_modules
    }

    /// The byte offsets where the code has the name as a whole word or path.
    pub(super) fn find(&self, name: &str) -> Vec<usize> {
        let is_word = |byte: Option<&u8>| {
            byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
        };
        let bytes = self.code.as_bytes();
        self.code
            .match_indices(name)
            .map(|(offset, _)| offset)
            .filter(|offset| {
                let before = offset.checked_sub(1).and_then(|index| bytes.get(index));
                let after = bytes.get(offset + name.len());
                let continued = is_word(before) && is_word(name.as_bytes().first());
                let continues = is_word(name.as_bytes().last()) && is_word(after);
                !continued && !continues
            })
            .collect()
    }

    /// The line of a byte offset, counted from one.
    pub(super) fn line_of(&self, offset: usize) -> usize {
        self.code.as_bytes()[..offset]
            .iter()
            .filter(|byte| **byte == b'\n')
            .count()
            + 1
    }

    /// Whether the line, counted from one, belongs to a test.
    pub(super) fn is_test_line(&self, line: usize) -> bool {
        self.test_lines.get(line - 1).copied().unwrap_or(false)
    }
}

/// Blanks comments and the insides of literals, keeping line ends and length.
fn blank(raw: &str) -> String {
    let bytes = raw.as_bytes();
    let mut code = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let end = match bytes[at] {
            b'/' if bytes.get(at + 1) == Some(&b'/') => {
                let end = line_comment(bytes, at);
                erase(&mut code, at, end);
                end
            }
            b'/' if bytes.get(at + 1) == Some(&b'*') => {
                let end = block_comment(bytes, at);
                erase(&mut code, at, end);
                end
            }
            b'"' => {
                let end = string(bytes, at);
                erase(&mut code, at + 1, end.saturating_sub(1));
                end
            }
            b'r' if !continues_word(bytes, at) => match raw_string(bytes, at) {
                Some(end) => {
                    erase(&mut code, at + 1, end);
                    end
                }
                None => at + 1,
            },
            b'\'' => {
                let end = character(raw, at);
                erase(&mut code, at + 1, end.saturating_sub(1));
                end
            }
            _ => at + 1,
        };
        at = end.max(at + 1);
    }
    String::from_utf8(code)
        .expect("whole literals and comments were blanked, never parts of a character")
}

fn erase(code: &mut [u8], from: usize, to: usize) {
    if from >= to {
        return;
    }
    for byte in &mut code[from..to] {
        if *byte != b'\n' {
            *byte = b' ';
        }
    }
}

/// Whether the byte continues an identifier; `br"..."` and `cr"..."` start raw strings as well.
fn continues_word(bytes: &[u8], at: usize) -> bool {
    let word = |index: Option<usize>| {
        index
            .and_then(|index| bytes.get(index))
            .is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
    };
    let before = at.checked_sub(1);
    if before.is_some_and(|index| matches!(bytes[index], b'b' | b'c')) {
        return word(at.checked_sub(2));
    }
    word(before)
}

fn line_comment(bytes: &[u8], start: usize) -> usize {
    bytes[start..]
        .iter()
        .position(|byte| *byte == b'\n')
        .map_or(bytes.len(), |length| start + length)
}

fn block_comment(bytes: &[u8], start: usize) -> usize {
    let mut depth = 0_usize;
    let mut at = start;
    while at < bytes.len() {
        match (bytes[at], bytes.get(at + 1)) {
            (b'/', Some(b'*')) => {
                depth += 1;
                at += 2;
            }
            (b'*', Some(b'/')) => {
                depth -= 1;
                at += 2;
                if depth == 0 {
                    return at;
                }
            }
            _ => at += 1,
        }
    }
    bytes.len()
}

fn string(bytes: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    bytes.len()
}

/// The end of a raw string whose `r` is at `start`, if one starts there.
fn raw_string(bytes: &[u8], start: usize) -> Option<usize> {
    let hashes = bytes[start + 1..]
        .iter()
        .take_while(|byte| **byte == b'#')
        .count();
    let open = start + 1 + hashes;
    if bytes.get(open) != Some(&b'"') {
        return None;
    }
    let mut at = open + 1;
    while at < bytes.len() {
        let closes = bytes[at] == b'"'
            && bytes[at + 1..].len() >= hashes
            && bytes[at + 1..at + 1 + hashes]
                .iter()
                .all(|byte| *byte == b'#');
        if closes {
            return Some(at + 1 + hashes);
        }
        at += 1;
    }
    Some(bytes.len())
}

/// The end of a character literal, or just past the quote of a lifetime.
fn character(raw: &str, start: usize) -> usize {
    let bytes = raw.as_bytes();
    if bytes.get(start + 1) == Some(&b'\\') {
        // The escaped byte may itself be a quote.
        let rest = bytes.get(start + 3..).unwrap_or_default();
        return rest
            .iter()
            .position(|byte| *byte == b'\'')
            .map_or(bytes.len(), |length| start + 3 + length + 1);
    }
    let Some(inside) = raw[start + 1..].chars().next() else {
        return bytes.len();
    };
    let close = start + 1 + inside.len_utf8();
    if bytes.get(close) == Some(&b'\'') {
        close + 1
    } else {
        start + 1
    }
}

/// Which lines belong to test items, and which modules elsewhere do.
fn tests_in(code: &str) -> (Vec<bool>, Vec<String>) {
    let mut lines = vec![false; code.lines().count()];
    let mut modules = Vec::new();
    if attributes(code, "#![cfg(").any(|(_, condition)| is_test(condition)) {
        lines.fill(true);
        return (lines, modules);
    }
    for (start, condition) in attributes(code, "#[cfg(") {
        if !is_test(condition) {
            continue;
        }
        let item_start = skip_attributes(code, start);
        let item_end = item_end(code, item_start);
        let item = &code[item_start..item_end];
        if let Some(name) = declared_module(item) {
            modules.push(name.to_owned());
        }
        let first = line_index(code, start);
        let last = line_index(code, item_end.saturating_sub(1));
        let last = last.min(lines.len().saturating_sub(1));
        if let Some(lines) = lines.get_mut(first..=last) {
            lines.fill(true);
        }
    }
    (lines, modules)
}

/// Where attributes with that opening stand, and what is between their parentheses.
fn attributes<'a>(code: &'a str, opening: &'a str) -> impl Iterator<Item = (usize, &'a str)> {
    code.match_indices(opening).map(move |(start, _)| {
        let rest = &code[start + opening.len()..];
        (start, &rest[..rest.find(")]").unwrap_or(rest.len())])
    })
}

fn is_test(condition: &str) -> bool {
    let condition = condition.trim();
    condition == "test"
        || (condition.starts_with("all(")
            && condition.contains("test")
            && !condition.contains("not("))
}

/// The offset of the item behind the attributes that start at `at`.
fn skip_attributes(code: &str, mut at: usize) -> usize {
    loop {
        let rest = &code[at..];
        let trimmed = rest.trim_start();
        at += rest.len() - trimmed.len();
        if !trimmed.starts_with("#[") {
            return at;
        }
        at = balanced(code, at + 1, b'[', b']');
    }
}

/// The offset behind the item: its closing brace, or its semicolon.
fn item_end(code: &str, start: usize) -> usize {
    let bytes = code.as_bytes();
    let mut at = start;
    while at < bytes.len() {
        match bytes[at] {
            b'{' => return balanced(code, at, b'{', b'}'),
            b'(' => at = balanced(code, at, b'(', b')'),
            b'[' => at = balanced(code, at, b'[', b']'),
            b';' => return at + 1,
            _ => at += 1,
        }
    }
    bytes.len()
}

/// The offset behind the bracket that closes the one at `start`.
fn balanced(code: &str, start: usize, open: u8, close: u8) -> usize {
    let mut depth = 0_usize;
    for (index, byte) in code.bytes().enumerate().skip(start) {
        if byte == open {
            depth += 1;
        } else if byte == close {
            depth = depth.saturating_sub(1);
            if depth == 0 {
                return index + 1;
            }
        }
    }
    code.len()
}

fn declared_module(item: &str) -> Option<&str> {
    let rest = item.trim_end_matches(';');
    if rest.len() == item.len() {
        return None;
    }
    let name = rest.split_once("mod ")?.1.trim();
    name.bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        .then_some(name)
}

fn line_index(code: &str, offset: usize) -> usize {
    code.as_bytes()[..offset.min(code.len())]
        .iter()
        .filter(|byte| **byte == b'\n')
        .count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(text: &str) -> RustSource {
        RustSource::new(text.to_owned())
    }

    #[test]
    fn comments_and_literals_are_not_code() {
        let source = source(concat!(
            "// needle\n",
            "/* needle /* needle */ needle */\n",
            "/// needle\n",
            "let a = \"needle \\\" needle\";\n",
            "let b = r#\"needle \" needle\"#;\n",
            "let c = br\"needle\";\n",
            "let d: &'static str = needle;\n",
            "let e = ('\\'', '\"', 'ß', needle);\n",
        ));
        let lines: Vec<usize> = source
            .find("needle")
            .into_iter()
            .map(|offset| source.line_of(offset))
            .collect();
        assert_eq!(lines, [7, 8]);
        assert_eq!(source.code().len(), source.raw().len());
    }

    #[test]
    fn only_whole_words_are_found() {
        let source = source("a::sleep(); asleep(); sleeper(); sleep();");
        assert_eq!(source.find("sleep"), [3, 33]);
    }

    #[test]
    fn a_test_module_ends_at_its_brace() {
        let source = source(concat!(
            "fn a() {}\n",
            "#[cfg(test)]\n",
            "#[expect(dead_code, reason = \"{\")]\n",
            "mod tests {\n",
            "    fn b() { let c = '}'; }\n",
            "}\n",
            "fn d() {}\n",
        ));
        let tests: Vec<bool> = (1..=7).map(|line| source.is_test_line(line)).collect();
        assert_eq!(tests, [false, true, true, true, true, true, false]);
    }

    #[test]
    fn a_test_module_of_its_own_file_is_named() {
        let source = source("#[cfg(test)]\nmod laws;\nmod other;\n#[cfg(not(test))]\nmod real;\n");
        assert_eq!(source.test_modules(), ["laws"]);
        assert!(!source.is_test_line(3));
        assert!(!source.is_test_line(5));
    }

    #[test]
    fn a_file_may_be_all_tests() {
        assert!(source("#![cfg(test)]\nfn a() {}\n").is_test_line(2));
    }
}
