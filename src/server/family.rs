//! The processes that a server consists of: its child, the child's descendants, and their process group.

use std::collections::HashSet;

use crate::who::{self, Process};

/// Those of `roots`, their descendants, and the members of `group`, that are alive.
pub(super) fn members(roots: &HashSet<u32>, group: Option<u32>) -> HashSet<u32> {
    members_of(&who::processes(), roots, group)
}

fn members_of(table: &[Process], roots: &HashSet<u32>, group: Option<u32>) -> HashSet<u32> {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(pid: u32, parent: u32, group: u32) -> Process {
        Process {
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

    #[test]
    fn this_process_is_in_the_table() {
        let us = std::process::id();
        assert!(members(&HashSet::from([us]), None).contains(&us));
    }
}
