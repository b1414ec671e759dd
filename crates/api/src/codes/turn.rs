//! How a turn of an agent ended.

use super::info::codes;

codes! {
    agent_exit "The agent ended with an error" {
        "The agent's command exited with a code other than zero and did not answer that it is blocked or failed."
        next "Look at the turn's stderr (`dogwatch logs`), mend the agent's command, then retry."
    }
    agent_signal "A signal ended the agent" {
        "The agent's process was killed by a signal that dogwatch did not send."
        next "Look at the turn's output and at the machine's memory, then retry."
    }
    agent_not_found "The agent's command was not found" {
        "The program that the agent's configuration names does not exist on this machine."
        next "Check `command` of the agent (`dogwatch config show --origin`) and the PATH of the runner."
    }
    agent_not_startable "The agent could not be started" {
        "The program is there and the operating system refuses to run it."
        next "Check its permissions and its interpreter, and `command` of the agent."
    }
    agent_blocked "The agent needs something" {
        "The agent answered that it cannot go on without a person."
        next "Do what the agent asks for, then `dogwatch jobs retry`."
    }
    agent_failed "The agent gave up" {
        "The agent answered that it failed."
        next "Read its output, change the task, then `dogwatch jobs retry`."
    }
    turn_budget "The turn took too long" {
        "The turn was ended because its time was over, though the agent still printed."
        next "Raise limits.turn_budget_ms, or make the task smaller."
    }
    stalled "The agent went silent" {
        "The agent printed nothing for as long as it may, so it was ended. It is restarted with a hint to go on."
        next "Raise limits.stall_window_ms if the agent works silently."
    }
    stall_backoff "A wait before the restart" {
        "A stalled agent is restarted after a short wait that doubles each time."
        next "Nothing: it goes on by itself."
    }
    stall_backoff_capped "The longest wait before a restart" {
        "The wait before a restart has reached its largest value and does not grow any more."
        next "Nothing: it goes on by itself."
    }
    stall_restart_exhausted "The agent stalled too often" {
        "The agent went silent in several turns in a row, so the run is blocked until a person has looked."
        next "Look at its output; raise limits.stall_window_ms if it works silently; then `dogwatch jobs retry`."
    }
    response_missing "The agent left no response" {
        "The agent exited well, and its protocol demands an answer that is not there."
        next "The agent must write its response before it exits."
    }
    response_malformed "The agent's response is not valid" {
        "The agent left an answer that is no JSON or does not follow the schema."
        next "Compare it with schemas/agent-response.schema.json."
    }
    response_too_large "The agent's response is too large" {
        "The answer is larger than a response may be, so it was not read."
        next "Have the agent keep its answer short; its work belongs into the workspace."
    }
    runner_restarted "The runner was restarted" {
        "The runner went away during a turn and the new one could not talk to the agent any more, so the turn was ended and not counted as a stall."
        next "Nothing: the next turn goes on with the same agent session."
    }
}
