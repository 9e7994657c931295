//! Sets of ports as people write them: `2000-3000,4001,4003`.

use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use super::PortSet;

/// Items between commas, each a port or a range `first-last`, with spaces where you like.
///
/// ```
/// use port_for::PortSet;
///
/// let ports: PortSet = " 4003, 2000 - 3000, 2500-3500 ".parse()?;
/// assert_eq!(ports.to_string(), "2000-3500,4003");
/// # Ok::<(), port_for::ports::ParsePortSetError>(())
/// ```
impl FromStr for PortSet {
    type Err = ParsePortSetError;

    fn from_str(text: &str) -> Result<Self, ParsePortSetError> {
        let runs: Result<_, Fault> = text.split(',').map(|item| run(item.trim())).collect();
        runs.map(PortSet::from_runs)
            .map_err(|(part, reason)| ParsePortSetError {
                text: text.to_owned(),
                // Parts are slices of the text.
                start: part.as_ptr().addr() - text.as_ptr().addr(),
                len: part.len(),
                reason,
            })
    }
}

/// What is wrong, and with which part of the text.
type Fault<'a> = (&'a str, Reason);

fn run(item: &str) -> Result<(u16, u16), Fault<'_>> {
    let Some((first, last)) = item.split_once('-') else {
        return port(item).map(|port| (port, port));
    };
    let (first, last) = (first.trim(), last.trim());
    if first.is_empty() || last.is_empty() {
        return Err((item, Reason::OpenRange));
    }
    let (first, last) = (port(first)?, port(last)?);
    if first > last {
        return Err((item, Reason::Backwards { first, last }));
    }
    Ok((first, last))
}

fn port(item: &str) -> Result<u16, Fault<'_>> {
    if item.is_empty() {
        return Err((item, Reason::Missing));
    }
    // u16's own parser would take "+80" too.
    if !item.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err((item, Reason::NotANumber));
    }
    match item.parse() {
        Ok(0) => Err((item, Reason::Zero)),
        Ok(port) => Ok(port),
        Err(_) => Err((item, Reason::TooHigh)),
    }
}

/// As [`FromStr`] reads it: the fewest items, ascending, without spaces. An empty set gives an empty
/// text, which alone does not parse.
impl fmt::Display for PortSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for range in self.ranges() {
            let (first, last) = range.into_inner();
            write!(f, "{separator}{first}")?;
            if first < last {
                write!(f, "-{last}")?;
            }
            separator = ",";
        }
        Ok(())
    }
}

/// Why a text is not a [`PortSet`].
///
/// The message is one line, fit to be part of another:
///
/// ```
/// use port_for::PortSet;
///
/// let error = "8000, 9-b".parse::<PortSet>().unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     r#"in "8000, 9-b", column 9: "b" is not a number; valid are ports from 1 to 65535 and ranges of them, such as "2000-3000,4001""#,
/// );
/// assert_eq!(error.span(), 8..9);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParsePortSetError {
    text: String,
    start: usize,
    len: usize,
    reason: Reason,
}

impl ParsePortSetError {
    /// The text that did not parse.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Where in [`text`](Self::text) the mistake is, in bytes; empty where something is missing.
    #[must_use]
    pub fn span(&self) -> Range<usize> {
        self.start..self.start + self.len
    }

    fn part(&self) -> &str {
        &self.text[self.span()]
    }

    /// In characters, from 1, as editors count.
    fn column(&self) -> usize {
        self.text[..self.start].chars().count() + 1
    }
}

impl fmt::Display for ParsePortSetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "in {:?}, column {}: {}; valid are ports from 1 to 65535 and ranges of them, such as \"2000-3000,4001\"",
            self.text,
            self.column(),
            self.reason.about(self.part()),
        )
    }
}

impl std::error::Error for ParsePortSetError {}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reason {
    Missing,
    NotANumber,
    Zero,
    TooHigh,
    OpenRange,
    Backwards { first: u16, last: u16 },
}

impl Reason {
    fn about(self, part: &str) -> String {
        match self {
            Reason::Missing => "a port is missing".to_owned(),
            Reason::NotANumber => format!("{part:?} is not a number"),
            Reason::Zero => format!("{part:?} is not a port"),
            Reason::TooHigh => format!("{part:?} is too high"),
            Reason::OpenRange => format!("the range {part:?} lacks one of its ends"),
            Reason::Backwards { first, last } => {
                format!("the range {part:?} runs backwards, write \"{last}-{first}\"")
            }
        }
    }
}
