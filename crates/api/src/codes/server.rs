//! The server process, and finding it.

use super::info::codes;

codes! {
    server_not_running "No server is running" {
        "No server runs for this data directory, and the command does not start one."
        next "Start it with `dogwatch up`."
    }
    server_unreachable "The server cannot be reached" {
        "A server should be there, and it did not answer on its socket or address."
        next "`dogwatch status` says what is known about it; its log is `<data>/logs/runtime.jsonl`."
    }
    server_version "The server is of another version" {
        "The running server and this program are of versions that do not understand each other."
        next "Stop the server with `dogwatch down` and start the command again."
    }
    server_stopping(503) "The server is stopping" {
        "The server was asked to end and takes no new work."
        next "Wait for its end, then start it again with `dogwatch up`."
    }
}
