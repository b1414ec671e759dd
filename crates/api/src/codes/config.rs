//! Configuration files, variables and flags.

use super::info::codes;

codes! {
    config_invalid "The configuration is wrong" {
        "A configuration file, a DOGWATCH_* variable or a flag has values that cannot be used. All problems are named at once."
        next "Mend every problem that the message names; a run reads dogwatch.toml as it is committed at its base."
    }
    config_unreadable "A configuration file cannot be read" {
        "The file is there and cannot be read. It is not taken for empty."
        next "Mend its permissions and its encoding (UTF-8)."
    }
    config_unwritable "The configuration file cannot be written" {
        "`dogwatch init` could not write dogwatch.toml."
        next "Mend the permissions of the directory, or write the file yourself."
    }
    profile_invalid "The configuration of the base commit cannot be used" {
        "When the run started, the configuration as committed at its base, together with this machine's, had problems."
        next "Mend the configuration, commit it, then submit the job again."
    }
    agent_missing "No agent is named" {
        "Neither the contract, the flag nor the configuration says which agent is to do the task, and there is not exactly one to choose."
        next "Give --agent NAME or set `agent`; agents are defined as [agents.NAME], `dogwatch init` writes examples."
    }
    agent_unknown "There is no such agent" {
        "The agent that is named is not defined in the configuration that applies."
        next "Define it as [agents.NAME] with driver and command; `dogwatch config show --origin` shows what is defined."
    }
    user_only "Only the user's own configuration may set this" {
        "A project's file sets a key that would give the repository power over the machine, such as passing variables to an agent."
        next "Move the key to your user configuration."
    }
    project_only "Only a project's configuration may set this" {
        "The key describes the project and has no meaning anywhere else."
        next "Move the key to the project's dogwatch.toml and commit it."
    }
}
