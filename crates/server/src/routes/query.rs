//! Lists in queries.

use serde::de::DeserializeOwned;
use serde::de::IntoDeserializer;
use serde::de::value::{Error, StrDeserializer};

use crate::problem::HttpProblem;
use crate::problem_codes::QUERY_INVALID;

/// The words of a list such as `queued,running`.
pub(super) fn words<T: DeserializeOwned>(
    name: &str,
    text: Option<&str>,
) -> Result<Vec<T>, HttpProblem> {
    let Some(text) = text else {
        return Ok(Vec::new());
    };
    text.split(',')
        .map(|word| {
            let word: StrDeserializer<'_, Error> = word.into_deserializer();
            T::deserialize(word)
                .map_err(|error| QUERY_INVALID.because(format!("`{name}` is not valid: {error}")))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use dogwatch_core::job::JobStatus;

    use super::*;

    #[test]
    fn a_list_is_words_with_commas() {
        let words = |text| words::<JobStatus>("status", text).ok();
        assert_eq!(words(None), Some(Vec::new()));
        assert_eq!(
            words(Some("queued,running")),
            Some(vec![JobStatus::Queued, JobStatus::Running])
        );
        for bad in ["", "queued,", "Queued", "queued, running", "none"] {
            assert_eq!(words(Some(bad)), None, "{bad}");
        }
    }
}
