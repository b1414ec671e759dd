//! How much one client may ask of the server.

use std::time::Duration;

/// The limits of the server. The defaults are meant for one machine and for a team alike.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Open connections, for each listener; more wait to be accepted.
    pub connections: usize,
    /// Bytes of a request's line and headers.
    pub header_bytes: usize,
    /// From the opening of a connection to the end of its first request's headers.
    pub header_time: Duration,
    /// From one request to the end of the next one's headers.
    pub idle_time: Duration,
    /// Bytes of a request's path and query.
    pub url_bytes: usize,
    /// Levels of arrays and objects in a JSON body.
    pub json_depth: usize,
    /// From the headers to the end of a JSON body.
    pub body_time: Duration,
    /// Between two pieces of a body of bytes.
    pub body_idle: Duration,
    /// How long a client may read nothing while there is something to read.
    pub write_idle: Duration,
    /// From the end of the body to the answer.
    pub request_time: Duration,
    /// How long requests may go on after the server was told to stop.
    pub drain: Duration,
    /// Between two signs of life on a stream that has nothing to say.
    pub keep_alive: Duration,
    /// Between two looks at whether a stream has more to say, where no hint came before.
    pub look: Duration,
    /// Between two looks at the token of an open stream.
    pub recheck: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 512,
            header_bytes: 32 * 1024,
            header_time: Duration::from_secs(10),
            idle_time: Duration::from_secs(30),
            url_bytes: 4096,
            json_depth: 32,
            body_time: Duration::from_secs(30),
            body_idle: Duration::from_secs(10),
            write_idle: Duration::from_secs(60),
            request_time: Duration::from_secs(30),
            drain: Duration::from_secs(10),
            keep_alive: Duration::from_secs(15),
            look: Duration::from_secs(1),
            recheck: Duration::from_millis(500),
        }
    }
}
