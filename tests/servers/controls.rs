//! A server that runs: signalled, paused, asked whether it runs; ready by UDP and by notification; and all of it from
//! async code.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use port_for::{Ready, Server, ServerCommand, Signal};

use crate::support::installed::find;
use crate::support::{PATIENCE, TempStore};

fn shell(script: &str) -> ServerCommand {
    ServerCommand::new("/bin/sh").arg("-c").literal_arg(script)
}

fn python(script: &str) -> Option<ServerCommand> {
    let python = find("python3")?;
    Some(
        ServerCommand::new(python)
            .arg("-c")
            .literal_arg(script)
            .arg("{port}"),
    )
}

fn files() -> Option<ServerCommand> {
    let command = ServerCommand::new(find("python3")?);
    let args = ["-m", "http.server", "--bind", "127.0.0.1", "{port}"];
    Some(command.args(args).ready(Ready::http("/")))
}

/// What the server answers within this time; none if it does not.
fn answer(server: &Server, within: Duration) -> Option<Vec<u8>> {
    let mut stream = TcpStream::connect(server.addr()).unwrap();
    stream.set_read_timeout(Some(within)).unwrap();
    stream.write_all(b"GET / HTTP/1.0\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    match stream.read_to_end(&mut answer) {
        Ok(_) => Some(answer),
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => None,
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn a_paused_server_answers_once_it_is_resumed() {
    let Some(command) = files() else { return };
    let store = TempStore::new();
    let mut server = store.request(&store.api).start(&command).unwrap();
    assert!(answer(&server, PATIENCE).is_some());
    server.pause().unwrap();
    assert_eq!(answer(&server, Duration::from_millis(100)), None);
    assert!(server.is_running());
    server.resume().unwrap();
    assert!(answer(&server, PATIENCE).is_some());
    // A paused one can be asked to end.
    server.pause().unwrap();
    assert!(!server.stop().unwrap().was_killed());
}

#[test]
fn a_signal_reaches_the_server() {
    let store = TempStore::new();
    let script = "trap 'echo heard' USR1; echo up; while :; do sleep 0.01; done";
    let command = shell(script).ready(Ready::line("up"));
    let mut server = store.request(&store.api).start(&command).unwrap();
    server.signal(Signal::Usr1).unwrap();
    let heard = |line: &str| (line == "heard").then_some(());
    server.wait_line(PATIENCE, heard).unwrap();
    server.kill().unwrap();
    assert!(!server.is_running());
}

#[test]
fn a_server_of_udp_alone_is_ready_when_it_has_the_port() {
    let script = "import socket, sys, time\n\
                  time.sleep(0.1)\n\
                  s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n\
                  s.bind(('127.0.0.1', int(sys.argv[1])))\n\
                  print('bound', flush=True)\n\
                  time.sleep(1000)";
    let Some(command) = python(script) else {
        return;
    };
    let store = TempStore::new();
    let command = command.ready(Ready::listening_udp());
    let server = store.request(&store.api).start(&command).unwrap();
    assert!(server.is_running());
    std::net::UdpSocket::bind(server.addr()).unwrap_err();
}

#[cfg(target_os = "linux")]
#[test]
fn a_server_that_notifies_is_ready_when_it_says_so() {
    let script = "import os, socket, sys, time\n\
                  time.sleep(0.1)\n\
                  print('before', flush=True)\n\
                  s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)\n\
                  s.sendto(b'STATUS=soon\\nREADY=1', os.environ['NOTIFY_SOCKET'])\n\
                  time.sleep(1000)";
    let Some(command) = python(script) else {
        return;
    };
    let store = TempStore::new();
    let command = command.ready(Ready::notify());
    let server = store.request(&store.api).start(&command).unwrap();
    assert_eq!(server.output().unwrap(), "before\n");
}

#[cfg(feature = "tokio")]
#[test]
fn waiting_for_a_server_leaves_the_thread_to_other_tasks() {
    use tokio::io::AsyncReadExt as _;

    let Some(command) = python(
        "import socket, sys, time\n\
         mock = socket.create_connection(('127.0.0.1', int(sys.argv[2])))\n\
         mock.sendall(b'hello')\n\
         mock.recv(1)\n\
         print('served', flush=True)\n\
         time.sleep(1000)",
    ) else {
        return;
    };
    let store = TempStore::new();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()
        .unwrap();
    runtime.block_on(async {
        // The mock that the server needs runs in this very thread.
        let mut mock_port = store.guard_async("mock").await.unwrap();
        let mock = mock_port.take_tokio_listener().unwrap();
        let serving = async {
            let (mut client, _) = mock.accept().await.unwrap();
            let mut hello = [0; 5];
            client.read_exact(&mut hello).await.unwrap();
            assert_eq!(&hello, b"hello");
        };
        let command = command
            .arg(mock_port.to_string())
            .ready(Ready::line("served"));
        let request = store.request(&store.api);
        let (server, ()) = tokio::join!(request.start_async(&command), serving);
        let mut server = server.unwrap();
        let is_there = |line: &str| (line == "served").then_some(());
        server.wait_line_async(PATIENCE, is_there).await.unwrap();
        assert!(!server.stop_async().await.unwrap().was_killed());
    });
}
