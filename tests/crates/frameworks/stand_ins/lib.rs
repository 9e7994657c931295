//! Test attributes that do to a function what those of heavy frameworks do.

use proc_macro::{Delimiter, TokenStream, TokenTree};

/// As `#[sqlx::test]`: fills the parameters that it finds, with `Default::default()` each. An async function is run by
/// `crate::block_on`.
#[proc_macro_attribute]
pub fn pool_test(_: TokenStream, item: TokenStream) -> TokenStream {
    test(&item)
}

/// As `#[async_std::test]` and `#[smol_potat::test]`: runs an async function without parameters by `crate::block_on`.
#[proc_macro_attribute]
pub fn runtime_test(_: TokenStream, item: TokenStream) -> TokenStream {
    let text = item.to_string();
    assert!(
        text.contains("async fn") && text.contains("()"),
        "async, and without parameters"
    );
    test(&item)
}

fn test(item: &TokenStream) -> TokenStream {
    let mut name = None;
    let mut parameters = None;
    let mut output = String::new();
    let mut is_async = false;
    let mut after_fn = false;
    for token in item.clone() {
        match token {
            TokenTree::Ident(ident) if after_fn && name.is_none() => name = Some(ident),
            TokenTree::Ident(ident) if name.is_none() => {
                after_fn = ident.to_string() == "fn";
                is_async |= ident.to_string() == "async";
            }
            TokenTree::Group(group) if parameters.is_none() && name.is_some() => {
                parameters = Some(group.stream());
            }
            TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => break,
            token if parameters.is_some() => output += &token.to_string(),
            _ => {}
        }
    }
    let (name, parameters) = (name.expect("a name"), parameters.expect("parameters"));
    // Good enough for types without colons or commas.
    let colons =
        |token: &TokenTree| matches!(token, TokenTree::Punct(punct) if punct.as_char() == ':');
    let arguments = "Default::default(),".repeat(parameters.into_iter().filter(colons).count());
    let call = if is_async {
        format!("crate::block_on({name}({arguments}))")
    } else {
        format!("{name}({arguments})")
    };
    format!("#[test] fn {name}() {output} {{ {item} {call} }}")
        .parse()
        .expect("valid tokens")
}
