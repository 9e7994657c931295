//! The recipe of a server, as data.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::time::Duration;

use super::placeholder;
use super::ready::Ready;
use super::signal::Signal;
use crate::text::printable;

/// The recipe of a server: program, arguments, environment, when it is ready, how it is stopped.
///
/// Plain data: clone it, keep it in a function, start as many servers from it as there are guards. In arguments, values of
/// variables, `current_dir` and paths, these placeholders are filled in at the start:
///
/// | placeholder | is |
/// |---|---|
/// | `{port}`, `{addr}` | the guard's port, and its address with the port |
/// | `{port:ID}`, `{addr:ID}` | those of another id in the guard's store |
/// | `{port+N}` | the number `N` above the port |
/// | `{dir}` | a private folder, kept over restarts and removed in the end |
///
/// Any other `{word}` is an error; write `${word}` or `{{word}}`, which pass as they are, or use
/// [`literal_arg`](Self::literal_arg).
///
/// ```
/// # #[cfg(target_os = "linux")] {
/// use port_for::{Ready, ServerCommand};
///
/// fn files() -> ServerCommand {
///     ServerCommand::new("python3")
///         .args(["-m", "http.server", "--bind", "127.0.0.1", "{port}"])
///         .ready(Ready::http("/"))
/// }
///
/// # let folder = tempfile::tempdir()?;
/// # let ports = port_for::PortFor::open(folder.path().join("ports.json"))?;
/// # if std::process::Command::new("python3").arg("--version").output().is_err() { return Ok(()) }
/// let mut guard = ports.guard("files")?;
/// let mut server = guard.start(&files())?;
/// // … requests to http://{server.addr()} …
/// let stopped = server.stop()?;
/// assert!(!stopped.was_killed());
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
#[must_use = "a command does nothing before `PortGuard::start`"]
pub struct ServerCommand {
    pub(super) program: OsString,
    pub(super) args: Vec<Word>,
    /// None removes the variable.
    pub(super) env: Vec<(OsString, Option<OsString>)>,
    pub(super) clears_env: bool,
    pub(super) current_dir: Option<PathBuf>,
    pub(super) ready: Ready,
    pub(super) ready_timeout: Duration,
    pub(super) stop_signal: Signal,
    pub(super) grace: Duration,
    pub(super) is_activated: bool,
    pub(super) log_file: Option<PathBuf>,
    pub(super) output: OutputTo,
    pub(super) setup: Option<Vec<OsString>>,
    pub(super) user: Option<String>,
}

/// An argument.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Word {
    pub(super) text: OsString,
    pub(super) is_literal: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum OutputTo {
    Captured,
    File(PathBuf),
    Inherited,
}

impl ServerCommand {
    /// A recipe for this program: a path, or a name that is looked up on the `PATH`.
    pub fn new(program: impl AsRef<OsStr>) -> Self {
        Self {
            program: program.as_ref().to_owned(),
            args: Vec::new(),
            env: Vec::new(),
            clears_env: false,
            current_dir: None,
            ready: Ready::listening(),
            ready_timeout: Duration::from_secs(30),
            stop_signal: Signal::Term,
            grace: Duration::from_secs(10),
            is_activated: false,
            log_file: None,
            output: OutputTo::Captured,
            setup: None,
            user: None,
        }
    }

    /// Adds an argument.
    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.args.push(Word {
            text: arg.as_ref().to_owned(),
            is_literal: false,
        });
        self
    }

    /// Adds arguments.
    pub fn args<A: AsRef<OsStr>>(self, args: impl IntoIterator<Item = A>) -> Self {
        args.into_iter().fold(self, Self::arg)
    }

    /// Adds an argument in which no placeholder is filled in.
    pub fn literal_arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.args.push(Word {
            text: arg.as_ref().to_owned(),
            is_literal: true,
        });
        self
    }

    /// Sets an environment variable.
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        let value = Some(value.as_ref().to_owned());
        self.env.push((name.as_ref().to_owned(), value));
        self
    }

    /// Removes an environment variable, which the server would inherit.
    pub fn env_remove(mut self, name: impl AsRef<OsStr>) -> Self {
        self.env.push((name.as_ref().to_owned(), None));
        self
    }

    /// Starts from an empty environment, instead of this process's.
    pub fn env_clear(mut self) -> Self {
        self.env.clear();
        self.clears_env = true;
        self
    }

    /// The folder to run in, instead of this process's.
    pub fn current_dir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.current_dir = Some(dir.into());
        self
    }

    /// When the server is ready. By default, when it [listens](Ready::listening) on its port.
    pub fn ready(mut self, ready: Ready) -> Self {
        self.ready = ready;
        self
    }

    /// How long the server may take to be ready. The default is 30 seconds.
    pub fn ready_timeout(mut self, timeout: Duration) -> Self {
        self.ready_timeout = timeout;
        self
    }

    /// The signal that asks the server to end. The default is [`Signal::Term`]. Windows has no signals: the server is
    /// killed.
    pub fn stop_signal(mut self, signal: Signal) -> Self {
        self.stop_signal = signal;
        self
    }

    /// How long the server may take to end after that signal, before it is killed. The default is ten seconds.
    pub fn grace(mut self, time: Duration) -> Self {
        self.grace = time;
        self
    }

    /// Hands the listening socket over, as systemd does: see
    /// [`PortGuard::spawn_activated`](crate::PortGuard::spawn_activated). Unix only.
    ///
    /// The port listens from the start, so the default condition is met as soon as the server runs.
    pub fn activated(mut self) -> Self {
        self.is_activated = true;
        self
    }

    /// A file that the server logs to by itself: its last lines are shown in errors.
    pub fn log_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.log_file = Some(path.into());
        self
    }

    /// Appends what the server prints to this file, instead of capturing it.
    pub fn output_to(mut self, path: impl Into<PathBuf>) -> Self {
        self.output = OutputTo::File(path.into());
        self
    }

    /// Lets the server print to this process's stdout and stderr. [`Ready::line`] and
    /// [`Server::output`](crate::Server::output) see none of it, and a test runner may report a leak.
    pub fn inherit_output(mut self) -> Self {
        self.output = OutputTo::Inherited;
        self
    }

    /// Runs a command before the server is started for the first time, such as `initdb` on `{dir}`. It has the server's
    /// environment, folder, user and [`ready_timeout`](Self::ready_timeout); placeholders are filled in.
    pub fn setup<A: AsRef<OsStr>>(
        mut self,
        program: impl AsRef<OsStr>,
        args: impl IntoIterator<Item = A>,
    ) -> Self {
        let args = args.into_iter().map(|arg| arg.as_ref().to_owned());
        let words = [program.as_ref().to_owned()].into_iter().chain(args);
        self.setup = Some(words.collect());
        self
    }

    /// The name of the user that runs the server and its set-up, and owns `{dir}`. Only root can name another user than
    /// its own. Unix only.
    pub fn user(mut self, name: impl Into<String>) -> Self {
        self.user = Some(name.into());
        self
    }

    /// The texts that may have placeholders.
    fn texts(&self) -> impl Iterator<Item = &str> {
        let texts = (self.args.iter())
            .filter(|word| !word.is_literal)
            .map(|word| &*word.text)
            .chain(self.env.iter().filter_map(|(_, value)| value.as_deref()))
            .chain(self.setup.iter().flatten().map(|word| &**word))
            .chain(self.current_dir.iter().map(|dir| dir.as_os_str()))
            .chain(self.log_file.iter().map(|path| path.as_os_str()))
            .chain(self.ready.texts());
        texts.filter_map(OsStr::to_str)
    }

    /// Whether a placeholder or a condition needs the private folder.
    pub(super) fn needs_dir(&self) -> bool {
        self.texts().any(placeholder::mentions_dir) || self.ready.needs_notify()
    }

    /// How far above its own port the others are that it names, as `{port+1}`.
    pub(super) fn offsets(&self) -> Vec<u16> {
        self.texts().flat_map(placeholder::offsets).collect()
    }

    /// For messages.
    pub(super) fn line(&self) -> String {
        let words = self.args.iter().map(|word| word.text.to_string_lossy());
        let words: Vec<_> = [self.program.to_string_lossy()]
            .into_iter()
            .chain(words)
            .collect();
        printable(&words.join(" ")).chars().take(300).collect()
    }
}
