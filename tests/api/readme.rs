//! The README's first example, as it stands there.

// README.md:
use port_for::{PortGuard, port_for};
use std::io::{Read, Write};
use std::net::TcpStream;

#[rustfmt::skip] // As the README has it.
#[port_for("shop/api")]
fn serves(mut api: PortGuard) {
    let listener = api.take_listener().unwrap();
    let server = std::thread::spawn(move || listener.accept().unwrap().0.write_all(b"hello"));

    let mut answer = String::new();
    TcpStream::connect(api.addr()).unwrap().read_to_string(&mut answer).unwrap();
    assert_eq!(answer, "hello");
    server.join().unwrap().unwrap();
}

/// The README shows what is tested here.
#[test]
fn the_readme_shows_the_test_above() {
    let readme = include_str!("../../README.md");
    let example = readme.split("```").nth(1).unwrap();
    let example = example.strip_prefix("rust\n").unwrap();
    let skip = "#[rustfmt::skip] // As the README has it.\n";
    let this = include_str!("readme.rs").replace(skip, "");
    assert!(this.contains(example), "the README differs:\n{example}");
}
