//! What the program itself could not do.

use super::info::codes;

codes! {
    usage "The command line makes no sense" {
        "Arguments were given that exclude each other, or one that is needed is missing."
        next "Read the message; `dogwatch help COMMAND` shows what a command takes."
    }
    code_unknown "There is no such code" {
        "`dogwatch explain` was asked for a code that no message of this version carries."
        next "Take the nearest one that was suggested, or list all codes with `dogwatch explain`."
    }
    places "The places for data and configuration are unknown" {
        "Neither DOGWATCH_HOME nor HOME says where dogwatch may keep its data, or one of them is not an absolute path."
        next "Set HOME, or DOGWATCH_HOME to an absolute path."
    }
    current_directory "The current directory is gone" {
        "The directory the command was started in no longer exists or may not be read."
        next "Go to a directory that exists, or name one with -C."
    }
    directory_missing "There is no such directory" {
        "The directory the command is about does not exist."
        next "Give the path of a directory that exists."
    }
    runtime "The program could not start its own threads" {
        "The operating system refused threads or file descriptors that every command needs."
        next "Look at `ulimit -a` and at how many processes run, then try again."
    }
    own_program "dogwatch cannot find its own program" {
        "The path of the running executable cannot be read, so no shim can be started from it."
        next "Check that /proc is mounted and that the executable was not deleted, then try again."
    }
    own_process "dogwatch cannot identify its own process" {
        "The process's start time or the boot id cannot be read. Without them no process may ever be signalled."
        next "Check that /proc is mounted and readable."
    }
    output "An answer could not be written as JSON" {
        "A document could not be serialised. Nothing was changed."
        next "Run the command without --json and report the defect."
    }
    stdout "Standard output cannot be written" {
        "What a command printed could not be written, for example because the disk behind a redirection is full."
        next "Redirect the output to another place and run the command again."
    }
    demo "The demonstration could not be staged" {
        "The throw-away repository of `dogwatch demo` could not be made."
        next "Check free space and permissions of the temporary directory, then try again."
    }
    status_unknown "There is no such state of a job" {
        "A list was to be filtered by a state that jobs do not have."
        next "Give one of the states that the message names."
    }
    wait_timeout "The job was not over in time" {
        "`dogwatch wait --timeout` gave up. The job goes on; the message says in which phase its run is."
        next "Wait longer, or look with `dogwatch why`."
    }
    runner_error "The runner could not go on" {
        "A runner that works for a server met something that no further request would change."
        next "Mend what the message names and start the runner again; what it had is recovered."
    }
    token_unreadable "The file with the token cannot be read" {
        "The file given as the token's place is missing, or its permissions keep it shut."
        next "Give the file that has the secret `dogwatch token create` printed."
    }
    recovery "What a dead process left could not be mended" {
        "A former process died in the middle of a run, and putting its evidence in order failed. Nothing was lost and nothing was started."
        next "Mend what the message names and run the command again."
    }
    invalid(400) "The request is wrong" {
        "The request itself cannot be answered, whatever the state."
        next "Read the message, change the request, then send it again."
    }
    forbidden(403) "The caller may not" {
        "The caller is known, and what was asked is outside what it may do."
        next "Use a token with the scope and the project that the message names."
    }
    conflict(409) "The state does not allow it" {
        "The request is well-formed, and the present state does not accept it. Nothing was changed."
        next "Look at where the job stands (`dogwatch jobs show`), then decide."
    }
    unavailable(503) "The control plane cannot answer now" {
        "The control plane is there and cannot do its work at the moment. Nothing was changed."
        next "Try again shortly; `dogwatch doctor` says what is wrong with the data directory."
    }
    internal(500) "Something is broken that should not be" {
        "A defect of dogwatch. What it was stands in the server's log and not in the answer."
        next "Look for the request id in `<data>/logs/error.jsonl` and report the defect."
    }
}
