//! What is printed: data on standard output, everything else on standard error, and nothing an agent wrote is obeyed by the terminal.

mod table;
mod text;

pub(crate) use table::Table;
pub(crate) use text::{age, duration, plain, print, print_bytes, print_json, print_json_line, say};
