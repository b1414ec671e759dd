//! The user's own repository: what it is, what a ref in it means, how dirty it is. It is only ever read.

mod discover;
mod error;
mod query;

pub use discover::Checkout;
pub use error::CheckoutError;
pub use query::DirtySummary;
