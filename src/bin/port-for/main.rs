//! The command `port-for`.
//!
//! What programs want is on stdout: a number, a table, JSON. What people want to know besides is on stderr.

mod age;
mod args;
mod completions;
mod hint;
mod list;
mod numbers;
mod run;
mod supervise;
mod unbind;
mod wait;

use std::io::{self, Write};
use std::process::ExitCode;

use clap::{CommandFactory, Parser};
use clap_mangen::roff::{Roff, roman};
use port_for::__cli::{self as cli, ImportError};
use port_for::{Assignment, Error, ErrorKind, PortFor};

use crate::args::{Args, Prune};

/// Why the command ends without having done what it was to do.
enum Failure {
    /// It was called the wrong way: status 2.
    Usage(String),
    /// It could not: status 1.
    Could(String),
    /// Its output is not read any more, so the rest is not missed.
    Unread,
    /// CMD cannot be run, with the status that a shell has for it.
    Unrun(u8, String),
    /// CMD has ended so.
    Status(u8),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error.kind() {
            // An id twice is the only deadlock that a process can have which asks once.
            ErrorKind::InvalidId
            | ErrorKind::InvalidRequest
            | ErrorKind::Config
            | ErrorKind::Deadlock => Self::Usage(error.to_string()),
            _ => Self::Could(error.to_string()),
        }
    }
}

impl From<ImportError> for Failure {
    fn from(error: ImportError) -> Self {
        match error {
            ImportError::Store(error) => error.into(),
            error => Self::Could(error.to_string()),
        }
    }
}

fn main() -> ExitCode {
    let done = Args::try_parse()
        .map_err(hint::at_flags)
        .and_then(|args| obey(&args));
    match done {
        Ok(()) | Err(Failure::Unread) => ExitCode::SUCCESS,
        Err(Failure::Usage(message)) => Args::command()
            .error(clap::error::ErrorKind::ValueValidation, message)
            .exit(),
        Err(Failure::Status(status)) => ExitCode::from(status),
        Err(Failure::Unrun(status, message)) => {
            note(&message);
            ExitCode::from(status)
        }
        Err(Failure::Could(message)) => {
            note(&message);
            ExitCode::FAILURE
        }
    }
}

fn obey(args: &Args) -> Result<(), Failure> {
    if let Some(shell) = args.completions {
        return print(&completions::script(shell));
    }
    if args.man {
        let page = manual().map_err(|error| Failure::Could(error.to_string()))?;
        return print(&page);
    }
    let port_for = match &args.store {
        Some(path) => PortFor::open(path)?,
        None => PortFor::shared()?.clone(),
    };
    if let Some(prefix) = &args.list {
        let prefix = prefix.as_deref().unwrap_or_default();
        match &args.format {
            Some(format) => numbers::tell_listed(&port_for, prefix, format),
            None => list::list(&port_for, prefix, args.json),
        }
    } else if let Some(which) = &args.who {
        list::who(&port_for, which, args.json)
    } else if let Some(name) = &args.wait {
        wait::until_it_listens(&port_for, name, args.timeout)
    } else if let Some(name) = &args.gone {
        wait::until_it_is_gone(&port_for, name, args.timeout)
    } else if !args.unbind.is_empty() {
        unbind::unbind(&port_for, &args.unbind)
    } else if let Some(id) = &args.stop {
        cli::stop(&port_for, id, args.force)?;
        note(&format!("the shared server of `{id}` has ended"));
        Ok(())
    } else if let Some(what) = args.prune {
        match what {
            Prune::UnusedFor(age) => prune(&port_for, age),
            Prune::Gone => {
                tell_forgotten(&cli::prune_gone(&port_for)?, "every checkout is there");
                Ok(())
            }
        }
    } else if let Some(file) = &args.import {
        let done = cli::import(&port_for, file)?;
        for entry in &done.new {
            note(&format!("`{}` has port {} now", entry.id, entry.port));
        }
        let (new, known) = (done.new.len(), done.known.len());
        note(&format!(
            "imported {new}; {known} were the same here already"
        ));
        Ok(())
    } else {
        let names: Vec<_> = args.bind.iter().chain(&args.names).cloned().collect();
        hint::ask_for_dashes(&names)?;
        if args.port.is_some() && names.len() > 1 {
            let message = "`--port` is for one name, and several are given".to_owned();
            return Err(Failure::Usage(message));
        }
        if (args.block.is_some() || !args.companion.is_empty()) && names.len() > 1 {
            let message =
                "`--block` and `--companion` are for one name, and several are given".to_owned();
            return Err(Failure::Usage(message));
        }
        match &*args.command {
            // The words of CMD came from a variable that was empty, say.
            [] if std::env::args_os()
                .next_back()
                .is_some_and(|last| last == "--") =>
            {
                Err(Failure::Usage("no CMD follows `--`".to_owned()))
            }
            [] => {
                hint::at_numbers(&names);
                numbers::tell(&port_for, &names, args)
            }
            [program, words @ ..] => run::run(&port_for, &names, args, program, words),
        }
    }
}

fn manual() -> io::Result<Vec<u8>> {
    let manual = clap_mangen::Man::new(Args::command());
    let mut page = Vec::new();
    manual.render_title(&mut page)?;
    manual.render_name_section(&mut page)?;
    manual.render_synopsis_section(&mut page)?;
    manual.render_options_section(&mut page)?;
    for (title, text) in args::MORE {
        let mut section = Roff::new();
        section.control("SH", [&*title.to_uppercase()]);
        section.text([roman(text)]);
        section.to_writer(&mut page)?;
    }
    Ok(page)
}

/// All or nothing: what is held cannot be forgotten, and the caller should know before the rest is gone.
fn prune(port_for: &PortFor, age: std::time::Duration) -> Result<(), Failure> {
    let is_old = |last: std::time::SystemTime| last.elapsed().is_ok_and(|ago| ago >= age);
    let held: Vec<_> = port_for
        .assignments()?
        .into_iter()
        .filter(|found| found.last_used().is_some_and(is_old))
        .filter_map(|found| {
            let holder = found.holder()?;
            Some(format!(
                "\n  `{}` (port {}) by {holder}",
                found.id(),
                found.port()
            ))
        })
        .collect();
    if !held.is_empty() {
        return Err(Failure::Could(format!(
            "forgot nothing, for these were taken that long ago and are held; end their processes, or choose a longer \
             time:{}",
            held.concat()
        )));
    }
    tell_forgotten(&port_for.prune(age)?, "nothing was unused for that long");
    Ok(())
}

fn tell_forgotten(forgotten: &[Assignment], none: &str) {
    for was in forgotten {
        let last = was.last_used().map(age::ago).unwrap_or_default();
        note(&format!(
            "`{}` had port {}, last used {last}, and is forgotten",
            was.id(),
            was.port()
        ));
    }
    if forgotten.is_empty() {
        note(none);
    }
}

/// For people, so not on stdout.
fn note(message: &str) {
    // A closed stderr is no reason to fail.
    let _ = writeln!(io::stderr(), "port-for: {message}");
}

fn print(text: &[u8]) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    match out.write_all(text).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Err(Failure::Unread),
        Err(error) => Err(Failure::Could(format!("cannot write the output: {error}"))),
        Ok(()) => Ok(()),
    }
}
