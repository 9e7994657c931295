//! File systems that are read-only, full, or of a network.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::process::{Command, ExitCode};

use port_for::{ErrorKind, PortFor};

use super::{api, is_refused, open, run, says, works};
use crate::each_call::read;
use crate::support::child::this_program;

pub fn read_only_file_system(folder: &Path) {
    run(&["ip", "link", "set", "lo", "up"]);
    // A handle that has had a guard keeps the lease's file open, through which it can still write.
    let port = open(folder).guard("api").unwrap().port();
    let ports = open(folder);
    assert_eq!(ports.forward_port("api", 0).unwrap(), port);
    let text = fs::read(ports.path()).unwrap();
    let at = folder.to_str().unwrap();
    run(&["mount", "--bind", at, at]);
    run(&["mount", "-o", "remount,ro,bind", at]);
    for ports in [&ports, &open(folder)] {
        assert_eq!(ports.forward_port("api", 0).unwrap(), port);
        is_refused(
            ports,
            "api",
            ErrorKind::Store,
            &["Read-only", "PORT_FOR_STORE"],
        );
        is_refused(
            ports,
            "new",
            ErrorKind::Store,
            &["Read-only", "PORT_FOR_STORE"],
        );
        says(
            &ports.release("api").unwrap_err(),
            ErrorKind::Store,
            &["Read-only"],
        );
    }
    assert_eq!(fs::read(ports.path()).unwrap(), text);
    run(&["umount", at]);
    works(&ports, "new");
}

pub fn full_file_system(folder: &Path) {
    run(&["ip", "link", "set", "lo", "up"]);
    let at = folder.to_str().unwrap();
    run(&[
        "mount",
        "-t",
        "tmpfs",
        "-o",
        "size=64k,mode=700",
        "none",
        at,
    ]);
    let ports = open(folder);
    let port = ports.guard("api").unwrap().port();
    let mut rest = File::create(folder.join("rest")).unwrap();
    while rest.write_all(&[1; 512]).is_ok() {}
    // What is known and was used before needs no room.
    assert_eq!(open(folder).guard("api").unwrap().port(), port);
    for turn in 0..50 {
        let error = ports.forward_port(&format!("new {turn}"), 0).unwrap_err();
        says(&error, ErrorKind::Store, &["No space", "PORT_FOR_STORE"]);
        assert_eq!(read(ports.path()).unwrap().get("api"), Some(&port));
    }
    drop(rest);
    fs::remove_file(folder.join("rest")).unwrap();
    works(&ports, "new");
    assert_eq!(ports.forward_port("api", 0).unwrap(), port);
    assert!(!folder.join("ports.json.new").exists());
}

/// A home that the system says is on NFS, and a store there that was asked for.
pub fn network_file_system(folder: &Path) {
    let (home, temp) = (folder.join("home"), folder.join("temp"));
    for folder in [&home, &temp] {
        fs::create_dir(folder).unwrap();
    }
    let state = home.join(".local/state/port-for");
    let ask = |store: Option<&Path>| {
        let mut command = Command::new("strace");
        command.args(["-qq", "-o", "/dev/null", "-e", "trace=statfs"]);
        // The number of NFS, where the kernel writes what kind of file system it is.
        let fault = format!("inject=statfs:poke_exit=@arg2={}", "6969000000000000");
        command.args(["-e", &fault]);
        for path in state.ancestors().take(4) {
            command.arg("-P").arg(path);
        }
        command.arg(this_program().get_program());
        command.args(["trust:default", &api(folder)]);
        for ours in ["STORE", "NAMESPACE", "TIMEOUT", "POOL"] {
            command.env_remove(format!("PORT_FOR_{ours}"));
        }
        command.env_remove("XDG_STATE_HOME");
        command.env("HOME", &home).env("TMPDIR", &temp);
        command.envs(store.map(|store| ("PORT_FOR_STORE", store)));
        let output = command.output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let first = ask(None);
    assert!(first.starts_with(temp.to_str().unwrap()), "{first}");
    assert!(!state.exists(), "nothing is made there");
    assert_eq!(ask(None), first, "each process goes there");
    fs::create_dir_all(&state).unwrap();
    assert_eq!(ask(None), first, "also from a folder of before");
    let refused = ask(Some(&state.join("ports.json")));
    for part in ["network file system (NFS)", "PORT_FOR_STORE"] {
        assert!(refused.contains(part), "{refused:?} lacks {part:?}");
    }
    assert_eq!(fs::read_dir(&state).unwrap().count(), 0);
}

/// What asks for the default store says where it is, and which port it gives; or why not.
pub fn default_store(id: &str) -> ExitCode {
    let asked = PortFor::shared().and_then(|ports| Ok((ports.path(), ports.forward_port(id, 0)?)));
    match asked {
        Ok((path, port)) => println!("{} {port}", path.display()),
        Err(error) => println!("{error}"),
    }
    ExitCode::SUCCESS
}
