//! Where dogwatch keeps things, from the environment alone.

use std::path::{Path, PathBuf};

/// The three directories. None of them need exist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Places {
    /// State that must not be lost: `$DOGWATCH_HOME`, else `dogwatch` in the XDG state directory.
    pub data: PathBuf,
    /// The user's configuration and the identity of the machine.
    pub config: PathBuf,
    /// What can be made again.
    pub cache: PathBuf,
}

/// Why the directories cannot be told.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlacesError {
    /// `HOME` is needed and absent or empty.
    #[error("HOME is not set, so the {what} directory is unknown; set HOME, or {instead}")]
    NoHome {
        /// Which directory.
        what: &'static str,
        /// The variable that would do.
        instead: &'static str,
    },
    /// A relative path would mean another place from every directory.
    #[error("{variable} is {value:?}, a relative path; give an absolute one")]
    Relative {
        /// The variable.
        variable: &'static str,
        /// Its value.
        value: PathBuf,
    },
}

impl Places {
    /// The directories an environment asks for. As the XDG specification says, its variables count only when they hold an absolute
    /// path; for `HOME` and `DOGWATCH_HOME` a relative path is an error.
    pub fn from_env(get: impl Fn(&str) -> Option<std::ffi::OsString>) -> Result<Self, PlacesError> {
        let set = |variable: &str| {
            get(variable)
                .filter(|value| !value.is_empty())
                .map(PathBuf::from)
        };
        let absolute = |variable: &'static str| match set(variable) {
            Some(value) if !value.is_absolute() => Err(PlacesError::Relative { variable, value }),
            other => Ok(other),
        };
        let under = |xdg: &'static str, fallback: &str, what, instead| {
            let base = match set(xdg).filter(|value| value.is_absolute()) {
                Some(base) => base,
                None => absolute("HOME")?
                    .ok_or(PlacesError::NoHome { what, instead })?
                    .join(fallback),
            };
            Ok(base.join("dogwatch"))
        };
        Ok(Self {
            data: match absolute("DOGWATCH_HOME")? {
                Some(data) => data,
                None => under(
                    "XDG_STATE_HOME",
                    ".local/state",
                    "data",
                    "DOGWATCH_HOME and the XDG variables",
                )?,
            },
            config: under(
                "XDG_CONFIG_HOME",
                ".config",
                "configuration",
                "XDG_CONFIG_HOME",
            )?,
            cache: under("XDG_CACHE_HOME", ".cache", "cache", "XDG_CACHE_HOME")?,
        })
    }

    /// The user's configuration file.
    pub fn user_config(&self) -> PathBuf {
        self.config.join("config.toml")
    }

    /// The identity of this machine.
    pub fn machine_identity(&self) -> PathBuf {
        self.config.join("machine.json")
    }

    /// A path below the data directory.
    pub fn data_path(&self, relative: impl AsRef<Path>) -> PathBuf {
        self.data.join(relative)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(variables: &[(&str, &str)]) -> Result<Places, PlacesError> {
        Places::from_env(|name| {
            variables
                .iter()
                .find(|(variable, _)| *variable == name)
                .map(|(_, value)| value.into())
        })
    }

    #[test]
    fn the_home_directory_is_enough() {
        let places = places(&[("HOME", "/home/ada")]).unwrap();
        assert_eq!(places.data, Path::new("/home/ada/.local/state/dogwatch"));
        assert_eq!(places.config, Path::new("/home/ada/.config/dogwatch"));
        assert_eq!(places.cache, Path::new("/home/ada/.cache/dogwatch"));
        assert_eq!(
            places.user_config(),
            Path::new("/home/ada/.config/dogwatch/config.toml")
        );
    }

    #[test]
    fn the_xdg_variables_come_first_and_dogwatch_home_before_them() {
        let all = [
            ("XDG_STATE_HOME", "/s"),
            ("XDG_CONFIG_HOME", "/c"),
            ("XDG_CACHE_HOME", "/k"),
        ];
        let xdg = places(&all).unwrap();
        assert_eq!(xdg.data, Path::new("/s/dogwatch"));
        assert_eq!(xdg.config, Path::new("/c/dogwatch"));
        assert_eq!(xdg.cache, Path::new("/k/dogwatch"));
        let own = places(&[all[0], all[1], all[2], ("DOGWATCH_HOME", "/d")]).unwrap();
        assert_eq!(own.data, Path::new("/d"));
    }

    #[test]
    fn relative_and_empty_xdg_variables_are_as_if_unset() {
        let places = places(&[
            ("HOME", "/home/ada"),
            ("XDG_STATE_HOME", "relative"),
            ("XDG_CONFIG_HOME", ""),
            ("DOGWATCH_HOME", ""),
        ])
        .unwrap();
        assert_eq!(places.data, Path::new("/home/ada/.local/state/dogwatch"));
        assert_eq!(places.config, Path::new("/home/ada/.config/dogwatch"));
    }

    #[test]
    fn what_is_missing_or_relative_is_said() {
        assert_eq!(
            places(&[]).unwrap_err().to_string(),
            "HOME is not set, so the data directory is unknown; set HOME, or DOGWATCH_HOME and the XDG variables"
        );
        assert_eq!(
            places(&[("DOGWATCH_HOME", "/d"), ("HOME", "")])
                .unwrap_err()
                .to_string(),
            "HOME is not set, so the configuration directory is unknown; set HOME, or XDG_CONFIG_HOME"
        );
        assert_eq!(
            places(&[("DOGWATCH_HOME", "x")]).unwrap_err().to_string(),
            "DOGWATCH_HOME is \"x\", a relative path; give an absolute one"
        );
        assert_eq!(
            places(&[("HOME", "~")]).unwrap_err().to_string(),
            "HOME is \"~\", a relative path; give an absolute one"
        );
    }

    #[test]
    #[cfg(unix)]
    fn directories_need_not_be_text() {
        use std::os::unix::ffi::OsStringExt;
        let odd = std::ffi::OsString::from_vec(b"/home/\xff".to_vec());
        let places = Places::from_env(|name| (name == "HOME").then(|| odd.clone())).unwrap();
        assert!(places.data.starts_with(PathBuf::from(odd)));
    }
}
