//! A crate in which no name means what one expects. Built in each edition; every warning is an error.

#![cfg(test)]
#![no_implicit_prelude]
#![forbid(unsafe_code)]
#![deny(warnings, clippy::pedantic)]

use ::port_for::{port_for, FromGuard, PortGuard};
use ::std::net::{SocketAddr, TcpListener};
use ::std::{assert, assert_eq, format};

#[allow(dead_code, unused_imports, unused_macros)]
mod decoys {
    pub(crate) mod core {}
    pub(crate) mod std {}
    pub(crate) mod alloc {}
    pub(crate) mod port_for {}
    pub(crate) mod guards {}
    pub(crate) struct Option;
    pub(crate) struct Result;
    pub(crate) struct String;
    pub(crate) struct Vec;
    pub(crate) struct Wanted;
    pub(crate) struct Slot;
    pub(crate) struct Some;
    pub(crate) struct None;
    pub(crate) struct Ok;
    pub(crate) struct Err;
    pub(crate) const SLOT: u8 = 0;
    pub(crate) fn param() {}
    pub(crate) fn drop() {}
    macro_rules! option_env {
        () => {};
    }
    macro_rules! module_path {
        () => {};
    }
    pub(crate) use {module_path, option_env};
}

#[allow(unused_imports)]
use decoys::*;

type Outcome = ::std::result::Result<(), ::std::fmt::Error>;

#[port_for(
    "hygiene/literal",
    timeout = "60s",
    on_busy = "wait",
    host = "127.0.0.1"
)]
fn literal(api: PortGuard) {
    assert_eq!(api.id().unwrap(), "hygiene/literal");
}

#[port_for]
fn bare(a: PortGuard, b: &PortGuard) {
    assert!(a.id() != b.id());
}

#[port_for(id = format!("hygiene/{}", "expression"))]
fn expression(api: PortGuard) {
    assert_eq!(api.id().unwrap(), "hygiene/expression");
}

#[port_for("hygiene/mut", "hygiene/unnamed")]
fn patterns(mut api: PortGuard, _: PortGuard) {
    assert!(api.take_listener().is_ok());
}

#[port_for("hygiene/a", "hygiene/b", "hygiene/c", "hygiene/d")]
fn types(api: &mut PortGuard, listener: TcpListener, addr: SocketAddr, port: u16) {
    assert!(api.vacate().is_ok());
    assert!(listener.local_addr().is_ok());
    assert!(addr.port() != port);
}

#[port_for("hygiene/raw")]
fn r#match(r#type: PortGuard) {
    assert_eq!(r#type.id().unwrap(), "hygiene/raw");
}

#[port_for]
fn raw_without_an_id(r#type: PortGuard) {
    assert!(r#type.id().unwrap().ends_with("raw_without_an_id::type"));
}

/// Borrows a guard until it is dropped.
struct Peek<'a>(&'a PortGuard);

impl Peek<'_> {
    fn outcome(&self) -> Outcome {
        use ::std::fmt::Write as _;
        ::std::string::String::new().write_str(self.0.id().unwrap())
    }
}

impl ::std::ops::Drop for Peek<'_> {
    fn drop(&mut self) {
        assert!(TcpListener::bind(self.0.addr()).is_err());
    }
}

fn peek(guard: &PortGuard) -> Peek<'_> {
    Peek(guard)
}

#[port_for("hygiene/tail")]
fn the_tail_may_borrow(api: PortGuard) -> Outcome {
    peek(&api).outcome()
}

#[port_for("hygiene/should-panic")]
#[should_panic(expected = "as it should")]
fn panics(api: PortGuard) {
    assert!(api.port() == 0, "as it should");
}

#[port_for("hygiene/inner")]
fn inner_attributes(api: PortGuard) {
    #![allow(unused_variables)]
    let unused = api.port();
}

macro_rules! suite {
    ($name:ident, $id:literal, $param:ident, $ty:ty, $timeout:literal, $port:expr) => {
        #[port_for($id, timeout = $timeout, default = $port)]
        fn $name($param: $ty) {
            assert_eq!($param.id().unwrap(), $id);
        }
    };
}

suite!(from_a_macro, "hygiene/macro", guard, PortGuard, "60s", 8765);

fn is_public<'slot, T: FromGuard<'slot>>() {}

#[port_for("hygiene/public")]
fn the_trait_is_public(_: PortGuard) {
    is_public::<u16>();
    param();
}
