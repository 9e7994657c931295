//! Parse: a function as it was written, and the attributes on it.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::{Attribute, Error, FnArg, Meta, Path, Signature, Token, Visibility, braced, token};

/// Attributes that make a function a test, by the last segment of their path. Next to one of these, no `#[test]` is
/// added. Exact names, for a wrong guess would lose a test without a word; a `#[test]` too many does not compile.
const TESTS: [&str; 6] = [
    "test",
    "rstest",
    "test_case",
    "test_matrix",
    "wasm_bindgen_test",
    "apply",
];

/// The crates of which `#[…::test]` is known to leave the parameters alone.
const FILLS_NOTHING: [&str; 7] = [
    "actix_rt",
    "actix_web",
    "async_std",
    "core",
    "smol_potat",
    "std",
    "tokio",
];

/// Attributes that the compiler knows and that do not change what a function is.
const INERT: [&str; 16] = [
    "allow",
    "cfg",
    "cold",
    "coverage",
    "deny",
    "deprecated",
    "doc",
    "expect",
    "forbid",
    "ignore",
    "inline",
    "must_use",
    "optimize",
    "should_panic",
    "track_caller",
    "warn",
];

/// A function as it was written. The body is not parsed: it goes through as it is.
pub(crate) struct Function {
    pub(crate) attrs: Vec<Attribute>,
    pub(crate) vis: Visibility,
    pub(crate) sig: Signature,
    pub(crate) brace: token::Brace,
    pub(crate) inner_attrs: Vec<Attribute>,
    pub(crate) body: TokenStream,
}

impl Parse for Function {
    fn parse(input: ParseStream) -> syn::Result<Self> {
        let attrs = input.call(Attribute::parse_outer)?;
        let vis = input.parse()?;
        // Whatever the compiler let through and this does not parse is some other item.
        let start = input.span();
        let sig = input.parse();
        let not_a_function =
            |_| Error::new(start, "`#[port_for]` goes on a test function with a body");
        let sig: Signature = sig.map_err(not_a_function)?;
        let content;
        let brace = if input.peek(token::Brace) {
            braced!(content in input)
        } else {
            return Err(not_a_function(input.error("no body")));
        };
        Ok(Self {
            attrs,
            vis,
            sig,
            brace,
            inner_attrs: content.call(Attribute::parse_inner)?,
            body: content.parse()?,
        })
    }
}

impl Function {
    /// A second `#[port_for]`.
    pub(crate) fn again(&self) -> Option<&Attribute> {
        self.attrs.iter().find(|attr| named(attr, "port_for"))
    }

    /// `#[rstest]` leaves no parameters when it comes first.
    pub(crate) fn order_hint(&self) -> &'static str {
        if self.sig.inputs.is_empty() {
            "; if `#[rstest]` or the like stands above `#[port_for]`, move it below"
        } else {
            ""
        }
    }

    /// Whether an attribute is there, such as `#[rstest]`, that may give values to parameters.
    pub(crate) fn may_be_filled(&self) -> bool {
        self.attrs.iter().any(|attr| {
            let path = attr.path();
            if let Some(ident) = path.get_ident() {
                return ident != "test" && ident != "port_for" && !INERT.iter().any(|i| ident == i);
            }
            let leaves_them = named(attr, "test")
                && FILLS_NOTHING
                    .iter()
                    .any(|name| path.segments[0].ident == name);
            !leaves_them
        })
    }
}

pub(crate) fn named(attr: &Attribute, name: &str) -> bool {
    (attr.path().segments.last()).is_some_and(|segment| segment.ident == name)
}

pub(crate) fn makes_test(attr: &Attribute) -> bool {
    fn path_makes_test(path: &Path) -> bool {
        (path.segments.last()).is_some_and(|last| TESTS.iter().any(|test| last.ident == test))
    }
    if !attr.path().is_ident("cfg_attr") {
        return path_makes_test(attr.path());
    }
    // The condition cannot be known here. Whoever writes one has a test attribute for each case.
    let metas = attr.parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated);
    metas.is_ok_and(|metas| (metas.iter().skip(1)).any(|meta| path_makes_test(meta.path())))
}

/// The function without what would lead to more messages about the same mistake: other macros, which now see
/// parameters that nobody fills, and what made the function no test.
pub(crate) fn harmless(mut function: Function) -> TokenStream {
    let inert = |attr: &Attribute| {
        (attr.path().get_ident()).is_some_and(|ident| {
            INERT.iter().any(|inert| ident == inert) && ident != "ignore" && ident != "should_panic"
        })
    };
    function.attrs.retain(inert);
    function.sig.constness = None;
    for input in &mut function.sig.inputs {
        if let FnArg::Typed(param) = input {
            param.attrs.clear();
        }
    }
    if function.sig.receiver().is_some() {
        // Outside of an `impl`, the compiler has a message of its own about `self`.
        let typed = |input: &FnArg| matches!(input, FnArg::Typed(_));
        let inputs = std::mem::take(&mut function.sig.inputs);
        function.sig.inputs = inputs.into_iter().filter(typed).collect();
        function.body = quote!(::core::unimplemented!());
    }
    let Function {
        attrs,
        vis,
        sig,
        brace,
        inner_attrs,
        body,
    } = function;
    let mut item = quote!(#(#attrs)* #vis #sig);
    brace.surround(&mut item, |block| {
        for attr in inner_attrs {
            attr.to_tokens(block);
        }
        body.to_tokens(block);
    });
    item
}
