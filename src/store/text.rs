//! The text of a store's file.

use std::fmt;

use serde_core::de::{self, Deserializer, MapAccess, Visitor};
use serde_core::ser::{Serialize, SerializeMap, Serializer};

use super::snapshot::{Snapshot, Span, find};
use crate::id::{MAX_ID, MAX_NAMESPACE, broken_rule, broken_rule_of_plain};

/// The version of the store's format that this crate reads and writes.
const VERSION: u64 = 1;

pub(crate) fn print(snapshot: &Snapshot) -> Vec<u8> {
    let mut text = serde_json::to_vec_pretty(snapshot)
        .expect("a map of strings to numbers, written to memory, has nothing that can fail");
    text.push(b'\n');
    text
}

/// So that a [`Span`] can name any place in the text, and behind it.
const LONGEST: usize = 1 << 31;

pub(crate) fn parse(text: Vec<u8>) -> Result<Snapshot, serde_json::Error> {
    // All of it at once, which is faster than id by id.
    let text = String::from_utf8(text).map_err(|error| {
        let valid = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let lines: Vec<_> = valid.split(|&byte| byte == b'\n').collect();
        let (line, column) = (lines.len(), lines.last().map_or(0, |line| line.len()) + 1);
        de::Error::custom(format_args!("no UTF-8 at line {line} column {column}"))
    })?;
    if text.len() > LONGEST {
        return Err(de::Error::custom("it has more than two gigabytes"));
    }
    let mut reader = serde_json::Deserializer::from_str(&text);
    let Reading { others, ports, .. } = reader.deserialize_map(Root(&text))?;
    reader.end()?;
    let mut ids = text;
    ids.push_str(&others);
    Ok(Snapshot { ids, ports })
}

/// The whole of the text.
struct Root<'a>(&'a str);

impl<'a, 'de: 'a> Visitor<'de> for Root<'a> {
    type Value = Reading<'a>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a store: `{\"version\": 1, \"ports\": {…}}`")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Reading<'a>, A::Error> {
        let (mut version, mut ports) = (None, None);
        while let Some(field) = map.next_key::<String>()? {
            let again = match &*field {
                "version" => version.replace(map.next_value::<Version>()?).is_some(),
                "ports" => {
                    let reading = Reading::of(self.0);
                    ports.replace(map.next_value_seed(reading)?).is_some()
                }
                _ => return Err(de::Error::unknown_field(&field, &["version", "ports"])),
            };
            if again {
                return Err(de::Error::custom(format_args!("`{field}` is there twice")));
            }
        }
        version.ok_or_else(|| de::Error::missing_field("version"))?;
        ports.ok_or_else(|| de::Error::missing_field("ports"))
    }
}

/// The version, which is the one that we know.
struct Version;

impl<'de> de::Deserialize<'de> for Version {
    fn deserialize<D: Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        match u64::deserialize(reader)? {
            VERSION => Ok(Self),
            other => Err(de::Error::custom(format_args!(
                "version {other} of the format is not known here, only {VERSION} is: another release of `port-for` \
                 wrote it"
            ))),
        }
    }
}

impl Serialize for Snapshot {
    fn serialize<S: Serializer>(&self, writer: S) -> Result<S::Ok, S::Error> {
        struct Ports<'a>(&'a Snapshot);

        impl Serialize for Ports<'_> {
            fn serialize<S: Serializer>(&self, writer: S) -> Result<S::Ok, S::Error> {
                writer.collect_map(self.0.iter())
            }
        }

        let mut root = writer.serialize_map(Some(2))?;
        root.serialize_entry("version", &VERSION)?;
        root.serialize_entry("ports", &Ports(self))?;
        root.end()
    }
}

/// A snapshot of which the text is still being read.
struct Reading<'a> {
    text: &'a str,
    /// Whether what stands in the text as it is cannot be a control character: there is nothing but ASCII in it, of which
    /// JSON lets only one stand there.
    is_plain: bool,
    /// The ids that are not in the text as they are, but with escapes. Their spans begin behind the text.
    others: String,
    ports: Vec<(Span, u16)>,
}

impl<'a> Reading<'a> {
    fn of(text: &'a str) -> Self {
        let highest = text.bytes().fold(0, u8::max);
        Self {
            text,
            is_plain: highest < 0x7f,
            others: String::new(),
            ports: Vec::new(),
        }
    }

    fn id(&self, span: Span) -> &str {
        match (span.start as usize).checked_sub(self.text.len()) {
            None => span.of(self.text),
            Some(start) => &self.others[start..start + usize::from(span.len)],
        }
    }
}

impl<'a, 'de: 'a> de::DeserializeSeed<'de> for Reading<'a> {
    type Value = Self;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Self, D::Error> {
        reader.deserialize_map(self)
    }
}

impl<'a, 'de: 'a> Visitor<'de> for Reading<'a> {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map of ids to ports")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<Self, A::Error> {
        // A bit a port: a whole byte would cost more than most stores' text.
        let mut seen = [0_u64; 1 << 10];
        while let Some(span) = map.next_key_seed(Id(&mut self))? {
            let Port(port) = map.next_value()?;
            let id = self.id(span);
            let (word, bit) = (&mut seen[usize::from(port / 64)], 1 << (port % 64));
            let is_again = *word & bit != 0;
            *word |= bit;
            if is_again {
                let other = self.ports.iter().find(|&&(_, other)| other == port);
                let other = other.map_or("", |&(span, _)| self.id(span));
                return Err(de::Error::custom(format_args!(
                    "`{id}` has port {port}, which `{other}` has already"
                )));
            }
            match find(&self.ports, |span| self.id(span), id) {
                Ok(_) => {
                    return Err(de::Error::custom(format_args!("`{id}` is there twice")));
                }
                Err(at) => self.ports.insert(at, (span, port)),
            }
        }
        Ok(self)
    }
}

/// An id, and where it is.
struct Id<'a, 'r>(&'r mut Reading<'a>);

impl<'a, 'de: 'a> de::DeserializeSeed<'de> for Id<'a, '_> {
    type Value = Span;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Span, D::Error> {
        reader.deserialize_str(self)
    }
}

impl<'a, 'de: 'a> Visitor<'de> for Id<'a, '_> {
    type Value = Span;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an id")
    }

    fn visit_borrowed_str<E: de::Error>(self, id: &'de str) -> Result<Span, E> {
        check(id, self.0.is_plain)?;
        // It is a slice of the text.
        Ok(Span::new(
            id.as_ptr().addr() - self.0.text.as_ptr().addr(),
            id,
        ))
    }

    fn visit_str<E: de::Error>(self, id: &str) -> Result<Span, E> {
        check(id, false)?;
        let span = Span::new(self.0.text.len() + self.0.others.len(), id);
        self.0.others.push_str(id);
        Ok(span)
    }
}

fn check<E: de::Error>(id: &str, is_plain: bool) -> Result<(), E> {
    // A member of a group has the group's id and its own offset.
    const MAX: usize = MAX_NAMESPACE + 1 + MAX_ID + "+65535".len();
    let broken = if is_plain {
        broken_rule_of_plain(id, MAX)
    } else {
        broken_rule(id, MAX)
    };
    match broken {
        None => Ok(()),
        Some(rule) => Err(E::custom(format_args!("{id:?} cannot be an id: {rule}"))),
    }
}

/// A number from 1 to 65535.
struct Port(u16);

impl<'de> de::Deserialize<'de> for Port {
    fn deserialize<D: Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        struct Number;

        impl Visitor<'_> for Number {
            type Value = Port;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a port from 1 to 65535")
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Port, E> {
                match u16::try_from(number) {
                    Ok(port) if port > 0 => Ok(Port(port)),
                    _ => Err(E::invalid_value(de::Unexpected::Unsigned(number), &self)),
                }
            }
        }

        reader.deserialize_u64(Number)
    }
}
