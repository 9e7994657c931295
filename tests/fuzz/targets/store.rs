//! Texts of a store: what is read is written so that it is read the same.

#![no_main]

use libfuzzer_sys::fuzz_target;
use port_for::__fuzz::rewrite_store;
use serde_json::Value;

fuzz_target!(|text: &[u8]| {
    let Some(written) = rewrite_store(text) else {
        return;
    };
    assert_eq!(rewrite_store(&written).as_deref(), Some(&*written));
    // By other code than the crate's.
    let value = |text| serde_json::from_slice::<Value>(text).unwrap();
    assert_eq!(value(&written), value(text));
});
