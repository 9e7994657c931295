//! The processes that a server consists of: its child, the child's descendants, and their process group.

use std::collections::HashSet;

/// A process, as the system's table has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Entry {
    pid: u32,
    parent: u32,
    group: u32,
    /// It has ended, and only its parent's question for its status is outstanding.
    dead: bool,
}

/// Those of `roots`, their descendants, and the members of `group`, that are alive.
pub(super) fn members(roots: &HashSet<u32>, group: Option<u32>) -> HashSet<u32> {
    members_of(&table(), roots, group)
}

fn members_of(table: &[Entry], roots: &HashSet<u32>, group: Option<u32>) -> HashSet<u32> {
    let mut family: HashSet<u32> = table
        .iter()
        .filter(|entry| roots.contains(&entry.pid) || Some(entry.group) == group)
        .map(|entry| entry.pid)
        .collect();
    // The table is in no order of age: numbers begin again from below.
    loop {
        let known = family.len();
        for entry in table {
            if family.contains(&entry.parent) {
                family.insert(entry.pid);
            }
        }
        if family.len() == known {
            break;
        }
    }
    for entry in table.iter().filter(|entry| entry.dead) {
        family.remove(&entry.pid);
    }
    family
}

#[cfg(target_os = "linux")]
fn table() -> Vec<Entry> {
    // Where there is no `/proc`, only the process group is known to be ours.
    let Ok(processes) = std::fs::read_dir("/proc") else {
        return Vec::new();
    };
    processes
        .flatten()
        .filter(|process| {
            let name = process.file_name();
            name.as_encoded_bytes().iter().all(u8::is_ascii_digit)
        })
        .filter_map(|process| {
            // Not there any more: it has ended meanwhile.
            let stat = std::fs::read(process.path().join("stat")).ok()?;
            parse(&String::from_utf8_lossy(&stat))
        })
        .collect()
}

/// A line of `/proc/…/stat`: `42 (name) S parent group …`.
#[cfg(target_os = "linux")]
fn parse(stat: &str) -> Option<Entry> {
    let (pid, rest) = stat.split_once(" (")?;
    // A name may have parentheses of its own.
    let (_, rest) = rest.rsplit_once(") ")?;
    let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
    let &[state, parent, group, ..] = fields.as_slice() else {
        return None;
    };
    // When the first thread has ended, the others may still run, with everything that is open.
    let threads = fields.get(17)?;
    Some(Entry {
        pid: pid.parse().ok()?,
        parent: parent.parse().ok()?,
        group: group.parse().ok()?,
        dead: matches!(state, "Z" | "X") && matches!(*threads, "0" | "1"),
    })
}

#[cfg(not(target_os = "linux"))]
fn table() -> Vec<Entry> {
    // The one way to the table that all of them have, and that needs no unsafe code.
    let listed = std::process::Command::new("ps")
        .args(["-A", "-o", "pid=,ppid=,pgid=,stat="])
        .stdin(std::process::Stdio::null())
        .output();
    // Without `ps`, only the process group is known to be ours.
    listed.map_or_else(
        |_| Vec::new(),
        |listed| {
            let text = String::from_utf8_lossy(&listed.stdout);
            text.lines().filter_map(parse).collect()
        },
    )
}

/// A line of `ps`: process, parent, group, state.
#[cfg(not(target_os = "linux"))]
fn parse(line: &str) -> Option<Entry> {
    let mut fields = line.split_ascii_whitespace();
    let mut number = || fields.next()?.parse().ok();
    let (pid, parent, group) = (number()?, number()?, number()?);
    Some(Entry {
        pid,
        parent,
        group,
        dead: fields.next()?.starts_with('Z'),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(pid: u32, parent: u32, group: u32) -> Entry {
        Entry {
            pid,
            parent,
            group,
            dead: false,
        }
    }

    #[test]
    fn a_family_is_the_child_its_descendants_and_its_group() {
        let table = [
            entry(4, 9, 4),   // a grandchild, with a lower number than its parent
            entry(9, 7, 9),   // a child with a group of its own
            entry(7, 1, 5),   // the server
            entry(8, 1, 5),   // of its group, and an orphan
            entry(10, 1, 10), // a stranger
            entry(11, 10, 10),
        ];
        let family = members_of(&table, &HashSet::from([7]), Some(5));
        assert_eq!(family, HashSet::from([4, 7, 8, 9]));
    }

    #[test]
    fn the_dead_are_not_of_the_family_but_their_children_are() {
        let mut dead = entry(7, 1, 7);
        dead.dead = true;
        let family = members_of(&[dead, entry(8, 7, 8)], &HashSet::from([7]), None);
        assert_eq!(family, HashSet::from([8]));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_process_is_read_whatever_its_name() {
        let stat = "42 (a) S (b) Z 7 5 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 99";
        let mut expected = entry(42, 7, 5);
        expected.dead = true;
        assert_eq!(parse(stat), Some(expected));
    }

    #[test]
    fn this_process_is_in_the_table() {
        let us = std::process::id();
        assert!(members(&HashSet::from([us]), None).contains(&us));
    }
}
