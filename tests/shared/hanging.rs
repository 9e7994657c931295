//! A keeper that does not answer.

#![allow(unsafe_code)] // A function runs before all constructors.

use std::ffi::{CStr, c_char, c_int};
use std::fs;

use port_for::PortFor;

use crate::server::{lives, recipe, request, start, starts};
use crate::support::child::{self, test_name};
use crate::support::{ChildTest, TempStore, eventually, report, told};

const HANGS: &str = "TEST_KEEPER_HANGS=yes";

/// Before the constructor that makes a keeper of this program.
#[used]
#[unsafe(link_section = ".preinit_array")]
static HANG: extern "C" fn(c_int, Texts, Texts) = hang;

/// The last one is null.
type Texts = *const *const c_char;

extern "C" fn hang(count: c_int, words: Texts, mut environment: Texts) {
    // SAFETY: the C library passes the program's words and environment, which it has not set up for itself yet: so it is
    // looked through by hand, up to its end. A pause needs nothing of the standard library.
    unsafe {
        if count == 0 || CStr::from_ptr(*words) != c"port-for-keeper" {
            return;
        }
        while !(*environment).is_null() {
            if CStr::from_ptr(*environment).to_bytes() == HANGS.as_bytes() {
                libc::pause();
            }
            environment = environment.add(1);
        }
    }
}

#[test]
fn a_keeper_that_does_not_answer_is_an_error_and_leaves_nothing() {
    let store = TempStore::new();
    let mut command = child::command(test_name!(waits_in_vain), store.path(), "");
    let (name, value) = HANGS.split_once('=').unwrap();
    command.env(name, value);
    let mut process = ChildTest::run(&mut command);
    let user = process.id();
    let mut keeper = None;
    eventually("the keeper", || {
        let children = fs::read_dir("/proc").unwrap().flatten();
        let pids = children.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
        keeper = pids.into_iter().find(|&pid| {
            let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            let parent = stat
                .rsplit_once(") ")
                .and_then(|(_, rest)| rest.split(' ').nth(1));
            parent == Some(&*user.to_string())
        });
        keeper.is_some()
    });
    let said = process.line();
    assert!(said.starts_with("NotStarted"), "{said}");
    assert!(said.contains("it did not answer in ten seconds"), "{said}");
    process.join();
    assert!(!lives(keeper.unwrap()));
    assert!(starts(store.path()).is_empty());
    // The next one can.
    assert!(start(&store).is_running());
}

#[test]
#[ignore = "a test process for another test"]
fn waits_in_vain() {
    let Some((path, _)) = told() else { return };
    let store = PortFor::open(&path).unwrap();
    let error = request(&store).start_shared(&recipe(&path)).unwrap_err();
    report(format!("{:?} {error}", error.kind()));
}
