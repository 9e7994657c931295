//! Parse: what was written between the parentheses of `#[port_for(…)]` or `#[port(…)]`, right or wrong.

use proc_macro2::Ident;
use syn::ext::IdentExt as _;
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::{Error, Expr, Token};

/// The arguments, in the order they were written.
#[derive(Default)]
pub(crate) struct Args {
    pub(crate) list: Vec<Arg>,
}

pub(crate) enum Arg {
    /// `"api"`, or what else stands where an id belongs.
    Id(Expr),
    /// `udp`.
    Flag(Ident),
    /// `default = 8080`, `crate = path`.
    Value(Ident, Expr),
}

impl Parse for Args {
    fn parse(input: ParseStream) -> syn::Result<Self> {
        let list = Punctuated::<Arg, Token![,]>::parse_terminated(input)?;
        Ok(Self {
            list: list.into_iter().collect(),
        })
    }
}

impl Parse for Arg {
    fn parse(input: ParseStream) -> syn::Result<Self> {
        // A keyword can name an option: `crate`.
        if input.peek(Ident::peek_any) {
            if input.peek2(Token![=]) && !input.peek2(Token![==]) {
                let name = input.call(Ident::parse_any)?;
                let equals = input.parse::<Token![=]>()?;
                if input.is_empty() || input.peek(Token![,]) {
                    return Err(Error::new_spanned(equals, "the value is missing"));
                }
                return Ok(Self::Value(name, input.parse()?));
            }
            let ahead = input.fork();
            let name = ahead.call(Ident::parse_any)?;
            if (ahead.is_empty() || ahead.peek(Token![,])) && name != "true" && name != "false" {
                return Ok(Self::Flag(input.call(Ident::parse_any)?));
            }
            if ahead.peek(Token![:]) && !ahead.peek(Token![::]) {
                let message = format_args!("an option is written with `=`: `{name} = …`");
                return Err(Error::new(ahead.span(), message));
            }
        }
        input.parse().map(Self::Id)
    }
}
