//! Pages by key: newest first, each page starting after the last item of the one before, however much was added in between.

use dogwatch_core::Timestamp;
use dogwatch_store::{Page, PageRequest, StoreError};

use crate::fault::Fault;

/// The most items of one page, whatever was asked for.
const MAX_PAGE: u32 = 500;

/// Where a page starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Position {
    pub(crate) created_at: i64,
    pub(crate) id: String,
}

impl Position {
    /// Before everything.
    fn start() -> Self {
        Self {
            created_at: i64::MAX,
            id: "~".to_owned(),
        }
    }

    fn parse(text: &str, prefix: &str) -> Option<Self> {
        let (created_at, id) = text.split_once('.')?;
        let digits = id.strip_prefix(prefix)?;
        let is_id = digits.len() == 32 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        Some(Self {
            created_at: created_at.parse().ok()?,
            id: is_id.then(|| id.to_owned())?,
        })
    }
}

/// A page request as numbers.
#[derive(Clone, Debug)]
pub(crate) struct Window {
    pub(crate) from: Position,
    limit: usize,
}

impl Window {
    /// Reads a request for a list of things whose ids start with `prefix`.
    pub(crate) fn of(page: &PageRequest, prefix: &str) -> Result<Self, Fault> {
        let from = match &page.cursor {
            None => Position::start(),
            Some(text) => {
                Position::parse(text, prefix).ok_or_else(|| StoreError::BadCursor(text.clone()))?
            }
        };
        Ok(Self {
            from,
            limit: page.limit.clamp(1, MAX_PAGE) as usize,
        })
    }

    /// How many rows to fetch: one more than fits, to know whether there are more.
    pub(crate) fn fetch(&self) -> i64 {
        i64::try_from(self.limit + 1).unwrap_or(i64::MAX)
    }

    /// The page of the rows that were fetched.
    pub(crate) fn page<T>(
        &self,
        mut rows: Vec<T>,
        position: impl Fn(&T) -> (Timestamp, String),
    ) -> Page<T> {
        let more = rows.len() > self.limit;
        rows.truncate(self.limit);
        let next_cursor = rows.last().filter(|_| more).map(|last| {
            let (created_at, id) = position(last);
            format!("{}.{id}", created_at.as_micros())
        });
        Page {
            items: rows,
            next_cursor,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_cursor_of_the_same_list_is_taken() {
        let id = format!("job_{}", "a".repeat(32));
        let cursor = format!("12.{id}");
        assert_eq!(
            Position::parse(&cursor, "job_"),
            Some(Position { created_at: 12, id })
        );
        for bad in ["", "12", "12.", "x.job_a", "12.job_a", "'; DROP TABLE jobs"] {
            assert_eq!(Position::parse(bad, "job_"), None, "{bad}");
        }
        assert_eq!(Position::parse(&cursor, "run_"), None);
    }
}
