//! The last bytes of a stream, in bounded memory.

/// How many of the last bytes are kept.
pub(super) const TAIL_LEN: usize = 64 * 1024;

/// A buffer that remembers only the end of what is written to it.
#[derive(Debug, Default)]
pub(super) struct Tail {
    bytes: Vec<u8>,
    total: u64,
}

impl Tail {
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.total += bytes.len() as u64;
        let bytes = &bytes[bytes.len().saturating_sub(TAIL_LEN)..];
        // Moved down only when twice the length has gathered, so that each byte moves once on average.
        if self.bytes.len() + bytes.len() > 2 * TAIL_LEN {
            let keep = TAIL_LEN - bytes.len();
            self.bytes.drain(..self.bytes.len() - keep);
        }
        self.bytes.extend_from_slice(bytes);
    }

    /// How many bytes went in but are not kept.
    pub(super) fn forgotten(&self) -> u64 {
        self.total - self.kept().len() as u64
    }

    pub(super) fn kept(&self) -> &[u8] {
        &self.bytes[self.bytes.len().saturating_sub(TAIL_LEN)..]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_is_kept_and_the_rest_is_counted() {
        for piece in [
            1,
            7,
            4096,
            TAIL_LEN - 1,
            TAIL_LEN,
            TAIL_LEN + 1,
            3 * TAIL_LEN,
        ] {
            let all: Vec<u8> = (0..4 * TAIL_LEN + 5).map(|n| (n % 251) as u8).collect();
            let mut tail = Tail::default();
            for part in all.chunks(piece) {
                tail.push(part);
                assert!(tail.bytes.len() <= 2 * TAIL_LEN);
            }
            assert!(
                tail.kept() == &all[all.len() - TAIL_LEN..],
                "pieces of {piece}"
            );
            assert_eq!(tail.forgotten(), (all.len() - TAIL_LEN) as u64);
        }
    }

    #[test]
    fn a_short_end_is_kept_whole() {
        let mut tail = Tail::default();
        tail.push(b"short");
        assert_eq!((tail.kept(), tail.forgotten()), (&b"short"[..], 0));
    }
}
