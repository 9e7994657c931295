//! The code under fault: one call of the public face in a process of its own, between two marks that a trace shows.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use port_for::{Error, PortFor, Request};

/// Files that are not there: looking at one is a system call like no other.
pub const BEGIN: &str = "/trust-begins";
pub const END: &str = "/trust-ends";

/// Exit code of a call that returned an error; it is on stderr.
pub const FAILED: u8 = 1;
/// Exit code of a call that went well, and could not say so.
pub const MUTE: u8 = 3;

/// The ids that a prepared store has.
pub const OLD: [&str; 3] = ["a", "b", "c"];

/// A call to try, and what it does to the store.
#[derive(Debug)]
pub struct Call {
    pub name: &'static str,
    /// Whether the store is there beforehand, with the ids [`OLD`].
    pub prepared: bool,
    /// Whether a group shares the folder.
    pub shared: bool,
    /// Ids that have a port afterwards.
    pub adds: &'static [&'static str],
    /// Ids that have none afterwards.
    pub removes: &'static [&'static str],
    act: fn(&PortFor, Between<'_>) -> Result<(), Error>,
}

/// Does the marked part of an action.
type Between<'a> = &'a mut dyn FnMut(&mut dyn FnMut() -> Told);

/// What a call is told.
type Told = Result<String, Box<dyn std::error::Error>>;

/// Every call that writes, and those that take and give back a port.
pub const CALLS: &[Call] = &[
    Call {
        name: "acquire-first-of-group",
        prepared: false,
        shared: true,
        adds: &["new"],
        removes: &[],
        act: |ports, between| {
            between(&mut || Ok(format!("new={}", ports.guard("new")?.port())));
            Ok(())
        },
    },
    Call {
        name: "assign-first",
        prepared: false,
        shared: false,
        adds: &["new"],
        removes: &[],
        act: |ports, between| {
            between(&mut || Ok(format!("new={}", ports.forward_port("new", 0)?)));
            Ok(())
        },
    },
    Call {
        name: "assign",
        prepared: true,
        shared: false,
        adds: &["new"],
        removes: &[],
        act: |ports, between| {
            between(&mut || Ok(format!("new={}", ports.forward_port("new", 0)?)));
            Ok(())
        },
    },
    Call {
        name: "assign-several",
        prepared: true,
        shared: false,
        adds: &["new", "new 2"],
        removes: &[],
        act: |ports, between| {
            let mut kept = None;
            between(&mut || {
                let guards = ports.guards(["new", "b", "new 2"])?;
                let said = guards
                    .iter()
                    .map(|guard| format!("{}={}", guard.id().unwrap(), guard.port()))
                    .collect::<Vec<_>>()
                    .join(",");
                kept = Some(guards);
                Ok(said)
            });
            drop(kept);
            Ok(())
        },
    },
    Call {
        name: "acquire-block",
        prepared: true,
        shared: false,
        adds: &["new", "new+1", "new+2", "new+3"],
        removes: &[],
        act: |ports, between| {
            let mut kept = None;
            between(&mut || {
                let guards = block(ports.request("new")).guards()?;
                let first = guards[0].port();
                let others = (1..4).map(|above| format!(",new+{above}={}", first + above));
                let said = format!("new={first}{}", others.collect::<String>());
                kept = Some(guards);
                Ok(said)
            });
            drop(kept);
            Ok(())
        },
    },
    Call {
        name: "release",
        prepared: true,
        shared: false,
        adds: &[],
        removes: &["b"],
        act: |ports, between| {
            between(&mut || Ok(ports.release("b").map(|_| String::new())?));
            Ok(())
        },
    },
    Call {
        name: "prune",
        prepared: true,
        shared: false,
        adds: &[],
        removes: &OLD,
        act: |ports, between| {
            between(&mut || Ok(ports.prune(Duration::ZERO).map(|_| String::new())?));
            Ok(())
        },
    },
    #[cfg(feature = "cli")]
    Call {
        name: "import",
        prepared: true,
        shared: false,
        adds: &["new", "new 2"],
        removes: &[],
        act: |ports, between| {
            // Beside the store's folder, in which nothing else may be found.
            let config = ports
                .path()
                .parent()
                .expect("in a folder")
                .with_extension("conf");
            let pool: port_for::PortSet = std::env::var("PORT_FOR_POOL").unwrap().parse().unwrap();
            let last = pool.iter().next_back().expect("a port");
            let entries = [("new", last + 1), ("new 2", last + 2)];
            let lines = entries.map(|(id, port)| format!("{id} = {port}\n"));
            std::fs::write(&config, format!("[DEFAULT]\n{}", lines.concat())).unwrap();
            between(&mut || {
                import(ports, &config)?;
                Ok(entries.map(|(id, port)| format!("{id}={port}")).join(","))
            });
            Ok(())
        },
    },
    Call {
        name: "acquire",
        prepared: true,
        shared: false,
        adds: &[],
        removes: &[],
        act: |ports, between| {
            let mut kept = None;
            between(&mut || {
                let guard = kept.insert(ports.guard("a")?);
                Ok(format!("a={}", guard.port()))
            });
            drop(kept);
            Ok(())
        },
    },
    Call {
        name: "hand-over-and-drop",
        prepared: true,
        shared: false,
        adds: &[],
        removes: &[],
        act: |ports, between| {
            let mut guard = Some(ports.guard("a")?);
            between(&mut || {
                if let Some(mut guard) = guard.take() {
                    guard.vacate()?;
                    guard.rearm()?;
                    drop(guard.take_listener()?);
                    guard.rearm()?;
                    guard.close()?;
                }
                Ok(String::new())
            });
            Ok(())
        },
    },
];

/// Four ports, of which two are companions.
fn block(request: Request) -> Request {
    request.block(2).companions([2])
}

/// What the next one asks for, in the way that the call did.
pub fn again(call: &Call, request: Request, id: &str) -> Request {
    if call.name == "acquire-block" && id == "new" {
        block(request)
    } else {
        request
    }
}

pub fn call(name: &str) -> Option<&'static Call> {
    CALLS.iter().find(|call| call.name == name)
}

/// Makes the call, and tells on stdout what it was told, before the second mark.
pub fn run(name: &str, store: &Path) -> ExitCode {
    let call = call(name).expect("a call of the list");
    let ports = PortFor::open(store).unwrap();
    let mut code = 0;
    let acted = (call.act)(&ports, &mut |marked| {
        let _ = std::fs::metadata(BEGIN);
        match marked() {
            Ok(said) => {
                // Straight to the pipe: what the parent reads was acknowledged.
                if writeln!(std::io::stdout(), "done {said}").is_err() {
                    code = MUTE;
                }
            }
            Err(error) => {
                let _ = writeln!(std::io::stderr(), "{error:?}");
                code = FAILED;
            }
        }
        let _ = std::fs::metadata(END);
    });
    acted.unwrap();
    ExitCode::from(code)
}

/// The acknowledged ports, in what the driver said.
pub fn acknowledged(said: &str) -> Option<BTreeMap<String, u16>> {
    let said = said.lines().next()?.strip_prefix("done ")?;
    said.split(',')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (id, port) = pair.split_once('=')?;
            Some((id.to_owned(), port.parse().ok()?))
        })
        .collect()
}

/// Takes over the configuration, which has nothing wrong in it.
#[cfg(feature = "cli")]
fn import(ports: &PortFor, config: &Path) -> Result<(), Box<dyn std::error::Error>> {
    use port_for::__cli::ImportError;
    match port_for::__cli::import(ports, config) {
        Ok(_) => Ok(()),
        Err(error @ ImportError::Conflicts { .. }) => panic!("{error}"),
        Err(error) => Err(error.into()),
    }
}
