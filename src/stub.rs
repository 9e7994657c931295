//! Stands in for the runtime core until it is merged; then this file goes.
#![allow(
    missing_docs,
    clippy::missing_errors_doc,
    clippy::must_use_candidate,
    clippy::unnecessary_wraps
)]

use crate::PortSet;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::time::Duration;

#[derive(Debug)]
pub struct Error(String);

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Error {}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OnBusy {
    Wait,
    Fail,
    Move,
}

#[derive(Debug)]
pub struct PortGuard {
    id: String,
    addr: SocketAddr,
    listener: Option<TcpListener>,
}

impl PortGuard {
    pub fn id(&self) -> &str {
        &self.id
    }
    pub fn port(&self) -> u16 {
        self.addr.port()
    }
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }
    pub fn take_listener(&mut self) -> Result<TcpListener, Error> {
        self.listener
            .take()
            .ok_or_else(|| Error("taken already".into()))
    }
    pub fn vacate(&mut self) -> Result<SocketAddr, Error> {
        self.take_listener().map(|_| self.addr)
    }
}

#[derive(Debug)]
pub struct PortFor;

impl PortFor {
    pub fn shared() -> Result<&'static Self, Error> {
        Ok(&Self)
    }
    pub fn request<'a>(&'a self, id: &'a str) -> Request<'a> {
        Request {
            id,
            host: Ipv4Addr::LOCALHOST.into(),
            port: 0,
        }
    }
}

#[derive(Debug)]
pub struct Request<'a> {
    id: &'a str,
    host: IpAddr,
    port: u16,
}

impl Request<'_> {
    #[must_use]
    pub fn default_port(self, _port: u16) -> Self {
        self
    }
    #[must_use]
    pub fn exact_port(self, port: u16) -> Self {
        Self { port, ..self }
    }
    #[must_use]
    #[allow(clippy::needless_pass_by_value)]
    pub fn ports(self, _ports: PortSet) -> Self {
        self
    }
    #[must_use]
    pub fn host(self, host: IpAddr) -> Self {
        Self { host, ..self }
    }
    #[must_use]
    pub fn timeout(self, _timeout: Duration) -> Self {
        self
    }
    #[must_use]
    pub fn on_busy(self, _on_busy: OnBusy) -> Self {
        self
    }
    #[must_use]
    pub fn udp(self) -> Self {
        self
    }
    pub fn guard(self) -> Result<PortGuard, Error> {
        let error =
            |error: std::io::Error| Error(format!("cannot hold a port for `{}`: {error}", self.id));
        if self.id.is_empty() || self.id.starts_with('-') {
            return Err(Error(format!("the id `{}` is not valid", self.id)));
        }
        let listener = TcpListener::bind((self.host, self.port)).map_err(error)?;
        let addr = listener.local_addr().map_err(error)?;
        Ok(PortGuard {
            id: self.id.to_owned(),
            addr,
            listener: Some(listener),
        })
    }
}

/// The contract with the attribute: all of `requests`, or none.
pub(crate) fn acquire(requests: Vec<Request<'_>>) -> Result<Vec<PortGuard>, Error> {
    requests.into_iter().map(Request::guard).collect()
}

impl std::str::FromStr for PortSet {
    type Err = Error;
    fn from_str(_: &str) -> Result<Self, Error> {
        Ok(Self)
    }
}
