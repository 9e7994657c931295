//! Machines without IPv6, and without a network.

use std::fs;
use std::net::{Ipv6Addr, TcpListener};
use std::path::Path;

use port_for::ErrorKind;

use super::{open, run, says, works};
use crate::{driver, strace};

pub fn no_ipv6_in_the_kernel(_: &Path) {
    let call = driver::call("assign").expect("a call");
    let run = strace::without_ipv6(call);
    assert!(run.hit, "IPv6 was asked for, and was not there");
    assert!(run.status.success(), "{}", run.complained);
}

pub fn ipv6_switched_off(folder: &Path) {
    for interface in ["all", "default", "lo"] {
        fs::write(
            format!("/proc/sys/net/ipv6/conf/{interface}/disable_ipv6"),
            "1",
        )
        .unwrap();
    }
    run(&["ip", "link", "set", "lo", "up"]);
    TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).expect_err("IPv6 is off");
    works(&open(folder), "api");
}

pub fn no_ipv6_loopback(folder: &Path) {
    run(&["ip", "link", "set", "lo", "up"]);
    run(&["ip", "-6", "address", "del", "::1/128", "dev", "lo"]);
    TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).expect_err("there is no such address");
    let ports = open(folder);
    works(&ports, "api");
    let request = ports.request("v6").host(Ipv6Addr::LOCALHOST);
    says(
        &request.guard().unwrap_err(),
        ErrorKind::Bind,
        &["[::1]:", "`v6`"],
    );
}

/// A fresh network namespace: nothing is up. Numbers are assigned; holding works, or says why not.
pub fn no_loopback(folder: &Path) {
    let ports = open(folder);
    ports.forward_port("api", 0).unwrap();
    if let Err(error) = ports.guard("api") {
        says(&error, ErrorKind::Bind, &["127.0.0.1"]);
    }
}
