//! The words of the protocol.

#[cfg(unix)]
pub(super) const FDS: &str = "LISTEN_FDS";
#[cfg(unix)]
pub(super) const FD_NAMES: &str = "LISTEN_FDNAMES";
#[cfg(unix)]
pub(super) const PID: &str = "LISTEN_PID";

/// What the names of its variables begin with.
#[cfg(unix)]
pub(crate) const PREFIX: &str = "LISTEN_";

/// The descriptor of the first socket.
#[cfg(unix)]
pub(crate) const FIRST_FD: std::os::fd::RawFd = 3;

/// A socket's name in `LISTEN_FDNAMES`: the id, with two characters written as they are in a URL.
pub(crate) fn fd_name(id: &str) -> String {
    id.replace('%', "%25").replace(':', "%3A")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_a_name_and_only_colons_and_percent_signs_change() {
        assert_eq!(fd_name("example.com/api"), "example.com/api");
        assert_eq!(fd_name("a::b"), "a%3A%3Ab");
        assert_ne!(fd_name("a%3Ab"), fd_name("a:b"));
    }
}
