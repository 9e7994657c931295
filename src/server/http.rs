//! One `GET` request and the status of its answer, without waiting in between: all of HTTP that readiness takes.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use crate::who;

/// A request on its way.
#[derive(Debug)]
pub(super) struct Request {
    stream: TcpStream,
    /// What is to be sent still.
    unsent: Vec<u8>,
    answer: Vec<u8>,
    since: Instant,
}

/// What has come of a request.
#[derive(Debug)]
pub(super) enum Answer {
    NotYet,
    Status(u16),
}

impl Request {
    /// A server that has not answered by then is asked anew: some lose what came too early.
    const PATIENCE: Duration = Duration::from_secs(10);
    /// Longer than any status line.
    const LINE: usize = 4096;

    pub(super) fn begin(
        addr: SocketAddr,
        path: &str,
        headers: &[(String, String)],
    ) -> io::Result<Self> {
        let stream = who::connect(addr)?;
        stream.set_nonblocking(true)?;
        let mut text = format!("GET {path} HTTP/1.1\r\nHost: {addr}\r\nConnection: close\r\n");
        for (name, value) in headers {
            text.extend([name, ": ", value, "\r\n"]);
        }
        text += "\r\n";
        Ok(Self {
            stream,
            unsent: text.into_bytes(),
            answer: Vec::new(),
            since: Instant::now(),
        })
    }

    /// Sends and reads what goes without waiting.
    ///
    /// # Errors
    ///
    /// When the connection fails, the answer is not HTTP, or does not come in time.
    pub(super) fn go_on(&mut self) -> io::Result<Answer> {
        while !self.unsent.is_empty() {
            match self.stream.write(&self.unsent) {
                Ok(sent) => drop(self.unsent.drain(..sent)),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return self.not_yet(),
                Err(error) => return Err(error),
            }
        }
        let mut buffer = [0; 512];
        loop {
            if let Some(status) = self.status()? {
                return Ok(Answer::Status(status));
            }
            match self.stream.read(&mut buffer) {
                Ok(0) => return Err(other("the connection was closed without an answer")),
                Ok(length) => self.answer.extend_from_slice(&buffer[..length]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return self.not_yet(),
                Err(error) => return Err(error),
            }
        }
    }

    fn not_yet(&self) -> io::Result<Answer> {
        if self.since.elapsed() > Self::PATIENCE {
            return Err(other("no answer within ten seconds"));
        }
        Ok(Answer::NotYet)
    }

    /// `HTTP/1.1 200 OK`. What is 1xx is not the answer yet.
    fn status(&mut self) -> io::Result<Option<u16>> {
        let not_http = || other("the answer is not HTTP");
        loop {
            let Some(end) = self.answer.windows(2).position(|two| two == b"\r\n") else {
                let begins_well = self
                    .answer
                    .iter()
                    .zip(b"HTTP/")
                    .all(|(byte, ours)| byte == ours);
                return if begins_well && self.answer.len() < Self::LINE {
                    Ok(None)
                } else {
                    Err(not_http())
                };
            };
            let line = String::from_utf8_lossy(&self.answer[..end]);
            let mut words = line.split(' ');
            let is_http = words.next().is_some_and(|word| word.starts_with("HTTP/"));
            let status: Option<u16> = words.next().and_then(|word| word.parse().ok());
            match status.filter(|_| is_http).ok_or_else(not_http)? {
                100..=199 => {}
                status => return Ok(Some(status)),
            }
            let Some(end) = self.answer.windows(4).position(|four| four == b"\r\n\r\n") else {
                return Ok(None);
            };
            self.answer.drain(..end + 4);
        }
    }
}

fn other(what: &str) -> io::Error {
    io::Error::other(what)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    /// What comes of a request that is answered so.
    fn answered(answer: &'static [u8]) -> Result<u16, String> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = Vec::new();
            let mut byte = [0];
            while !request.ends_with(b"\r\n\r\n") {
                stream.read_exact(&mut byte).unwrap();
                request.push(byte[0]);
            }
            stream.write_all(answer).unwrap();
            String::from_utf8(request).unwrap()
        });
        let headers = [("X-Test".to_owned(), "1".to_owned())];
        let mut request = Request::begin(addr, "/health?x=1", &headers).unwrap();
        let outcome = loop {
            match request.go_on() {
                Ok(Answer::NotYet) => std::thread::yield_now(),
                Ok(Answer::Status(status)) => break Ok(status),
                Err(error) => break Err(error.to_string()),
            }
        };
        let sent = server.join().unwrap();
        assert_eq!(
            sent,
            format!(
                "GET /health?x=1 HTTP/1.1\r\nHost: {addr}\r\nConnection: close\r\nX-Test: 1\r\n\r\n"
            )
        );
        outcome
    }

    #[test]
    fn the_status_of_the_answer_is_told_and_what_is_no_answer() {
        assert_eq!(answered(b"HTTP/1.1 200 OK\r\n\r\n"), Ok(200));
        assert_eq!(answered(b"HTTP/1.0 503\r\nX: y\r\n\r\nbody"), Ok(503));
        assert_eq!(
            answered(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n"),
            Ok(204)
        );
        for (answer, expected) in [
            (&b""[..], "without an answer"),
            (b"HTTP/1.1 2", "without an answer"),
            (b"+PONG\r\n", "not HTTP"),
            (b"SSH-2.0", "not HTTP"),
            (b"HTTP/1.1 fine\r\n", "not HTTP"),
        ] {
            let error = answered(answer).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }
}
