//! What every command knows: where things are and how to speak.

use std::path::PathBuf;
use std::time::Duration;

use dogwatch_config::{FlagValues, Places, Source};
use dogwatch_runner::{DataLayout, DiskReserve, ProfileInput};
use dogwatch_store_sqlite::{OpenError, SqliteReader};

use crate::error::CliError;

/// What every command knows.
#[derive(Clone, Debug)]
pub(crate) struct Context {
    /// Whether to print JSON.
    pub(crate) json: bool,
    /// The directory the command is about.
    pub(crate) directory: PathBuf,
    /// Data, configuration, cache.
    pub(crate) places: Places,
    /// The data directory's layout.
    pub(crate) layout: DataLayout,
}

impl Context {
    pub(crate) fn new(json: bool, directory: Option<PathBuf>) -> Result<Self, CliError> {
        let places = Places::from_env(|name| std::env::var_os(name)).map_err(|error| {
            CliError::from_error("places", &error)
                .next("set HOME, or DOGWATCH_HOME to an absolute path")
        })?;
        let directory = match directory {
            Some(directory) => directory,
            None => std::env::current_dir().map_err(|error| {
                CliError::from_error("current_directory", &error)
                    .next("go to a directory that exists")
            })?,
        };
        let layout = DataLayout::new(&places.data);
        Ok(Self {
            json,
            directory,
            places,
            layout,
        })
    }

    /// The configuration that does not come from a project.
    pub(crate) fn profile_input(&self, flags: FlagValues) -> Result<ProfileInput, CliError> {
        let path = self.places.user_config();
        let user = match std::fs::read_to_string(&path) {
            Ok(text) => Some(Source {
                path: path.display().to_string(),
                text,
            }),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            Err(error) => {
                return Err(CliError::new(
                    "config_unreadable",
                    format!("{} cannot be read: {error}", path.display()),
                )
                .next("mend its permissions and encoding"));
            }
        };
        let env = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .filter(|(name, _)| name.starts_with(dogwatch_config::ENVIRONMENT_PREFIX))
            .collect();
        Ok(ProfileInput { user, env, flags })
    }

    /// How much room runs leave on the file system of the data directory.
    pub(crate) fn disk_reserve(&self) -> Result<DiskReserve, CliError> {
        let mut reserve = DiskReserve::default();
        reserve.bytes = number_from_env("DOGWATCH_DISK_RESERVE")?.or(reserve.bytes);
        if let Some(retry) = number_from_env("DOGWATCH_DISK_RETRY_MS")? {
            reserve.retry = Duration::from_millis(retry);
        }
        Ok(reserve)
    }

    /// The store, for looking only. Nothing is written and nothing is recovered.
    pub(crate) fn reader(&self) -> Result<SqliteReader, CliError> {
        SqliteReader::open(&self.layout.database()).map_err(|error| match error {
            OpenError::NotFound { .. } => CliError::new(
                "no_data",
                format!("there are no jobs in {} yet", self.layout.root().display()),
            )
            .next("submit one: dogwatch run \"fix the flaky test\""),
            other => CliError::from_error("store_unreadable", &other)
                .next("keep a copy of the data directory, then run `dogwatch doctor`"),
        })
    }
}

/// The number that a variable is set to, if it is set to anything.
fn number_from_env(name: &str) -> Result<Option<u64>, CliError> {
    let Some(text) = std::env::var_os(name).filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    let number = text.to_str().and_then(|text| text.parse().ok());
    number.map(Some).ok_or_else(|| {
        CliError::new(
            "config_invalid",
            format!("{name} is {text:?}, which is no whole number"),
        )
        .next("unset it, or set it to a number of bytes or milliseconds")
    })
}
