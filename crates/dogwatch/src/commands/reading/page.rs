//! Lists, page by page.

use clap::Args;
use dogwatch_store::{Page, PageRequest};
use serde::Serialize;

use crate::output::print_json;

/// Which page of a list.
#[derive(Debug, Args)]
pub(crate) struct PageArgs {
    /// How many to show at the most.
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=500))]
    limit: u32,
    /// Go on where a list ended: the `next_cursor` of the page before.
    #[arg(long, value_name = "CURSOR")]
    cursor: Option<String>,
}

impl PageArgs {
    pub(in crate::commands) fn request(&self) -> PageRequest {
        PageRequest {
            limit: self.limit,
            cursor: self.cursor.clone(),
        }
    }

    /// Prints a page: the document for programs, or what `show` prints of it and where it goes on.
    pub(in crate::commands) fn print<T: Serialize>(
        page: &Page<T>,
        json: bool,
        nothing: &str,
        show: impl FnOnce(&[T]),
    ) {
        if json {
            print_json(page);
            return;
        }
        if page.items.is_empty() {
            super::note(nothing);
            return;
        }
        show(&page.items);
        if let Some(cursor) = &page.next_cursor {
            super::note(&format!("there are more: --cursor {cursor}"));
        }
    }
}
