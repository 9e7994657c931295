//! No process is started with sockets here.

use std::net::TcpListener;

pub(crate) fn take_all(_names: &[String]) -> Option<Vec<(String, TcpListener)>> {
    None
}

pub(crate) fn give_back(_unused: Vec<(String, TcpListener)>) {}

pub(crate) fn is_empty() -> bool {
    true
}

pub(crate) fn port(_name: &str) -> Option<u16> {
    None
}
