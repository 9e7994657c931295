//! Validate the arguments of one attribute: each id and each option, by itself and beside the others.

use crate::args::{Arg, Args};
use proc_macro2::{Ident, Span};
use std::net::IpAddr;
use syn::spanned::Spanned as _;
use syn::{Error, Expr, ExprLit, Lit, LitInt, LitStr, Path};

/// The most bytes that an id may have.
const ID_MAX: usize = 255;

/// Every option, in the order that a message lists them.
const OPTIONS: [&str; 9] = [
    "default", "exact", "ports", "host", "timeout", "on_busy", "udp", "id", "crate",
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
    pub(crate) krate: Option<Path>,
    pub(crate) request: Request,
}

#[derive(Clone)]
pub(crate) enum Id {
    Literal(LitStr),
    Expr(Box<Expr>),
}

/// What is asked for beside the id.
#[derive(Clone, Default)]
pub(crate) struct Request {
    pub(crate) number: Option<Number>,
    pub(crate) ports: Option<LitStr>,
    pub(crate) host: Option<LitStr>,
    pub(crate) timeout: Option<u64>,
    pub(crate) on_busy: Option<OnBusy>,
    pub(crate) udp: bool,
}

#[derive(Clone)]
pub(crate) enum Number {
    Default(u16),
    Exact(u16, Span),
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

    pub(crate) fn at(&mut self, span: Span, message: impl std::fmt::Display) {
        self.push(Error::new(span, message));
    }

    pub(crate) fn keep<T>(&mut self, result: syn::Result<T>) -> Option<T> {
        result.map_err(|error| self.push(error)).ok()
    }

    pub(crate) fn finish(self) -> syn::Result<()> {
        self.0.map_or(Ok(()), Err)
    }
}

impl Options {
    pub(crate) fn validate(args: Args, place: Place, errors: &mut Errors) -> Self {
        let mut options = Self::default();
        let mut seen: Vec<Ident> = Vec::new();
        for arg in args.list {
            match arg {
                Arg::Id(expr) => {
                    if let Some(first) = seen.first() {
                        errors.at(
                            expr.span(),
                            format_args!("an id stands before the options, here before `{first}`"),
                        );
                    } else if let Some(literal) = errors.keep(id_literal(expr)) {
                        options.ids.push(Id::Literal(literal));
                    } else {
                        // Still an id to count, so that the mistake is told once.
                        options.ids.push(Id::broken());
                    }
                }
                Arg::Flag(name) => {
                    let result = options.set(&name, None, &seen, place);
                    errors.keep(result);
                    seen.push(name);
                }
                Arg::Value(name, value) => {
                    let result = options.set(&name, Some(value), &seen, place);
                    if errors.keep(result).is_none() && name == "id" && options.ids.is_empty() {
                        options.ids.push(Id::broken());
                    }
                    seen.push(name);
                }
            }
        }
        if place == Place::Parameter
            && let Some(second) = options.ids.get(1)
        {
            errors.at(second.span(), "a parameter has one id");
        }
        options
    }

    fn set(
        &mut self,
        name: &Ident,
        value: Option<Expr>,
        seen: &[Ident],
        place: Place,
    ) -> syn::Result<()> {
        let error = |message: String| Err(Error::new(name.span(), message));
        let text = name.to_string();
        if !OPTIONS.contains(&text.as_str()) {
            return error(unknown(&text, value.is_none(), place));
        }
        if seen.contains(name) {
            return error(format!("`{name}` is given twice"));
        }
        if text == "crate" && place == Place::Parameter {
            return error("`crate` belongs to the function: `#[port_for(crate = path)]`".into());
        }
        if text == "udp" {
            if let Some(value) = value {
                return Err(Error::new(
                    value.span(),
                    "`udp` takes no value; leave it out if it is not wanted",
                ));
            }
            self.request.udp = true;
            return Ok(());
        }
        let Some(value) = value else {
            return error(format!("`{name}` needs a value: `{}`", example(&text)));
        };
        match text.as_str() {
            "id" => {
                if let Some(first) = self.ids.first() {
                    return Err(Error::new(
                        name.span(),
                        format_args!(
                            "an id is there already: {first}; for several ids of which one is \
                             an expression, write `#[port(id = …)]` on the parameter"
                        ),
                    ));
                }
                let id = match id_literal_of(&value) {
                    Some(_) => Id::Literal(id_literal(value)?),
                    None => Id::Expr(Box::new(value)),
                };
                self.ids.push(id);
            }
            "crate" => self.krate = Some(path(value)?),
            "default" => self.number(name, |_| Ok(Number::Default(port(&value, name)?)))?,
            "exact" => self.number(name, |span| Ok(Number::Exact(port(&value, name)?, span)))?,
            "ports" => self.request.ports = Some(ports(value)?),
            "host" => self.request.host = Some(host(value)?),
            "timeout" => self.request.timeout = Some(timeout(value)?),
            "on_busy" => self.request.on_busy = Some(on_busy(value)?),
            other => unreachable!("`{other}` is listed among the options"),
        }
        Ok(())
    }

    fn number(
        &mut self,
        name: &Ident,
        number: impl FnOnce(Span) -> syn::Result<Number>,
    ) -> syn::Result<()> {
        if self.request.number.is_some() {
            return Err(Error::new(
                name.span(),
                "`default` is a suggestion and `exact` a demand: leave one of them out",
            ));
        }
        self.request.number = Some(number(name.span())?);
        Ok(())
    }
}

impl Id {
    /// Stands in for an id about which an error was told already.
    fn broken() -> Self {
        Self::Expr(Box::new(syn::parse_quote!(())))
    }

    pub(crate) fn span(&self) -> Span {
        match self {
            Self::Literal(literal) => literal.span(),
            Self::Expr(expr) => expr.span(),
        }
    }
}

impl std::fmt::Display for Id {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Literal(literal) => write!(f, "`{:?}`", literal.value()),
            Self::Expr(_) => f.write_str("`id = …`"),
        }
    }
}

/// How each option is written, for the messages.
fn example(option: &str) -> &'static str {
    match option {
        "default" => "default = 8080",
        "exact" => "exact = 80",
        "ports" => "ports = \"20000-20999,21500\"",
        "host" => "host = \"0.0.0.0\"",
        "timeout" => "timeout = \"5s\"",
        "on_busy" => "on_busy = \"fail\"",
        "id" => "id = format!(\"shard-{n}\")",
        _ => "crate = path::to::port_for",
    }
}

fn unknown(name: &str, flag: bool, place: Place) -> String {
    let mut valid = OPTIONS.to_vec();
    if place == Place::Parameter {
        valid.retain(|option| *option != "crate");
    }
    let nearest = nearest(name, &valid);
    let mut message = format!("unknown option `{name}`");
    if let Some(nearest) = nearest {
        message += &format!(", did you mean `{nearest}`?");
    } else if flag {
        // A constant's name, most likely.
        message += &format!("; an id that is not a literal is written `id = {name}`");
    }
    message + &format!("\nvalid options: {}", list(&valid))
}

fn list(words: &[&str]) -> String {
    let quoted: Vec<_> = words.iter().map(|word| format!("`{word}`")).collect();
    quoted.join(", ")
}

/// The word that was probably meant: a short way of edits off, or the beginning of what was written.
fn nearest<'a>(written: &str, words: &[&'a str]) -> Option<&'a str> {
    let written = written.to_lowercase();
    words
        .iter()
        .map(|word| {
            let extends = word.len() > 2 && written.starts_with(word);
            (if extends { 0 } else { distance(&written, word) }, *word)
        })
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
    row.pop().unwrap_or(0)
}

/// The literal that `expr` is, without the invisible groups that `macro_rules!` wraps around one.
fn literal(expr: &Expr) -> Option<&Lit> {
    match expr {
        Expr::Lit(ExprLit { lit, .. }) => Some(lit),
        Expr::Group(group) => literal(&group.expr),
        _ => None,
    }
}

fn id_literal_of(expr: &Expr) -> Option<&Lit> {
    literal(expr)
}

fn id_literal(expr: Expr) -> syn::Result<LitStr> {
    let literal = match literal(&expr) {
        Some(Lit::Str(literal)) => literal,
        Some(Lit::Int(number)) => {
            return Err(Error::new(
                number.span(),
                format_args!("an id is a string; a port is suggested with `default = {number}`"),
            ));
        }
        Some(other) => {
            return Err(Error::new(
                other.span(),
                "an id is a string, such as `\"api\"`",
            ));
        }
        None => {
            return Err(Error::new(
                expr.span(),
                "an id here is a string literal; write `id = …` for an expression",
            ));
        }
    };
    let id = literal.value();
    let error = |message: String| Err(Error::new(literal.span(), message));
    if id.is_empty() {
        return error("an id must not be empty".into());
    }
    if id.len() > ID_MAX {
        return error(format!(
            "an id has at most {ID_MAX} bytes, this one has {}",
            id.len()
        ));
    }
    if let Some(control) = id.chars().find(|c| c.is_control()) {
        return error(format!(
            "an id must not contain control characters, this one has `{}`",
            control.escape_debug()
        ));
    }
    if id.starts_with('-') {
        return error("an id must not start with `-`".into());
    }
    Ok(literal.clone())
}

fn path(value: Expr) -> syn::Result<Path> {
    match value {
        Expr::Path(path) if path.qself.is_none() && path.attrs.is_empty() => Ok(path.path),
        Expr::Group(group) => path(*group.expr),
        other => Err(Error::new(
            other.span(),
            "`crate` is the path of the `port-for` crate, without quotes: `crate = path::to::port_for`",
        )),
    }
}

fn port(value: &Expr, name: &Ident) -> syn::Result<u16> {
    let example = example(&name.to_string());
    match literal(value) {
        Some(Lit::Int(number)) if matches!(number.suffix(), "" | "u16") => port_number(number),
        Some(Lit::Int(number)) => Err(Error::new(
            number.span(),
            "a port is an integer without a suffix, or with `u16`",
        )),
        _ => Err(Error::new(
            value.span(),
            format_args!("`{name}` is a port from 1 to 65535, as in `{example}`"),
        )),
    }
}

fn port_number(number: &LitInt) -> syn::Result<u16> {
    match number.base10_parse() {
        Ok(0) | Err(_) => Err(Error::new(number.span(), "a port is from 1 to 65535")),
        Ok(port) => Ok(port),
    }
}

fn string(value: Expr, name: &str, what: &str) -> syn::Result<LitStr> {
    match literal(&value) {
        Some(Lit::Str(literal)) => Ok(literal.clone()),
        _ => Err(Error::new(
            value.span(),
            format_args!("`{name}` is {what} in quotes, as in `{}`", example(name)),
        )),
    }
}

fn ports(value: Expr) -> syn::Result<LitStr> {
    let literal = string(value, "ports", "a list of ports and ranges")?;
    for item in literal.value().split(',') {
        let error = |message: &str| {
            Err(Error::new(
                literal.span(),
                format_args!("`{item}` in `ports`: {message}"),
            ))
        };
        let number = |text: &str| text.trim().parse::<u16>().ok().filter(|port| *port > 0);
        let (first, last) = item.split_once('-').unwrap_or((item, item));
        let (Some(first), Some(last)) = (number(first), number(last)) else {
            return error("want a port from 1 to 65535 or a range such as `20000-20999`");
        };
        if first > last {
            return error("the range ends before it begins");
        }
    }
    Ok(literal)
}

fn host(value: Expr) -> syn::Result<LitStr> {
    let literal = string(value, "host", "an IP address")?;
    match literal.value().parse::<IpAddr>() {
        Ok(_) => Ok(literal),
        Err(_) => Err(Error::new(
            literal.span(),
            "`host` is an IP address, such as `127.0.0.1`, `0.0.0.0` or `::1`",
        )),
    }
}

/// In milliseconds.
fn timeout(value: Expr) -> syn::Result<u64> {
    let literal = string(value, "timeout", "a number and its unit")?;
    let text = literal.value();
    let digits = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let scale = match unit {
        "ms" => Some(1),
        "s" => Some(1_000),
        "m" => Some(60_000),
        _ => None,
    };
    let millis = number
        .parse::<u64>()
        .ok()
        .zip(scale)
        .and_then(|(number, scale)| number.checked_mul(scale));
    millis.ok_or_else(|| {
        Error::new(
            literal.span(),
            "`timeout` is a whole number and its unit: `ms`, `s` or `m`, as in `500ms`, `5s`, `2m`",
        )
    })
}

fn on_busy(value: Expr) -> syn::Result<OnBusy> {
    const WAYS: [&str; 3] = ["wait", "fail", "move"];
    let literal = string(value, "on_busy", "what to do")?;
    match literal.value().as_str() {
        "wait" => Ok(OnBusy::Wait),
        "fail" => Ok(OnBusy::Fail),
        "move" => Ok(OnBusy::Move),
        other => {
            let meant = nearest(other, &WAYS)
                .map_or(String::new(), |way| format!(", did you mean `\"{way}\"`?"));
            Err(Error::new(
                literal.span(),
                format_args!("`on_busy` is `\"wait\"`, `\"fail\"` or `\"move\"`{meant}"),
            ))
        }
    }
}
