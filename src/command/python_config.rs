//! Reading the INI file in which Python's `port-for` remembers its ports.
//!
//! ```ini
//! [DEFAULT]
//! foo = 37987
//! example.com/apache = 35456
//! ```

use std::collections::HashMap;
use std::fmt;

use crate::id::{MAX_ID, broken_rule};

/// An assignment that the file has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Where it is, from 1.
    pub line: usize,
    /// In lower case, as Python reads it.
    pub id: String,
    /// From 1 to 65535.
    pub port: u16,
}

/// Why a line cannot be imported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Which line, from 1.
    pub line: usize,
    /// A sentence about it.
    pub what: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.what)
    }
}

/// The assignments of the text, of the file itself or of a saved list, and what is wrong with it, in the order of the lines. Only where nothing is wrong is
/// the first part everything.
///
/// Reads what Python's `ConfigParser` reads, as far as that gives a port in the end.
#[must_use]
pub fn parse(text: &str) -> (Vec<Entry>, Vec<Fault>) {
    // Editors of some systems begin a file with this mark.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    // All kinds of line ends are lines' ends to Python.
    let text = text.replace("\r\n", "\n");
    let mut reader = Reader {
        inside: is_list(&text),
        ..Reader::default()
    };
    for (nth, line) in text.split(['\n', '\r']).enumerate() {
        if let Err(what) = reader.read(nth + 1, line) {
            let line = nth + 1;
            reader.faults.push(Fault { line, what });
        }
    }
    (reader.entries, reader.faults)
}

/// Whether it is what Python's `port-for --list` prints, saved: lines such as `foo: 37987`, and no section.
fn is_list(text: &str) -> bool {
    let is_entry = |line: &str| {
        let value = line.split_once(": ").map(|(_, value)| value.trim());
        value.is_some_and(|value| {
            !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit())
        }) && !line.starts_with(char::is_whitespace)
    };
    let mut lines = text
        .lines()
        .filter(|line| !line.trim().is_empty())
        .peekable();
    lines.peek().is_some() && lines.all(is_entry)
}

#[derive(Default)]
struct Reader {
    /// The section's header was there.
    inside: bool,
    /// How far the option above is indented; a line that is indented further continues it.
    indent: Option<usize>,
    /// Where each id and each port was first.
    ids: HashMap<String, usize>,
    ports: HashMap<u16, usize>,
    entries: Vec<Entry>,
    faults: Vec<Fault>,
}

impl Reader {
    fn read(&mut self, number: usize, line: &str) -> Result<(), String> {
        let content = line.trim();
        if content.is_empty() || content.starts_with(['#', ';']) {
            return Ok(());
        }
        let indent = line.chars().take_while(|c| c.is_whitespace()).count();
        if self.indent.is_some_and(|above| indent > above) {
            return Err(format!(
                "{content:?} is indented, and so continues the line above; remove the spaces before it"
            ));
        }
        if let Some(section) = content.strip_prefix('[') {
            self.indent = None;
            self.inside = true;
            // The name goes to the last bracket, and what is behind that is ignored.
            return match section.rsplit_once(']') {
                Some(("DEFAULT", _)) => Ok(()),
                _ => Err(format!("{content:?} begins a section other than [DEFAULT]")),
            };
        }
        self.indent = Some(indent);
        if !self.inside {
            // Once is enough.
            self.inside = true;
            return Err(format!("{content:?} stands before the section [DEFAULT]"));
        }
        let Some((name, value)) = content.split_once(['=', ':']) else {
            return Err(format!("{content:?} is not `name = port`"));
        };
        self.take(number, name.trim_end().to_lowercase(), value.trim())
    }

    fn take(&mut self, line: usize, id: String, value: &str) -> Result<(), String> {
        if let Some(rule) = broken_rule(&id, MAX_ID) {
            return Err(format!("{id:?} cannot be an id: {rule}"));
        }
        let digits = value.bytes().all(|byte| byte.is_ascii_digit());
        let port = match value.parse() {
            Ok(port) if digits && port > 0 => port,
            _ => return Err(format!("{value:?} is not a port from 1 to 65535")),
        };
        if let Some(first) = self.ids.get(&id) {
            return Err(format!("`{id}` is there already, in line {first}"));
        }
        if let Some(first) = self.ports.get(&port) {
            return Err(format!("port {port} is there already, in line {first}"));
        }
        self.ids.insert(id.clone(), line);
        self.ports.insert(port, line);
        self.entries.push(Entry { line, id, port });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the tests of the command do not come across.
    #[test]
    fn any_garbage_gives_sound_entries_and_faults_of_its_lines() {
        let mut random = fastrand::Rng::with_seed(7);
        let parts = [
            "[DEFAULT]",
            "[",
            "]",
            "a",
            "B",
            " = ",
            ":",
            "80",
            "81",
            "65536",
            "-",
            "\n",
            "\r\n",
            "\r",
            " ",
            "\t",
            "#",
            ";",
            "\0",
            "é",
            "\u{feff}",
            "İ",
        ];
        for _ in 0..20_000 {
            let count = random.usize(..40);
            let text: String = (0..count).map(|_| random.choice(parts).unwrap()).collect();
            let (entries, faults) = parse(&text);
            let last = text.split(['\n', '\r']).count();
            for entry in &entries {
                assert!((1..=last).contains(&entry.line), "{text:?}");
                assert!(
                    entry.port > 0 && broken_rule(&entry.id, MAX_ID).is_none(),
                    "{text:?}"
                );
                let same = |other: &&Entry| other.id == entry.id || other.port == entry.port;
                assert_eq!(entries.iter().filter(same).count(), 1, "{text:?}");
            }
            assert!(
                faults.iter().all(|fault| (1..=last).contains(&fault.line)),
                "{text:?}"
            );
            assert!(
                !faults.iter().any(|fault| fault.what.contains('\n')),
                "{text:?}"
            );
        }
    }
}
