//! Validate the arguments of one attribute: each id and each option, by itself and beside the others.

use crate::args::{Arg, Args};
pub(crate) use crate::values::OnBusy;
use crate::values::{
    block, companions, error, host, id_literal, literal, nearest, on_busy, path, port, ports,
    timeout,
};
use proc_macro2::{Ident, Literal, TokenStream};
use quote::ToTokens;
use std::fmt::{self, Display};
use syn::{Error, Expr, LitStr, Path};

/// Every option with an example of it, in the order that a message lists them.
const OPTIONS: [(&str, &str); 13] = [
    ("default", "default = 8080"),
    ("exact", "exact = 80"),
    ("ports", "ports = \"20000-20999,21500\""),
    ("host", "host = \"0.0.0.0\""),
    ("timeout", "timeout = \"5s\""),
    ("on_busy", "on_busy = \"fail\""),
    ("udp", "udp"),
    ("block", "block = 6"),
    ("companions", "companions = [10_000]"),
    ("start", "start = redis()"),
    ("shared", "shared = redis()"),
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
    pub(crate) host: Option<TokenStream>,
    /// In milliseconds.
    pub(crate) timeout: Option<u64>,
    pub(crate) on_busy: Option<OnBusy>,
    pub(crate) udp: bool,
    pub(crate) block: Option<TokenStream>,
    pub(crate) companions: Option<TokenStream>,
    pub(crate) server: Option<Server>,
}

/// A server, by the expression of its command.
#[derive(Clone)]
pub(crate) enum Server {
    /// For the test alone.
    Start(TokenStream),
    /// For all tests, with the option's name, to point at.
    Shared(TokenStream, Ident),
}

/// Each with the option's name, to point at.
#[derive(Clone)]
pub(crate) enum Number {
    Default(TokenStream),
    Exact(TokenStream, Ident),
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
            block: self.block.or_else(|| function.block.clone()),
            companions: self.companions.or_else(|| function.companions.clone()),
            server: self.server.or_else(|| function.server.clone()),
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
            "start" | "shared" if request.server.is_some() => {
                return error(
                    name,
                    "`start` is a server of the test's own and `shared` one of all tests: leave one of them out",
                );
            }
            "start" => request.server = Some(Server::Start(value.into_token_stream())),
            "shared" => {
                request.server = Some(Server::Shared(value.into_token_stream(), name.clone()));
            }
            "block" => request.block = Some(block(&value)?),
            "companions" => request.companions = Some(companions(&value)?),
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
        // Not `ports`, which is nearer by its letters.
        Some(_) if name == "port" => {
            "; `exact = …` demands a port, `default = …` suggests one".to_owned()
        }
        Some(nearest) => format!(", did you mean `{nearest}`?"),
        None if flag => format!("; an id that is not a literal is written `id = {name}`"),
        None => String::new(),
    };
    format!(
        "unknown option `{name}`{hint}\nvalid options: `{}`",
        valid.join("`, `")
    )
}
