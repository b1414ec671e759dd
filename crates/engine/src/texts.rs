//! Texts that people and agents give, made to fit into an event.

use dogwatch_core::failure::clip;

/// At most `max` bytes of a text as they stand in a line of JSON, where a control character takes six.
pub(crate) fn fit(text: &str, max: usize) -> String {
    let mut room = max;
    loop {
        let clipped = clip(text, room);
        let written = json_len(&clipped);
        if written <= max || room == 0 {
            return clipped;
        }
        // What is written is never shorter than the text, so this ends.
        room = (room * max / written).min(room.saturating_sub(1));
    }
}

/// The bytes of a text between the quotation marks of a JSON string.
pub(crate) fn json_len(text: &str) -> usize {
    text.chars()
        .map(|character| match character {
            '"' | '\\' | '\n' | '\r' | '\t' | '\u{8}' | '\u{c}' => 2,
            control if control < ' ' => 6,
            other => other.len_utf8(),
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_fits_as_it_is_written() {
        assert_eq!(fit("plain", 100), "plain");
        for text in [
            "\u{1}".repeat(1_000),
            "\"".repeat(1_000),
            "é".repeat(1_000),
            "a\n".repeat(500),
        ] {
            let fitted = fit(&text, 300);
            let written = serde_json::to_string(&fitted).unwrap().len() - 2;
            assert_eq!(written, json_len(&fitted));
            assert!((30..=300).contains(&written), "{written}");
        }
    }

    #[test]
    fn nothing_is_left_where_nothing_fits() {
        assert!(fit("\u{1}\u{1}\u{1}\u{1}", 0).len() <= 6);
    }
}
