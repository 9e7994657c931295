//! `port-for NAME -- CMD`: becoming a command that has the port.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::net::SocketAddr;
use std::process::Command;

use port_for::{__cli as cli, PortFor, PortGuard};

use crate::args::Args;
use crate::numbers::in_capitals;
use crate::{Failure, supervise};

/// On Unix, returns only if it could not.
pub(crate) fn run(
    port_for: &PortFor,
    names: &[String],
    args: &Args,
    program: &OsStr,
    words: &[OsString],
) -> Result<(), Failure> {
    // What can be said against the call is said before a port is assigned.
    let variables = variables(names)?;
    for word in words {
        check(&word.to_string_lossy(), names)?;
    }
    if let Some(server) = &args.shared {
        return run_beside(port_for, names, args, server, (program, words));
    }
    let mut guards = cli::guards(port_for, names, &args.wanted())?;
    // A block is that of the one name.
    let others = guards[1..].iter().filter(|_| names.len() == 1);
    let block: Vec<_> = others.map(PortGuard::port).collect();
    let mut filled = Vec::new();
    for word in words {
        let of = |id: &str| {
            let guard = guards.iter().find(|guard| guard.id() == Some(id));
            guard.map(PortGuard::addr)
        };
        filled.push(fill_in(word, guards[0].addr(), &of)?);
    }
    let mut environment = vec![("PORT".to_owned(), guards[0].port().to_string())];
    for (nth, port) in block.iter().enumerate() {
        environment.push((format!("PORT_{}", nth + 1), port.to_string()));
    }
    for (variable, nth) in variables {
        environment.push((variable, guards[nth].port().to_string()));
    }
    let is_parent = args.supervise
        || !args.ready.is_empty()
        || args.log.is_some()
        || args.stop_signal.is_some()
        || args.grace.is_some();
    if is_parent {
        return supervise::supervise(&mut guards, args, program, filled, environment);
    }
    if args.close_hold {
        for guard in &mut guards {
            guard.close_hold()?;
        }
    }
    let mut command = Command::new(program);
    command.args(filled).envs(environment);
    cli::hand_over(&mut guards, &mut command, args.inherit)?;
    let error = cli::become_program(&mut command);
    Err(unrun(program, &error))
}

/// A program that is not there, or cannot be run: as shells tell the two apart.
fn unrun(program: &OsStr, error: &std::io::Error) -> Failure {
    let program = cli::printable(&program.to_string_lossy());
    exit_of(error, format!("cannot run `{program}`: {error}"))
}

/// The status for an error that says, itself or by its source, why a program does not run.
pub(crate) fn exit_of(error: &(dyn std::error::Error + 'static), message: String) -> Failure {
    let mut reasons = std::iter::successors(Some(error), |error| error.source());
    let reason = reasons.find_map(|error| error.downcast_ref::<std::io::Error>());
    match reason.map(std::io::Error::kind) {
        Some(std::io::ErrorKind::NotFound) => Failure::Unrun(127, message),
        Some(_) => Failure::Unrun(126, message),
        None => Failure::Could(message),
    }
}

/// With a shared server on the port. On Unix, returns only if it could not.
#[cfg(unix)]
fn run_beside(
    port_for: &PortFor,
    names: &[String],
    args: &Args,
    server: &str,
    (program, words): (&OsStr, &[OsString]),
) -> Result<(), Failure> {
    let [name] = names else {
        let message = "`--shared` is for one name, and several are given".to_owned();
        return Err(Failure::Usage(message));
    };
    let server = cli::split(server)
        .map_err(|what| Failure::Usage(format!("`--shared` {server:?}: {what}")))?;
    let server = cli::start_shared(port_for, name, args.port, &server, &args.ready)?;
    let mut command = Command::new(program);
    for word in words {
        let of = |id: &str| (id == name).then(|| server.addr());
        command.arg(fill_in(word, server.addr(), &of)?);
    }
    let port = server.port().to_string();
    let variables = variables(names)?.into_keys();
    for variable in variables.chain(["PORT".to_owned()]) {
        command.env(variable, &port);
    }
    let kept = cli::keep_use(&server, &mut command);
    kept.map_err(|error| Failure::Could(format!("cannot share the server: {error}")))?;
    let error = cli::become_program(&mut command);
    Err(unrun(program, &error))
}

#[cfg(not(unix))]
fn run_beside(
    port_for: &PortFor,
    names: &[String],
    args: &Args,
    server: &str,
    _command: (&OsStr, &[OsString]),
) -> Result<(), Failure> {
    // It says why not.
    let server = cli::split(server).map_err(Failure::Usage)?;
    cli::start_shared(port_for, &names[0], args.port, &server, &args.ready).map(drop)?;
    Ok(())
}

/// `PORT_<NAME>` for each name, by its place among them.
fn variables(names: &[String]) -> Result<BTreeMap<String, usize>, Failure> {
    let mut variables = BTreeMap::new();
    for (nth, name) in names.iter().enumerate() {
        let variable = format!("PORT_{}", in_capitals(name));
        // The name `for/store` is not to say where the command's store is.
        if variable.starts_with("PORT_FOR_") {
            continue;
        }
        if let Some(other) = variables.insert(variable.clone(), nth) {
            let message = format!(
                "`{}` and `{name}` would both be the variable {variable}; rename one",
                names[other]
            );
            return Err(Failure::Usage(message));
        }
    }
    Ok(variables)
}

/// Whether all placeholders are known: their values are not yet.
fn check(word: &str, names: &[String]) -> Result<(), Failure> {
    let addr = SocketAddr::from(([127, 0, 0, 1], 1));
    let is_name = |id: &str| names.iter().any(|name| name == id).then_some(addr);
    let checked = cli::fill(word, &values(addr, &is_name));
    checked
        .map(drop)
        .map_err(|what| Failure::Usage(format!("in {word:?}, {what}")))
}

fn fill_in(
    word: &OsStr,
    own: SocketAddr,
    of: &dyn Fn(&str) -> Option<SocketAddr>,
) -> Result<OsString, Failure> {
    // What is not text has no placeholders.
    let Some(text) = word.to_str() else {
        return Ok(word.to_owned());
    };
    let filled = cli::fill(text, &values(own, of));
    filled
        .map(OsString::from)
        .map_err(|what| Failure::Usage(format!("in {text:?}, {what}")))
}

fn values(own: SocketAddr, of: &dyn Fn(&str) -> Option<SocketAddr>) -> cli::Values<'_> {
    cli::Values { own, of, dir: None }
}
