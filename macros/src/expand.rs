//! Emit: the model as tokens, without a decision.

use crate::options::{Id, Number, OnBusy, Server};
use crate::test_fn::{Function, Invalid, Port, TestFn};
use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens as _, format_ident, quote, quote_spanned};
use syn::ext::IdentExt as _;
use syn::spanned::Spanned as _;
use syn::{ReturnType, Type};

pub(crate) fn port_for(args: TokenStream, item: TokenStream) -> TokenStream {
    match TestFn::validate(args, item) {
        Ok(test) => expand(test),
        Err(Invalid { errors, item }) => {
            let errors = errors.into_compile_error();
            quote!(#errors #item)
        }
    }
}

fn expand(test: TestFn) -> TokenStream {
    let TestFn {
        function,
        add_test,
        krate,
        ports,
    } = test;
    let private = quote!(#krate::__private);
    let wanted = (ports.iter()).map(|port| want(port, &function.sig.ident, &private));
    let wanted = quote!([#(#wanted),*]);
    let guards = if function.sig.asyncness.is_some() {
        quote!(#private::acquired(#private::guards_async(#wanted).await))
    } else {
        quote!(#private::guards(#wanted))
    };

    // Unseen by the body, and by every other macro.
    let local = |name: &str, i: usize| format_ident!("{name}{i}", span = Span::mixed_site());
    let slots: Vec<Ident> = (0..ports.len())
        .map(|i| local("port_for_slot_", i))
        .collect();
    let types = ports.iter().map(|port| &port.ty);
    let bindings = ports.iter().enumerate().map(|(i, port)| {
        let Port { mutability, .. } = port;
        // `_` would leave the value where it is, to be dropped in another order than a parameter.
        let ident = port
            .ident
            .clone()
            .unwrap_or_else(|| local("_port_for_unnamed_", i));
        quote!(#mutability #ident)
    });

    let Function {
        attrs,
        vis,
        sig,
        brace,
        inner_attrs,
        body,
    } = function;
    let test = add_test.then(|| quote!(#[::core::prelude::v1::test]));
    let mut body_block = TokenStream::new();
    brace.surround(&mut body_block, |block| body.to_tokens(block));
    let body = quote! {
        match (#(#private::param::<#types>(&mut #slots),)*) {
            (#(#bindings,)*) => #body_block
        }
    };
    let starts = ports.iter().any(|port| port.request.server.is_some());
    let body = match &sig.output {
        ReturnType::Type(_, output) if starts && !is_opaque(output) => {
            observed(&body, output, sig.asyncness.is_some(), &slots, &private)
        }
        _ => body,
    };
    // A `match`, for what its arms bind lives longer than the temporaries of the arm's value, as parameters do; `let`
    // would not, before edition 2024.
    quote! {
        #(#attrs)*
        #test
        #vis #sig {
            #(#inner_attrs)*
            match #guards {
                [#(mut #slots),*] => #body,
            }
        }
    }
}

/// The body, after which a test that has failed by its result says what its servers printed: they have ended by then.
fn observed(
    body: &TokenStream,
    output: &Type,
    is_async: bool,
    slots: &[Ident],
    private: &TokenStream,
) -> TokenStream {
    let result = Ident::new("port_for_result", Span::mixed_site());
    let body = if is_async {
        quote!(#private::output_of::<#output, _>(async { #body }).await)
    } else {
        quote!(#private::result_of(|| -> #output { #body }))
    };
    quote! {{
        #[allow(unused_imports)]
        use #private::NoResult as _;
        let #result = #body;
        if #private::Outcome(&#result).has_failed() {
            #private::say_last_lines([#(&#slots),*]);
        }
        #result
    }}
}

/// `impl Trait`, which names no type.
fn is_opaque(output: &Type) -> bool {
    output
        .to_token_stream()
        .into_iter()
        .any(|token| token.to_string() == "impl")
}

fn want(port: &Port, function: &Ident, private: &TokenStream) -> TokenStream {
    let request = &port.request;
    let id = match &port.id {
        Some(Id::Literal(id)) => quote!(#id),
        // Borrowed, for the body may use what the expression names.
        Some(Id::Expr(id)) => {
            // The compiler reports a wrong type at the expression.
            let span = id.span().resolved_at(Span::call_site());
            quote_spanned!(span=> &(#id))
        }
        None => {
            let (function, label) = (function.unraw().to_string(), &port.label);
            quote! {
                &#private::auto_id(
                    ::core::option_env!("CARGO_PKG_NAME"),
                    ::core::module_path!(),
                    #function,
                    #label
                )
            }
        }
    };
    let new = if port.id.is_some() {
        quote!(new)
    } else {
        quote!(without_id)
    };
    let number = request.number.as_ref().map(|number| match number {
        Number::Default(port) => call("default_port", port),
        Number::Exact(port, _) => call("exact_port", port),
    });
    let ports = request.ports.as_ref().map(|ports| quote!(.ports(#ports)));
    let host = request.host.as_ref().map(|host| call("host", host));
    let timeout = (request.timeout).map(|millis| quote!(.timeout_millis(#millis)));
    let on_busy = request.on_busy.map(|on_busy| {
        let variant = match on_busy {
            OnBusy::Wait => quote!(Wait),
            OnBusy::Fail => quote!(Fail),
            OnBusy::Move => quote!(Move),
            OnBusy::Reap => quote!(Reap),
        };
        quote!(.on_busy(#private::OnBusy::#variant))
    });
    let udp = request.udp.then(|| quote!(.udp()));
    let block = request.block.as_ref().map(|block| call("block", block));
    let companions = (request.companions.as_ref()).map(|offsets| call("companions", offsets));
    let server = request.server.as_ref().map(|server| match server {
        Server::Start(command) => call("start", command),
        Server::Shared(command, _) => call("shared", command),
    });
    quote!(#private::Wanted::#new(#id) #number #ports #host #timeout #on_busy #udp #block #companions #server)
}

/// A method call with the user's expression. The compiler reports a wrong type at that expression.
fn call(method: &str, argument: &TokenStream) -> TokenStream {
    let span = argument.span().resolved_at(Span::call_site());
    let method = Ident::new(method, span);
    quote_spanned!(span=> .#method(#argument))
}
