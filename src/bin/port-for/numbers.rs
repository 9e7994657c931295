//! The ports of names, as programs want them.

use port_for::{__cli as cli, PortFor};
use serde_json::{Value, json};

use crate::args::Args;
use crate::{Failure, print};

/// Assigns and prints the ports of the names.
pub(crate) fn tell(port_for: &PortFor, names: &[String], args: &Args) -> Result<(), Failure> {
    // What can be said against the call is said before a port is assigned.
    if let Some(format) = &args.format {
        line(format, "", 0)?;
    }
    if args.env {
        check(names, &variables(names))?;
    }
    let groups = cli::numbers(port_for, names, &args.wanted())?;
    let all = names.iter().zip(&groups);
    if args.json {
        let all: Value = all
            .map(|(name, ports)| json!({ "id": name, "port": ports[0], "ports": ports }))
            .collect();
        return print(format!("{all:#}\n").as_bytes());
    }
    let mut text = String::new();
    for (name, ports) in all {
        for port in ports {
            // As the store calls it.
            let name = match port - ports[0] {
                0 => name.clone(),
                above => format!("{name}+{above}"),
            };
            let line = match &args.format {
                Some(format) => line(format, &name, *port)?,
                None if args.env => format!("{}={port}", variable(&name)),
                None => port.to_string(),
            };
            text += &line;
            text.push('\n');
        }
    }
    print(text.as_bytes())
}

/// Prints the format for each name that has a port and begins so.
pub(crate) fn tell_listed(port_for: &PortFor, prefix: &str, format: &str) -> Result<(), Failure> {
    let mut text = String::new();
    for found in port_for.assignments()? {
        if found.id().starts_with(prefix) {
            text += &line(format, found.id(), found.port())?;
            text.push('\n');
        }
    }
    print(text.as_bytes())
}

/// `API_PORT` for `api`.
fn variable(name: &str) -> String {
    let name = in_capitals(name);
    // A variable does not begin with a digit.
    let digit = name.starts_with(|c: char| c.is_ascii_digit());
    format!("{}{name}_PORT", if digit { "_" } else { "" })
}

fn variables(names: &[String]) -> Vec<String> {
    names.iter().map(|name| variable(name)).collect()
}

/// The name as a part of a variable's: in capitals, with `_` for all but ASCII letters and digits.
pub(crate) fn in_capitals(name: &str) -> String {
    let plain = |c: char| {
        if c.is_ascii_alphanumeric() {
            c.to_ascii_uppercase()
        } else {
            '_'
        }
    };
    name.chars().map(plain).collect()
}

fn check(names: &[String], variables: &[String]) -> Result<(), Failure> {
    for (nth, variable) in variables.iter().enumerate() {
        let mut before = variables[..nth].iter();
        if let Some(other) = before.position(|other| other == variable) {
            return Err(Failure::Usage(format!(
                "`{}` and `{}` would both be the variable {variable}; rename one",
                names[other], names[nth]
            )));
        }
    }
    Ok(())
}

fn line(format: &str, name: &str, port: u16) -> Result<String, Failure> {
    let mut text = String::new();
    let mut rest = format;
    while let Some((before, behind)) = rest.split_once('{') {
        text += before;
        let word = behind.split('}').next().unwrap_or_default();
        let value = match word {
            "id" => name.to_owned(),
            "port" => port.to_string(),
            "addr" => format!("127.0.0.1:{port}"),
            other => {
                return Err(Failure::Usage(format!(
                    "in {format:?}, {{{other}}} is none of {{id}}, {{port}} and {{addr}}"
                )));
            }
        };
        text += &value;
        rest = behind.get(word.len() + 1..).unwrap_or_default();
    }
    Ok(text + rest)
}
