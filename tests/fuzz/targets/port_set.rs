//! Sets of ports as people write them.

#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../checks/port_set.rs"]
mod port_set;

fuzz_target!(|text: &str| port_set::check(text));
