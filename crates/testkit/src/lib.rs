//! What tests share: a clock that is set by hand, real repositories, homes without the machine's configuration, process trees.
//!
//! A dev-dependency only. What sets a test up panics with the reason when it cannot; what a test waits for is a `Result`, so that the
//! test can say more.

mod clock;
mod home;
mod outcome;
mod ownership;
mod processes;
pub mod protocol_suite;
mod repo;
mod scrub;
mod skip;
mod wait;

pub use clock::{SeqEntropy, SimClock};
pub use home::Home;
pub use outcome::Outcome;
pub use ownership::{AsUser, as_user_65534, give_to_65534};
pub use processes::{KillTreeError, Pid, descendants, kill_tree, processes_with_env};
pub use repo::{GitOutput, ObjectFormat, Repo, RepoBuilder};
pub use scrub::Scrubber;
pub use skip::skip;
pub use wait::{NotInTime, wait_for, wait_until};
