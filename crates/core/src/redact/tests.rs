//! The filter against a slow one that looks at every place, and against encoders that know nothing of it.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::encodings::forms;
use super::*;
use crate::frame::Stream;

fn set(values: &[&[u8]]) -> SecretSet {
    let names = ["A", "B", "C", "D"];
    let (set, refused) = SecretSet::new(names.into_iter().zip(values));
    assert_eq!(refused, []);
    set
}

/// The output of a stream that arrives in pieces of these lengths, again and again.
fn streamed(set: &SecretSet, text: &[u8], lengths: &[usize]) -> Vec<u8> {
    let mut redactor = SecretRedactor::new(set.clone());
    let (mut out, mut rest) = (Vec::new(), text);
    for length in lengths.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let (piece, later) = rest.split_at((*length).min(rest.len()));
        redactor.push(Stream::Stdout, piece, &mut out);
        rest = later;
    }
    redactor.finish(Stream::Stdout, &mut out);
    assert_eq!(redactor.held_back(Stream::Stdout), 0);
    out
}

fn filtered(set: &SecretSet, text: &[u8]) -> String {
    let whole = set.redact_bytes(text).into_owned();
    for lengths in [&[1][..], &[2], &[7, 1, 64], &[text.len().max(1)]] {
        assert_eq!(streamed(set, text, lengths), whole);
    }
    String::from_utf8_lossy(&whole).into_owned()
}

/// The same by looking at every place for every form.
fn slowly(values: &[Vec<u8>], text: &[u8]) -> Vec<u8> {
    let forms: Vec<(usize, Vec<u8>)> = values
        .iter()
        .enumerate()
        .flat_map(|(place, value)| {
            forms(value)
                .into_iter()
                .map(move |form| (place, form.to_vec()))
        })
        .collect();
    let (mut out, mut covered) = (Vec::new(), 0);
    for at in 0..text.len() {
        let fitting = forms
            .iter()
            .filter(|(_, form)| text[at..].starts_with(form));
        let longest = fitting.max_by_key(|(place, form)| (form.len(), std::cmp::Reverse(*place)));
        if let Some((place, form)) = longest {
            if at >= covered {
                out.extend_from_slice(format!("[redacted:{place}]").as_bytes());
            }
            covered = covered.max(at + form.len());
        }
        if at >= covered {
            out.push(text[at]);
        }
    }
    out
}

/// What encoders other than ours make of bytes.
fn encoded(value: &[u8], encoding: usize) -> Vec<u8> {
    match encoding {
        0 => value.to_vec(),
        1 => STANDARD.encode(value).into_bytes(),
        2 => STANDARD_NO_PAD.encode(value).into_bytes(),
        3 => URL_SAFE.encode(value).into_bytes(),
        4 => URL_SAFE_NO_PAD.encode(value).into_bytes(),
        5 => hex::encode(value).into_bytes(),
        6 => hex::encode_upper(value).into_bytes(),
        7 => value
            .iter()
            .flat_map(|byte| format!("%{byte:02x}").into_bytes())
            .collect(),
        8 => value
            .iter()
            .flat_map(|byte| format!("%{byte:02X}").into_bytes())
            .collect(),
        9 => {
            let text = |byte: &u8| match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => vec![*byte],
                byte => format!("%{byte:02X}").into_bytes(),
            };
            value.iter().flat_map(text).collect()
        }
        _ => match std::str::from_utf8(value) {
            Ok(text) => {
                let json = serde_json::to_string(text).unwrap();
                json.as_bytes()[1..json.len() - 1].to_vec()
            }
            Err(_) => value.to_vec(),
        },
    }
}

const ENCODINGS: usize = 11;

/// A part of a text.
#[derive(Clone, Debug)]
enum Piece {
    Noise(Vec<u8>),
    Whole {
        secret: usize,
        encoding: usize,
    },
    /// In the middle of something longer that was encoded as one.
    Within {
        secret: usize,
        before: Vec<u8>,
        after: Vec<u8>,
        encoding: usize,
    },
    /// The beginning of a form.
    Cut {
        secret: usize,
        encoding: usize,
        length: usize,
    },
}

fn value() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => "[A-Za-z0-9_-]{8,40}".prop_map(String::into_bytes),
        2 => "[ -~]{8,24}".prop_map(String::into_bytes),
        // So few letters that secrets overlap with themselves and with each other.
        2 => "[ab]{8,12}".prop_map(String::into_bytes),
        1 => "[ -~\n\t\u{e4}\u{20ac}\u{1f600}/]{8,16}".prop_map(String::into_bytes),
        1 => vec(any::<u8>(), 8..24),
        1 => "[A-Za-z0-9+/]{60,90}".prop_map(String::into_bytes),
    ]
}

fn piece() -> impl Strategy<Value = Piece> {
    let noise = || {
        prop_oneof![
            "[ -~\n]{0,20}".prop_map(String::into_bytes),
            "[ab]{0,20}".prop_map(String::into_bytes),
            vec(any::<u8>(), 0..12),
        ]
    };
    let secret = 0_usize..4;
    let encoding = 0..ENCODINGS;
    prop_oneof![
        3 => noise().prop_map(Piece::Noise),
        4 => (secret.clone(), encoding.clone())
            .prop_map(|(secret, encoding)| Piece::Whole { secret, encoding }),
        2 => (secret.clone(), noise(), noise(), encoding.clone()).prop_map(
            |(secret, before, after, encoding)| Piece::Within { secret, before, after, encoding }
        ),
        2 => (secret, encoding, 0_usize..60)
            .prop_map(|(secret, encoding, length)| Piece::Cut { secret, encoding, length }),
    ]
}

fn lengths() -> impl Strategy<Value = Vec<usize>> {
    prop_oneof![
        1 => Just(vec![1]),
        4 => vec(1_usize..12, 1..12),
        1 => vec(prop_oneof![Just(1_usize), Just(2), 1_usize..200], 1..6),
    ]
}

fn text_of(values: &[Vec<u8>], pieces: &[Piece]) -> Vec<u8> {
    let mut text = Vec::new();
    for piece in pieces {
        match piece {
            Piece::Noise(bytes) => text.extend_from_slice(bytes),
            Piece::Whole { secret, encoding } => {
                text.extend(encoded(&values[secret % values.len()], *encoding));
            }
            Piece::Within {
                secret,
                before,
                after,
                encoding,
            } => {
                let value = &values[secret % values.len()];
                text.extend(encoded(
                    &[before, value, after].map(Vec::as_slice).concat(),
                    *encoding,
                ));
            }
            Piece::Cut {
                secret,
                encoding,
                length,
            } => {
                let form = encoded(&values[secret % values.len()], *encoding);
                text.extend_from_slice(&form[..form.len().min(*length)]);
            }
        }
    }
    text
}

/// How many cases: `DOGWATCH_TEST_REPEATS`, or few.
fn cases() -> u32 {
    std::env::var("DOGWATCH_TEST_REPEATS")
        .ok()
        .and_then(|repeats| repeats.parse().ok())
        .unwrap_or(400)
}

#[test]
fn no_secret_passes_in_any_form_however_the_stream_is_cut() {
    let config = Config {
        cases: cases(),
        failure_persistence: None,
        ..Config::default()
    };
    let strategy = (vec(value(), 1..5), vec(piece(), 0..8), vec(lengths(), 1..4));
    let tried = |(values, pieces, splits): (Vec<Vec<u8>>, Vec<Piece>, Vec<Vec<usize>>)| {
        let names = ["0", "1", "2", "3"];
        let (set, refused) = SecretSet::new(names.into_iter().zip(&values));
        prop_assert_eq!(refused, []);
        let text = text_of(&values, &pieces);
        let expected = slowly(&values, &text);
        prop_assert_eq!(&*set.redact_bytes(&text), &expected);
        for lengths in &splits {
            prop_assert_eq!(&streamed(&set, &text, lengths), &expected);
        }
        for value in &values {
            for encoding in 0..ENCODINGS {
                let form = encoded(value, encoding);
                prop_assert!(!expected.windows(form.len()).any(|window| window == form));
            }
        }
        prop_assert_eq!(set.contains_secret(&text).is_some(), expected != text);
        prop_assert_eq!(set.contains_secret(&expected), None);
        Ok(())
    };
    TestRunner::new(config).run(&strategy, tried).unwrap();
}

const TOKEN: &[u8] = b"s3cr3t/t0k+n \"q\"";

#[test]
fn every_encoding_is_replaced_by_the_name_alone() {
    let set = set(&[TOKEN]);
    for encoding in 0..ENCODINGS {
        let text = [b"say ", &encoded(TOKEN, encoding)[..], b" now"].concat();
        assert_eq!(filtered(&set, &text), "say [redacted:A] now", "{encoding}");
        assert_eq!(set.contains_secret(&text), Some("A"));
    }
    for text in [
        &b"s3cr3t%2Ft0k%2Bn+%22q%22"[..],
        b"s3cr3t%2ft0k%2bn%20%22q%22",
        b"s3cr3t/t0k%2Bn%20%22q%22",
        br#"s3cr3t\/t0k+n \"q\""#,
        br"s3cr3t/t0k+n \u0022q\u0022",
    ] {
        assert_eq!(
            filtered(&set, text),
            "[redacted:A]",
            "{}",
            String::from_utf8_lossy(text)
        );
    }
}

#[test]
fn base64_of_something_longer_is_found_wherever_the_secret_stands_in_it() {
    let set = set(&[TOKEN]);
    for before in 0..9 {
        for after in 0..5 {
            let whole = [&b"#########"[..before], TOKEN, &b"$$$$"[..after]].concat();
            let shown = filtered(&set, &encoded(&whole, 1));
            assert_eq!(shown.matches("[redacted:A]").count(), 1, "{shown}");
            // What is left are the neighbours and at most one shared character on each side.
            let rest = shown.len() - "[redacted:A]".len();
            assert!(rest <= (before + after) * 4 / 3 + 6, "{shown}");
        }
    }
}

#[test]
fn broken_lines_and_keys_of_several_lines_are_found() {
    let long: Vec<u8> = (0..90_u8).map(|n| b'!' + n).collect();
    let wrapped = STANDARD.encode(&long);
    let wrapped = format!("{}\n{}\n", &wrapped[..76], &wrapped[76..]);
    assert_eq!(
        filtered(&set(&[&long]), wrapped.as_bytes()),
        "[redacted:A]\n"
    );

    let key = b"-----BEGIN KEY-----\nMC4CAQAwBQYDK2Vw\nBCIEIPoT8vLrpZ0q==\n-----END KEY-----\n";
    let diff = "+-----BEGIN KEY-----\r\n+MC4CAQAwBQYDK2Vw\r\n+BCIEIPoT8vLrpZ0q==\r\n";
    assert_eq!(
        filtered(&set(&[key]), diff.as_bytes()),
        "+-----BEGIN KEY-----\r\n+[redacted:A]\r\n+[redacted:A]\r\n"
    );
}

#[test]
fn the_longest_of_nested_secrets_counts_and_what_overlaps_is_one() {
    let set = set(&[b"password", b"password-long", b"long-tail", b"wordplay"]);
    assert_eq!(filtered(&set, b"a password b"), "a [redacted:A] b");
    assert_eq!(filtered(&set, b"a password-long b"), "a [redacted:B] b");
    assert_eq!(filtered(&set, b"a password-lon b"), "a [redacted:A]-lon b");
    assert_eq!(filtered(&set, b"password-long-tail!"), "[redacted:B]!");
    assert_eq!(filtered(&set, b"passwordplay"), "[redacted:A]");
    assert_eq!(
        filtered(&set, b"passwordpassword"),
        "[redacted:A][redacted:A]"
    );
}

#[test]
fn only_what_can_become_a_secret_waits() {
    let set = set(&[b"password-long", b"password"]);
    let mut redactor = SecretRedactor::new(set);
    let mut told = |bytes: &[u8]| {
        let mut out = Vec::new();
        redactor.push(Stream::Stdout, bytes, &mut out);
        String::from_utf8(out).unwrap()
    };
    assert_eq!(told(b"line\n"), "line\n");
    assert_eq!(told(b"$ "), "$ ");
    assert_eq!(told(b"the pass"), "the ");
    assert_eq!(told(b"age\n"), "passage\n");
    assert_eq!(told(b"password"), "");
    assert_eq!(told(b"\n"), "[redacted:B]\n");
    assert_eq!(told(b"passw"), "");
    // The other stream has a state of its own.
    let mut out = Vec::new();
    redactor.push(Stream::Stderr, b"ord", &mut out);
    redactor.finish(Stream::Stdout, &mut out);
    assert_eq!(out, b"ordpassw");
}

#[test]
fn what_is_held_back_is_less_than_the_longest_form() {
    let secret = [b'k'; 200];
    let set = set(&[&secret]);
    let longest = forms(&secret).iter().map(|form| form.len()).max().unwrap();
    let mut redactor = SecretRedactor::new(set);
    let mut out = Vec::new();
    for byte in [b"%6b".repeat(500), vec![b'k'; 1000], vec![b'x'; 10]].concat() {
        redactor.push(Stream::Stdout, &[byte], &mut out);
        assert!(redactor.held_back(Stream::Stdout) < longest);
    }
    assert_eq!(redactor.held_back(Stream::Stdout), 0);
    assert_eq!(out, b"[redacted:A][redacted:A]xxxxxxxxxx");
}

#[test]
fn short_values_are_refused_by_name_and_nothing_shows_a_value() {
    let (set, refused) = SecretSet::new([
        ("SHORT", &b"1234567"[..]),
        ("one two\x1b[0m", b"12345678"),
        ("AGAIN", b"12345678"),
        ("HUGE", &[b'h'; MAX_SECRET_LEN + 1]),
    ]);
    let told: Vec<String> = refused.iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            "take SHORT as a secret: it is shorter than 8 bytes",
            "take HUGE as a secret: it is longer than 65536 bytes"
        ]
    );
    assert_eq!(format!("{set:?}"), r#"SecretSet["one_two__0m"]"#);
    assert_eq!(filtered(&set, b"<12345678>"), "<[redacted:one_two__0m]>");
    assert!(SecretSet::default().is_empty());
    assert!(!format!("{:?}", SecretRedactor::new(set)).contains("12345678"));
}

#[test]
fn texts_without_secrets_are_not_copied() {
    let set = set(&[b"\xe4\xffbinary!", b"umlaut-\xc3\xa4"]);
    assert!(matches!(
        set.redact_text("harmless"),
        std::borrow::Cow::Borrowed("harmless")
    ));
    assert_eq!(set.redact_text("my umlaut-\u{e4}."), "my [redacted:B].");
    assert_eq!(filtered(&SecretSet::default(), b"any\xff"), "any\u{fffd}");
}
