//! Arguments of the attribute, and what the library says to those that the attribute lets through.

#![no_main]

use libfuzzer_sys::fuzz_target;
use port_for::{ErrorKind, PortFor, PortSet};
use proc_macro2::TokenStream;
use quote::quote;

// The attribute itself cannot be called outside of a compiler; its modules can.
#[path = "../../../macros/src/args.rs"]
mod args;
#[path = "../checks/attribute.rs"]
mod attribute;
#[path = "../../../macros/src/expand.rs"]
mod expand;
#[path = "../../../macros/src/function.rs"]
mod function;
#[path = "../../../macros/src/options.rs"]
mod options;
#[path = "../../../macros/src/test_fn.rs"]
mod test_fn;
#[path = "../../../macros/src/values.rs"]
mod values;

fuzz_target!(|text: &str| {
    attribute::check(text);

    // As values, which the attribute checks by itself, for it does not know the library.
    let is_id = is_accepted(&quote!(#text));
    let store = PortFor::open("/nonexistent/ports.json").unwrap();
    let is_id_there = match store.release(text) {
        Ok(none) => none.is_none(),
        Err(error) => error.kind() != ErrorKind::InvalidId,
    };
    assert_eq!(is_id, is_id_there, "as an id: {text:?}");
    let is_set = is_accepted(&quote!(ports = #text));
    assert_eq!(
        is_set,
        text.parse::<PortSet>().is_ok(),
        "as ports: {text:?}"
    );
});

fn is_accepted(args: &TokenStream) -> bool {
    let item = quote!(
        fn serves(api: PortGuard) {}
    );
    let expansion = expand::port_for(args.clone(), item).to_string();
    !expansion.starts_with(":: core :: compile_error")
}
