//! The forms in which a secret is looked for.
//!
//! Within base64 a secret shares its first and its last character with its neighbours unless it happens to fit; those two characters stay,
//! and tell at most four bits each.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

/// What URL encoders leave as it is besides letters and digits: RFC 3986, `encodeURIComponent`, those that keep the slash, forms,
/// `encodeURI`, and those that escape everything else than letters and digits.
const URL_KEPT: [&[u8]; 6] = [
    b"-_.~",
    b"-_.!~*'()",
    b"-_.~/",
    b"*-._",
    b"-_.!~*'();,/?:@&=+$#",
    b"",
];

/// The line lengths at which tools break base64.
const LINE_LENGTHS: [usize; 2] = [76, 64];

/// The shortest line of key material that is a secret of its own.
const KEY_LINE_LEN: usize = 16;

/// Every form of a value, each once.
pub(super) fn forms(value: &[u8]) -> Vec<Zeroizing<Vec<u8>>> {
    let mut forms = BTreeSet::new();
    collect(value, &mut forms);
    // A key of several lines is also printed indented, with other line ends, or as lines of a diff.
    if value.contains(&b'\n') {
        for line in value.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii) {
            if is_key_material(line) {
                collect(line, &mut forms);
            }
        }
    }
    forms.into_iter().map(Zeroizing::new).collect()
}

fn is_key_material(line: &[u8]) -> bool {
    let in_alphabet = |byte: &u8| byte.is_ascii_alphanumeric() || b"+/-_=".contains(byte);
    line.len() >= KEY_LINE_LEN && !line.starts_with(b"-----") && line.iter().all(in_alphabet)
}

fn collect(value: &[u8], forms: &mut BTreeSet<Vec<u8>>) {
    forms.insert(value.to_vec());
    forms.insert(hex::encode(value).into_bytes());
    forms.insert(hex::encode_upper(value).into_bytes());
    base64_forms(value, forms);
    url_forms(value, forms);
    // Most tokens read the same in every style.
    if value.iter().any(|byte| !is_plain_json(*byte)) {
        json_forms(value, forms);
    }
}

const fn is_plain_json(byte: u8) -> bool {
    matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\' | b'/' | b'<' | b'>' | b'&' | b'\'')
}

fn base64_forms(value: &[u8], forms: &mut BTreeSet<Vec<u8>>) {
    let mut found = Vec::new();
    let alone = STANDARD.encode(value);
    for length in LINE_LENGTHS {
        if alone.len() > length {
            found.push(
                alone
                    .as_bytes()
                    .chunks(length)
                    .collect::<Vec<_>>()
                    .join(&b'\n'),
            );
        }
    }
    found.push(alone.trim_end_matches('=').as_bytes().to_vec());
    found.push(alone.into_bytes());
    for before in 0..3 {
        let shifted = STANDARD.encode([&[0; 3][..before], value].concat());
        // A character belongs to the value alone if all of its six bits do.
        let first = (8 * before).div_ceil(6);
        let end = 8 * (before + value.len()) / 6;
        found.push(shifted.as_bytes()[first..end].to_vec());
    }
    for form in found {
        let url_safe = form.iter().map(|byte| match byte {
            b'+' => b'-',
            b'/' => b'_',
            other => *other,
        });
        forms.insert(url_safe.collect());
        forms.insert(form);
    }
}

fn url_forms(value: &[u8], forms: &mut BTreeSet<Vec<u8>>) {
    for upper in [false, true] {
        for kept in URL_KEPT {
            let keeps = |byte: u8| byte.is_ascii_alphanumeric() || kept.contains(&byte);
            forms.insert(percent(value, upper, false, keeps));
            if value.contains(&b' ') {
                forms.insert(percent(value, upper, true, keeps));
            }
        }
        forms.insert(percent(value, upper, false, |_| false));
    }
}

fn percent(value: &[u8], upper: bool, plus: bool, keeps: impl Fn(u8) -> bool) -> Vec<u8> {
    let mut text = Vec::with_capacity(3 * value.len());
    for byte in value {
        if *byte == b' ' && plus {
            text.push(b'+');
        } else if keeps(*byte) {
            text.push(*byte);
        } else {
            text.push(b'%');
            text.extend(hex_digits(*byte, upper));
        }
    }
    text
}

fn hex_digits(byte: u8, upper: bool) -> [u8; 2] {
    let digits: &[u8; 16] = if upper {
        b"0123456789ABCDEF"
    } else {
        b"0123456789abcdef"
    };
    [
        digits[usize::from(byte >> 4)],
        digits[usize::from(byte & 15)],
    ]
}

/// How an encoder writes JSON strings where it has a choice.
#[derive(Clone, Copy)]
struct JsonStyle {
    /// `\/` rather than `/`.
    slash: bool,
    /// `\u003c` and the like for what HTML gives a meaning.
    html: bool,
    /// Everything beyond ASCII escaped.
    ascii: bool,
    /// `\n`, `\"` and the like rather than `\u000a` and `\u0022`.
    short: bool,
    upper: bool,
}

fn json_forms(value: &[u8], forms: &mut BTreeSet<Vec<u8>>) {
    for bits in 0..32 {
        let bit = |place: u32| bits & (1 << place) != 0;
        let style = JsonStyle {
            slash: bit(0),
            html: bit(1),
            ascii: bit(2),
            short: bit(3),
            upper: bit(4),
        };
        forms.insert(json(value, style));
    }
}

fn json(value: &[u8], style: JsonStyle) -> Vec<u8> {
    let mut text = Vec::with_capacity(2 * value.len());
    for part in value.utf8_chunks() {
        for character in part.valid().chars() {
            json_character(character, style, &mut text);
        }
        // JSON cannot say these, so whoever writes them writes them as they are.
        text.extend_from_slice(part.invalid());
    }
    text
}

fn json_character(character: char, style: JsonStyle, text: &mut Vec<u8>) {
    let short = match character {
        '"' => Some(b'"'),
        '\\' => Some(b'\\'),
        '\n' => Some(b'n'),
        '\r' => Some(b'r'),
        '\t' => Some(b't'),
        '\u{8}' => Some(b'b'),
        '\u{c}' => Some(b'f'),
        _ => None,
    };
    let must = short.is_some()
        || character < ' '
        || (style.html && matches!(character, '<' | '>' | '&' | '\''))
        || (style.ascii && character > '~');
    match short {
        Some(letter) if style.short => text.extend([b'\\', letter]),
        _ if must => {
            let mut units = [0; 2];
            for unit in character.encode_utf16(&mut units) {
                text.extend(b"\\u");
                for byte in unit.to_be_bytes() {
                    text.extend(hex_digits(byte, style.upper));
                }
            }
        }
        _ if character == '/' && style.slash => text.extend(b"\\/"),
        _ => text.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes()),
    }
}
