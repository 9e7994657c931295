//! Configurations of Python's `port-for`.

#![no_main]

use libfuzzer_sys::fuzz_target;
use port_for::__fuzz::parse_python_config;

#[path = "../checks/import.rs"]
mod import;

fuzz_target!(|text: &str| import::check(text));
