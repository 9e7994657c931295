//! `port-for NAME -- CMD`: becoming a command that has the port.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::net::SocketAddr;
use std::process::Command;

use port_for::{__cli as cli, PortFor, PortGuard};

use crate::Failure;
use crate::args::Args;

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
    let mut guards = cli::guards(port_for, names, args.port)?;
    let mut command = Command::new(program);
    for word in words {
        let of = |id: &str| {
            let guard = guards.iter().find(|guard| guard.id() == Some(id));
            guard.map(PortGuard::addr)
        };
        command.arg(fill_in(word, guards[0].addr(), &of)?);
    }
    command.env("PORT", guards[0].port().to_string());
    for (variable, nth) in variables {
        command.env(variable, guards[nth].port().to_string());
    }
    cli::hand_over(&mut guards, &mut command, args.inherit)?;
    let error = cli::become_program(&mut command);
    let program = cli::printable(&program.to_string_lossy());
    Err(Failure::Could(format!("cannot run `{program}`: {error}")))
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
    let server = cli::start_shared(port_for, name, args.port, &server)?;
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
    let program = cli::printable(&program.to_string_lossy());
    Err(Failure::Could(format!("cannot run `{program}`: {error}")))
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
    cli::start_shared(port_for, &names[0], args.port, &server).map(drop)?;
    Ok(())
}

/// `PORT_<NAME>` for each name, by its place among them.
fn variables(names: &[String]) -> Result<BTreeMap<String, usize>, Failure> {
    let mut variables = BTreeMap::new();
    for (nth, name) in names.iter().enumerate() {
        let plain = |c: char| {
            if c.is_ascii_alphanumeric() {
                c.to_ascii_uppercase()
            } else {
                '_'
            }
        };
        let variable = format!("PORT_{}", name.chars().map(plain).collect::<String>());
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
