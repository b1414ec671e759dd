//! Entries as pages: what stands under `docs/errors/`.

use std::fmt::Write as _;

use super::info::{AREAS, CodeInfo};

/// The page of a code, in Markdown.
pub fn page(info: &CodeInfo) -> String {
    let mut page = format!(
        "# {}\n\n`{}`\n\n## What happened\n\n{}\n\n## What to do\n\n{}\n",
        info.title, info.code, info.meaning, info.next
    );
    if let Some(status) = info.http {
        let _ = write!(
            page,
            "\nOver HTTP it is a problem document with status {status}.\n"
        );
    }
    page
}

/// The index of all pages, in Markdown.
pub fn index() -> String {
    let mut index = String::from(
        "# Codes\n\nEvery error, refusal, failure and finding carries a stable code. `dogwatch explain CODE` prints the same as these pages.\n",
    );
    for area in AREAS {
        let _ = write!(
            index,
            "\n## {}\n\n| code | | HTTP |\n|---|---|---|\n",
            area.title
        );
        for info in area.codes {
            let status = info.http.map(|status| status.to_string());
            let _ = writeln!(
                index,
                "| [`{code}`]({code}.md) | {} | {} |",
                info.title,
                status.unwrap_or_default(),
                code = info.code
            );
        }
    }
    index
}
