//! Crash points, as the tests set them: at the one named by `DOGWATCH_FAILPOINT` the process says so and stands still until it is killed.

/// Arms the crash point the environment names.
pub(crate) fn arm() {
    let (Some(name), Some(marker)) = (
        std::env::var_os("DOGWATCH_FAILPOINT"),
        std::env::var_os("DOGWATCH_FAILPOINT_MARKER"),
    ) else {
        return;
    };
    let stand_still = move || {
        std::fs::write(&marker, b"reached").expect("the test names a marker that can be written");
        loop {
            std::thread::park();
        }
    };
    fail::cfg_callback(name.to_string_lossy().into_owned(), stand_still)
        .expect("the test names a crash point without actions of its own");
}
