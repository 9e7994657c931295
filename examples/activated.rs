//! A server that is given its socket, by systemd or by [`socket_activation`](../socket_activation.rs): it takes the
//! one that `LISTEN_FDS` speaks of. Nothing in it is about testing.

#[cfg(unix)]
fn main() -> std::io::Result<()> {
    use std::io::{BufRead, BufReader, Write};

    let listener = listenfd::ListenFd::from_env().take_tcp_listener(0)?;
    let listener = listener.expect("no socket was passed: start me by `socket_activation`");
    for stream in listener.incoming() {
        let stream = stream?;
        // The request: everything up to an empty line.
        for line in BufReader::new(&stream).lines() {
            if line?.is_empty() {
                break;
            }
        }
        let body = format!("hello from process {}", std::process::id());
        let length = body.len();
        // A client that has gone away is its own affair.
        let _ = write!(
            &stream,
            "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
        );
    }
    Ok(())
}

#[cfg(not(unix))]
fn main() {
    eprintln!("sockets are passed so on Unix only");
}
