//! Runs with a view of their own: what a hostile agent cannot do, and what it cannot lose.

mod crash;
mod hostile;
mod kind;
mod own;
