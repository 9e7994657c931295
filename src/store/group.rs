//! Groups of ports in the store: members stand there as assignments of their own, `cluster+1` beside `cluster`, one above it.

use super::snapshot::Snapshot;
use crate::group::{self, member};

impl Snapshot {
    /// The port of an id, and how far above it the other ports of its group are.
    pub(crate) fn group_of(&self, id: &str) -> Option<(u16, Vec<u16>)> {
        let at = self.find(id).ok()?;
        let port = self.ports[at].1;
        let behind = &self.ports[at + 1..];
        let mut offsets = Vec::new();
        // Behind the id stand those that begin with it, by the next byte: the members are in one place among them.
        let next = |of: usize| self.id(behind[of].0).strip_prefix(id)?.bytes().next();
        if behind.is_empty() || next(0).is_none() {
            return Some((port, offsets));
        }
        let first = behind.partition_point(|&(span, _)| {
            let rest = self.id(span).strip_prefix(id);
            rest.and_then(|rest| rest.bytes().next())
                .is_some_and(|byte| byte < b'+')
        });
        for &(span, other) in &behind[first..] {
            let Some(digits) = self
                .id(span)
                .strip_prefix(id)
                .and_then(|rest| rest.strip_prefix('+'))
            else {
                break;
            };
            offsets.extend(
                group::offset(digits).filter(|&offset| port.checked_add(offset) == Some(other)),
            );
        }
        offsets.sort_unstable();
        Some((port, offsets))
    }

    /// The id whose group the id is a member of.
    pub(crate) fn leader_of<'a>(&self, id: &'a str) -> Option<&'a str> {
        let port = self.port_of(id)?;
        self.leader_at(id, port)
    }

    /// The id whose group an id would be a member of, with that port.
    pub(crate) fn leader_at<'a>(&self, id: &'a str, port: u16) -> Option<&'a str> {
        let (leader, offset) = group::split(id)?;
        let first = self.port_of(leader)?;
        (first.checked_add(offset) == Some(port)).then_some(leader)
    }

    /// Ids with their ports, the one that they are asked for by first; sorted by id.
    pub(crate) fn groups(&self) -> impl Iterator<Item = (&str, Vec<u16>)> {
        let leaders = self
            .iter()
            .filter(|&(id, port)| self.leader_at(id, port).is_none());
        leaders.map(|(id, port)| {
            let offsets = self.group_of(id).map(|(_, offsets)| offsets);
            let others = offsets.into_iter().flatten().map(|offset| port + offset);
            (id, std::iter::once(port).chain(others).collect())
        })
    }

    /// What the ports of a group are called.
    pub(crate) fn members_of(id: &str, ports: &[u16]) -> Vec<String> {
        let names = ports
            .iter()
            .map(|port| member(id, port - ports[0]).into_owned());
        names.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::text::parse;
    use super::*;

    fn store(ports: &[(&str, u16)]) -> Snapshot {
        let ports: Vec<_> = (ports.iter())
            .map(|(id, port)| format!("{id:?}: {port}"))
            .collect();
        parse(format!(r#"{{"version": 1, "ports": {{{}}}}}"#, ports.join(",")).into()).unwrap()
    }

    #[test]
    fn members_are_those_at_the_distance_that_their_names_say() {
        let all = store(&[
            ("a", 100),
            ("a b", 7),
            ("a#c", 8),
            ("a+1", 101),
            ("a+10", 110),
            ("a+2", 102),
            ("a+3", 999),
            ("a+x", 9),
            ("a+04", 104),
            ("ab", 10),
            ("b+1", 11),
        ]);
        assert_eq!(all.group_of("a"), Some((100, vec![1, 2, 10])));
        assert_eq!(all.group_of("ab"), Some((10, vec![])));
        assert_eq!(all.group_of("b"), None);
        assert_eq!(all.leader_of("a+10"), Some("a"));
        for id in ["a", "a+3", "a+x", "a+04", "b+1", "none"] {
            assert_eq!(all.leader_of(id), None, "{id}");
        }
        let groups: Vec<_> = all.groups().map(|(id, ports)| (id, ports.len())).collect();
        assert_eq!(groups[..4], [("a", 4), ("a b", 1), ("a#c", 1), ("a+04", 1)]);
        assert_eq!(groups.len(), 8);
    }
}
