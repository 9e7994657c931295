//! Text for people: harmless on a terminal, durations as they are said.

use std::fmt;
use std::time::Duration;

/// The text without what would move a terminal's cursor.
pub(crate) fn printable(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect()
}

/// A port and, where there is one, its id: `api` (port 15571), or port 15571.
pub(crate) struct Subject<'a>(pub(crate) Option<&'a str>, pub(crate) u16);

impl fmt::Display for Subject<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self(Some(id), port) => write!(f, "`{id}` (port {port})"),
            Self(None, port) => write!(f, "port {port}"),
        }
    }
}

/// A word for a shell: as it is, or in quotes where a shell would change it.
pub(crate) struct ShellWord<'a>(pub(crate) &'a str);

impl fmt::Display for ShellWord<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(word) = self;
        let is_plain =
            |c: char| c.is_alphanumeric() || "/._-:,+@%".contains(c) || cfg!(windows) && c == '\\';
        if !word.is_empty() && word.chars().all(is_plain) {
            f.write_str(word)
        } else if cfg!(windows) {
            write!(f, "\"{word}\"")
        } else {
            write!(f, "'{}'", word.replace('\'', r"'\''"))
        }
    }
}

/// A duration as people say it: `0.2 s`, `12 s`, `3 min`.
pub(crate) struct Seconds(pub(crate) Duration);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_secs() {
            0..10 => write!(f, "{:.1} s", self.0.as_secs_f64()),
            seconds @ 10..120 => write!(f, "{seconds} s"),
            seconds @ 120..7200 => write!(f, "{} min", seconds / 60),
            seconds => write!(f, "{} h", seconds / 3600),
        }
    }
}

/// The text without what a terminal takes for commands: colours, titles, movements.
pub(crate) fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c != '\u{1b}' {
            plain.push(c);
            continue;
        }
        match chars.next() {
            Some('[') => {
                chars.by_ref().find(|c| ('@'..='~').contains(c));
            }
            Some(']' | 'P' | '^' | '_' | 'X') => {
                let mut is_escaped = false;
                chars.by_ref().find(|&c| {
                    let ends = c == '\u{7}' || is_escaped && c == '\\';
                    is_escaped = c == '\u{1b}';
                    ends
                });
            }
            Some(' '..='/') => {
                chars.by_ref().find(|c| ('0'..='~').contains(c));
            }
            _ => {}
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escape_sequences_are_removed_and_nothing_else() {
        for (text, expected) in [
            ("plain é", "plain é"),
            ("\u{1b}[32mre\u{1b}[0mady", "ready"),
            ("\u{1b}[1;31;48;5;12mred\u{1b}[K", "red"),
            ("\u{1b}]0;title\u{7}ready", "ready"),
            ("\u{1b}]8;;http://x\u{1b}\\link\u{1b}]8;;\u{1b}\\", "link"),
            ("\u{1b}(Bready", "ready"),
            ("\u{1b}7a\u{1b}8", "a"),
            ("cut \u{1b}[", "cut "),
        ] {
            assert_eq!(plain(text), expected);
        }
    }
}
