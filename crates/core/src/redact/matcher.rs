//! Where patterns begin in a text, at the speed of looking at a few of its bytes.
//!
//! A window as long as the shortest pattern moves over the text; its last three bytes say, through a table of hashes, how far it may move
//! without passing the beginning of a pattern (Wu and Manber's method). Where they do not let it move, the eight bytes that every pattern
//! has at least are looked up and whole patterns compared.

use zeroize::Zeroizing;

use super::secret_set::MIN_SECRET_LEN;

/// How many bytes every pattern has at least, which are looked up together.
const HEAD: usize = MIN_SECRET_LEN;

/// The longest window. A longer one moves farther, but leaves more places at the end of a text to be looked at one by one.
const MAX_WINDOW: usize = 16;

/// How many bytes at the window's end decide how far it moves.
const BLOCK: usize = 3;

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
    /// How long the window is.
    window: usize,
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
        let shortest = patterns.iter().map(|pattern| pattern.bytes.len()).min();
        let window = shortest.map_or(MAX_WINDOW, |length| length.min(MAX_WINDOW));
        let mut matcher = Self {
            patterns: Vec::new(),
            heads: Vec::new(),
            window,
            shifts: Box::new([shift(window - BLOCK + 1); 1 << 16]),
            begins: [false; 256],
        };
        for (place, pattern) in patterns.iter().enumerate() {
            let head: &[u8; HEAD] = pattern
                .bytes
                .first_chunk()
                .expect("no form of a secret is shorter than the shortest secret");
            matcher.begins[usize::from(head[0])] = true;
            let head = u64::from_be_bytes(*head);
            if matcher.heads.last().is_none_or(|(last, _)| *last != head) {
                matcher.heads.push((head, place));
            }
            let blocks = pattern.bytes[..window].windows(BLOCK).rev();
            for (back, block) in blocks.enumerate() {
                let [a, b, c] = *block else { continue };
                let known = &mut matcher.shifts[slot(u32::from_le_bytes([a, b, c, 0]))];
                *known = (*known).min(shift(back));
            }
        }
        matcher.patterns = patterns;
        matcher
    }

    /// The next place from `at` on where a pattern may begin; where less than a window is left, that is every place.
    pub(super) fn candidate(&self, text: &[u8], mut at: usize) -> usize {
        // The block is read with the byte before it, which one load can do.
        let before = self.window - BLOCK - 1;
        while let Some(bytes) = text.get(at + before..).and_then(<[u8]>::first_chunk) {
            let shift = self.shifts[slot(u32::from_le_bytes(*bytes) >> 8)];
            if shift == 0 {
                break;
            }
            at += usize::from(shift);
        }
        at
    }

    /// What begins at the start of `text`, which ends for good if `ended`.
    pub(super) fn at(&self, text: &[u8], ended: bool) -> At {
        let Some(head) = text.first_chunk::<HEAD>() else {
            return if !ended && self.may_begin(text) {
                At::Open
            } else {
                At::Nothing
            };
        };
        let head = u64::from_be_bytes(*head);
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
const fn slot(block: u32) -> usize {
    (block.wrapping_mul(0x9e37_79b1) >> 16) as usize
}

/// A move as it stands in the table; no window is that long.
const fn shift(places: usize) -> u8 {
    places as u8
}
