//! Calls that were meant otherwise.

use std::env;
use std::path::Path;

use clap::error::{ContextKind, ContextValue};
use port_for::__cli as cli;

use crate::{Failure, note};

/// A forgotten `--`: what would be the second name is a program.
///
/// # Errors
///
/// Says so, and no name gets a port.
pub(crate) fn ask_for_dashes(names: &[String]) -> Result<(), Failure> {
    let [first, program, words @ ..] = names else {
        return Ok(());
    };
    if !is_program(program) {
        return Ok(());
    }
    let command = [&**program]
        .into_iter()
        .chain(words.iter().map(|word| &**word));
    let command: Vec<_> = command.collect();
    Err(Failure::Usage(format!(
        "`{program}` is a program; did you mean `port-for {first} -- {}`? If it is a name, ask for it by itself",
        command.join(" ")
    )))
}

fn is_program(name: &str) -> bool {
    if name.contains('/') {
        return name.starts_with(['/', '.']) && Path::new(name).is_file();
    }
    cli::is_on_path(name)
}

/// What cannot be understood, because flags of a program follow where a `--` was forgotten; or as clap says it, without its
/// tip to put the flag behind a `--`, which would make it a command.
pub(crate) fn at_flags(mut error: clap::Error) -> Failure {
    if error.kind() == clap::error::ErrorKind::UnknownArgument {
        error.insert(ContextKind::Suggested, ContextValue::None);
        let words: Vec<_> = env::args_os()
            .skip(1)
            .map(|word| word.to_string_lossy().into_owned())
            .collect();
        if let Err(failure) = ask_for_dashes(&words) {
            return failure;
        }
    }
    error.exit()
}

/// A number is a name like any other.
pub(crate) fn at_numbers(names: &[String]) {
    for name in names.iter().filter(|name| name.parse::<u16>().is_ok()) {
        note(&format!(
            "`{name}` is a name here: `port-for --who {name}` shows who has that port, and `--port {name}` demands it for a \
             name"
        ));
    }
}
