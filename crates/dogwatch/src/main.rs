//! dogwatch.
fn main() {}
