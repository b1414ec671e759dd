//! Named places where the tests end the process. Nothing of this is in a released binary.

/// A place where a test may end the process.
macro_rules! crash_point {
    ($name:literal) => {
        #[cfg(feature = "failpoints")]
        fail::fail_point!($name);
    };
}

pub(crate) use crash_point;
