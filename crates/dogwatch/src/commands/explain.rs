//! `dogwatch explain`: what a code means and what to do about it. It reads nothing and writes nothing.

use clap::Args;
use dogwatch_api::codes::{self, CodeInfo};
use serde_json::{Value, json};

use super::reading::line;
use crate::context::Context;
use crate::error::CliError;
use crate::exit::Exit;
use crate::output::{Table, print, print_json};

/// Say what a code means and what to do about it.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  dogwatch explain lease_lost
  dogwatch explain --json path_forbidden
  dogwatch explain")]
pub(crate) struct ExplainArgs {
    /// The code, as it stands in a message: `error[CODE]`. Without it all codes are listed.
    code: Option<String>,
}

pub(crate) fn run(context: &Context, args: &ExplainArgs) -> Result<Exit, CliError> {
    match &args.code {
        Some(text) => explain(context, known(text)?),
        None => list(context),
    }
    Ok(Exit::Success)
}

/// The entry of what was typed or pasted.
fn known(text: &str) -> Result<&'static CodeInfo, CliError> {
    let code = bare(text);
    codes::find(code).ok_or_else(|| {
        let next = codes::nearest(code).map_or_else(
            || "`dogwatch explain` lists all codes".to_owned(),
            |info| format!("did you mean `{}`?", info.code),
        );
        CliError::new("code_unknown", format!("there is no code `{code}`")).next(next)
    })
}

/// The code in `error[CODE]:`, `[CODE]` or plain `CODE`.
fn bare(text: &str) -> &str {
    let text = text.trim();
    let inner = text.split_once('[').map_or(text, |(_, inner)| inner);
    inner.split_once(']').map_or(inner, |(code, _)| code).trim()
}

fn explain(context: &Context, info: &CodeInfo) {
    if context.json {
        print_json(&document(info));
        return;
    }
    print(&format!("{}: {}", info.code, info.title));
    line("what", info.meaning);
    line("what to do", info.next);
    if let Some(status) = info.http {
        line("HTTP", &status.to_string());
    }
}

fn list(context: &Context) {
    if context.json {
        let items: Vec<Value> = codes::ALL.iter().map(|info| document(info)).collect();
        print_json(&json!({ "items": items, "next_cursor": null }));
        return;
    }
    let mut table = Table::new(&["CODE", "MEANING"]);
    for info in codes::ALL.iter() {
        table.row(vec![info.code.to_owned(), info.title.to_owned()]);
    }
    table.print();
}

fn document(info: &CodeInfo) -> Value {
    json!({
        "code": info.code,
        "title": info.title,
        "meaning": info.meaning,
        "next_action": info.next,
        "http_status": info.http,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_found_however_it_was_copied() {
        for text in [
            "lease_lost",
            " lease_lost ",
            "[lease_lost]",
            "error[lease_lost]: gone",
        ] {
            assert_eq!(known(text).unwrap().code, "lease_lost", "{text}");
        }
    }

    #[test]
    fn a_slip_is_refused_with_the_nearest_code() {
        let error = known("leese_lost").unwrap_err();
        assert_eq!(
            (error.code(), error.exit()),
            ("code_unknown", Exit::Failure)
        );
        assert!(format!("{error:?}").contains("lease_lost"));
        let stranger = known("xylophone_quartet").unwrap_err();
        assert!(format!("{stranger:?}").contains("lists all codes"));
    }

    #[test]
    fn a_document_has_everything_a_page_has() {
        let document = document(known("lease_lost").unwrap());
        assert_eq!(document["http_status"], 409);
        for key in ["code", "title", "meaning", "next_action"] {
            assert!(document[key].as_str().is_some_and(|text| !text.is_empty()));
        }
    }
}
