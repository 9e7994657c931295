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
    let mut guards = cli::guards(port_for, names, args.port)?;
    let mut command = Command::new(program);
    for word in words {
        command.arg(fill_in(word, &guards)?);
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

fn fill_in(word: &OsStr, guards: &[PortGuard]) -> Result<OsString, Failure> {
    // What is not text has no placeholders.
    let Some(text) = word.to_str() else {
        return Ok(word.to_owned());
    };
    let of = |id: &str| {
        let guard = guards.iter().find(|guard| guard.id() == Some(id));
        guard.map(PortGuard::addr)
    };
    let filled = cli::fill(text, &values(guards[0].addr(), &of));
    filled
        .map(OsString::from)
        .map_err(|what| Failure::Usage(format!("in {text:?}, {what}")))
}

fn values(own: SocketAddr, of: &dyn Fn(&str) -> Option<SocketAddr>) -> cli::Values<'_> {
    cli::Values { own, of, dir: None }
}
