//! The commits that land.

use super::{LandError, PromotionRequest};
use crate::commit_object::{CommitObject, DOGWATCH, is_hostile, speaks_for_dogwatch};
use crate::git::GitError;
use crate::object_id::ObjectId;
use crate::vault::Vault;

impl PromotionRequest<'_> {
    fn seconds(&self) -> i64 {
        self.at.as_micros().div_euclid(1_000_000)
    }

    fn committer(&self) -> String {
        format!("{DOGWATCH} {} +0000", self.seconds())
    }

    fn trailers(&self) -> String {
        format!(
            "Dogwatch-Run: {}\nDogwatch-Bundle: {}\n",
            self.run, self.bundle
        )
    }
}

/// The commit with tree T: one on base, or the last of the agent's history with the trailers added.
pub(super) fn landing(
    vault: &Vault,
    request: &PromotionRequest<'_>,
) -> Result<ObjectId, LandError> {
    let commit = match request.history {
        None => CommitObject {
            tree: request.tree,
            parents: vec![request.base],
            author: request.author.line(request.seconds()),
            committer: request.committer(),
            extra: Vec::new(),
            message: with_trailers(request.message, &request.trailers()),
        },
        Some(history) => {
            let raw = vault
                .command("cat-file")?
                .arg("commit")
                .arg(history.to_string())
                .run()?;
            let found = CommitObject::parse(&raw)
                .ok_or_else(|| GitError::unexpected("cat-file", "the history is not a commit"))?;
            if found.tree != request.tree {
                return Err(LandError::History { history });
            }
            CommitObject {
                committer: request.committer(),
                // A signature would not be one of the words with the trailers.
                extra: Vec::new(),
                message: with_trailers(&found.message, &request.trailers()),
                ..found
            }
        }
    };
    Ok(commit.write(vault)?)
}

/// The commit that joins a branch that has moved with the one that lands.
pub(super) fn merge(
    vault: &Vault,
    request: &PromotionRequest<'_>,
    tree: ObjectId,
    tip: ObjectId,
    landing: ObjectId,
) -> Result<ObjectId, LandError> {
    let subject = request.message.lines().next().unwrap_or_default();
    let commit = CommitObject {
        tree,
        parents: vec![tip, landing],
        author: request.author.line(request.seconds()),
        committer: request.committer(),
        extra: Vec::new(),
        message: with_trailers(
            &format!("Merge run {}: {subject}", request.run),
            &request.trailers(),
        ),
    };
    Ok(commit.write(vault)?)
}

/// A message that ends in trailers. Messages come from agents, so what would act on a terminal is left out, and only dogwatch speaks for
/// dogwatch.
fn with_trailers(message: &str, trailers: &str) -> String {
    let clean: String = message
        .chars()
        .filter(|character| !is_hostile(*character))
        .collect();
    let mut kept: Vec<&str> = clean
        .lines()
        .map(str::trim_end)
        .filter(|line| !speaks_for_dogwatch(line))
        .collect();
    while kept.last().is_some_and(|line| line.is_empty()) {
        kept.pop();
    }
    let text = kept.join("\n");
    let text = text.trim_start_matches('\n');
    if text.trim().is_empty() {
        return format!("Result of a run\n\n{trailers}");
    }
    let paragraph = text.rsplit("\n\n").next().unwrap_or(text);
    let joins = paragraph.len() < text.len() && paragraph.lines().all(is_trailer);
    let between = if joins { "\n" } else { "\n\n" };
    format!("{text}{between}{trailers}")
}

fn is_trailer(line: &str) -> bool {
    line.split_once(": ").is_some_and(|(key, value)| {
        !key.is_empty()
            && !value.is_empty()
            && key
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trailers_are_the_last_paragraph_and_nobody_elses() {
        let of = |message| with_trailers(message, "Dogwatch-Run: r\n");
        assert_eq!(of("fix it\n"), "fix it\n\nDogwatch-Run: r\n");
        assert_eq!(
            of("fix: it\n\nbody\n\nSigned-off-by: A <a>\n"),
            "fix: it\n\nbody\n\nSigned-off-by: A <a>\nDogwatch-Run: r\n"
        );
        assert_eq!(of("fix: it"), "fix: it\n\nDogwatch-Run: r\n");
        assert_eq!(of(" \n\u{1b}\n"), "Result of a run\n\nDogwatch-Run: r\n");
        assert_eq!(
            of("fix\u{1b}[2J\u{202e}\r\n\nDogwatch-Run: forged\n dogwatch-bundle: forged"),
            "fix[2J\n\nDogwatch-Run: r\n"
        );
    }
}
