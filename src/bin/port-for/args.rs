//! What can be asked of the command.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::{PossibleValue, TypedValueParser};
use clap::{ArgAction, ArgGroup, Parser};
use clap_complete::Shell;

use port_for::__cli as cli;
use port_for::{Host, Ready, Signal};

use crate::age;

/// Sections of the manual page beside the options: titles and texts. Both wrap lines,
/// except those that begin with spaces.
pub(crate) const MORE: [(&str, &str); 6] = [
    (
        "Running a command",
        "\
The ports are yours from before CMD starts until it ends. CMD replaces this process and keeps its process id, so signals \
and the exit status are CMD's. In ARGS, {port} and {addr} are replaced by the port of the first NAME and by \
127.0.0.1:port, {port:NAME} and {addr:NAME} by those of any NAME. After a $ nothing is replaced: ${port} is for a shell. In \
the environment, PORT is the port of the first NAME, and PORT_<NAME> that of each, in capitals, with _ for everything but \
ASCII letters and digits (unless that would begin with PORT_FOR_). With --block, PORT_1 and {port+1} are the second port, \
and so on.

CMD binds the port itself. On Linux the port stays reserved until then, so CMD must set SO_REUSEADDR before it binds, as \
nearly all servers do. With --inherit, CMD gets the listening socket instead, as file descriptor 3 (then 4, ...), with \
LISTEN_FDS, LISTEN_PID and LISTEN_FDNAMES as systemd sets them.

The lease is a lock on a file that CMD inherits. A program that closes all inherited files ends the lease early; children \
that CMD leaves behind can keep it longer.",
    ),
    (
        "Sharing a server",
        "\
With --shared SERVER, CMD runs beside a server on the port of NAME. Rust tests with the same recipe share it. The first \
user of NAME starts the server, the others get it when it listens, and it is stopped some seconds after the last user has \
ended. SERVER is split into words as by a shell, but no shell runs it; {port}, {addr} and {dir}, a private folder in which \
it runs, are filled in. CMD is a user as long as it runs, and so are children that it leaves behind.",
    ),
    (
        "JSON",
        "\
--list prints an array of objects, and --who one object, with the fields

  id         the name, or null
  port       the number
  ports      all numbers of a name (only with --list): of a block, and
             their companions
  state      \"free\", \"held\" (a live process has the lease), \"shared\"
             (a shared server's keeper has it) or \"occupied\" (a socket
             has it without the lease)
  holder     null, or who has the lease: pid, test (or null), command, since
  occupants  who listens: an array of pid, command, user (a number, or null)
  uses       everything that has the port, in words: an array of texts
  last_used  null if it is not known (only with --list)
  shared     null, or the shared server (only with --list): its pid (null
             until it is ready), and users, an array like holder

Times are whole seconds since 1970. Fields may be added; these stay.",
    ),
    (
        "Exit status",
        "  0          done
  1          failed
  2          usage error
  126, 127   CMD cannot be run, or does not exist
  any        with CMD, the status of CMD; 128 + n if signal n ended it",
    ),
    (
        "Environment",
        "  PORT_FOR_STORE      the store's file (default: in the user's state folder)
  PORT_FOR_NAMESPACE  put before every name; \"worktree\": the git worktree of
                      the current directory, nothing in a main checkout;
                      \"folder\": the root of the workspace
  PORT_FOR_TIMEOUT    seconds to wait for a port that is held (default: 60)
  PORT_FOR_LINGER     seconds that a shared server outlives its users (default: 10)
  PORT_FOR_POOL       the ports to choose from, such as 20000-24999,30000",
    ),
    (
        "Examples",
        "  port-for api
  port-for redis -- redis-server --port {port}
  port-for redis --shared 'redis-server --port {port}' -- cargo nextest run
  port-for web --inherit -- uvicorn --fd 3 app:app
  port-for api db -- sh -c 'serve --port $PORT_API --db :$PORT_DB'",
    ),
];

/// A port for every name: the same one each time, and no other name's
#[derive(Debug, Parser)]
#[command(
    name = "port-for",
    version,
    disable_version_flag = true,
    disable_help_flag = true,
    arg_required_else_help = true,
    after_help = "More about running a command, JSON, exit statuses, the environment: port-for --man | man -l -",
    override_usage = "port-for [OPTIONS] NAME... [-- CMD [ARGS]...]\n       port-for [OPTIONS] \
        <--list | --who PORT | --wait NAME | --gone NAME | --unbind NAME... | --stop NAME | --prune AGE | \
        --import FILE>",
    group = ArgGroup::new("mode").required(true),
    group = ArgGroup::new("wanted"),
    group = ArgGroup::new("told"),
    group = ArgGroup::new("named").args(["names", "bind", "list"]).multiple(true),
    group = ArgGroup::new("waited"),
)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag")]
pub(crate) struct Args {
    /// Print the port of NAME, and assign one if it has none; with several NAMEs, a line each
    #[arg(value_name = "NAME", groups = ["mode", "wanted"])]
    pub(crate) names: Vec<String>,

    /// The same as NAME alone
    #[arg(short, long, value_name = "NAME", groups = ["mode", "wanted"], help_heading = "Ports")]
    pub(crate) bind: Option<String>,

    /// The port that NAME must have; fails if NAME has another one, or another NAME has this one
    #[arg(short, long, value_name = "N", requires = "wanted", value_parser = port, help_heading = "Ports")]
    pub(crate) port: Option<u16>,

    /// Print this many consecutive ports of NAME, up to 1000, a line each
    #[arg(
        long,
        value_name = "N",
        requires = "wanted",
        conflicts_with = "shared",
        help_heading = "Ports"
    )]
    pub(crate) block: Option<u16>,

    /// For each port, also print the one N higher; can be repeated
    #[arg(
        long,
        value_name = "N",
        requires = "wanted",
        conflicts_with = "shared",
        help_heading = "Ports"
    )]
    pub(crate) companion: Vec<u16>,

    /// Forget the ports of NAMEs; 'api*' stands for all names that begin with api
    #[arg(short, long, value_name = "NAME", group = "mode", num_args = 1.., help_heading = "Ports")]
    pub(crate) unbind: Vec<String>,

    /// List all names, or those that begin with PREFIX, with their ports and who holds them
    #[arg(short, long, value_name = "PREFIX", groups = ["mode", "told"], num_args = 0..=1, help_heading = "Looking and waiting")]
    #[expect(clippy::option_option, reason = "the flag, and its value")]
    pub(crate) list: Option<Option<String>>,

    /// Stop the shared server of NAME, unless something uses it
    #[arg(
        long,
        value_name = "NAME",
        group = "mode",
        help_heading = "Shared servers"
    )]
    pub(crate) stop: Option<String>,

    /// Stop it even if it is used
    #[arg(long, requires = "stop", help_heading = "Shared servers")]
    pub(crate) force: bool,

    /// Show what has a port, given by number or name, and who holds it
    #[arg(long, value_name = "PORT|NAME", groups = ["mode", "told"], help_heading = "Looking and waiting")]
    pub(crate) who: Option<String>,

    /// Wait until the holder of NAME listens; fails at once when there is none, or when it has ended
    #[arg(long, value_name = "NAME", groups = ["mode", "waited"], help_heading = "Looking and waiting")]
    pub(crate) wait: Option<String>,

    /// Wait until NAME is free
    #[arg(long, value_name = "NAME", groups = ["mode", "waited"], help_heading = "Looking and waiting")]
    pub(crate) gone: Option<String>,

    /// How long to wait, such as 10s (default: 60s); with --wait, also for a holder to come
    #[arg(long, value_name = "TIME", requires = "waited", value_parser = age::parse, help_heading = "Looking and waiting")]
    pub(crate) timeout: Option<Duration>,

    /// Forget the ports that were not used for AGE, such as 30d (s, m, h, d, w); with "gone", those of checkouts that
    /// no longer exist. If one of them is held, forget none
    #[arg(long, value_name = "AGE", group = "mode", value_parser = prune, help_heading = "Ports")]
    pub(crate) prune: Option<Prune>,

    /// Import the ports of Python's port-for from FILE (/etc/port-for.conf); if one conflicts, import none
    #[arg(long, value_name = "FILE", group = "mode", help_heading = "Ports")]
    pub(crate) import: Option<PathBuf>,

    /// Hand the listening socket to CMD, as file descriptor 3, instead of letting it bind the port
    #[arg(long, requires = "command", help_heading = "Running CMD")]
    pub(crate) inherit: bool,

    /// Stay as CMD's parent: pass signals on, end what it leaves behind, and end with its status
    #[arg(long, requires = "command", help_heading = "Running CMD")]
    pub(crate) supervise: bool,

    /// Supervise CMD, and report when it is ready: `listening`, `http:/PATH`, `line:TEXT`, `command:CMD`; if repeated,
    /// when all are met. For a line, CMD's output goes to --log, or to stdout once it is ready
    #[arg(long, value_name = "KIND", requires = "command", value_parser = ready(), hide_possible_values = true, help_heading = "Running CMD")]
    pub(crate) ready: Vec<Ready>,

    /// How long CMD has to get ready (default: 30s)
    #[arg(long, value_name = "TIME", requires = "ready", value_parser = age::parse, help_heading = "Running CMD")]
    pub(crate) ready_timeout: Option<Duration>,

    /// The signal that asks CMD to end, instead of TERM or INT
    #[arg(long, value_name = "SIGNAL", requires = "command", value_parser = signal(), hide_possible_values = true, help_heading = "Running CMD")]
    pub(crate) stop_signal: Option<Signal>,

    /// How long CMD has to end before it is killed (default: 10s)
    #[arg(long, value_name = "TIME", requires = "command", value_parser = age::parse, help_heading = "Running CMD")]
    pub(crate) grace: Option<Duration>,

    /// Write what CMD prints to FILE
    #[arg(
        long,
        value_name = "FILE",
        requires = "command",
        help_heading = "Running CMD"
    )]
    pub(crate) log: Option<PathBuf>,

    /// The address to hold, instead of 127.0.0.1
    #[arg(
        long,
        value_name = "ADDR",
        requires = "command",
        help_heading = "Running CMD"
    )]
    pub(crate) host: Option<Host>,

    /// Hold the UDP port of the same number as well
    #[arg(long, requires = "command", help_heading = "Running CMD")]
    pub(crate) udp: bool,

    /// Close the hold before CMD starts, for servers that do not set `SO_REUSEADDR`
    #[arg(
        long,
        requires = "command",
        conflicts_with = "inherit",
        help_heading = "Running CMD"
    )]
    pub(crate) close_hold: bool,

    /// Run CMD beside a server on the port, shared with all others that name it
    #[arg(
        long,
        value_name = "SERVER",
        requires = "command",
        conflicts_with = "inherit",
        help_heading = "Shared servers"
    )]
    pub(crate) shared: Option<String>,

    /// Print JSON, for programs
    #[arg(long, conflicts_with_all = ["command", "unbind", "prune", "import", "waited"], help_heading = "Output")]
    pub(crate) json: bool,

    /// Print variables, such as `API_PORT=15571`: for .env files, eval and GitHub's environment
    #[arg(long, requires = "wanted", conflicts_with_all = ["command", "json"], help_heading = "Output")]
    pub(crate) env: bool,

    /// Print TEXT for each NAME, with {id}, {port} and {addr} filled in; also with --list
    #[arg(long, value_name = "TEXT", requires = "named", conflicts_with_all = ["command", "json", "env"], help_heading = "Output")]
    pub(crate) format: Option<String>,

    /// The file in which ports are remembered
    #[arg(long, value_name = "FILE", help_heading = "Ports")]
    pub(crate) store: Option<PathBuf>,

    /// Print completions for SHELL
    #[arg(long, value_name = "SHELL", group = "mode", help_heading = "Output")]
    pub(crate) completions: Option<Shell>,

    /// Print the manual page
    #[arg(long, group = "mode", help_heading = "Output")]
    pub(crate) man: bool,

    /// Print the version
    #[arg(short = 'v', visible_short_alias = 'V', long, action = ArgAction::Version, help_heading = "Output")]
    version: Option<bool>,

    /// Print this
    #[arg(short, long, action = ArgAction::HelpShort, help_heading = "Output")]
    help: Option<bool>,

    /// Become CMD, with the port held for it
    #[arg(last = true, value_name = "CMD", requires = "wanted")]
    pub(crate) command: Vec<OsString>,
}

/// What is to be forgotten.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Prune {
    UnusedFor(Duration),
    Gone,
}

/// Reads a value, and names those that there are, or begin so, to shells.
#[derive(Clone)]
struct Named<T> {
    names: Vec<&'static str>,
    parse: fn(&str) -> Result<T, String>,
}

impl<T: Clone + Send + Sync + 'static> TypedValueParser for Named<T> {
    type Value = T;

    fn parse_ref(
        &self,
        command: &clap::Command,
        arg: Option<&clap::Arg>,
        value: &OsStr,
    ) -> Result<T, clap::Error> {
        self.parse.parse_ref(command, arg, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(self.names.iter().map(PossibleValue::new)))
    }
}

fn ready() -> Named<Ready> {
    Named {
        names: vec!["listening", "http:/", "line:", "command:"],
        parse: cli::parse_ready,
    }
}

fn signal() -> Named<Signal> {
    Named {
        names: cli::signals(),
        parse: cli::parse_signal,
    }
}

fn prune(text: &str) -> Result<Prune, String> {
    match text {
        "gone" => Ok(Prune::Gone),
        age => age::parse(age).map(Prune::UnusedFor),
    }
}

fn port(text: &str) -> Result<u16, String> {
    // `parse` alone would take a sign.
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse() {
        Ok(port) if digits && port > 0 => Ok(port),
        _ => Err(format!("{text:?} is not a number from 1 to 65535")),
    }
}

impl Args {
    /// What is wanted of the ports, beside the names.
    pub(crate) fn wanted(&self) -> cli::Wanted {
        cli::Wanted {
            exact: self.port,
            host: self.host,
            udp: self.udp,
            block: self.block,
            companions: self.companion.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_definition_is_sound() {
        Args::command().debug_assert();
    }
}
