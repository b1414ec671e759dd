//! Tests of sealing and verifying real directories.

mod fixture;
mod flips;
mod honest;
mod intruders;
mod journal_writer;
mod key_store;
mod reading;
mod records;
mod sealing;
mod signatures;
mod verdicts;
