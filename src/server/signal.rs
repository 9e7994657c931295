//! The signals that a server may be sent.

/// A signal for [`Server::signal`](crate::Server::signal) and
/// [`ServerCommand::stop_signal`](crate::ServerCommand::stop_signal).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Signal {
    /// SIGTERM: end gracefully.
    Term,
    /// SIGINT, as Ctrl-C sends it; `PostgreSQL`'s fast shutdown.
    Int,
    /// SIGQUIT; nginx's graceful shutdown, `PostgreSQL`'s immediate one.
    Quit,
    /// SIGKILL: end at once.
    Kill,
    /// SIGHUP; for many servers: read the configuration again.
    Hup,
    /// SIGUSR1.
    Usr1,
    /// SIGUSR2.
    Usr2,
}

impl Signal {
    const ALL: [(Self, &'static str); 7] = [
        (Self::Term, "TERM"),
        (Self::Int, "INT"),
        (Self::Quit, "QUIT"),
        (Self::Kill, "KILL"),
        (Self::Hup, "HUP"),
        (Self::Usr1, "USR1"),
        (Self::Usr2, "USR2"),
    ];

    /// All names, without SIG.
    #[cfg(feature = "cli")]
    pub(crate) fn names() -> impl Iterator<Item = &'static str> {
        Self::ALL.iter().map(|(_, name)| *name)
    }

    /// The signal that has this name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        let known = Self::ALL.iter().find(|(_, known)| *known == name);
        known.map(|(signal, _)| *signal)
    }

    /// `TERM`, as `kill -TERM` has it.
    pub(crate) fn name(self) -> &'static str {
        let known = Self::ALL.iter().find(|(signal, _)| *signal == self);
        known.map_or("", |(_, name)| name)
    }
}
