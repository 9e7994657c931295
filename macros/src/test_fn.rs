//! Validate: a function and its arguments become the model of a test, or the mistakes in them are told.

use crate::args::Args;
pub(crate) use crate::function::Function;
use crate::function::{harmless, makes_test};
use crate::options::{Errors, Id, Number, Options, Place, Request, Server};
use proc_macro2::{Ident, Span, TokenStream};
use quote::ToTokens;
use syn::ext::IdentExt as _;
use syn::spanned::Spanned as _;
use syn::{
    Attribute, Error, Expr, FnArg, GenericArgument, GenericParam, Lifetime, Meta, Pat, PatType,
    Path, PathArguments, Safety, Type,
};

/// A valid test function. The parameters in `ports` are no longer in its signature.
pub(crate) struct TestFn {
    pub(crate) function: Function,
    pub(crate) add_test: bool,
    pub(crate) krate: Path,
    pub(crate) ports: Vec<Port>,
}

/// A parameter that is a port.
pub(crate) struct Port {
    pub(crate) mutability: Option<TokenStream>,
    /// `None`: the parameter is called `_`.
    pub(crate) ident: Option<Ident>,
    pub(crate) ty: TokenStream,
    /// `None`: the id is made at run time, of the test's name and `label`.
    pub(crate) id: Option<Id>,
    pub(crate) label: String,
    pub(crate) request: Request,
}

/// The mistakes, and what to leave in the place of the function.
pub(crate) struct Invalid {
    pub(crate) errors: Error,
    pub(crate) item: TokenStream,
}

impl TestFn {
    pub(crate) fn validate(args: TokenStream, item: TokenStream) -> Result<Self, Invalid> {
        let mut function: Function = match syn::parse2(item.clone()) {
            Ok(function) => function,
            Err(errors) => return Err(Invalid { errors, item }),
        };
        let mut errors = Errors::default();
        let args = errors.keep(syn::parse2::<Args>(args));

        let add_test = !function.attrs.iter().any(makes_test);
        check_kind(&function, add_test, &mut errors);
        let mut options = args.map(|args| Options::validate(args, Place::Function, &mut errors));
        let krate = options.as_mut().and_then(|options| options.krate.take());
        let ports = find_ports(&function, options, &mut errors);

        if let Err(errors) = errors.finish() {
            let item = harmless(function);
            return Err(Invalid { errors, item });
        }
        function.sig.inputs = std::mem::take(&mut function.sig.inputs)
            .into_iter()
            .enumerate()
            .filter(|(position, _)| !ports.iter().any(|(port, _)| port == position))
            .map(|(_, input)| input)
            .collect();
        Ok(Self {
            function,
            add_test,
            krate: krate.unwrap_or_else(|| syn::parse_quote!(::port_for)),
            ports: ports.into_iter().map(|(_, port)| port).collect(),
        })
    }
}

/// What the function must not be, whatever its parameters are.
fn check_kind(function: &Function, add_test: bool, errors: &mut Errors) {
    let sig = &function.sig;
    if let Some(again) = function.again() {
        errors.on(
            again,
            "`#[port_for]` is there twice; write all ids in one: `#[port_for(\"a\", \"b\")]`",
        );
    }
    if let Some(constness) = &sig.constness {
        errors.on(constness, "a test function cannot be `const`");
    }
    if let Safety::Unsafe(unsafety) = &sig.safety {
        errors.on(unsafety, "a test function cannot be `unsafe`");
    }
    if let Some(abi) = &sig.abi {
        errors.on(abi, "a test function cannot be `extern`");
    }
    if let Some(receiver) = sig.receiver() {
        errors.on(
            receiver,
            "a test function has no `self`; move it out of the `impl`",
        );
    }
    // A framework that calls the function with arguments can choose the types; the test harness cannot.
    let type_param = (sig.generics.params.iter())
        .find(|param| !matches!(param, GenericParam::Lifetime(_)))
        .filter(|_| !function.may_be_filled());
    if let Some(param) = type_param {
        errors.on(
            param,
            "a test function cannot be generic, for nobody chooses the type",
        );
    }
    if let Some(asyncness) = sig.asyncness.as_ref().filter(|_| add_test) {
        errors.on(asyncness,
            "an async test needs a runtime: add an attribute such as `#[tokio::test]` below `#[port_for]`",
        );
    }
}

/// The parameters that are ports, each with its place among all.
fn find_ports(
    function: &Function,
    options: Option<Options>,
    errors: &mut Errors,
) -> Vec<(usize, Port)> {
    let mut marked = Vec::new();
    let mut free = Vec::new();
    for (position, input) in function.sig.inputs.iter().enumerate() {
        let FnArg::Typed(param) = input else { continue };
        if param.attrs.is_empty() {
            free.push((position, param));
        } else if let Some(options) = parameter_options(param, errors) {
            marked.push((position, param, options));
        }
    }

    let unclear =
        function.again().is_some() || (options.as_ref()).is_none_or(|options| options.ids_unclear);
    let options = options.unwrap_or_default();
    let function_wide = options.request;
    let taken = if unclear {
        Ok(Vec::new())
    } else if options.ids.is_empty() {
        take_without_ids(function, &free, marked.is_empty())
    } else {
        take(function, &options.ids, &free)
    };
    let mut ids = options.ids.into_iter();
    let mut ports = Vec::new();
    for (position, param) in errors.keep(taken).unwrap_or_default() {
        let port = Port::new(position, param, ids.next(), function_wide.clone(), errors);
        ports.push((position, port));
    }
    for (position, param, options) in marked {
        let request = options.request.or(&function_wide);
        let id = options.ids.into_iter().next();
        ports.push((position, Port::new(position, param, id, request, errors)));
    }
    ports.sort_by_key(|(position, _)| *position);
    check_together(&ports, errors);
    ports
}

/// The arguments of a parameter's `#[port]`, if it has one.
fn parameter_options(param: &PatType, errors: &mut Errors) -> Option<Options> {
    let is_port = |attr: &&Attribute| attr.path().is_ident("port");
    let attr = param.attrs.iter().find(is_port)?;
    for other in &param.attrs {
        if std::ptr::eq(other, attr) {
            continue;
        }
        let message = if is_port(&other) {
            "`#[port]` is there twice"
        } else {
            "next to `#[port]` no other attribute has a meaning: the parameter leaves the signature"
        };
        errors.on(other, message);
    }
    let args = match &attr.meta {
        Meta::Path(_) => Ok(Args::default()),
        Meta::List(list) => list.parse_args(),
        Meta::NameValue(pair) => Err(Error::new(
            pair.eq_token.span(),
            "the id goes in parentheses: `#[port(\"api\")]`",
        )),
    };
    let options = match errors.keep(args) {
        Some(args) => Options::validate(args, Place::Parameter, errors),
        None => Options::default(),
    };
    Some(options)
}

/// A parameter and its place among all.
type Placed<'a> = (usize, &'a PatType);

/// Of the parameters without an attribute, those that become ports because the function's `#[port_for]` has no ids.
fn take_without_ids<'a>(
    function: &Function,
    free: &[Placed<'a>],
    needed: bool,
) -> syn::Result<Vec<Placed<'a>>> {
    let mut taken = free.to_vec();
    if function.may_be_filled() {
        taken.retain(|(_, param)| is_guard(&param.ty));
    }
    if !taken.is_empty() || !needed {
        return Ok(taken);
    }
    Err(match free.first() {
        Some((_, param)) => Error::new_spanned(
            param,
            format_args!(
                "another attribute may fill this parameter; if it is a port, write `#[port] {}: …`",
                name(param)
            ),
        ),
        None => Error::new(
            Span::call_site(),
            format_args!(
                "no parameter takes a port: add one, such as `api: PortGuard`{}",
                function.order_hint()
            ),
        ),
    })
}

/// Of the parameters without an attribute, those that `ids` belong to, from the left.
fn take<'a>(function: &Function, ids: &[Id], free: &[Placed<'a>]) -> syn::Result<Vec<Placed<'a>>> {
    if ids.len() > free.len() {
        let message = format!("no parameter is left for this id{}", function.order_hint());
        let mut errors = Errors::default();
        for id in &ids[free.len()..] {
            errors.on(id, &message);
        }
        return errors.finish().map(|()| Vec::new());
    }
    if ids.len() == free.len() {
        return Ok(free.to_vec());
    }
    if !function.may_be_filled() {
        let (_, param) = free[ids.len()];
        let message = format_args!(
            "no id is left for `{0}`: add one to `#[port_for(…)]`, or write `#[port(\"…\")] {0}: …` here",
            name(param)
        );
        return Err(Error::new_spanned(param, message));
    }
    let guards: Vec<_> = (free.iter().copied())
        .filter(|(_, param)| is_guard(&param.ty))
        .collect();
    if guards.len() == ids.len() {
        return Ok(guards);
    }
    let names: Vec<_> = free.iter().map(|(_, param)| name(param)).collect();
    let example = guards.first().unwrap_or(&free[0]).1;
    let message = format_args!(
        "another attribute may fill some of `{}`, so it is not clear which are ports: \
         write the id on the parameter, as in `#[port({})] {}: …`",
        names.join("`, `"),
        ids[0],
        name(example),
    );
    Err(Error::new_spanned(&ids[0], message))
}

/// Written as a `PortGuard`, as a reference to one, or as several.
fn is_guard(ty: &Type) -> bool {
    match ty {
        Type::Group(group) => is_guard(&group.elem),
        Type::Paren(paren) => is_guard(&paren.elem),
        Type::Reference(reference) => is_guard(&reference.elem),
        Type::Array(array) => is_guard(&array.elem),
        Type::Slice(slice) => is_guard(&slice.elem),
        Type::Path(path) => (path.path.segments.last()).is_some_and(|last| {
            last.ident == "PortGuard" || last.ident == "Vec" && is_guard_in(&last.arguments)
        }),
        _ => false,
    }
}

/// `Vec<PortGuard>`.
fn is_guard_in(arguments: &PathArguments) -> bool {
    let PathArguments::AngleBracketed(arguments) = arguments else {
        return false;
    };
    let is_guard =
        |argument: &GenericArgument| matches!(argument, GenericArgument::Type(ty) if is_guard(ty));
    arguments.args.iter().any(is_guard)
}

fn name(param: &PatType) -> String {
    match &*param.pat {
        Pat::Ident(pat) => pat.ident.to_string(),
        _ => "_".to_owned(),
    }
}

impl Port {
    fn new(
        position: usize,
        param: &PatType,
        id: Option<Id>,
        request: Request,
        errors: &mut Errors,
    ) -> Self {
        let (mutability, ident) = match &*param.pat {
            Pat::Ident(pat) if pat.by_ref.is_none() && pat.subpat.is_none() => {
                let mutability = pat.mutability.as_ref().map(ToTokens::to_token_stream);
                (mutability, Some(pat.ident.clone()))
            }
            Pat::Wild(_) => (None, None),
            other => {
                errors.on(other, "a port's parameter is a name, `mut` name or `_`");
                (None, None)
            }
        };
        if let Type::Reference(reference) = &*param.ty {
            let named = |lifetime: &&Lifetime| lifetime.ident != "_";
            if let Some(lifetime) = reference.lifetime.as_ref().filter(named) {
                errors.on(
                    lifetime,
                    "the port is lent until the test ends, which no lifetime can name: leave it out",
                );
            }
        }
        let request = with_length(request, &param.ty, errors);
        let label = match &ident {
            Some(ident) => ident.unraw().to_string(),
            None => format!("_{position}"),
        };
        Self {
            mutability,
            ident,
            ty: param.ty.to_token_stream(),
            id,
            label,
            request,
        }
    }
}

/// An array of guards says how many ports the block has.
fn with_length(mut request: Request, ty: &Type, errors: &mut Errors) -> Request {
    let Some(length) = length(ty) else {
        return request;
    };
    if let Some(block) = &request.block {
        let (written, length) = (block.to_string(), length.to_token_stream().to_string());
        let number = |text: &str| text.replace('_', "").parse::<u16>().ok();
        if let (Some(block), Some(length)) = (number(&written), number(&length))
            && block != length
        {
            errors.on(
                ty,
                format_args!("an array of {length} guards is no block of {block} ports: `block` can be left out"),
            );
        }
    } else {
        request.block = Some(length.to_token_stream());
    }
    request
}

/// N of `[PortGuard; N]`.
fn length(ty: &Type) -> Option<&Expr> {
    match ty {
        Type::Group(group) => length(&group.elem),
        Type::Paren(paren) => length(&paren.elem),
        Type::Array(array) if is_guard(&array.elem) => Some(&array.len),
        _ => None,
    }
}

/// What each port has by itself and not beside the others.
fn check_together(ports: &[(usize, Port)], errors: &mut Errors) {
    let mut ids: Vec<String> = Vec::new();
    let mut exacts: Vec<String> = Vec::new();
    let nameless = ports
        .iter()
        .find_map(|(_, port)| match &port.request.server {
            Some(Server::Shared(_, option)) if port.id.is_none() => Some((option, &port.label)),
            _ => None,
        });
    if let Some((option, label)) = nameless {
        let message = format_args!(
            "tests find a shared server by its id, and `{label}` has none: write `#[port_for(\"…\", shared = …)]`"
        );
        errors.on(option, message);
    }
    for (_, port) in ports {
        if let Some(Id::Literal(id)) = &port.id {
            let value = id.value();
            if ids.contains(&value) {
                errors.on(
                    id,
                    format_args!("the id `{value}` is there twice, but a port has one holder"),
                );
            }
            ids.push(value);
        }
        if let Some(Number::Exact(number, option)) = &port.request.number {
            let number = number.to_string();
            // The function's option reaches every port: told once.
            if exacts.iter().filter(|exact| **exact == number).count() == 1 {
                errors.on(
                    option,
                    format_args!(
                        "two ids cannot both have port {number}: write `#[port(\"…\", exact = {number})]` on one parameter"
                    ),
                );
            }
            exacts.push(number);
        }
    }
}
