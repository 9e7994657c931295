//! A host that is none.

use std::convert::Infallible;
use std::error::Error;
use std::fmt;

/// A text that is neither an IP address nor `localhost`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ParseHostError {
    text: String,
}

impl ParseHostError {
    pub(crate) fn new(text: &str) -> Self {
        Self {
            text: text.to_owned(),
        }
    }
}

impl fmt::Display for ParseHostError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:?} is no IP address, and names are not looked up; use an address of this machine, such as \"127.0.0.1\" or \
             \"::\", or \"localhost\"",
            self.text
        )
    }
}

impl Error for ParseHostError {}

/// An address cannot be a wrong host.
impl From<Infallible> for ParseHostError {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}
