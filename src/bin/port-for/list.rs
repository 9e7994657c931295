//! Telling who has which port: a table for people, JSON for programs.

use std::time::{SystemTime, UNIX_EPOCH};

use port_for::__cli::{self as cli, Seen, Uses, printable};
use port_for::ports::PortSet;
use port_for::{Assignment, Holder, PortFor};
use serde_json::{Value, json};

use crate::{Failure, age, note, print};

pub(crate) fn list(port_for: &PortFor, prefix: &str, as_json: bool) -> Result<(), Failure> {
    let mut assignments = port_for.assignments()?;
    assignments.retain(|found| found.id().starts_with(prefix));
    let ports: Vec<u16> = (assignments.iter())
        .flat_map(Assignment::ports)
        .copied()
        .collect();
    let mut uses = cli::uses(&ports).into_iter();
    let uses: Vec<_> = (assignments.iter())
        .map(|found| of_group(found, uses.by_ref().take(found.ports().len())))
        .collect();
    let servers = cli::shared_servers(port_for)?;
    let shared = |found: &Assignment| servers.iter().find(|server| server.key == found.id());
    let rows = assignments.iter().zip(&uses);
    if as_json {
        let rows = rows.map(|(found, uses)| {
            let mut object = object(Some(found.id()), found.port(), found.holder(), uses);
            object["ports"] = found.ports().into();
            object["last_used"] = found.last_used().map(seconds).into();
            object["shared"] = shared(found).map_or(Value::Null, |server| {
                object["state"] = "shared".into();
                json!({
                    "pid": server.server,
                    "users": server.users.iter().map(self::holder).collect::<Vec<_>>(),
                })
            });
            object
        });
        return print_json(&rows.collect());
    }
    if assignments.is_empty() {
        note(&format!(
            "no ports are assigned in `{}`",
            port_for.path().display()
        ));
        return Ok(());
    }
    let rows: Vec<_> = rows
        .map(|(found, uses)| cells(found, shared(found), uses))
        .collect();
    let width = terminal_size::terminal_size().map(|(width, _)| usize::from(width.0));
    print(table(&rows, width).as_bytes())
}

pub(crate) fn who(port_for: &PortFor, which: &str, as_json: bool) -> Result<(), Failure> {
    let port = number_of(port_for, which)?;
    let who = cli::who(port_for, port)?;
    if as_json {
        return print_json(&object(
            who.id.as_deref(),
            port,
            who.holder.as_ref(),
            &who.uses,
        ));
    }
    let mut lines = vec![
        match &who.id {
            Some(id) => format!("port {port} is assigned to `{id}`"),
            None => format!("port {port} is assigned to no name"),
        },
        match &who.holder {
            Some(holder) => format!("held by {holder}"),
            None => "not held".to_owned(),
        },
    ];
    if who.uses.told.is_empty() {
        lines.push("no socket has it".to_owned());
    }
    lines.extend(who.uses.told);
    print(format!("{}\n", lines.join("\n")).as_bytes())
}

/// What has the ports of a group, and which of them.
fn of_group(found: &Assignment, uses: impl Iterator<Item = Uses>) -> Uses {
    let mut all = Uses::default();
    for (port, uses) in found.ports().iter().zip(uses) {
        let told = uses.told.into_iter().map(|told| match found.ports() {
            [_] => told,
            _ => format!("port {port}: {told}"),
        });
        all.told.extend(told);
        all.occupants.extend(uses.occupants);
    }
    all
}

/// A number, or a name that has a port.
fn number_of(port_for: &PortFor, which: &str) -> Result<u16, Failure> {
    if which.bytes().all(|byte| byte.is_ascii_digit()) {
        let port = which.parse().ok().filter(|&port: &u16| port > 0);
        return port.ok_or_else(|| {
            Failure::Usage(format!(
                "`--who {which}`: a port is a number from 1 to 65535"
            ))
        });
    }
    let assignments = port_for.assignments()?;
    let found = assignments.iter().find(|found| found.id() == which);
    found.map(Assignment::port).ok_or_else(|| {
        Failure::Could(format!(
            "`{which}` has no port; `port-for --list` shows those that have"
        ))
    })
}

fn print_json(value: &Value) -> Result<(), Failure> {
    print(format!("{value:#}\n").as_bytes())
}

/// The fields that `--help` documents.
fn object(id: Option<&str>, port: u16, holder: Option<&Holder>, uses: &Uses) -> Value {
    let occupants: Vec<_> = (uses.occupants)
        .iter()
        .map(|who| json!({ "pid": who.pid(), "command": who.command(), "user": who.user() }))
        .collect();
    json!({
        "id": id,
        "port": port,
        "state": state(holder, uses),
        "holder": holder.map(self::holder),
        "occupants": occupants,
        "uses": uses.told,
    })
}

fn holder(holder: &Holder) -> Value {
    json!({
        "pid": holder.pid(),
        "test": holder.test(),
        "command": holder.command(),
        "since": holder.since().map(seconds),
    })
}

fn state(holder: Option<&Holder>, uses: &Uses) -> &'static str {
    match holder {
        Some(_) => "held",
        None if uses.told.is_empty() => "free",
        None => "occupied",
    }
}

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs()
}

const COLUMNS: usize = 7;
const HEAD: [&str; COLUMNS] = [
    "ID",
    "PORT",
    "STATE",
    "SINCE",
    "LAST USED",
    "PID",
    "TEST OR COMMAND",
];
const TO_THE_RIGHT: [bool; COLUMNS] = [false, true, false, false, false, true, false];
/// What the last column has at least, and the first as well, however narrow the terminal is.
const NARROWEST: usize = 16;

/// In the last column: `2 users: api::lists, api::logs_in`.
fn users(server: &Seen) -> String {
    let users = server.users.iter();
    let names: Vec<_> = users
        .map(|user| user.test().unwrap_or(without_folder(user.command())))
        .collect();
    match &names[..] {
        [] => "no user".to_owned(),
        [one] => format!("1 user: {one}"),
        all => format!("{} users: {}", all.len(), all.join(", ")),
    }
}

fn cells(found: &Assignment, shared: Option<&Seen>, uses: &Uses) -> [String; COLUMNS] {
    let (pid, who) = match (found.holder(), uses.occupants.first()) {
        (Some(holder), _) => {
            let command = without_folder(holder.command());
            (holder.pid(), holder.test().unwrap_or(command))
        }
        (None, Some(occupant)) => (Some(occupant.pid()), without_folder(occupant.command())),
        (None, None) => (None, uses.told.first().map_or("", String::as_str)),
    };
    [
        found.id().to_owned(),
        found
            .ports()
            .iter()
            .copied()
            .collect::<PortSet>()
            .to_string(),
        match shared {
            Some(_) => "shared".to_owned(),
            None => state(found.holder(), uses).to_owned(),
        },
        found
            .holder()
            .and_then(Holder::since)
            .map(age::ago)
            .unwrap_or_default(),
        found
            .last_used()
            .map_or_else(|| "unknown".to_owned(), age::ago),
        pid.map(|pid| pid.to_string()).unwrap_or_default(),
        printable(&shared.map_or_else(|| who.to_owned(), users)),
    ]
}

/// The command line without the folder of its program, which is often most of it.
fn without_folder(command: &str) -> &str {
    let program = command.split(' ').next().unwrap_or_default();
    let folder = program.rfind(['/', '\\']).map_or(0, |last| last + 1);
    &command[folder..]
}

/// The rows below their head, each column as wide as its widest cell. On a terminal of a certain width, the first and
/// the last column give way.
fn table(rows: &[[String; COLUMNS]], terminal: Option<usize>) -> String {
    let head = HEAD.map(str::to_owned);
    let mut widths = [0; COLUMNS];
    for row in rows.iter().chain([&head]) {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    if let Some(terminal) = terminal {
        let all = widths.iter().sum::<usize>() + 2 * (COLUMNS - 1);
        let mut excess = all.saturating_sub(terminal);
        for column in [COLUMNS - 1, 0] {
            let cut = excess.min(widths[column].saturating_sub(NARROWEST));
            widths[column] -= cut;
            excess -= cut;
        }
    }
    let mut text = String::new();
    for row in [&head].into_iter().chain(rows) {
        let line: Vec<_> = (0..COLUMNS)
            .map(|column| {
                let width = widths[column];
                let cell = shorten(&row[column], width, column);
                if TO_THE_RIGHT[column] {
                    format!("{cell:>width$}")
                } else {
                    format!("{cell:width$}")
                }
            })
            .collect();
        text += line.join("  ").trim_end();
        text.push('\n');
    }
    text
}

/// Leaves out what is too much: the middle of an id, of which both ends tell something, the end of all else.
fn shorten(cell: &str, width: usize, column: usize) -> String {
    let count = cell.chars().count();
    if count <= width {
        return cell.to_owned();
    }
    let room = width.saturating_sub(1);
    let tail = if column == 0 { room / 2 } else { 0 };
    let (head, tail) = (
        cell.chars().take(room - tail),
        cell.chars().skip(count - tail),
    );
    head.chain(['…']).chain(tail).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(id: &str, port: &str, who: &str) -> [String; COLUMNS] {
        [id, port, "held", "12 s ago", "3 min ago", "4242", who].map(str::to_owned)
    }

    #[test]
    fn columns_are_aligned_and_no_line_ends_in_spaces() {
        let text = table(
            &[
                row("api", "20123", "login::works"),
                row("an/other", "80", ""),
            ],
            None,
        );
        assert_eq!(
            text,
            "ID         PORT  STATE  SINCE     LAST USED   PID  TEST OR COMMAND\n\
             api       20123  held   12 s ago  3 min ago  4242  login::works\n\
             an/other     80  held   12 s ago  3 min ago  4242\n"
        );
    }

    #[test]
    fn on_a_terminal_no_line_is_wider_than_it() {
        let rows = [
            row(&"é".repeat(255), "20123", &"x".repeat(300)),
            row("api", "1", ""),
        ];
        for terminal in [80, 100, 200] {
            let text = table(&rows, Some(terminal));
            let widest = text.lines().map(|line| line.chars().count()).max();
            assert_eq!(widest, Some(terminal), "{text}");
        }
        assert!(table(&rows, Some(10)).lines().count() == 3);
        assert!(table(&rows, None).contains(&"x".repeat(300)));
    }

    #[test]
    fn a_cell_that_is_too_long_is_cut() {
        assert_eq!(shorten("my_crate::login", 9, 0), "my_c…ogin");
        assert_eq!(shorten("redis-server *:80", 9, 6), "redis-se…");
        for column in [0, 6] {
            assert_eq!(shorten("abc", 3, column), "abc");
            assert_eq!(shorten("abc", 1, column), "…");
        }
    }

    #[test]
    fn a_command_is_told_without_its_folder() {
        for (command, told) in [
            ("/usr/bin/redis-server *:80", "redis-server *:80"),
            ("sh -c /bin/true", "sh -c /bin/true"),
            ("C:\\bin\\x.exe a", "x.exe a"),
            ("", ""),
        ] {
            assert_eq!(without_folder(command), told);
        }
    }
}
