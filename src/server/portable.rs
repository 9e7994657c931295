//! A recipe as text, for another process to follow.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};

use super::command::{OutputTo, ServerCommand, Word};
use super::ready::{Condition, Ready};
use super::signal::Signal;
use crate::config;

impl ServerCommand {
    /// The recipe as another process has to have it: what depends on this process's folder and `PATH` is made absolute.
    /// Without a folder of its own, the server runs in `{dir}`.
    pub(crate) fn for_another_process(&self) -> Self {
        let mut command = self.clone();
        command.program = self.absolute_program(&self.program);
        if let Some(setup) = &mut command.setup {
            setup[0] = self.absolute_program(&setup[0]);
        }
        for condition in &mut command.ready.conditions {
            match condition {
                Condition::Command(words) => words[0] = self.absolute_program(&words[0]),
                Condition::UnixSocket(path) => *path = absolute(path),
                _ => {}
            }
        }
        command.current_dir = Some(match &self.current_dir {
            Some(dir) => absolute(dir),
            None => "{dir}".into(),
        });
        command.log_file = self.log_file.as_deref().map(absolute);
        command
    }

    /// What is not found stays as it is: the start will say so.
    fn absolute_program(&self, program: &OsStr) -> OsString {
        let path = Path::new(program);
        if path.components().count() > 1 {
            return absolute(path).into_os_string();
        }
        let set = self.env.iter().rfind(|(name, _)| name == "PATH");
        let folders = match set {
            Some((_, folders)) => folders.clone(),
            None => config::search_path(),
        };
        let found = config::find_in(&folders.unwrap_or_default(), path);
        found.map_or_else(
            || program.to_owned(),
            |file| absolute(&file).into_os_string(),
        )
    }

    /// Removes a variable that the server would inherit, unless the recipe sets it.
    pub(crate) fn without_inherited(mut self, name: OsString) -> Self {
        self.env.insert(0, (name, None));
        self
    }

    /// The longest that a start and a stop may take.
    pub(crate) fn timeouts(&self) -> Duration {
        let starts = if self.setup.is_some() { 2 } else { 1 };
        (self.ready_timeout.saturating_mul(starts)).saturating_add(self.grace)
    }

    pub(crate) fn to_json(&self) -> Value {
        let words = |words: &[OsString]| words.iter().map(|word| text(word)).collect::<Vec<_>>();
        let path = |path: &Option<PathBuf>| path.as_ref().map(|path| text(path.as_os_str()));
        json!({
            "program": text(&self.program),
            "args": (self.args.iter())
                .map(|word| json!({ "text": text(&word.text), "literal": word.is_literal }))
                .collect::<Vec<_>>(),
            "env": (self.env.iter())
                .map(|(name, value)| json!([text(name), value.as_ref().map(|value| text(value))]))
                .collect::<Vec<_>>(),
            "env_clear": self.clears_env,
            "current_dir": path(&self.current_dir),
            "ready": self.ready.to_json(),
            "ready_timeout_ms": millis(self.ready_timeout),
            "stop_signal": self.stop_signal.name(),
            "grace_ms": millis(self.grace),
            "activated": self.is_activated,
            "log_file": path(&self.log_file),
            "setup": self.setup.as_deref().map(words),
            "user": self.user,
        })
    }

    /// None if [`to_json`](Self::to_json) has not made it. What is printed is captured.
    pub(crate) fn from_json(value: &Value) -> Option<Self> {
        let words = |value: &Value| value.as_array()?.iter().map(os_text).collect();
        let path = |value: &Value| optional(value, |value| os_text(value).map(PathBuf::from));
        Some(Self {
            program: os_text(&value["program"])?,
            args: (value["args"].as_array()?.iter())
                .map(|word| {
                    Some(Word {
                        text: os_text(&word["text"])?,
                        is_literal: word["literal"].as_bool()?,
                    })
                })
                .collect::<Option<_>>()?,
            env: (value["env"].as_array()?.iter())
                .map(|pair| Some((os_text(&pair[0])?, optional(&pair[1], os_text)?)))
                .collect::<Option<_>>()?,
            clears_env: value["env_clear"].as_bool()?,
            current_dir: path(&value["current_dir"])?,
            ready: Ready::from_json(&value["ready"])?,
            ready_timeout: Duration::from_millis(value["ready_timeout_ms"].as_u64()?),
            stop_signal: Signal::named(value["stop_signal"].as_str()?)?,
            grace: Duration::from_millis(value["grace_ms"].as_u64()?),
            is_activated: value["activated"].as_bool()?,
            log_file: path(&value["log_file"])?,
            output: OutputTo::Captured,
            setup: optional(&value["setup"], words)?,
            user: optional(&value["user"], |user| user.as_str().map(str::to_owned))?,
        })
    }
}

impl Ready {
    fn to_json(&self) -> Value {
        let conditions = self.conditions.iter().map(|condition| match condition {
            Condition::Listening => json!({ "is": "listening" }),
            Condition::ListeningUdp => json!({ "is": "listening_udp" }),
            Condition::Http {
                path,
                status,
                headers,
            } => json!({
                "is": "http",
                "path": path,
                "status": [status.start(), status.end()],
                "headers": headers,
            }),
            Condition::Line(line) => json!({ "is": "line", "text": line }),
            Condition::UnixSocket(path) => {
                json!({ "is": "socket", "path": text(path.as_os_str()) })
            }
            Condition::Command(words) => {
                let words: Vec<_> = words.iter().map(|word| text(word)).collect();
                json!({ "is": "command", "words": words })
            }
            Condition::Notify => json!({ "is": "notify" }),
        });
        json!({ "all": conditions.collect::<Vec<_>>(), "fault": self.fault })
    }

    fn from_json(value: &Value) -> Option<Self> {
        let condition = |value: &Value| {
            let string = |value: &Value| value.as_str().map(str::to_owned);
            let status = |value: &Value| u16::try_from(value.as_u64()?).ok();
            Some(match value["is"].as_str()? {
                "listening" => Condition::Listening,
                "listening_udp" => Condition::ListeningUdp,
                "http" => Condition::Http {
                    path: string(&value["path"])?,
                    status: status(&value["status"][0])?..=status(&value["status"][1])?,
                    headers: (value["headers"].as_array()?.iter())
                        .map(|pair| Some((string(&pair[0])?, string(&pair[1])?)))
                        .collect::<Option<_>>()?,
                },
                "line" => Condition::Line(string(&value["text"])?),
                "socket" => Condition::UnixSocket(os_text(&value["path"])?.into()),
                "command" => {
                    let words = value["words"].as_array()?.iter().map(os_text);
                    Condition::Command(words.collect::<Option<_>>()?)
                }
                "notify" => Condition::Notify,
                _ => return None,
            })
        };
        Some(Self {
            conditions: (value["all"].as_array()?.iter())
                .map(condition)
                .collect::<Option<_>>()?,
            fault: optional(&value["fault"], |fault| fault.as_str().map(str::to_owned))?,
        })
    }
}

/// A path that begins with a placeholder is absolute once that is filled in.
fn absolute(path: &Path) -> PathBuf {
    if path.starts_with("{dir}") {
        return path.to_owned();
    }
    // Only an empty path has none; the start will say what is wrong with it.
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// A string, or where it is no Unicode its bytes.
fn text(text: &OsStr) -> Value {
    match text.to_str() {
        Some(text) => json!(text),
        None => json!(text.as_encoded_bytes()),
    }
}

fn os_text(value: &Value) -> Option<OsString> {
    if let Some(text) = value.as_str() {
        return Some(text.into());
    }
    let bytes = value.as_array()?.iter();
    let bytes = bytes.map(|byte| u8::try_from(byte.as_u64()?).ok());
    from_bytes(bytes.collect::<Option<_>>()?)
}

#[cfg(unix)]
#[expect(
    clippy::unnecessary_wraps,
    reason = "other systems have bytes that are no text"
)]
fn from_bytes(bytes: Vec<u8>) -> Option<OsString> {
    use std::os::unix::ffi::OsStringExt;
    Some(OsString::from_vec(bytes))
}

#[cfg(not(unix))]
fn from_bytes(bytes: Vec<u8>) -> Option<OsString> {
    String::from_utf8(bytes).ok().map(OsString::from)
}

/// `Some(None)` for null, `None` for a value that `read` does not understand.
#[expect(
    clippy::option_option,
    reason = "there, and understood, are two questions"
)]
fn optional<T>(value: &Value, read: impl Fn(&Value) -> Option<T>) -> Option<Option<T>> {
    if value.is_null() {
        return Some(None);
    }
    read(value).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recipe_survives_the_way_to_another_process() {
        let ready = Ready::listening()
            .and(Ready::listening_udp())
            .and(Ready::http("/x").status(200..=204).header("a", "b"))
            .and(Ready::line("up"))
            .and(Ready::unix_socket("{dir}/s"))
            .and(Ready::command("pg_isready", ["-p", "{port}"]))
            .and(Ready::notify());
        let command = ServerCommand::new("server")
            .args(["--port", "{port}"])
            .literal_arg("{x}")
            .env("A", "{port}")
            .env_remove("B")
            .current_dir("{dir}")
            .ready(ready)
            .ready_timeout(Duration::from_millis(1500))
            .stop_signal(Signal::Int)
            .grace(Duration::from_secs(3))
            .activated()
            .log_file("{dir}/log")
            .setup("initdb", ["{dir}"])
            .user("postgres");
        let there = ServerCommand::from_json(&command.to_json()).unwrap();
        assert_eq!(format!("{there:?}"), format!("{command:?}"));
        #[cfg(unix)]
        {
            use std::os::unix::ffi::OsStrExt;
            let command = ServerCommand::new("x").arg(OsStr::from_bytes(b"\xff{port}"));
            let there = ServerCommand::from_json(&command.to_json()).unwrap();
            assert_eq!(there.args, command.args);
        }
        let faulty = ServerCommand::new("x").ready(Ready::http("no"));
        let there = ServerCommand::from_json(&faulty.to_json()).unwrap();
        assert_eq!(there.ready.fault, faulty.ready.fault);
        assert!(ServerCommand::from_json(&json!({})).is_none());
    }

    #[cfg(unix)]
    #[test]
    fn what_depends_on_this_process_is_made_absolute() {
        let here = std::env::current_dir().unwrap();
        let command = ServerCommand::new("sh")
            .setup("./x", ["a"])
            .for_another_process();
        assert!(Path::new(&command.program).is_absolute());
        assert_eq!(command.setup.unwrap()[0], here.join("x"));
        assert_eq!(command.current_dir.unwrap(), Path::new("{dir}"));
        let command = ServerCommand::new("sh")
            .current_dir("a")
            .env("PATH", "/nowhere");
        let command = command.for_another_process();
        assert_eq!(command.program, "sh");
        assert_eq!(command.current_dir.unwrap(), here.join("a"));
    }
}
