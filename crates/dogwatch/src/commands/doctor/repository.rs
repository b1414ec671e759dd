//! The configuration, and the repository the command stands in.

use std::ffi::OsStr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use dogwatch_config::{Config, ConfigError};
use dogwatch_workspace::{Checkout, link};

use super::super::config::{PROJECT_FILE, Project, load};
use super::check::{Check, chain};
use crate::context::Context;

pub(super) fn checks(context: &Context) -> Vec<Check> {
    let project = match Project::find(context) {
        Ok(project) => project,
        Err(error) => {
            let mut checks = configuration(context, Project::default());
            checks.push(Check::warn(
                "repository",
                error.message().to_owned(),
                "runs cannot start here before that is mended",
            ));
            return checks;
        }
    };
    let mut checks = match &project.checkout {
        Some(checkout) => vec![
            Check::ok("repository", checkout.top_level().display().to_string()),
            project_link(checkout),
        ],
        None => vec![Check::ok(
            "repository",
            "none here with a commit: a run needs one",
        )],
    };
    checks.extend(
        project
            .remark()
            .map(|remark| Check::warn(PROJECT_FILE, remark, "commit it before the next run")),
    );
    checks.extend(configuration(context, project));
    checks
}

fn project_link(checkout: &Checkout) -> Check {
    match link::read(checkout) {
        Ok(Some(link)) => Check::ok("project", link.project_id.to_string()),
        Ok(None) => Check::ok("project", "no identity yet: the first run or init makes it"),
        Err(error) => Check::fail(
            "project",
            chain(&error),
            "mend .git/dogwatch/link/project.json or its permissions",
        ),
    }
}

/// Every problem of every layer, each on a line of its own.
fn configuration(context: &Context, project: Project) -> Vec<Check> {
    match load(context, project.committed) {
        Ok(Ok(config)) => sound(&config),
        Ok(Err(error)) => refused(&error),
        Err(error) => vec![Check::fail(
            "configuration",
            error.message().to_owned(),
            "mend its permissions and encoding",
        )],
    }
}

fn refused(error: &ConfigError) -> Vec<Check> {
    let check = |problem: &dogwatch_config::ConfigProblem| {
        Check::fail(
            "configuration",
            problem.to_string(),
            "mend it: until then it is refused as a whole",
        )
    };
    error.problems.iter().map(check).collect()
}

fn sound(config: &Config) -> Vec<Check> {
    let sources: Vec<&str> = config
        .sources
        .iter()
        .map(|source| source.path.as_str())
        .collect();
    let detail = if sources.is_empty() {
        "defaults only".to_owned()
    } else {
        format!("valid: {}", sources.join(", "))
    };
    let mut checks = vec![Check::ok("configuration", detail)];
    let remarks = config.warnings.iter();
    checks.extend(remarks.map(|warning| {
        Check::warn(
            "configuration",
            warning,
            "see `dogwatch config show --origin`",
        )
    }));
    if config.agents.is_empty() {
        checks.push(Check::warn(
            "agents",
            "none is defined",
            "add [agents.NAME] to dogwatch.toml or the user configuration; `dogwatch init` writes examples",
        ));
    }
    for (name, agent) in &config.agents {
        let program = agent.command.first().map_or("", String::as_str);
        checks.push(
            if can_be_found(program, std::env::var_os("PATH").as_deref()) {
                Check::ok("agent", format!("{name}: {program}"))
            } else {
                Check::warn(
                    "agent",
                    format!("{name}: {program} is not found"),
                    "install it, or give its absolute path",
                )
            },
        );
    }
    checks
}

/// Whether a program can be started. A relative path with a slash means a file of the workspace, which is not there yet.
fn can_be_found(program: &str, search: Option<&OsStr>) -> bool {
    let is_program = |path: &Path| {
        path.metadata()
            .is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
    };
    if program.starts_with('/') {
        return is_program(Path::new(program));
    }
    program.contains('/')
        || search
            .into_iter()
            .flat_map(std::env::split_paths)
            .any(|directory| is_program(&directory.join(program)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_looked_for_where_they_would_be_started_from() {
        let directory = tempfile::tempdir().unwrap();
        let program = directory.path().join("agent");
        std::fs::write(&program, "").unwrap();
        let search = Some(directory.path().as_os_str());
        assert!(!can_be_found("agent", search), "it cannot be executed");
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        assert!(can_be_found("agent", search));
        assert!(can_be_found(program.to_str().unwrap(), None));
        assert!(can_be_found("./tools/agent", None));
        assert!(!can_be_found("agent", None));
        assert!(!can_be_found("/nonexistent/agent", search));
    }
}
