//! Validate the arguments of one attribute: each id and each option, by itself and beside the others.

use crate::args::{Arg, Args};
use proc_macro2::{Ident, Literal, TokenStream};
use quote::ToTokens;
use std::fmt::{self, Display};
use std::net::IpAddr;
use std::ops::RangeInclusive;
use syn::{Error, Expr, ExprLit, Lit, LitInt, LitStr, Path};

/// The most bytes that an id may have.
const ID_MAX: usize = 255;

/// Characters that are not seen, or change the direction of what is. `src/id.rs` has the same ones.
const UNSEEN: [RangeInclusive<char>; 6] = [
    '\u{ad}'..='\u{ad}',
    '\u{200b}'..='\u{200f}',
    '\u{202a}'..='\u{202e}',
    '\u{2060}'..='\u{2064}',
    '\u{2066}'..='\u{206f}',
    '\u{feff}'..='\u{feff}',
];

fn is_unseen(c: char) -> bool {
    UNSEEN.iter().any(|unseen| unseen.contains(&c))
}

/// Every option with an example of it, in the order that a message lists them.
const OPTIONS: [(&str, &str); 10] = [
    ("default", "default = 8080"),
    ("exact", "exact = 80"),
    ("ports", "ports = \"20000-20999,21500\""),
    ("host", "host = \"0.0.0.0\""),
    ("timeout", "timeout = \"5s\""),
    ("on_busy", "on_busy = \"fail\""),
    ("udp", "udp"),
    ("start", "start = redis()"),
    ("id", "id = format!(\"shard-{n}\")"),
    ("crate", "crate = path::to::port_for"),
];

/// Where the arguments stand; not everything is meant for both places.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Place {
    Function,
    Parameter,
}

#[derive(Default)]
pub(crate) struct Options {
    pub(crate) ids: Vec<Id>,
    /// A mistake, told already, leaves open how many ids were meant.
    pub(crate) ids_unclear: bool,
    pub(crate) krate: Option<Path>,
    pub(crate) request: Request,
}

pub(crate) enum Id {
    Literal(LitStr),
    Expr(Box<Expr>),
}

/// What is asked for beside the id.
#[derive(Clone, Default)]
pub(crate) struct Request {
    pub(crate) number: Option<Number>,
    pub(crate) ports: Option<Literal>,
    pub(crate) host: Option<Literal>,
    /// In milliseconds.
    pub(crate) timeout: Option<u64>,
    pub(crate) on_busy: Option<OnBusy>,
    pub(crate) udp: bool,
    /// The command of the server to start.
    pub(crate) start: Option<TokenStream>,
}

/// Each with the option's name, to point at.
#[derive(Clone)]
pub(crate) enum Number {
    Default(u16),
    Exact(u16, Ident),
}

#[derive(Clone, Copy)]
pub(crate) enum OnBusy {
    Wait,
    Fail,
    Move,
}

impl Request {
    /// What a parameter asks for goes before what the function asks for.
    pub(crate) fn or(self, function: &Self) -> Self {
        Self {
            number: self.number.or_else(|| function.number.clone()),
            ports: self.ports.or_else(|| function.ports.clone()),
            host: self.host.or_else(|| function.host.clone()),
            timeout: self.timeout.or(function.timeout),
            on_busy: self.on_busy.or(function.on_busy),
            udp: self.udp || function.udp,
            start: self.start.or_else(|| function.start.clone()),
        }
    }
}

/// Several mistakes, told together.
#[derive(Default)]
pub(crate) struct Errors(Option<Error>);

impl Errors {
    pub(crate) fn push(&mut self, error: Error) {
        match &mut self.0 {
            Some(errors) => errors.combine(error),
            none => *none = Some(error),
        }
    }

    /// On all of `tokens`.
    pub(crate) fn on(&mut self, tokens: impl ToTokens, message: impl Display) {
        self.push(Error::new_spanned(tokens, message));
    }

    pub(crate) fn keep<T>(&mut self, result: syn::Result<T>) -> Option<T> {
        result.map_err(|error| self.push(error)).ok()
    }

    pub(crate) fn finish(self) -> syn::Result<()> {
        self.0.map_or(Ok(()), Err)
    }
}

fn error<T>(tokens: impl ToTokens, message: impl Display) -> syn::Result<T> {
    Err(Error::new_spanned(tokens, message))
}

impl Options {
    pub(crate) fn validate(args: Args, place: Place, errors: &mut Errors) -> Self {
        let mut options = Self::default();
        let mut seen: Vec<Ident> = Vec::new();
        for arg in args.list {
            let (name, value) = match arg {
                Arg::Id(expr) => {
                    let id = match seen.first() {
                        None => id_literal(expr),
                        Some(first) => error(
                            &expr,
                            format_args!("an id stands before the options, here before `{first}`"),
                        ),
                    };
                    match errors.keep(id) {
                        Some(id) => options.ids.push(Id::Literal(id)),
                        None => options.ids_unclear = true,
                    }
                    continue;
                }
                Arg::Flag(name) => (name, None),
                Arg::Value(name, value) => (name, Some(value)),
            };
            let result = if seen.contains(&name) {
                error(&name, format_args!("`{name}` is given twice"))
            } else {
                options.set(&name, value, place)
            };
            errors.keep(result);
            seen.push(name);
        }
        if place == Place::Parameter {
            for second in options.ids.iter().skip(1) {
                errors.on(second, "a parameter has one id");
            }
        }
        options
    }

    fn set(&mut self, name: &Ident, value: Option<Expr>, place: Place) -> syn::Result<()> {
        let text = name.to_string();
        let Some((_, example)) = OPTIONS.iter().find(|(option, _)| text == *option) else {
            // A word alone may be a constant, meant as an id.
            self.ids_unclear |= value.is_none();
            return error(name, unknown(&text, value.is_none(), place));
        };
        if text == "udp" {
            if let Some(value) = value {
                return error(
                    value,
                    "`udp` takes no value; leave it out if it is not wanted",
                );
            }
            self.request.udp = true;
            return Ok(());
        }
        let Some(value) = value else {
            self.ids_unclear |= text == "id";
            return error(name, format_args!("`{name}` needs a value: `{example}`"));
        };
        let request = &mut self.request;
        match text.as_str() {
            "default" | "exact" if request.number.is_some() => {
                return error(
                    name,
                    "`default` is a suggestion and `exact` a demand: leave one of them out",
                );
            }
            "default" => request.number = Some(Number::Default(port(&value, name, example)?)),
            "exact" => {
                let port = port(&value, name, example)?;
                request.number = Some(Number::Exact(port, name.clone()));
            }
            "ports" => request.ports = Some(ports(&value, example)?),
            "host" => request.host = Some(host(&value)?),
            "start" => request.start = Some(value.into_token_stream()),
            "timeout" => request.timeout = Some(timeout(&value)?),
            "on_busy" => request.on_busy = Some(on_busy(&value)?),
            "crate" if place == Place::Parameter => {
                return error(
                    name,
                    "`crate` belongs to the function: `#[port_for(crate = path)]`",
                );
            }
            "crate" => self.krate = Some(path(value)?),
            _ => {
                let id = self.id(name, value);
                self.ids_unclear |= id.is_err();
                self.ids.push(id?);
            }
        }
        Ok(())
    }

    fn id(&self, name: &Ident, value: Expr) -> syn::Result<Id> {
        if let Some(Id::Literal(first)) = self.ids.first() {
            return error(
                name,
                format_args!(
                    "the id is `{:?}` already; of several ids, one that is an expression \
                     is written on its parameter: `#[port(id = …)]`",
                    first.value()
                ),
            );
        }
        Ok(match literal(&value) {
            Some(_) => Id::Literal(id_literal(value)?),
            None => Id::Expr(Box::new(value)),
        })
    }
}

impl ToTokens for Id {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        match self {
            Self::Literal(literal) => literal.to_tokens(tokens),
            Self::Expr(expr) => expr.to_tokens(tokens),
        }
    }
}

/// As it is written in an attribute, for the messages.
impl Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Literal(literal) => write!(f, "{:?}", literal.value()),
            Self::Expr(_) => f.write_str("id = …"),
        }
    }
}

fn unknown(name: &str, flag: bool, place: Place) -> String {
    let valid: Vec<&str> = OPTIONS
        .iter()
        .map(|(option, _)| *option)
        .filter(|option| place == Place::Function || *option != "crate")
        .collect();
    let hint = match nearest(name, &valid) {
        Some(nearest) => format!(", did you mean `{nearest}`?"),
        None if flag => format!("; an id that is not a literal is written `id = {name}`"),
        None => String::new(),
    };
    format!(
        "unknown option `{name}`{hint}\nvalid options: `{}`",
        valid.join("`, `")
    )
}

/// The word that was probably meant: a few edits off, or what the written one begins with.
fn nearest<'a>(written: &str, words: &[&'a str]) -> Option<&'a str> {
    let written = written.to_lowercase();
    let distance = |word: &str| {
        let extended = word.len() > 2 && written.starts_with(word);
        if extended {
            0
        } else {
            distance(&written, word)
        }
    };
    words
        .iter()
        .map(|word| (distance(word), *word))
        .filter(|(distance, word)| *distance <= word.len().div_ceil(3))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, word)| word)
}

/// Levenshtein's.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.chars().count()).collect();
    for (i, a) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in b.chars().enumerate() {
            let substituted = diagonal + usize::from(a != b);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.chars().count()]
}

/// The literal that `expr` is, without the invisible groups that `macro_rules!` wraps around one.
fn literal(expr: &Expr) -> Option<&Lit> {
    match expr {
        Expr::Lit(ExprLit { lit, .. }) => Some(lit),
        Expr::Group(group) => literal(&group.expr),
        _ => None,
    }
}

fn into_literal(expr: Expr) -> Option<Lit> {
    match expr {
        Expr::Lit(ExprLit { lit, .. }) => Some(lit),
        Expr::Group(group) => into_literal(*group.expr),
        _ => None,
    }
}

fn string(expr: &Expr) -> Option<&LitStr> {
    match literal(expr) {
        Some(Lit::Str(string)) => Some(string),
        _ => None,
    }
}

fn id_literal(expr: Expr) -> syn::Result<LitStr> {
    let written = expr.to_token_stream();
    let literal = match into_literal(expr) {
        Some(Lit::Str(literal)) => literal,
        Some(Lit::Int(number)) => {
            return error(
                &number,
                format_args!("an id is a string; a port is suggested with `default = {number}`"),
            );
        }
        Some(other) => return error(other, "an id is a string, such as `\"api\"`"),
        None => {
            return error(
                written,
                "want an id in quotes or an option; an id that is not a literal is written `id = …`",
            );
        }
    };
    let id = literal.value();
    if id.is_empty() {
        return error(&literal, "an id must not be empty");
    }
    if id.len() > ID_MAX {
        let message = format_args!(
            "an id has at most {ID_MAX} bytes, this one has {}",
            id.len()
        );
        return error(&literal, message);
    }
    if let Some(control) = id.chars().find(|c| c.is_control()) {
        let control = control.escape_debug();
        let message =
            format_args!("an id must not contain control characters, this one has `{control}`");
        return error(&literal, message);
    }
    if id.starts_with('-') {
        return error(&literal, "an id must not start with `-`");
    }
    if id.trim() != id {
        return error(&literal, "an id must not begin or end with white space");
    }
    if let Some(unseen) = id.chars().find(|&c| is_unseen(c)) {
        let unseen = unseen.escape_unicode();
        let message =
            format_args!("an id must not contain a character that is not seen: `{unseen}`");
        return error(&literal, message);
    }
    Ok(literal)
}

fn path(value: Expr) -> syn::Result<Path> {
    match value {
        Expr::Path(path) if path.qself.is_none() && path.attrs.is_empty() => Ok(path.path),
        Expr::Group(group) => path(*group.expr),
        other => error(
            other,
            "`crate` is the path of the `port-for` crate, without quotes: `crate = path::to::port_for`",
        ),
    }
}

fn port(value: &Expr, name: &Ident, example: &str) -> syn::Result<u16> {
    match literal(value) {
        Some(Lit::Int(number)) if matches!(number.suffix(), "" | "u16") => port_number(number),
        Some(Lit::Int(number)) => error(number, "a port has no suffix, or `u16`"),
        _ => error(
            value,
            format_args!("`{name}` is a port from 1 to 65535, as in `{example}`"),
        ),
    }
}

fn port_number(number: &LitInt) -> syn::Result<u16> {
    match number.base10_parse() {
        Ok(0) | Err(_) => error(number, "a port is from 1 to 65535"),
        Ok(port) => Ok(port),
    }
}

fn ports(value: &Expr, example: &str) -> syn::Result<Literal> {
    let Some(literal) = string(value) else {
        return error(
            value,
            format_args!("`ports` is a list in quotes, as in `{example}`"),
        );
    };
    let number = |text: &str| {
        let digits =
            Some(text.trim()).filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
        digits?.parse().ok().filter(|port: &u16| *port > 0)
    };
    for item in literal.value().split(',') {
        let (first, last) = item.split_once('-').unwrap_or((item, item));
        let reason = match (number(first), number(last)) {
            (Some(first), Some(last)) if first <= last => continue,
            (Some(_), Some(_)) => "the range ends before it begins",
            _ => "want a port from 1 to 65535, or a range such as `20000-20999`",
        };
        return error(literal, format_args!("{item:?} in `ports`: {reason}"));
    }
    Ok(literal.token())
}

fn host(value: &Expr) -> syn::Result<Literal> {
    let literal = string(value).filter(|literal| {
        let host = literal.value();
        host == "localhost" || host.parse::<IpAddr>().is_ok()
    });
    match literal {
        Some(literal) => Ok(literal.token()),
        None => error(
            value,
            "`host` is `\"localhost\"` or an IP address in quotes, such as `\"0.0.0.0\"` or `\"::1\"`",
        ),
    }
}

/// In milliseconds.
fn timeout(value: &Expr) -> syn::Result<u64> {
    let millis = |text: &str| {
        let unit = text.find(|c: char| !c.is_ascii_digit())?;
        let (number, unit) = text.split_at(unit);
        let scale = match unit {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            _ => return None,
        };
        number.parse::<u64>().ok()?.checked_mul(scale)
    };
    match string(value).and_then(|literal| millis(&literal.value())) {
        Some(millis) => Ok(millis),
        None => error(
            value,
            "`timeout` is a whole number and its unit in quotes: `\"500ms\"`, `\"5s\"` or `\"2m\"`",
        ),
    }
}

fn on_busy(value: &Expr) -> syn::Result<OnBusy> {
    let text = string(value).map(LitStr::value).unwrap_or_default();
    Ok(match text.as_str() {
        "wait" => OnBusy::Wait,
        "fail" => OnBusy::Fail,
        "move" => OnBusy::Move,
        other => {
            let hint = match nearest(other, &["wait", "fail", "move"]) {
                Some(nearest) => format!(", did you mean `\"{nearest}\"`?"),
                None => String::new(),
            };
            return error(
                value,
                format_args!("`on_busy` is `\"wait\"`, `\"fail\"` or `\"move\"`{hint}"),
            );
        }
    })
}
