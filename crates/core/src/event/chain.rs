//! The hash chain: each entry carries the digest of the one before it, bound to its stream and position.

use crate::canonical::Sha256Digest;

/// What kind of stream a link belongs to, so that a line of one kind never fits into the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChainDomain {
    /// A run's journal.
    Journal,
    /// A control stream of the server.
    Control,
}

impl ChainDomain {
    const fn tag(self) -> &'static [u8] {
        match self {
            Self::Journal => b"dogwatch.journal.v1\0",
            Self::Control => b"dogwatch.control.v1\0",
        }
    }
}

/// The `prev` of the first entry of a stream: a link to nothing, still bound to the stream.
pub fn genesis(domain: ChainDomain, stream: &str) -> Sha256Digest {
    link(domain, stream, 0, b"")
}

/// The `prev` that the entry after `line` carries.
///
/// It is SHA-256 over the domain tag, the stream id as text, the position of `line` as eight big-endian bytes, and the exact bytes of
/// `line` without its line end.
pub fn link(domain: ChainDomain, stream: &str, seq: u64, line: &[u8]) -> Sha256Digest {
    Sha256Digest::of_parts(&[domain.tag(), stream.as_bytes(), &seq.to_be_bytes(), line])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_depends_on_every_part() {
        let base = link(ChainDomain::Journal, "run_a", 1, b"{}");
        assert_ne!(base, link(ChainDomain::Control, "run_a", 1, b"{}"));
        assert_ne!(base, link(ChainDomain::Journal, "run_b", 1, b"{}"));
        assert_ne!(base, link(ChainDomain::Journal, "run_a", 2, b"{}"));
        assert_ne!(base, link(ChainDomain::Journal, "run_a", 1, b"{ }"));
    }
}
