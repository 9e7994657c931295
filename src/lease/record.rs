//! The record that a holder writes beside its lock, and that others read.

use std::path::Path;
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use once_cell::sync::Lazy;
use serde_json::Value;

use crate::config;
use crate::files;
use crate::who::Holder;

/// Names of threads that are not named after a test: the last two are tokio's for all of its own.
const NO_TESTS: [&str; 3] = ["main", "tokio-rt-worker", "tokio-runtime-worker"];

/// The record of this thread of process `pid`, which holds the port of the id with this key, and may wait for what has
/// the port.
pub(super) fn of_this_thread(pid: u32, key: Option<&str>, waits_for: Option<&str>) -> Vec<u8> {
    // Written for every guard, so what stays the same is put into JSON once.
    static COMMAND: Lazy<String> = Lazy::new(|| {
        let words: Vec<_> = std::env::args_os()
            .map(|word| word.to_string_lossy().into_owned())
            .collect();
        json(&words.join(" ").chars().take(300).collect::<String>())
    });
    static NEXTEST: Lazy<Option<String>> =
        Lazy::new(|| config::nextest_test().as_deref().map(json));
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .ok()
        .and_then(|since| u64::try_from(since.as_millis()).ok())
        .unwrap_or_default();
    let mut record = String::with_capacity(COMMAND.len() + 256);
    record.push_str(r#"{"pid":"#);
    record.push_str(&pid.to_string());
    record.push_str(r#","since_ms":"#);
    record.push_str(&since.to_string());
    record.push_str(r#","test":"#);
    if let Some(test) = &*NEXTEST {
        record.push_str(test);
    } else {
        let thread = thread::current();
        match thread.name().filter(|name| !NO_TESTS.contains(name)) {
            Some(test) => record.push_str(&json(test)),
            None => record.push_str("null"),
        }
    }
    if let Some(key) = key {
        record.push_str(r#","id":"#);
        record.push_str(&json(key));
    }
    if let Some(obstacle) = waits_for {
        record.push_str(r#","waits_for":"#);
        record.push_str(&json(&obstacle.chars().take(1000).collect::<String>()));
    }
    record.push_str(r#","command":"#);
    record.push_str(&COMMAND);
    record.push('}');
    record.into_bytes()
}

/// Who wrote the record beside the lock. The lock is known to be held; that its record cannot be read, or was not written
/// yet, does not change that.
pub(crate) fn read(lock: &Path) -> Holder {
    let record = files::read_record(lock)
        .ok()
        .and_then(|record| serde_json::from_slice::<Value>(&record).ok())
        .unwrap_or(Value::Null);
    Holder {
        pid: record["pid"]
            .as_u64()
            .and_then(|pid| u32::try_from(pid).ok())
            .filter(|&pid| pid != 0),
        test: record["test"].as_str().map(str::to_owned),
        key: record["id"].as_str().map(str::to_owned),
        waits_for: record["waits_for"].as_str().map(str::to_owned),
        command: record["command"].as_str().unwrap_or_default().to_owned(),
        since: record["since_ms"]
            .as_u64()
            .and_then(|since| UNIX_EPOCH.checked_add(Duration::from_millis(since))),
    }
}

fn json(text: &str) -> String {
    serde_json::to_string(text).expect("a string can be put into JSON")
}
