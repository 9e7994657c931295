//! Validate single values: an id, a number, a host, a time.

use proc_macro2::{Ident, Literal, TokenStream};
use quote::ToTokens;
use std::fmt::Display;
use std::net::IpAddr;
use std::ops::RangeInclusive;
use syn::{Error, Expr, ExprLit, Lit, LitInt, LitStr, Path};

#[derive(Clone, Copy)]
pub(crate) enum OnBusy {
    Wait,
    Fail,
    Move,
    Reap,
}

pub(crate) fn error<T>(tokens: impl ToTokens, message: impl Display) -> syn::Result<T> {
    Err(Error::new_spanned(tokens, message))
}

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

/// The literal that `expr` is, without the invisible groups that `macro_rules!` wraps around one.
pub(crate) fn literal(expr: &Expr) -> Option<&Lit> {
    match expr {
        Expr::Lit(ExprLit { lit, .. }) => Some(lit),
        Expr::Group(group) => literal(&group.expr),
        _ => None,
    }
}

pub(crate) fn into_literal(expr: Expr) -> Option<Lit> {
    match expr {
        Expr::Lit(ExprLit { lit, .. }) => Some(lit),
        Expr::Group(group) => into_literal(*group.expr),
        _ => None,
    }
}

pub(crate) fn string(expr: &Expr) -> Option<&LitStr> {
    match literal(expr) {
        Some(Lit::Str(string)) => Some(string),
        _ => None,
    }
}

pub(crate) fn id_literal(expr: Expr) -> syn::Result<LitStr> {
    let written = expr.to_token_stream();
    let literal = match into_literal(expr) {
        Some(Lit::Str(literal)) => literal,
        Some(Lit::Int(number)) => {
            return error(
                &number,
                format_args!(
                    "an id is a string; `exact = {number}` demands this port, and `default = {number}` suggests it"
                ),
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

pub(crate) fn path(value: Expr) -> syn::Result<Path> {
    match value {
        Expr::Path(path) if path.qself.is_none() && path.attrs.is_empty() => Ok(path.path),
        Expr::Group(group) => path(*group.expr),
        other => error(
            other,
            "`crate` is the path of the `port-for` crate, without quotes: `crate = path::to::port_for`",
        ),
    }
}

/// A number is checked here; of another expression, the compiler sees that it is one.
pub(crate) fn port(value: &Expr, name: &Ident, example: &str) -> syn::Result<TokenStream> {
    match literal(value) {
        Some(Lit::Int(number)) if matches!(number.suffix(), "" | "u16") => {
            let port = Literal::u16_unsuffixed(port_number(number)?);
            Ok(port.into_token_stream())
        }
        Some(Lit::Int(number)) => error(number, "a port has no suffix, or `u16`"),
        None if !is_signed(value) => Ok(value.to_token_stream()),
        _ => error(
            value,
            format_args!("`{name}` is a port from 1 to 65535, as in `{example}`"),
        ),
    }
}

/// The most ports that a block may have. `src/group.rs` has the same number.
const MAX_BLOCK: u16 = 1000;

/// A number is checked here; of another expression, the compiler sees that it is one.
pub(crate) fn block(value: &Expr) -> syn::Result<TokenStream> {
    let number = match literal(value) {
        None if !is_signed(value) => return Ok(value.to_token_stream()),
        Some(Lit::Int(number)) => number.base10_parse::<u16>().ok(),
        _ => None,
    };
    match number {
        Some(1..=MAX_BLOCK) => Ok(value.to_token_stream()),
        _ => error(
            value,
            format_args!(
                "`block` is how many consecutive ports are wanted, from 1 to {MAX_BLOCK}, as in `block = 6`"
            ),
        ),
    }
}

/// A list of numbers is checked here; of another expression, the compiler sees that it is one.
pub(crate) fn companions(value: &Expr) -> syn::Result<TokenStream> {
    const WANTED: &str = "`companions` is a list of distances to ports further up, each from 1 to 65534, as in `companions = [10_000]`";
    let Expr::Array(list) = ungrouped(value) else {
        return match literal(value) {
            None if !is_signed(value) => Ok(value.to_token_stream()),
            _ => error(value, WANTED),
        };
    };
    let mut seen = Vec::new();
    for offset in &list.elems {
        let number = match literal(offset) {
            None if !is_signed(offset) => continue,
            Some(Lit::Int(number)) => number.base10_parse::<u16>().ok(),
            _ => None,
        };
        match number {
            Some(number @ 1..=65534) if !seen.contains(&number) => seen.push(number),
            Some(number @ 1..=65534) => {
                return error(
                    offset,
                    format_args!("the companion {number} is there twice"),
                );
            }
            _ => return error(offset, WANTED),
        }
    }
    Ok(value.to_token_stream())
}

/// Without the invisible groups that `macro_rules!` wraps around an expression.
fn ungrouped(value: &Expr) -> &Expr {
    match value {
        Expr::Group(group) => ungrouped(&group.expr),
        other => other,
    }
}

/// `-1`.
fn is_signed(value: &Expr) -> bool {
    match value {
        Expr::Unary(unary) => literal(&unary.expr).is_some(),
        Expr::Group(group) => is_signed(&group.expr),
        _ => false,
    }
}

pub(crate) fn port_number(number: &LitInt) -> syn::Result<u16> {
    match number.base10_parse() {
        Ok(0) | Err(_) => error(number, "a port is from 1 to 65535"),
        Ok(port) => Ok(port),
    }
}

pub(crate) fn ports(value: &Expr, example: &str) -> syn::Result<Literal> {
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

/// A text is checked here; another expression when the test runs.
pub(crate) fn host(value: &Expr) -> syn::Result<TokenStream> {
    if literal(value).is_none() {
        return Ok(value.to_token_stream());
    }
    let literal = string(value).filter(|literal| {
        let host = literal.value();
        host == "localhost" || host.parse::<IpAddr>().is_ok()
    });
    match literal {
        Some(literal) => Ok(literal.to_token_stream()),
        None => error(
            value,
            "`host` is `\"localhost\"` or an IP address in quotes, such as `\"0.0.0.0\"` or `\"::1\"`",
        ),
    }
}

/// In milliseconds.
pub(crate) fn timeout(value: &Expr) -> syn::Result<u64> {
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

pub(crate) fn on_busy(value: &Expr) -> syn::Result<OnBusy> {
    let text = string(value).map(LitStr::value).unwrap_or_default();
    Ok(match text.as_str() {
        "wait" => OnBusy::Wait,
        "fail" => OnBusy::Fail,
        "move" => OnBusy::Move,
        "reap" => OnBusy::Reap,
        other => {
            let hint = match nearest(other, &["wait", "fail", "move", "reap"]) {
                Some(nearest) => format!(", did you mean `\"{nearest}\"`?"),
                None => String::new(),
            };
            return error(
                value,
                format_args!("`on_busy` is `\"wait\"`, `\"fail\"`, `\"move\"` or `\"reap\"`{hint}"),
            );
        }
    })
}

/// The word that was probably meant: a few edits off, or what the written one begins with.
pub(crate) fn nearest<'a>(written: &str, words: &[&'a str]) -> Option<&'a str> {
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
