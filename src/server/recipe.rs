//! A server command on a guard's port: placeholders filled in, its folder made, its set-up run.

use std::ffi::{OsStr, OsString};
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use tempfile::TempDir;

use super::command::{OutputTo, ServerCommand};
use super::mark;
use super::output::Output;
use super::placeholder::{self, Values};
use super::ready::{Condition, Ready};
use crate::guard::{Neighbours, PortGuard};

/// All that it takes to start a server, and to start it again.
#[derive(Debug)]
pub(super) struct Recipe {
    pub(super) command: ServerCommand,
    addr: SocketAddr,
    neighbours: Option<Arc<dyn Neighbours>>,
    dir: Option<TempDir>,
    user: Option<User>,
    #[cfg(target_os = "linux")]
    pub(super) notify: Option<std::os::unix::net::UnixDatagram>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct User {
    user: u32,
    group: u32,
}

impl Recipe {
    /// # Errors
    ///
    /// A sentence about what is wrong with the command, or the surroundings.
    pub(super) fn new(guard: &PortGuard, command: &ServerCommand) -> Result<Self, String> {
        if let Some(fault) = &command.ready.fault {
            return Err(fault.clone());
        }
        if command.ready.needs_notify() && cfg!(not(target_os = "linux")) {
            return Err("`Ready::notify` is for Linux".to_owned());
        }
        let user = command.user.as_deref().map(User::named).transpose()?;
        let mut recipe = Self {
            command: command.clone(),
            addr: guard.addr(),
            neighbours: guard.neighbours().cloned(),
            dir: None,
            user: user.flatten(),
            #[cfg(target_os = "linux")]
            notify: None,
        };
        if command.needs_dir() {
            let dir = tempfile::tempdir().map_err(|error| no_temp("a private folder", &error))?;
            recipe
                .give(dir.path())
                .map_err(|error| format!("its private folder cannot be made its own: {error}"))?;
            recipe.dir = Some(dir);
        }
        #[cfg(target_os = "linux")]
        if command.ready.needs_notify() {
            let listen = |path: &Path| {
                let socket = std::os::unix::net::UnixDatagram::bind(path)?;
                socket.set_nonblocking(true)?;
                recipe.give(path)?;
                Ok::<_, io::Error>(socket)
            };
            let path = recipe.notify_path().unwrap_or_default();
            let socket =
                listen(&path).map_err(|error| no_temp("a socket for `sd_notify`", &error))?;
            recipe.notify = Some(socket);
        }
        // Report wrong placeholders before anything runs.
        recipe.server()?;
        recipe.setup().transpose()?;
        recipe.ready(&command.ready)?;
        Ok(recipe)
    }

    /// Makes the path the user's.
    fn give(&self, path: &Path) -> io::Result<()> {
        #[cfg(unix)]
        if let Some(User { user, group }) = self.user {
            std::os::unix::fs::chown(path, Some(user), Some(group))?;
        }
        let _ = path;
        Ok(())
    }

    /// The private folder, if there is one.
    pub(super) fn dir(&self) -> Option<&Path> {
        self.dir.as_ref().map(TempDir::path)
    }

    #[cfg(target_os = "linux")]
    fn notify_path(&self) -> Option<PathBuf> {
        Some(self.dir()?.join("notify.socket"))
    }

    /// What runs the server.
    pub(super) fn server(&self) -> Result<Command, String> {
        let mut args = Vec::new();
        for word in &self.command.args {
            args.push(if word.is_literal {
                word.text.clone()
            } else {
                self.fill(&word.text)?
            });
        }
        self.run(&self.command.program, args)
    }

    /// What runs the set-up, if there is one.
    pub(super) fn setup(&self) -> Option<Result<Command, String>> {
        let words = self.command.setup.as_ref()?;
        Some(self.words(words))
    }

    /// As the server runs: its environment, folder and user.
    pub(super) fn words(&self, words: &[OsString]) -> Result<Command, String> {
        let args: Result<Vec<_>, _> = words[1..].iter().map(|word| self.fill(word)).collect();
        self.run(&words[0], args?)
    }

    fn run(&self, program: &OsStr, args: Vec<OsString>) -> Result<Command, String> {
        can_be_given(program)?;
        args.iter().try_for_each(|arg| can_be_given(arg))?;
        let mut command = Command::new(program);
        command.args(args);
        if self.command.clears_env {
            command.env_clear();
        }
        if let Some(mark) = mark::of_this_process() {
            command.env(mark::OWNER, mark);
        }
        for (name, value) in &self.command.env {
            if name.is_empty()
                || name
                    .as_encoded_bytes()
                    .iter()
                    .any(|byte| b"=\0".contains(byte))
            {
                return Err(format!(
                    "{:?} cannot be an environment variable",
                    name.to_string_lossy()
                ));
            }
            match value {
                Some(value) => {
                    let value = self.fill(value)?;
                    can_be_given(&value)?;
                    command.env(name, value)
                }
                None => command.env_remove(name),
            };
        }
        if let Some(dir) = &self.command.current_dir {
            let dir = self.path(dir)?;
            can_be_given(dir.as_os_str())?;
            command.current_dir(dir);
        }
        #[cfg(target_os = "linux")]
        if let Some(path) = self
            .notify_path()
            .filter(|_| self.command.ready.needs_notify())
        {
            command.env("NOTIFY_SOCKET", path);
        }
        #[cfg(unix)]
        if let Some(User { user, group }) = self.user {
            use std::os::unix::process::CommandExt;
            command.uid(user).gid(group);
        }
        Ok(command)
    }

    /// Whether its commands are nothing but what a [`Command`] can be asked for, and their output is captured or goes to a
    /// file. A user cannot be asked for.
    pub(super) fn is_plain(&self) -> bool {
        self.user.is_none() && self.command.output != OutputTo::Inherited
    }

    /// The condition with its placeholders filled in.
    pub(super) fn ready(&self, ready: &Ready) -> Result<Vec<Condition>, String> {
        (ready.conditions.iter())
            .map(|condition| {
                Ok(match condition {
                    Condition::UnixSocket(path) => Condition::UnixSocket(self.path(path)?),
                    Condition::Command(words) => {
                        self.words(words)?;
                        condition.clone()
                    }
                    other => other.clone(),
                })
            })
            .collect()
    }

    /// Where the server's output goes.
    pub(super) fn output(&self) -> Result<Output, String> {
        let log = self
            .command
            .log_file
            .as_deref()
            .map(|log| self.path(log))
            .transpose()?;
        let output = match &self.command.output {
            OutputTo::File(path) => {
                let path = self.path(path)?;
                Output::to(&path).map_err(|error| {
                    format!(
                        "its output cannot be written to `{}`: {error}",
                        path.display()
                    )
                })?
            }
            OutputTo::Captured | OutputTo::Inherited => captured()?,
        };
        let mut output = output.with_log(log);
        output.is_inherited = self.command.output == OutputTo::Inherited;
        Ok(output)
    }

    fn path(&self, path: &Path) -> Result<PathBuf, String> {
        self.fill(path.as_os_str()).map(PathBuf::from)
    }

    fn fill(&self, text: &OsStr) -> Result<OsString, String> {
        // What is not text has no placeholders.
        let Some(text) = text.to_str() else {
            return Ok(text.to_owned());
        };
        let of = |id: &str| {
            let port = self.neighbours.as_ref()?.port_of(id).ok()??;
            Some(SocketAddr::new(self.addr.ip(), port))
        };
        let values = Values {
            own: self.addr,
            of: &of,
            dir: self.dir(),
        };
        placeholder::fill(text, &values).map(OsString::from)
    }
}

/// A `Command` would put another text in its place.
fn can_be_given(text: &OsStr) -> Result<(), String> {
    if text.as_encoded_bytes().contains(&0) {
        let text = text.to_string_lossy();
        return Err(format!(
            "{text:?} contains a zero byte, which no program can be given"
        ));
    }
    Ok(())
}

/// A file for the output of a server.
pub(super) fn captured() -> Result<Output, String> {
    Output::captured().map_err(|error| no_temp("a file for its output", &error))
}

fn no_temp(what: &str, error: &io::Error) -> String {
    format!(
        "{what} cannot be made in the temporary folder `{}`: {error}; set `TMPDIR` to a folder that can be written to and \
         has space",
        std::env::temp_dir().display()
    )
}

impl User {
    /// None if that is who runs this process.
    fn named(name: &str) -> Result<Option<Self>, String> {
        if cfg!(not(unix)) {
            return Err("`user` is for Unix".to_owned());
        }
        // By the program, which asks whatever the system keeps its users in.
        let id = |options: &[&str]| {
            let asked = Command::new("id").args(options).output();
            let asked = asked.map_err(|error| format!("`id` cannot be run: {error}"))?;
            let told = String::from_utf8_lossy(&asked.stdout);
            told.trim()
                .parse::<u32>()
                .map_err(|_| format!("there is no user {name:?}"))
        };
        let (ours, user) = (id(&["-u"])?, id(&["-u", "--", name])?);
        if user == ours {
            return Ok(None);
        }
        if ours != 0 {
            return Err(format!(
                "only root can run a server as another user, here {name:?}"
            ));
        }
        let group = id(&["-g", "--", name])?;
        Ok(Some(Self { user, group }))
    }
}
