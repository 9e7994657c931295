//! Every environment variable, read and checked here.
//!
//! The standard library reads a few by itself: `HOME`, `TMPDIR` and their like.

use std::env;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::error::{Cause, Error};
use crate::id::{MAX_NAMESPACE, broken_rule};
use crate::ports::PortSet;

pub(crate) mod checkout;

/// What the environment says.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    /// `PORT_FOR_STORE`: the store's file, instead of the per-user one.
    pub(crate) store: Option<PathBuf>,
    /// `PORT_FOR_NAMESPACE`: put before every id.
    pub(crate) namespace: Option<String>,
    /// `PORT_FOR_TIMEOUT`: how long to wait for a port that another holder has.
    pub(crate) timeout: Duration,
    /// `PORT_FOR_POOL`: the ports to assign from, instead of the good ones.
    pub(crate) pool: Option<PortSet>,
    /// `PORT_FOR_LINGER`: how long a shared server lives on after its last user.
    pub(crate) linger: Duration,
}

impl Config {
    const TIMEOUT: Duration = Duration::from_secs(60);
    const LINGER: Duration = Duration::from_secs(10);

    /// # Errors
    ///
    /// [`Config`](crate::ErrorKind::Config) for a variable whose value cannot be used.
    pub(crate) fn from_env() -> Result<Self, Error> {
        // The one place that asks; see clippy.toml.
        #[expect(clippy::disallowed_methods)]
        Self::read(|variable| env::var_os(variable))
    }

    fn read(get: impl Fn(&str) -> Option<OsString>) -> Result<Self, Error> {
        // Templates of CI set variables to nothing.
        let get = |variable| get(variable).filter(|value| !value.is_empty());
        let text = |variable, valid| match get(variable).map(OsString::into_string) {
            None => Ok(None),
            Some(Ok(text)) => Ok(Some(text)),
            Some(Err(bytes)) => {
                let value = bytes.to_string_lossy().into_owned();
                Err(invalid(variable, value, valid, "it is not UTF-8"))
            }
        };
        Ok(Self {
            store: get("PORT_FOR_STORE").map(store).transpose()?,
            namespace: text("PORT_FOR_NAMESPACE", NAMESPACE)?
                .map(namespace)
                .transpose()?
                .flatten(),
            timeout: text("PORT_FOR_TIMEOUT", SECONDS)?
                .map(|value| seconds("PORT_FOR_TIMEOUT", value))
                .transpose()?
                .unwrap_or(Self::TIMEOUT),
            linger: text("PORT_FOR_LINGER", SECONDS)?
                .map(|value| seconds("PORT_FOR_LINGER", value))
                .transpose()?
                .unwrap_or(Self::LINGER),
            pool: text("PORT_FOR_POOL", POOL)?.map(pool).transpose()?,
        })
    }
}

/// The test that nextest runs this process for: `my-crate::it login::works (attempt 2)`. None under anything else, and
/// under nextest before 0.9.116, which does not tell.
pub(crate) fn nextest_test() -> Option<String> {
    #[expect(clippy::disallowed_methods)]
    nextest_test_in(|variable| env::var(variable).ok())
}

fn nextest_test_in(get: impl Fn(&str) -> Option<String>) -> Option<String> {
    let mut test = get("NEXTEST_TEST_NAME")?;
    if let Some(binary) = get("NEXTEST_BINARY_ID") {
        test = format!("{binary} {test}");
    }
    if let Some(attempt) = get("NEXTEST_ATTEMPT") {
        test = format!("{test} (attempt {attempt})");
    }
    Some(test)
}

/// The user's home, and the folder for state that stays on the machine: by the XDG Base Directory Specification, which also
/// says that a relative path counts for nothing; on Windows, which knows no state, the one for local data.
pub(crate) fn home_and_state() -> Option<(PathBuf, PathBuf)> {
    let (variable, below_home) = if cfg!(windows) {
        ("LOCALAPPDATA", r"AppData\Local")
    } else {
        ("XDG_STATE_HOME", ".local/state")
    };
    let home = env::home_dir().filter(|home| !home.as_os_str().is_empty())?;
    #[expect(clippy::disallowed_methods)]
    let chosen = env::var_os(variable).map(PathBuf::from);
    let state = chosen.filter(|folder| folder.is_absolute());
    Some((home.clone(), state.unwrap_or_else(|| home.join(below_home))))
}

/// Where programs are looked up.
pub(crate) fn search_path() -> Option<OsString> {
    #[expect(clippy::disallowed_methods)]
    env::var_os("PATH")
}

/// The file that runs under this name, in the first of the folders of `path` that has it.
pub(crate) fn find_in(path: &OsStr, program: &Path) -> Option<PathBuf> {
    env::split_paths(path)
        .map(|folder| folder.join(program))
        .find(|file| file.is_file())
}

/// The variables of this process that concern one run of tests, by what their names begin with.
#[cfg(unix)]
pub(crate) fn names_with(prefixes: &[&str]) -> Vec<OsString> {
    let is_wanted = |name: &OsString| {
        let name = name.as_encoded_bytes();
        prefixes
            .iter()
            .any(|prefix| name.starts_with(prefix.as_bytes()))
    };
    env::vars_os()
        .map(|(name, _)| name)
        .filter(is_wanted)
        .collect()
}

/// The value of a variable that is not ours; none if it is not set, or no text.
#[cfg(any(unix, feature = "cli"))]
pub(crate) fn variable(name: &str) -> Option<String> {
    #[expect(clippy::disallowed_methods)]
    env::var(name).ok()
}

const STORE: &str = "a path of a file";
const NAMESPACE: &str =
    "a name of at most 4096 bytes without control characters, and not starting with `-`";
const SECONDS: &str = "a number of seconds, such as 60 or 0.5";
const POOL: &str = "a list of ports and ranges of ports, such as 20000-24999,30000";

fn invalid(variable: &'static str, value: String, valid: &'static str, detail: &str) -> Error {
    let detail = if detail.is_empty() {
        String::new()
    } else {
        format!(": {detail}")
    };
    Cause::Config {
        variable,
        value,
        valid,
        detail,
    }
    .into()
}

fn store(value: OsString) -> Result<PathBuf, Error> {
    let wrong = |value: OsString| {
        let value = value.to_string_lossy().into_owned();
        invalid("PORT_FOR_STORE", value, STORE, "")
    };
    if !names_file(Path::new(&value)) {
        return Err(wrong(value));
    }
    Ok(PathBuf::from(value))
}

/// Whether the path is one of a file: one that ends in `/` or `..` names a folder.
pub(crate) fn names_file(path: &Path) -> bool {
    let text = path.as_os_str().as_encoded_bytes();
    path.file_name().is_some() && !text.ends_with(b"/") && !(cfg!(windows) && text.ends_with(b"\\"))
}

/// Words that stand for the checkout of the working folder. An empty namespace is none: the way to switch off one that `.cargo/config.toml` sets.
fn namespace(value: String) -> Result<Option<String>, Error> {
    // What cargo makes of `{ value = ".", relative = true }` is to be the folder's own path.
    let value = match value.strip_suffix(if cfg!(windows) { "\\." } else { "/." }) {
        Some(folder) if !folder.is_empty() => folder.to_owned(),
        _ => value,
    };
    if value.is_empty() {
        return Ok(None);
    }
    let here = || env::current_dir().ok();
    match &*value {
        "worktree" => return Ok(here().and_then(|here| checkout::worktree(&here))),
        "folder" => return Ok(here().and_then(|here| checkout::root(&here))),
        _ => {}
    }
    match broken_rule(&value, MAX_NAMESPACE) {
        None => Ok(Some(value)),
        Some(rule) => Err(invalid("PORT_FOR_NAMESPACE", value, NAMESPACE, rule)),
    }
}

fn seconds(variable: &'static str, value: String) -> Result<Duration, Error> {
    value
        .trim()
        .parse()
        .ok()
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .ok_or_else(|| invalid(variable, value, SECONDS, ""))
}

fn pool(value: String) -> Result<PortSet, Error> {
    value
        .parse()
        .map_err(|error| invalid("PORT_FOR_POOL", value, POOL, &format!("{error}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    fn read(variable: &str, value: &str) -> Result<Config, Error> {
        Config::read(|asked| (asked == variable).then(|| value.into()))
    }

    #[test]
    fn nothing_set_is_the_defaults() {
        let config = Config::read(|_| None).unwrap();
        assert_eq!(config.timeout, Duration::from_secs(60));
        assert!(config.store.is_none() && config.namespace.is_none() && config.pool.is_none());
    }

    #[test]
    fn an_empty_variable_counts_as_unset() {
        for variable in [
            "PORT_FOR_STORE",
            "PORT_FOR_NAMESPACE",
            "PORT_FOR_TIMEOUT",
            "PORT_FOR_LINGER",
            "PORT_FOR_POOL",
        ] {
            let config = read(variable, "").unwrap();
            assert_eq!(config.timeout, Config::TIMEOUT);
            assert!(config.store.is_none() && config.namespace.is_none() && config.pool.is_none());
        }
    }

    #[test]
    fn good_values_are_taken() {
        let store = read("PORT_FOR_STORE", "/a/b.json").unwrap().store;
        assert_eq!(store.unwrap(), Path::new("/a/b.json"));
        let namespace = |value| read("PORT_FOR_NAMESPACE", value).unwrap().namespace;
        assert_eq!(namespace("/checkout").unwrap(), "/checkout");
        assert_eq!(namespace(""), None);
        let dot = format!("checkout{}.", std::path::MAIN_SEPARATOR);
        assert_eq!(namespace(&dot).unwrap(), "checkout");
        let timeout = |value| read("PORT_FOR_TIMEOUT", value).unwrap().timeout;
        assert_eq!(timeout("0"), Duration::ZERO);
        assert_eq!(timeout("0.25"), Duration::from_millis(250));
        let linger = read("PORT_FOR_LINGER", "0.5").unwrap().linger;
        assert_eq!(linger, Duration::from_millis(500));
        let pool = read("PORT_FOR_POOL", "20000-24999,30000").unwrap().pool;
        assert_eq!(pool.unwrap().len(), 5001);
    }

    #[test]
    fn a_bad_value_is_named_with_its_variable_and_what_is_valid() {
        let long = "x".repeat(MAX_NAMESPACE + 1);
        for (variable, value, valid) in [
            ("PORT_FOR_STORE", "/tmp/", STORE),
            ("PORT_FOR_STORE", "/tmp/..", STORE),
            ("PORT_FOR_NAMESPACE", "-x", NAMESPACE),
            ("PORT_FOR_NAMESPACE", "a\nb", NAMESPACE),
            ("PORT_FOR_NAMESPACE", &long, NAMESPACE),
            ("PORT_FOR_TIMEOUT", "soon", SECONDS),
            ("PORT_FOR_TIMEOUT", "-1", SECONDS),
            ("PORT_FOR_TIMEOUT", "inf", SECONDS),
            ("PORT_FOR_LINGER", "a while", SECONDS),
            ("PORT_FOR_POOL", "3000-2000", POOL),
        ] {
            let error = read(variable, value).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config, "{variable}={value:?}");
            let message = error.to_string();
            for part in [variable, &format!("{value:?}"), valid] {
                assert!(message.contains(part), "{message:?} lacks {part:?}");
            }
        }
    }

    #[test]
    fn a_test_of_nextest_is_its_binary_name_and_attempt() {
        let told = |told: &[(&str, &str)]| {
            nextest_test_in(|asked| {
                let mut told = told.iter().filter(|(variable, _)| *variable == asked);
                told.next().map(|&(_, value)| value.to_owned())
            })
        };
        let all = [
            ("NEXTEST", "1"),
            ("NEXTEST_BINARY_ID", "my-crate::it"),
            ("NEXTEST_TEST_NAME", "login::works"),
            ("NEXTEST_ATTEMPT", "2"),
        ];
        let test = told(&all).unwrap();
        assert_eq!(test, "my-crate::it login::works (attempt 2)");
        assert_eq!(told(&all[2..3]).unwrap(), "login::works");
        assert_eq!(told(&all[..2]), None);
    }

    #[cfg(unix)]
    #[test]
    fn a_value_that_is_not_text_is_an_error() {
        use std::os::unix::ffi::OsStringExt;
        let get = |asked: &str| (asked == "PORT_FOR_POOL").then(|| OsString::from_vec(vec![0xff]));
        assert_eq!(Config::read(get).unwrap_err().kind(), ErrorKind::Config);
    }
}
