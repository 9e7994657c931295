//! The `#[port_for]` attribute of the `port-for` crate, which re-exports it; depend on that crate, not on this one.

mod args;
mod expand;
mod function;
mod options;
mod test_fn;
#[cfg(test)]
mod tests;
mod values;

use proc_macro::TokenStream;

// Documented where it is re-exported, for there the examples compile.
#[allow(missing_docs)]
#[proc_macro_attribute]
pub fn port_for(args: TokenStream, item: TokenStream) -> TokenStream {
    expand::port_for(args.into(), item.into()).into()
}
