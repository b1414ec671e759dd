//! The known word a mistyped one was probably meant to be.

/// The nearest of `known`, if one is near enough that suggesting it helps more than it misleads.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let folded = fold(word);
    // A third of the word, as compilers do: `alow_empty` is a slip, `colour` is not.
    let reach = word.chars().count().max(3) / 3;
    known
        .into_iter()
        .map(|candidate| {
            let distance = strsim::damerau_levenshtein(&folded, &fold(candidate));
            (distance, candidate)
        })
        .filter(|(distance, _)| *distance <= reach)
        .min()
        .map(|(_, candidate)| candidate)
}

/// Case and the choice of separator are the commonest slips and cost nothing.
fn fold(word: &str) -> String {
    word.to_lowercase().replace('-', "_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_recognised_and_strangers_are_not() {
        let known = ["allow_empty", "allowed_paths", "agent"];
        assert_eq!(nearest("alow_empty", known), Some("allow_empty"));
        assert_eq!(nearest("Allowed-Paths", known), Some("allowed_paths"));
        assert_eq!(nearest("agnet", known), Some("agent"));
        assert_eq!(nearest("colour", known), None);
    }
}
