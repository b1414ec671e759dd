//! Where patterns begin in a text, at the speed of looking at a few of its bytes.
//!
//! Every pattern has at least eight bytes. A window of that length moves over the text; the last three bytes of the window say, through a
//! table of hashes, how far it may move without passing the beginning of a pattern (Wu and Manber's method). Where they do not let it
//! move, the eight bytes are looked up and whole patterns compared.

use zeroize::Zeroizing;

use super::secret_set::MIN_SECRET_LEN;

/// The window: no pattern is shorter.
const WINDOW: usize = MIN_SECRET_LEN;

/// How many bytes at the window's end decide how far it moves.
const BLOCK: usize = 3;

/// The farthest move.
const MAX_SHIFT: u8 = (WINDOW - BLOCK + 1) as u8;

/// What is known about one place of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum At {
    /// No pattern begins here.
    Nothing,
    /// The text ends within what may become a pattern, or a longer one than has been found.
    Open,
    /// The longest pattern that begins here.
    Match {
        /// Its length.
        length: usize,
        /// Whose it is.
        secret: usize,
    },
}

/// All patterns, to be looked for at once.
pub(super) struct Matcher {
    /// In the order of their bytes.
    patterns: Vec<Pattern>,
    /// The first eight bytes of patterns as numbers in the same order, and the place of the first pattern that has them.
    heads: Vec<(u64, usize)>,
    shifts: Box<[u8; 1 << 16]>,
    begins: [bool; 256],
}

struct Pattern {
    bytes: Zeroizing<Vec<u8>>,
    secret: usize,
}

impl Matcher {
    /// Takes patterns and whose they are. A pattern of two owners belongs to the first.
    pub(super) fn new(patterns: Vec<(Zeroizing<Vec<u8>>, usize)>) -> Self {
        let mut patterns: Vec<Pattern> = patterns
            .into_iter()
            .map(|(bytes, secret)| Pattern { bytes, secret })
            .collect();
        patterns.sort_by(|a, b| (&*a.bytes, a.secret).cmp(&(&*b.bytes, b.secret)));
        patterns.dedup_by(|later, first| later.bytes == first.bytes);
        let mut matcher = Self {
            patterns: Vec::new(),
            heads: Vec::new(),
            shifts: Box::new([MAX_SHIFT; 1 << 16]),
            begins: [false; 256],
        };
        for (place, pattern) in patterns.iter().enumerate() {
            let window: &[u8; WINDOW] = pattern
                .bytes
                .first_chunk()
                .expect("no form of a secret is shorter than the shortest secret");
            matcher.begins[usize::from(window[0])] = true;
            let head = u64::from_be_bytes(*window);
            if matcher.heads.last().is_none_or(|(last, _)| *last != head) {
                matcher.heads.push((head, place));
            }
            for (back, block) in window.array_windows::<BLOCK>().rev().enumerate() {
                let shift = &mut matcher.shifts[slot(*block)];
                *shift = (*shift).min(back as u8);
            }
        }
        matcher.patterns = patterns;
        matcher
    }

    /// The next place from `at` on where a pattern may begin; where less than a window is left, that is every place.
    pub(super) fn candidate(&self, text: &[u8], mut at: usize) -> usize {
        while let Some(window) = text.get(at..).and_then(<[u8]>::first_chunk::<WINDOW>) {
            let [.., a, b, c] = *window;
            let shift = self.shifts[slot([a, b, c])];
            if shift == 0 {
                break;
            }
            at += usize::from(shift);
        }
        at
    }

    /// What begins at the start of `text`, which ends for good if `ended`.
    pub(super) fn at(&self, text: &[u8], ended: bool) -> At {
        let Some(window) = text.first_chunk::<WINDOW>() else {
            return if !ended && self.may_begin(text) {
                At::Open
            } else {
                At::Nothing
            };
        };
        let head = u64::from_be_bytes(*window);
        let Ok(found) = self.heads.binary_search_by_key(&head, |(head, _)| *head) else {
            return At::Nothing;
        };
        let from = self.heads[found].1;
        let to = self
            .heads
            .get(found + 1)
            .map_or(self.patterns.len(), |(_, place)| *place);
        let mut longest = At::Nothing;
        // Of two patterns that both fit, the shorter one comes first.
        for pattern in &self.patterns[from..to] {
            if text.starts_with(&pattern.bytes) {
                longest = At::Match {
                    length: pattern.bytes.len(),
                    secret: pattern.secret,
                };
            } else if !ended && pattern.bytes.starts_with(text) {
                return At::Open;
            }
        }
        longest
    }

    /// Whether some pattern begins with the whole of this text.
    fn may_begin(&self, text: &[u8]) -> bool {
        let Some(first) = text.first() else {
            return false;
        };
        if !self.begins[usize::from(*first)] {
            return false;
        }
        let place = self
            .patterns
            .partition_point(|pattern| pattern.bytes.as_slice() < text);
        self.patterns
            .get(place)
            .is_some_and(|pattern| pattern.bytes.starts_with(text))
    }
}

/// The place of a block in the table.
fn slot(block: [u8; BLOCK]) -> usize {
    let [a, b, c] = block;
    let hash = u32::from_le_bytes([a, b, c, 0]).wrapping_mul(0x9e37_79b1);
    (hash >> 16) as usize
}
