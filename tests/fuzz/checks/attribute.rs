//! What must hold of any text between the parentheses of `#[port_for(…)]` and of `#[port(…)]`.

use crate::expand::port_for;
use proc_macro2::TokenStream;
use quote::quote;

pub(crate) fn check(text: &str) {
    // What is no tokens does not come as far as the attribute.
    let Ok(args) = text.parse::<TokenStream>() else {
        return;
    };
    for item in [
        quote! { fn serves(api: PortGuard) {} },
        quote! {
            /// Serves.
            #[tokio::test]
            async fn serves(mut api: PortGuard, _: &TcpListener) -> u8 { 0 }
        },
        quote! {
            #[rstest]
            fn serves(#[case] n: u16, m: u16, api: PortGuard, #[port("db", udp)] db: u16) {}
        },
    ] {
        is_sound(text, port_for(args.clone(), item));
    }
    let item = quote! { fn serves(#[port(#args)] api: PortGuard, db: u16) {} };
    is_sound(text, port_for(quote!("db"), item));
}

/// The function, and beside it messages or nothing.
fn is_sound(text: &str, expansion: TokenStream) {
    let printed = expansion.to_string();
    let file: syn::File = syn::parse2(expansion)
        .unwrap_or_else(|error| panic!("{text:?} gave no Rust: {error}\n{printed}"));
    let is_serves = |item: &syn::Item| matches!(item, syn::Item::Fn(f) if f.sig.ident == "serves");
    let (functions, others): (Vec<_>, Vec<_>) =
        file.items.iter().partition(|&item| is_serves(item));
    assert_eq!(functions.len(), 1, "{text:?} gave:\n{printed}");
    for other in others {
        let is_message = matches!(other, syn::Item::Macro(m) if m.mac.path.segments.last().unwrap().ident == "compile_error");
        assert!(is_message, "{text:?} gave:\n{printed}");
    }
}
