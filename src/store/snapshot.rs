//! The assignments at one moment, in memory.

/// What the assignments were at one moment, sorted by id. No id and no port is there twice.
#[derive(Debug, Default)]
pub(crate) struct Snapshot {
    // One text and one list, rather than a text for each id: the first guard of every process reads the whole store,
    // and a change copies it. Sorted, as the file is: reading is appending, and looking up is bisecting.
    /// What was read, where most ids stand as they are; behind it those that do not, or came later.
    pub(super) ids: String,
    pub(super) ports: Vec<(Span, u16)>,
}

/// A part of a snapshot's `ids`: from which byte on, and how many. An id has no more than 4,358.
#[derive(Debug, Clone, Copy)]
pub(super) struct Span {
    pub(super) start: u32,
    pub(super) len: u16,
}

impl Snapshot {
    pub(crate) fn port_of(&self, id: &str) -> Option<u16> {
        self.find(id).ok().map(|at| self.ports[at].1)
    }

    pub(crate) fn id_of(&self, port: u16) -> Option<&str> {
        self.iter()
            .find(|&(_, assigned)| assigned == port)
            .map(|(id, _)| id)
    }

    /// Ids and their ports, sorted by id.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, u16)> {
        self.ports.iter().map(|&(id, port)| (self.id(id), port))
    }

    pub(super) fn id(&self, span: Span) -> &str {
        span.of(&self.ids)
    }

    pub(super) fn find(&self, id: &str) -> Result<usize, usize> {
        find(&self.ports, |span| self.id(span), id)
    }
}

/// With nothing but the ids in its text: what a chain of changes leaves there of removed ones does not add up.
impl Clone for Snapshot {
    fn clone(&self) -> Self {
        let mut ids =
            String::with_capacity(self.ports.iter().map(|(id, _)| usize::from(id.len)).sum());
        let ports = self.iter().map(|(id, port)| (append(&mut ids, id), port));
        Self {
            ports: ports.collect(),
            ids,
        }
    }
}

pub(super) fn append(text: &mut String, id: &str) -> Span {
    let span = Span::new(text.len(), id);
    text.push_str(id);
    span
}

impl Span {
    pub(super) fn new(start: usize, id: &str) -> Self {
        Self {
            start: u32::try_from(start)
                .expect("no longer text is read, and what is added is short"),
            len: u16::try_from(id.len()).expect("an id is short"),
        }
    }

    pub(super) fn of(self, text: &str) -> &str {
        let start = self.start as usize;
        &text[start..start + usize::from(self.len)]
    }
}

/// Where `id` is among the sorted ids, or would be.
pub(super) fn find<'a>(
    ports: &[(Span, u16)],
    id_of: impl Fn(Span) -> &'a str,
    id: &str,
) -> Result<usize, usize> {
    // The end first: that is where each id of a sorted file goes.
    match ports.last() {
        Some(&(last, _)) if id_of(last) < id => Err(ports.len()),
        _ => ports.binary_search_by(|&(other, _)| id_of(other).cmp(id)),
    }
}
