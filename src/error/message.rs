//! The messages. Each answers three questions: what was wanted, what stood in the way (who, where), what to do now.

use std::fmt;
use std::io;
use std::path::Path;

use super::cause::Cause;
use crate::text::{Seconds, ShellWord, Subject, printable};
use crate::wait::Wait;

impl fmt::Display for Cause {
    #[expect(
        clippy::too_many_lines,
        reason = "one message a variant, and nothing else"
    )]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InvalidId { id, rule } => write!(f, "{id:?} cannot be an id: {rule}"),
            Self::Config {
                variable,
                value,
                valid,
                detail,
            } => write!(
                f,
                "the environment variable `{variable}` is {value:?}, which is not {valid}{detail}"
            ),
            Self::Store {
                action,
                path,
                source,
            } => write!(
                f,
                "cannot {action} `{}`: {source}; {}",
                path.display(),
                advice_for_a_file(source)
            ),
            Self::Untrusted { path, why } => write!(
                f,
                "will not use `{}`: {why}; set `PORT_FOR_STORE` to a file in a folder of your own",
                path.display()
            ),
            Self::StoreLocked {
                path,
                holder,
                waited,
            } => write!(
                f,
                "cannot change the store: its lock `{}` was held for {} by {holder}; let it end, or wait longer with \
                 `PORT_FOR_TIMEOUT` (seconds)",
                path.display(),
                Seconds(*waited)
            ),
            Self::Corrupt { path, source } => write!(
                f,
                "the store `{}` cannot be read: {source}; it was not changed: correct that place by hand, or move the file away \
                 to start with an empty store",
                path.display()
            ),
            Self::HasOtherPort {
                id,
                wanted,
                has,
                store,
            } => write!(
                f,
                "`{id}` cannot have exactly port {wanted}: it has port {has} in `{}`; ask without an exact port, or release \
                 it first: `{}`",
                store.display(),
                Unbind(store, id)
            ),
            Self::PortOfOther {
                id,
                wanted,
                other,
                store,
            } => write!(
                f,
                "`{id}` cannot have exactly port {wanted}: that is the port of `{other}` in `{}`; ask for another port, or \
                 release that id first: `{}`",
                store.display(),
                Unbind(store, other)
            ),
            Self::NotAPort { id } => write!(
                f,
                "cannot have port 0{}: it is no port; ask for one from 1 to 65535",
                For(id)
            ),
            Self::Group { what, release, .. } => {
                f.write_str(what)?;
                match release {
                    Some((store, key)) => {
                        write!(f, ", or release it first: `{}`", Unbind(store, key))
                    }
                    None => Ok(()),
                }
            }
            Self::Busy {
                id,
                port,
                holder,
                server,
                waited,
                lease,
                advice,
            } => {
                write!(f, "{} is held by {holder}", Subject(id.as_deref(), *port))?;
                if let Some(server) = server {
                    write!(f, ", for its server {server}, whose guard is gone")?;
                }
                let lease = lease.display();
                if *waited > Wait::GLANCE {
                    write!(f, "; waited {} for the lease `{lease}`", Seconds(*waited))?;
                } else {
                    write!(f, "; the lease is `{lease}`")?;
                }
                write!(f, "; {advice}")
            }
            Self::Occupied {
                id,
                port,
                left_by: Some(test),
                waited,
                ..
            } => write!(
                f,
                "{} cannot be held: test `{}` took its listener, and a thread or task that it left behind still serves it; \
                 waited {}; end the server before that test ends, as \"Servers in this process\" in the guide shows",
                Subject(id.as_deref(), *port),
                printable(test),
                Seconds(*waited)
            ),
            Self::Occupied {
                id,
                port,
                left_by: None,
                occupants,
                key,
                waited,
                ..
            } => {
                let subject = Subject(id.as_deref(), *port);
                let waited = Seconds(*waited);
                write!(
                    f,
                    "{subject} cannot be held: {occupants}; waited {waited}; let it end"
                )?;
                match key {
                    Some((store, key)) => write!(
                        f,
                        ", or have another port assigned after `{}`",
                        Unbind(store, key)
                    ),
                    None => f.write_str(", or ask for another port"),
                }
            }
            Self::Bind {
                id,
                addr,
                source,
                advice,
            } => write!(f, "cannot bind {addr}{}: {source}; {advice}", For(id)),
            Self::NoId => f.write_str(
                "cannot assign a port without an id: nothing would remember it; ask for a guard, or for an id",
            ),
            Self::SharedWithoutId => f.write_str(
                "cannot share a server without an id, by which others find it: ask by `request(\"…\")`",
            ),
            Self::UnknownHost { id, source } => {
                write!(f, "cannot hold the port of `{id}`: {source}")
            }
            Self::OtherStore { id, store, ours } => write!(
                f,
                "cannot acquire `{id}` of the store `{}` together with ports of `{}`: ask each store by itself",
                store.display(),
                ours.display()
            ),
            Self::Exhausted {
                id,
                why_none: Some(why),
                ..
            } => write!(f, "no port is left{}: {why}", For(id)),
            Self::Exhausted {
                id,
                why_none: None,
                considered,
                assigned,
                held,
                taken,
                store,
                group,
            } => {
                let store = store.display();
                let counts = format!(
                    "of {considered} ports considered, {assigned} are assigned to other ids in `{store}`, {held} are held and \
                     {taken} are in use"
                );
                match group {
                    Some((group, largest)) => write!(
                        f,
                        "there is no room for {group}{}: the largest block that would fit has {largest} ports ({counts}); ask \
                         for a smaller one, ",
                        For(id)
                    ),
                    None => write!(f, "no port is left{}: {counts}; ", For(id)),
                }?;
                f.write_str("release ids that are no longer needed, or widen `PORT_FOR_POOL`")
            }
            Self::NoneAbove { first } => write!(
                f,
                "no port from {first} to 65535 is free; ask for a lower first port"
            ),
            Self::Twice { id, port } => {
                match (id, port) {
                    (Some(id), Some(port)) => write!(f, "{}", Subject(Some(id), *port))?,
                    (Some(id), None) => write!(f, "`{id}`")?,
                    (None, port) => write!(f, "port {}", port.unwrap_or_default())?,
                }
                f.write_str(
                    " is asked for twice in one call, and would wait for itself; ask for it once",
                )
            }
            Self::Deadlock { id, port } => write!(
                f,
                "{} was taken by this thread or task itself, so the wait would never end; use that guard, or \
                 drop it first; if another thread has that guard now, ask for the port in that thread",
                Subject(id.as_deref(), *port)
            ),
            Self::Handoff {
                wanted,
                id,
                port,
                state,
                advice,
                ..
            } => write!(
                f,
                "cannot {wanted}{} (port {port}): {state}; {advice}",
                For(id)
            ),
            Self::Unsupported { wanted, advice } => {
                write!(
                    f,
                    "cannot {wanted}: this system does not support it; {advice}"
                )
            }
            Self::Start {
                command,
                id,
                port,
                source,
                advice,
                held,
            } => write!(
                f,
                "cannot start `{command}`{} (port {port}): {source}; {advice}{held}",
                For(id)
            ),
            Self::Server {
                server,
                what,
                output,
                ..
            } => write!(f, "{server} {what}{output}"),
            Self::Shared { what, output, .. } => write!(f, "{what}{output}"),
            Self::Condition { server, what, .. } => write!(f, "cannot wait for {server}: {what}"),
            Self::Recipe {
                command,
                id,
                port,
                what,
                output,
            } => write!(
                f,
                "cannot start `{command}`{} (port {port}): {what}{output}",
                For(id)
            ),
        }
    }
}

/// The command that releases an id of a store, by what the store calls it: to be pasted into a shell.
struct Unbind<'a>(&'a Path, &'a str);

impl fmt::Display for Unbind<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(store, key) = self;
        // The key has its namespace, whatever the shell has.
        if cfg!(unix) && key.contains('#') {
            f.write_str("PORT_FOR_NAMESPACE= ")?;
        }
        let store = store.to_string_lossy();
        write!(
            f,
            "port-for --store {} --unbind {}",
            ShellWord(&store),
            ShellWord(key)
        )
    }
}

/// What to do about a file that the system refuses.
fn advice_for_a_file(source: &io::Error) -> &'static str {
    #[cfg(unix)]
    if let Some(errno) = rustix::io::Errno::from_io_error(source)
        && [rustix::io::Errno::MFILE, rustix::io::Errno::NFILE].contains(&errno)
    {
        return "too many files are open: raise the limit (`ulimit -n`), or have fewer files and sockets open at once";
    }
    match source.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "make room there, or set `PORT_FOR_STORE` to a file on another disk"
        }
        _ => {
            "to keep the store elsewhere, set `PORT_FOR_STORE` to a file in a folder that you can write"
        }
    }
}

/// Whom it is for: nothing, or ` for ` and the id.
struct For<'a>(&'a Option<String>);

impl fmt::Display for For<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(id) => write!(f, " for `{id}`"),
            None => Ok(()),
        }
    }
}
