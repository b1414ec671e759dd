//! The SQLite store against the contract of all stores, and against what only a file can suffer.

mod contract;
mod damage;
mod durability;
mod group_commit;
mod history;
mod opening;
mod place;
mod steps;
