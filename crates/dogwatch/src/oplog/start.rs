//! Taking the events of this process.

use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::sync::Arc;

use dogwatch_core::Clock;
use dogwatch_supervisor::os::clock::SystemClock;
use tracing::Subscriber;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer};

use super::error::OplogError;
pub(crate) use super::files::Sizes;
use super::layer::LogLayer;
use super::writer::Writer;

/// How logs are kept.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    /// The clock.
    pub(crate) clock: Arc<dyn Clock>,
    /// The least severe events that are written.
    pub(crate) level: LevelFilter,
    /// The sizes of the files.
    pub(crate) sizes: Sizes,
    /// What also goes to standard error, for those who look for a defect.
    pub(crate) stderr: Option<String>,
}

impl Default for Options {
    /// What the server uses: everything from `info` on, at most 16 MiB and five older files per lane, and standard error as
    /// `DOGWATCH_LOG` asks.
    fn default() -> Self {
        Self {
            clock: Arc::new(SystemClock),
            level: LevelFilter::INFO,
            sizes: Sizes {
                max_bytes: 16 << 20,
                keep: 5,
            },
            stderr: std::env::var("DOGWATCH_LOG").ok(),
        }
    }
}

/// The logs of this process. Dropping it writes what is on its way; [`Guard::finish`] also says whether all of it could be written.
#[derive(Debug)]
#[must_use = "lines that are still on their way are lost without it"]
pub(crate) struct Guard {
    writer: Writer,
}

impl Guard {
    /// Writes what is on its way and ends the logs.
    pub(crate) fn finish(mut self) -> Result<(), OplogError> {
        self.writer.finish()
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        // Whoever wants to know calls `finish`.
        let _ = self.writer.finish();
    }
}

/// Writes the events of this process into `directory` from now on, which is `<data>/logs/`. It takes the place of the command line's own log, which must not
/// have been started.
pub(crate) fn start(directory: &Path, options: Options) -> Result<Guard, OplogError> {
    let stderr = options.stderr.clone();
    let (layer, guard) = prepare(directory, options)?;
    tracing_subscriber::registry()
        .with(layer)
        .with(stderr.and_then(|filter| stderr_layer(&filter)))
        .try_init()
        .map_err(|_| OplogError::Taken)?;
    Ok(guard)
}

/// The layer, and what writes for it.
pub(super) fn prepare<S>(
    directory: &Path,
    options: Options,
) -> Result<(impl Layer<S> + Send + Sync + use<S>, Guard), OplogError>
where
    S: Subscriber + for<'lookup> LookupSpan<'lookup>,
{
    match DirBuilder::new().mode(0o700).create(directory) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(OplogError::file("create", directory)(error)),
    }
    let writer = Writer::start(directory, options.sizes)?;
    let layer = LogLayer {
        clock: options.clock,
        lines: writer.lines(),
    };
    // Only our own events: what libraries say about headers and bodies is not ours to keep.
    let own = Targets::new().with_target("dogwatch", options.level);
    Ok((layer.with_filter(own), Guard { writer }))
}

fn stderr_layer<S>(filter: &str) -> Option<impl Layer<S> + Send + Sync + use<S>>
where
    S: Subscriber + for<'lookup> LookupSpan<'lookup>,
{
    let filter = EnvFilter::try_new(filter).ok()?;
    Some(
        tracing_subscriber::fmt::layer()
            .with_writer(io::stderr)
            .with_ansi(false)
            .with_filter(filter),
    )
}
