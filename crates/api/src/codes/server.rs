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
    server_target "The server's address cannot be used" {
        "The address that was given is no URL of a server, or of a kind that dogwatch does not speak."
        next "Give `http://` with an address of this machine, `https://` with any other, or the path of a Unix socket."
    }
    server_plain_text "The token would cross the network in plain text" {
        "`http://` is for this machine only: everyone on the way could read the token."
        next "Use `https://`, or a tunnel that ends on this machine."
    }
    server_tls "TLS cannot be set up" {
        "The client's own TLS or its certificates cannot be used. Nothing was sent."
        next "Check the certificates of the system, then try again."
    }
    server_answer_invalid "The server's answer makes no sense" {
        "What answered does not answer as a dogwatch server of this version does."
        next "Check that the address is that of a dogwatch server of this version."
    }
    endpoint_unreadable "The endpoint file cannot be understood" {
        "The file that says where the server of this data directory is was damaged, or is of another version."
        next "Stop the server of this data directory if one runs, then delete the file."
    }
    process_unreadable "The server's process cannot be looked at" {
        "Whether the process that the endpoint file names still lives could not be found out."
        next "Check that /proc is mounted and readable, then try again."
    }
    signals "Signals cannot be received" {
        "The operating system refused the handlers without which the server could not be stopped in order."
        next "Look at `ulimit -a`, then start the server again."
    }
    entropy "There is no randomness" {
        "The operating system gave no random bytes, so no secret can be made."
        next "Check that the system has finished starting, then try again."
    }
    logs "The logs cannot be started" {
        "The server's own logs cannot be made or written, and a server that cannot log does not start."
        next "Check free space and permissions of `<data>/logs`, then start the server again."
    }
    listen "The server cannot listen" {
        "The socket or the address at which the server was to listen cannot be used."
        next "Choose another address with --listen, or end what uses this one."
    }
    listen_failed "The operating system refused to listen" {
        "The socket could not be made or the address could not be bound."
        next "Read the cause in the message: another program uses the address, or its directory may not be written."
    }
    socket_in_use "Another server answers at the socket" {
        "The socket of this data directory is alive."
        next "Use that server, or stop it with `dogwatch down`."
    }
    socket_path_taken "Something else stands at the socket's path" {
        "What is there is not a socket. It was left alone."
        next "Find out what it is, and move it away."
    }
    socket_directory_open "Others may reach into the socket's directory" {
        "The directory of the socket does not belong to the user who runs the server alone."
        next "Make it yours, with mode 0700."
    }
    socket_path_too_long "The socket's path is too long" {
        "The operating system takes only about a hundred bytes for the path of a socket."
        next "Use a DOGWATCH_HOME with a shorter path."
    }
    address_not_loopback "Other machines could reach the address" {
        "The address is not one of this machine alone, and nobody said that this is meant."
        next "Use 127.0.0.1 or ::1, or allow remote connections if that is meant."
    }
    scope_unknown "There is no such scope" {
        "A token was to get a scope that does not exist."
        next "Give some of the scopes that the message names."
    }
}
