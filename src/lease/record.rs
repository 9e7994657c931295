//! The record that a holder writes beside its lock, and that others read.

use std::io::Write as _;
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
    let mut record = Vec::with_capacity(COMMAND.len() + 256);
    // Memory takes it.
    let _ = write!(record, r#"{{"pid":{pid},"since_ms":{since},"test":"#);
    if let Some(test) = &*NEXTEST {
        record.extend_from_slice(test.as_bytes());
    } else {
        let thread = thread::current();
        match thread.name().filter(|name| !NO_TESTS.contains(name)) {
            Some(test) => write_json(&mut record, test),
            None => record.extend_from_slice(b"null"),
        }
    }
    if let Some(key) = key {
        record.extend_from_slice(br#","id":"#);
        write_json(&mut record, key);
    }
    if let Some(obstacle) = waits_for {
        record.extend_from_slice(br#","waits_for":"#);
        let obstacle: String = obstacle.chars().take(1000).collect();
        write_json(&mut record, &obstacle);
    }
    record.extend_from_slice(br#","command":"#);
    record.extend_from_slice(COMMAND.as_bytes());
    record.push(b'}');
    record
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

fn write_json(record: &mut Vec<u8>, text: &str) {
    serde_json::to_writer(record, text).expect("as above, and memory takes it");
}
