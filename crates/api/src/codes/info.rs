//! What is known about a code, and finding it.

use std::sync::LazyLock;

use dogwatch_core::strict;

use super::{
    approvals, config, contract, data, evidence, gates, history, http, journal, landing, program,
    queue, repository, run, server, store, turn, verdicts,
};

/// What a code means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CodeInfo {
    /// The code, in snake case.
    pub code: &'static str,
    /// It in a few words, without a full stop.
    pub title: &'static str,
    /// What happened.
    pub meaning: &'static str,
    /// What to do next.
    pub next: &'static str,
    /// The HTTP status it is answered with, where it is an answer.
    pub http: Option<u16>,
}

/// Codes that belong together.
#[derive(Clone, Copy, Debug)]
pub struct Area {
    /// What they are about.
    pub title: &'static str,
    /// The codes, in the order of the table.
    pub codes: &'static [CodeInfo],
}

/// Every area, in the order of the index.
pub static AREAS: &[Area] = &[
    area("The command line", program::CODES),
    area("The data directory", data::CODES),
    area("Repositories", repository::CODES),
    area("Configuration", config::CODES),
    area("Contracts", contract::CODES),
    area("Jobs, leases and the queue", queue::CODES),
    area("Approvals", approvals::CODES),
    area("Runs", run::CODES),
    area("Turns and agents", turn::CODES),
    area("Commits of agents", history::CODES),
    area("Verdicts about runs", verdicts::CODES),
    area("Landing and restoring", landing::CODES),
    area("Gates", gates::CODES),
    area("Evidence and its verification", evidence::CODES),
    area("Journals", journal::CODES),
    area("The store", store::CODES),
    area("The server process", server::CODES),
    area("Requests and credentials", http::CODES),
];

/// Every code, in alphabetical order.
pub static ALL: LazyLock<Vec<&'static CodeInfo>> = LazyLock::new(|| {
    let mut all: Vec<_> = AREAS.iter().flat_map(|area| area.codes).collect();
    all.sort_by_key(|info| info.code);
    all
});

const fn area(title: &'static str, codes: &'static [CodeInfo]) -> Area {
    Area { title, codes }
}

/// The entry of a code.
pub fn find(code: &str) -> Option<&'static CodeInfo> {
    ALL.binary_search_by_key(&code, |info| info.code)
        .ok()
        .map(|position| ALL[position])
}

/// The entry whose code `text` was probably meant to be.
pub fn nearest(text: &str) -> Option<&'static CodeInfo> {
    strict::nearest(text, ALL.iter().map(|info| info.code)).and_then(find)
}

/// A table of codes: `code(status) "title" { "meaning" next "next" }`, the status only where there is one.
macro_rules! codes {
    ($($code:ident $(($http:literal))? $title:literal { $meaning:literal next $next:literal })*) => {
        pub(super) static CODES: &[$crate::codes::CodeInfo] = &[
            $($crate::codes::CodeInfo {
                code: stringify!($code),
                title: $title,
                meaning: $meaning,
                next: $next,
                http: $crate::codes::info::status!($($http)?),
            },)*
        ];
    };
}

macro_rules! status {
    () => {
        None
    };
    ($status:literal) => {
        Some($status)
    };
}

pub(super) use {codes, status};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_there_once_and_is_written_as_codes_are() {
        for pair in ALL.windows(2) {
            assert_ne!(pair[0].code, pair[1].code);
        }
        for info in ALL.iter() {
            assert!(
                info.code
                    .bytes()
                    .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_')),
                "{}",
                info.code
            );
            assert_eq!(find(info.code), Some(*info));
        }
    }

    #[test]
    fn every_entry_says_what_happened_and_what_to_do() {
        for info in ALL.iter() {
            let code = info.code;
            assert!(!info.title.ends_with('.'), "{code}");
            assert!(
                info.title.starts_with(|first: char| first.is_uppercase())
                    || ["git ", "dogwatch "]
                        .iter()
                        .any(|name| info.title.starts_with(name)),
                "{code}"
            );
            for text in [info.meaning, info.next] {
                assert!(text.len() > 15 && text.ends_with('.'), "{code}: {text}");
                assert!(!text.contains('\n') && !text.contains("  "), "{code}");
            }
            if let Some(status) = info.http {
                assert!((400..600).contains(&status), "{code}");
            }
        }
    }

    #[test]
    fn a_slip_finds_its_code_and_a_stranger_finds_none() {
        assert_eq!(nearest("lease-lots").unwrap().code, "lease_lost");
        assert_eq!(nearest("Approval_Self").unwrap().code, "approval_self");
        assert_eq!(nearest("xylophone_quartet"), None);
        assert_eq!(find("no_such_code"), None);
    }
}
