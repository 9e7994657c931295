//! Sockets by the tables of IP Helper.

#![allow(unsafe_code)]

use std::ffi::OsString;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::windows::ffi::OsStringExt;
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle};
use std::path::Path;

use windows_sys::Win32::Foundation::{ERROR_INSUFFICIENT_BUFFER, NO_ERROR};
use windows_sys::Win32::NetworkManagement::IpHelper::{
    GetExtendedTcpTable, GetExtendedUdpTable, TCP_TABLE_OWNER_PID_LISTENER, UDP_TABLE_OWNER_PID,
};
use windows_sys::Win32::Networking::WinSock::{AF_INET, AF_INET6};
use windows_sys::Win32::System::Threading::{
    OpenProcess, PROCESS_NAME_WIN32, PROCESS_QUERY_LIMITED_INFORMATION, QueryFullProcessImageNameW,
};

use crate::who::found::{Found, Opener, State};
use crate::who::occupant::Protocol;

/// The sockets that are wanted, by protocol and local address: UDP sockets, and TCP sockets that listen.
pub(crate) fn sockets(wanted: impl Fn(Protocol, SocketAddr) -> bool) -> Vec<Found> {
    // How many words a row has, and which of them are the address, the port and the process:
    // `MIB_TCPROW_OWNER_PID`, `MIB_TCP6ROW_OWNER_PID`, `MIB_UDPROW_OWNER_PID`, `MIB_UDP6ROW_OWNER_PID`.
    const LAYOUTS: [(Protocol, u16, usize, [usize; 3]); 4] = [
        (Protocol::Tcp, AF_INET, 6, [1, 2, 5]),
        (Protocol::Tcp, AF_INET6, 14, [0, 5, 13]),
        (Protocol::Udp, AF_INET, 3, [0, 1, 2]),
        (Protocol::Udp, AF_INET6, 7, [0, 5, 6]),
    ];
    let mut found = Vec::new();
    for (protocol, family, length, [addr, port, process]) in LAYOUTS {
        let table = table(protocol, family);
        // Before the rows stands their number, and behind them there may be room.
        let (count, rows) = table
            .split_first()
            .map_or((0, &[][..]), |(&count, rows)| (count as usize, rows));
        for row in rows.chunks_exact(length).take(count) {
            let ip: IpAddr = if family == AF_INET {
                Ipv4Addr::from(row[addr].to_ne_bytes()).into()
            } else {
                let mut bytes = [0; 16];
                for (bytes, word) in bytes.chunks_exact_mut(4).zip(&row[addr..]) {
                    bytes.copy_from_slice(&word.to_ne_bytes());
                }
                Ipv6Addr::from(bytes).into()
            };
            let [high, low, ..] = row[port].to_ne_bytes();
            let local = (ip, u16::from_be_bytes([high, low])).into();
            if wanted(protocol, local) {
                found.push(Found {
                    protocol,
                    local,
                    state: State::Listens,
                    user: None,
                    openers: opener(row[process]).into_iter().collect(),
                });
            }
        }
    }
    found
}

/// None for 0: the system knows no process, as Wine does not.
fn opener(pid: u32) -> Option<Opener> {
    (pid > 0).then(|| Opener {
        pid,
        parent: None,
        name: name(pid).unwrap_or_else(|| "unknown".to_owned()),
    })
}

/// The table in words of 32 bits, of which all of its rows are made. Empty when the system does not give it.
fn table(protocol: Protocol, family: u16) -> Vec<u32> {
    let mut table = vec![0_u32; 1024];
    // It grows while it is asked for.
    for _ in 0..10 {
        let mut size = u32::try_from(table.len() * size_of::<u32>()).unwrap_or(u32::MAX);
        let (to, family) = (table.as_mut_ptr().cast(), u32::from(family));
        // SAFETY: the table has room for as many bytes as `size` says.
        let outcome = unsafe {
            match protocol {
                Protocol::Tcp => {
                    let class = TCP_TABLE_OWNER_PID_LISTENER;
                    GetExtendedTcpTable(to, &raw mut size, 0, family, class, 0)
                }
                Protocol::Udp => {
                    GetExtendedUdpTable(to, &raw mut size, 0, family, UDP_TABLE_OWNER_PID, 0)
                }
            }
        };
        match outcome {
            NO_ERROR => return table,
            ERROR_INSUFFICIENT_BUFFER => table.resize(size as usize / size_of::<u32>() + 1024, 0),
            _ => break,
        }
    }
    Vec::new()
}

/// The file name of the process's program, if the system lets us ask.
fn name(pid: u32) -> Option<String> {
    let mut path = [0; 1024];
    let mut length = 1024;
    // SAFETY: the handle is checked, and is ours alone; the path has room for as many characters as `length` says.
    let is_told = unsafe {
        let process = OpenProcess(PROCESS_QUERY_LIMITED_INFORMATION, 0, pid);
        if process.is_null() {
            return None;
        }
        let process = OwnedHandle::from_raw_handle(process);
        let (handle, path) = (process.as_raw_handle(), path.as_mut_ptr());
        QueryFullProcessImageNameW(handle, PROCESS_NAME_WIN32, path, &raw mut length) != 0
    };
    let path = OsString::from_wide(path.get(..length as usize)?);
    let name = Path::new(&path).file_name()?.to_string_lossy().into_owned();
    is_told.then_some(name)
}
