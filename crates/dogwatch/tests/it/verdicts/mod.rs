//! `promote`, `reject` and `restore`, on real runs: what lands where, what is refused, and what the evidence says of it afterwards.

mod landing;
mod restoring;
mod stage;
mod statements;
