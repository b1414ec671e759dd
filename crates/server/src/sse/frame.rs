//! The bytes of an event.

use axum::body::Bytes;

use super::source::Item;

/// What a stream begins with: how long a client waits before it connects again.
pub(super) fn opening() -> Bytes {
    Bytes::from_static(b"retry: 1000\n\n")
}

/// A sign of life.
pub(super) fn keep_alive() -> Bytes {
    Bytes::from_static(b": alive\n\n")
}

/// The last event of a stream.
pub(super) fn end(reason: &str) -> Bytes {
    let data = serde_json::json!({ "reason": reason }).to_string();
    event(&Item {
        cursor: None,
        event: "end",
        data,
    })
}

/// One event. Whatever its texts contain, it is one event.
pub(super) fn event(item: &Item) -> Bytes {
    let mut frame = String::with_capacity(item.data.len() + 64);
    if let Some(cursor) = &item.cursor {
        frame.push_str("id: ");
        frame.extend(cursor.chars().filter(|c| !matches!(c, '\r' | '\n' | '\0')));
        frame.push('\n');
    }
    frame.push_str("event: ");
    frame.push_str(item.event);
    frame.push('\n');
    for line in item.data.split(['\r', '\n']) {
        frame.push_str("data: ");
        frame.push_str(line);
        frame.push('\n');
    }
    frame.push('\n');
    frame.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_breaks_out_of_its_event() {
        let item = Item {
            cursor: Some("7\nevent: forged".to_owned()),
            event: "job",
            data: "{}\n\nevent: forged\r\rdata: x".to_owned(),
        };
        assert_eq!(
            event(&item),
            "id: 7event: forged\nevent: job\ndata: {}\ndata: \ndata: event: forged\ndata: \ndata: data: x\n\n"
        );
        assert_eq!(
            end("timeout"),
            "event: end\ndata: {\"reason\":\"timeout\"}\n\n"
        );
    }
}
