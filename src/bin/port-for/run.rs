//! `port-for NAME -- CMD`: becoming a command that has the port.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
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
    command.args(words.iter().map(|word| fill_in(word, &guards)));
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

/// `{port:x}` and `{addr:x}` are only for an `x` that is among the names. What follows a `$` is a shell's.
fn check(word: &str, names: &[String]) -> Result<(), Failure> {
    for (at, _) in word.match_indices('{') {
        if word[..at].ends_with('$') {
            continue;
        }
        let inside = &word[at + 1..];
        let Some(rest) = inside
            .strip_prefix("port:")
            .or_else(|| inside.strip_prefix("addr:"))
        else {
            continue;
        };
        let is_meant = |name: &String| {
            rest.strip_prefix(&**name)
                .is_some_and(|end| end.starts_with('}'))
        };
        if !names.iter().any(is_meant) {
            let meant = rest.split('}').next().unwrap_or_default();
            let message =
                format!("{word:?} asks for the port of {meant:?}, which is none of the names");
            return Err(Failure::Usage(message));
        }
    }
    Ok(())
}

fn fill_in(word: &OsStr, guards: &[PortGuard]) -> OsString {
    // What is not text has no placeholders.
    let Some(text) = word.to_str() else {
        return word.to_owned();
    };
    let mut text = text.to_owned();
    for guard in guards {
        let (port, addr) = (guard.port().to_string(), guard.addr().to_string());
        let id = guard.id().expect("each has one of the names");
        text = replace(&text, &format!("{{port:{id}}}"), &port);
        text = replace(&text, &format!("{{addr:{id}}}"), &addr);
    }
    let (port, addr) = (guards[0].port().to_string(), guards[0].addr().to_string());
    text = replace(&text, "{port}", &port);
    replace(&text, "{addr}", &addr).into()
}

/// As `str::replace`, but `${port}` is a variable of a shell.
fn replace(text: &str, placeholder: &str, value: &str) -> String {
    let mut filled = String::new();
    let mut parts = text.split(placeholder);
    filled += parts.next().unwrap_or_default();
    for part in parts {
        let is_shells = filled.ends_with('$');
        filled += if is_shells { placeholder } else { value };
        filled += part;
    }
    filled
}
