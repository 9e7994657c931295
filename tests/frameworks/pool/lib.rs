//! `#[pool::test]`: passes `Default::default()` for each parameter, as `#[sqlx::test]` passes its pool.

use proc_macro::{Delimiter, TokenStream, TokenTree};

/// Makes the function a test and fills its parameters.
#[proc_macro_attribute]
pub fn test(_: TokenStream, item: TokenStream) -> TokenStream {
    let mut name = None;
    let mut parameters = None;
    let mut after_fn = false;
    for token in item.clone() {
        match token {
            TokenTree::Ident(ident) if after_fn => name = name.or(Some(ident)),
            TokenTree::Ident(ident) if name.is_none() => after_fn = ident.to_string() == "fn",
            TokenTree::Group(group) if group.delimiter() == Delimiter::Parenthesis => {
                parameters = parameters.or(Some(group.stream()));
            }
            _ => {}
        }
        after_fn &= name.is_none();
    }
    let (name, parameters) = (name.expect("a name"), parameters.expect("parameters"));
    // Good enough for types without colons or commas.
    let colons =
        |token: &TokenTree| matches!(token, TokenTree::Punct(punct) if punct.as_char() == ':');
    let arguments = "Default::default(),".repeat(parameters.into_iter().filter(colons).count());
    format!("#[test] fn {name}() {{ {item} {name}({arguments}) }}")
        .parse()
        .expect("valid tokens")
}
