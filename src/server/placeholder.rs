//! Ports, addresses and a folder in the text of a command, for the library and the command line tool.

use std::fmt;
use std::net::SocketAddr;
use std::path::Path;

/// What the placeholders of a text stand for.
pub struct Values<'a> {
    /// `{port}`, `{addr}` and `{port+N}`.
    pub own: SocketAddr,
    /// `{port:ID}` and `{addr:ID}`.
    pub of: &'a dyn Fn(&str) -> Option<SocketAddr>,
    /// `{dir}`.
    pub dir: Option<&'a Path>,
}

impl fmt::Debug for Values<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Values")
            .field("own", &self.own)
            .finish_non_exhaustive()
    }
}

/// Fills in `{port}`, `{addr}`, `{port+N}`, `{port:ID}`, `{addr:ID}` and `{dir}`.
///
/// What follows a `$` is a shell's, and what stands in `{{…}}` a template's: both pass unchanged, as do braces around
/// anything but a word of small letters.
///
/// # Errors
///
/// A sentence about the placeholder that cannot be filled in.
pub fn fill(text: &str, values: &Values<'_>) -> Result<String, String> {
    let mut filled = String::with_capacity(text.len());
    for part in Parts(text, false) {
        match part {
            Part::Text(text) => filled += text,
            Part::Placeholder(inside) => filled += &value(inside, values)?,
        }
    }
    Ok(filled)
}

/// The numbers N of `{port+N}` in the text.
pub(super) fn offsets(text: &str) -> impl Iterator<Item = u16> {
    Parts(text, false).filter_map(|part| match part {
        Part::Placeholder(inside) => inside.strip_prefix("port+")?.parse().ok(),
        Part::Text(_) => None,
    })
}

/// Whether the text mentions `{dir}`.
pub(super) fn mentions_dir(text: &str) -> bool {
    text.contains("{dir}")
}

enum Part<'a> {
    Text(&'a str),
    /// What stands between the braces.
    Placeholder(&'a str),
}

/// The rest of a text, and whether a `$` stands before it.
struct Parts<'a>(&'a str, bool);

impl<'a> Iterator for Parts<'a> {
    type Item = Part<'a>;

    fn next(&mut self) -> Option<Part<'a>> {
        let Self(rest, follows_dollar) = *self;
        let length = match rest.find('{') {
            None if rest.is_empty() => return None,
            None => rest.len(),
            Some(0) => passed(rest, follows_dollar),
            Some(at) => at,
        };
        if length > 0 {
            let (text, rest) = rest.split_at(length);
            *self = Self(rest, text.ends_with('$'));
            return Some(Part::Text(text));
        }
        let (inside, rest) = rest[1..].split_once('}').unwrap_or_default();
        *self = Self(rest, false);
        Some(Part::Placeholder(inside))
    }
}

/// How much of a text that begins with a brace passes unchanged; 0 for a placeholder.
fn passed(text: &str, is_shells: bool) -> usize {
    if let Some(inside) = text.strip_prefix("{{") {
        return inside.find("}}").map_or(2, |end| end + 4);
    }
    let Some((inside, _)) = text[1..].split_once('}') else {
        return 1;
    };
    let named = ["port:", "addr:", "port+", "addr+"];
    let is_word = !inside.is_empty() && inside.chars().all(|c| c.is_ascii_lowercase() || c == '_');
    if is_shells || !is_word && !named.iter().any(|name| inside.starts_with(name)) {
        return 1;
    }
    0
}

fn value(inside: &str, values: &Values<'_>) -> Result<String, String> {
    let of = |id: &str| {
        (values.of)(id).ok_or_else(|| {
            format!("`{{{inside}}}` asks for the port of {id:?}, which is none of the ids")
        })
    };
    let own = values.own;
    if let Some(id) = inside.strip_prefix("port:") {
        return Ok(of(id)?.port().to_string());
    }
    if let Some(id) = inside.strip_prefix("addr:") {
        return Ok(of(id)?.to_string());
    }
    if let Some(offset) = inside.strip_prefix("port+") {
        let port = offset
            .parse()
            .ok()
            .and_then(|offset| own.port().checked_add(offset));
        return port.map(|port| port.to_string()).ok_or_else(|| {
            format!(
                "`{{{inside}}}` is no port: {offset:?} has to be a number, and {} plus that at most 65535",
                own.port()
            )
        });
    }
    match (inside, values.dir) {
        ("port", _) => Ok(own.port().to_string()),
        ("addr", _) => Ok(own.to_string()),
        ("dir", Some(dir)) => Ok(dir.display().to_string()),
        _ => Err(format!(
            "`{{{inside}}}` is no placeholder; there are {{port}}, {{addr}}, {{port:ID}}, {{addr:ID}}, {{port+N}}{}; what \
             is meant literally is written `${{…}}` or `{{{{…}}}}`{}",
            if values.dir.is_some() {
                " and {dir}"
            } else {
                ""
            },
            if values.dir.is_some() {
                ", or is a `literal_arg`"
            } else {
                ""
            },
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(text: &str) -> Result<String, String> {
        let db = SocketAddr::from(([127, 0, 0, 1], 5432));
        fill(
            text,
            &Values {
                own: ([127, 0, 0, 1], 8000).into(),
                of: &|id| (id == "d b").then_some(db),
                dir: Some(Path::new("/tmp/x")),
            },
        )
    }

    #[test]
    fn placeholders_are_filled_in_and_other_braces_pass() {
        for (text, expected) in [
            ("", ""),
            ("--port={port}", "--port=8000"),
            ("{addr}{port}", "127.0.0.1:80008000"),
            ("{port:d b} {addr:d b}", "5432 127.0.0.1:5432"),
            ("{port+10000}", "18000"),
            ("{dir}/data", "/tmp/x/data"),
            ("${port} {port}", "${port} 8000"),
            ("{{port}} {{ x }} {port}", "{{port}} {{ x }} 8000"),
            ("{\"port\": {port}}", "{\"port\": 8000}"),
            ("{} {1} {A} {a: 1} {a b}", "{} {1} {A} {a: 1} {a b}"),
            ("{port", "{port"),
            ("{{port", "{{port"),
            ("é{port}é", "é8000é"),
        ] {
            assert_eq!(filled(text).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_looks_like_a_placeholder_and_is_none_is_named() {
        for text in [
            "{prot}",
            "{port:api}",
            "{addr:}",
            "{port+x}",
            "{port+65000}",
            "{a_b}",
            "{addr+1}",
        ] {
            let error = filled(&format!("--x={text}")).unwrap_err();
            assert!(error.contains(text), "{error}");
        }
    }
}
