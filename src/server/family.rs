//! The processes below another one.

use std::collections::HashSet;

use crate::who;

/// The children of a process, alive or dead.
pub(super) fn children(pid: u32) -> Vec<u32> {
    #[cfg(target_os = "linux")]
    if let Some(children) = crate::proc::children(pid) {
        return children;
    }
    let table = who::processes();
    let children = table.iter().filter(|process| process.parent == pid);
    children.map(|process| process.pid).collect()
}

/// The descendants of a process, alive or dead.
pub(super) fn below(pid: u32) -> HashSet<u32> {
    #[cfg(target_os = "linux")]
    if let Some(children) = crate::proc::children(pid) {
        let mut below = HashSet::new();
        let mut unseen = children;
        while let Some(pid) = unseen.pop() {
            if below.insert(pid) {
                unseen.extend(crate::proc::children(pid).unwrap_or_default());
            }
        }
        return below;
    }
    let mut below = members_of(&who::processes(), pid, None);
    below.remove(&pid);
    below
}

/// The process, its descendants, and the members of `group`, that are alive.
pub(super) fn members(root: u32, group: Option<u32>) -> HashSet<u32> {
    let table = who::processes();
    let mut family = members_of(&table, root, group);
    for process in table.iter().filter(|process| process.dead) {
        family.remove(&process.pid);
    }
    family
}

fn members_of(table: &[who::Process], root: u32, group: Option<u32>) -> HashSet<u32> {
    let mut family: HashSet<u32> = table
        .iter()
        .filter(|process| process.pid == root || Some(process.group) == group)
        .map(|process| process.pid)
        .collect();
    // The table is in no order of age: numbers begin again from below.
    loop {
        let known = family.len();
        for process in table {
            if family.contains(&process.parent) {
                family.insert(process.pid);
            }
        }
        if family.len() == known {
            return family;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::who::Process;

    fn process(pid: u32, parent: u32, group: u32) -> Process {
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
            process(4, 9, 4),   // a grandchild, with a lower number than its parent
            process(9, 7, 9),   // a child with a group of its own
            process(7, 1, 5),   // the server
            process(8, 1, 5),   // of its group, and an orphan
            process(10, 1, 10), // a stranger
            process(11, 10, 10),
        ];
        assert_eq!(members_of(&table, 7, Some(5)), HashSet::from([4, 7, 8, 9]));
        assert_eq!(members_of(&table, 7, None), HashSet::from([4, 7, 9]));
    }

    #[test]
    fn children_are_below_their_parent() {
        let mut child = std::process::Command::new("sleep")
            .arg("60")
            .spawn()
            .unwrap();
        let us = std::process::id();
        assert!(children(us).contains(&child.id()));
        assert!(below(us).contains(&child.id()) && !below(us).contains(&us));
        assert!(members(us, None).contains(&child.id()));
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(!children(us).contains(&child.id()));
    }
}
