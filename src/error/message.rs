//! The messages. Each answers three questions: what was wanted, what stood in the way (who, where), what to do now.

use std::fmt;

use super::cause::Cause;
use crate::text::{Seconds, Subject};
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
                "cannot {action} `{}`: {source}; to keep the store elsewhere, set `PORT_FOR_STORE` to a file in a folder that \
                 you can write",
                path.display()
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
                "the store `{}` is not what this crate writes: {source}; it is left as it is: mend that place by hand, or \
                 move the file away to start with an empty store",
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
                 `{id}` first",
                store.display()
            ),
            Self::PortOfOther {
                id,
                wanted,
                other,
                store,
            } => write!(
                f,
                "`{id}` cannot have exactly port {wanted}: that is the port of `{other}` in `{}`; ask for another port, or \
                 release `{other}` first",
                store.display()
            ),
            Self::NotAPort { id } => write!(
                f,
                "cannot have exactly port 0{}: it stands for no port; ask for one from 1 to 65535",
                For(id)
            ),
            Self::Busy {
                id,
                port,
                holder,
                waited,
                lease,
                advice,
            } => {
                write!(f, "{} is held by {holder}", Subject(id.as_deref(), *port))?;
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
                vacater,
                occupants,
                listens_there,
                waited,
                ..
            } => {
                let subject = Subject(id.as_deref(), *port);
                match vacater {
                    Some(by) => write!(
                        f,
                        "{subject} cannot be held: a guard of another store has vacated it for its server: {by}"
                    )?,
                    None => write!(
                        f,
                        "{subject} cannot be held: another process {listens_there} without a lease: {occupants}"
                    )?,
                }
                write!(f, "; waited {}; let it end", Seconds(*waited))?;
                match id {
                    Some(id) => write!(
                        f,
                        ", or release `{id}` (`port-for --unbind`) to have another port assigned"
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
                considered,
                assigned,
                held,
                taken,
                store,
            } => write!(
                f,
                "no port is left{}: of {considered} ports considered, {assigned} are assigned to other ids in `{}`, \
                 {held} are held and {taken} are in use; release ids that are no longer needed, or widen `PORT_FOR_POOL`",
                For(id),
                store.display()
            ),
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
                "{} was taken by this thread or task, and waiting for oneself never ends; drop that guard \
                 first, or use it; if another thread has it by now, ask from there",
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
