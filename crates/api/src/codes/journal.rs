//! What can be wrong with the journal of a run.

use super::info::codes;

codes! {
    line_too_long "A record is too long" {
        "A line of the journal is longer than an event may be."
        next "Do not rely on the journal from there on: restore it from where it came from."
    }
    line_not_utf8 "A record is not text" {
        "A line of the journal is not UTF-8."
        next "Do not rely on the journal from there on: restore it from where it came from."
    }
    line_unparsable "A record cannot be read" {
        "A line of the journal is no event: a field is missing, unknown or of the wrong type."
        next "Use the version of dogwatch that wrote it, or restore the journal."
    }
    unknown_version "A record is of an unknown version" {
        "Another version of dogwatch wrote this line."
        next "Read it with the version that wrote it, or a newer one."
    }
    line_not_canonical "A record is not spelled as it was written" {
        "A line says the same in other bytes, so someone rewrote it."
        next "Restore the journal from where it came from."
    }
    foreign_run "A record belongs to another run" {
        "A line of another run stands in this journal."
        next "Do not rely on the journal: restore it from where it came from."
    }
    seq_gap "Records are missing, repeated or moved" {
        "The position of a line is not the next one."
        next "Do not rely on the journal from there on: restore it from where it came from."
    }
    chain_broken "The chain is broken" {
        "A line is not the one that the line after it was chained to: it was changed, or the one after it was."
        next "Do not rely on the journal from there on: restore it from where it came from."
    }
    torn_tail "The last record is not complete" {
        "The last line was cut off while it was written. That is only all right in a journal that is not sealed."
        next "Nothing while the run is open: recovery puts it in order. In a sealed bundle it is damage."
    }
    journal_gap(409) "Lines of the journal are missing" {
        "Lines were sent that do not follow the last one that is stored. Nothing was stored."
        next "Send the lines from the one on that the answer names."
    }
    journal_fork(409) "The run has two histories" {
        "A line was sent that differs from the one stored at its place. Two writers were at work, or one forgot what it had written."
        next "The run ends as failed and its bundle has both; look at who else ran it."
    }
    journal_line(400) "A line is no journal line" {
        "What was sent as a line of a journal is none."
        next "This is a defect of the runner: report it with the run's bundle."
    }
    journal_incomplete(409) "The journal is not complete" {
        "The run cannot be completed, because the server does not have all lines of its journal."
        next "Send the missing lines, then complete the run again."
    }
    log_gap(409) "Output is missing" {
        "Output was sent that does not follow what is stored. Nothing was stored."
        next "Send the output from the offset on that the answer names."
    }
    log_fork(409) "Output differs from what is stored" {
        "Output was sent that differs from the bytes stored at its place. Nothing was stored."
        next "Look at who else runs this run: there must be one writer only."
    }
    event_invalid(400) "An event cannot be stored" {
        "An event is too large or has numbers or texts that the format does not carry."
        next "This is a defect of dogwatch: report it with the run's bundle."
    }
}
