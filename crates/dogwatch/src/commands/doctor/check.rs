//! One thing that was looked at.

use serde::Serialize;

/// How it is, the worst last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Status {
    /// As it should be.
    Ok,
    /// Works, and could be better.
    Warn,
    /// Does not work.
    Fail,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Check {
    pub(super) status: Status,
    pub(super) what: &'static str,
    pub(super) detail: String,
    pub(super) next_action: Option<String>,
}

impl Check {
    pub(super) fn ok(what: &'static str, detail: impl Into<String>) -> Self {
        Self {
            status: Status::Ok,
            what,
            detail: detail.into(),
            next_action: None,
        }
    }

    pub(super) fn warn(
        what: &'static str,
        detail: impl Into<String>,
        next: impl Into<String>,
    ) -> Self {
        Self {
            status: Status::Warn,
            what,
            detail: detail.into(),
            next_action: Some(next.into()),
        }
    }

    pub(super) fn fail(
        what: &'static str,
        detail: impl Into<String>,
        next: impl Into<String>,
    ) -> Self {
        Self {
            status: Status::Fail,
            ..Self::warn(what, detail, next)
        }
    }

    /// The check in one line for a person.
    pub(super) fn line(&self) -> String {
        let status = match self.status {
            Status::Ok => "ok",
            Status::Warn => "warn",
            Status::Fail => "fail",
        };
        let next = self
            .next_action
            .as_ref()
            .map(|next| format!("; {next}"))
            .unwrap_or_default();
        format!("{status:<4}  {:<14}  {}{next}", self.what, self.detail)
            .trim_end()
            .replace('\n', " ")
    }
}

/// An error with its causes in one line.
pub(super) fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_is_one_line_with_the_way_out() {
        assert_eq!(
            Check::ok("git", "2.47").line(),
            "ok    git             2.47"
        );
        assert_eq!(
            Check::fail("git", "too\nold", "install 2.39 or newer").line(),
            "fail  git             too old; install 2.39 or newer"
        );
        assert!(Status::Fail > Status::Warn && Status::Warn > Status::Ok);
    }
}
