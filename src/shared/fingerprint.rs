//! What makes two recipes the same.

use std::fs;
use std::path::Path;
use std::time::UNIX_EPOCH;

use serde_json::{Value, json};

use crate::ask::Ask;

/// The parts of a recipe that belong to the running server. How it is stopped, and how long a start may take, do not.
const PARTS: [&str; 9] = [
    "program",
    "setup",
    "args",
    "env",
    "env_clear",
    "current_dir",
    "ready",
    "activated",
    "user",
];

/// The recipe and where it listens, with the program's file as it is now: one that was rebuilt is another server.
pub(super) fn of(recipe: &Value, ask: &Ask) -> Value {
    let program = Path::new(recipe["program"].as_str().unwrap_or_default());
    let found = fs::metadata(program).ok();
    let modified = found.as_ref().and_then(|found| found.modified().ok());
    let modified = modified.and_then(|modified| modified.duration_since(UNIX_EPOCH).ok());
    let mut fingerprint = json!({
        "file": [found.map(|found| found.len()), modified.map(|time| time.as_nanos().to_string())],
        "host": ask.host.to_string(),
        "udp": ask.udp,
        "ports": ask.group.offsets(),
    });
    for part in PARTS {
        fingerprint[part] = recipe[part].clone();
    }
    fingerprint
}

/// The parts in which two recipes differ, to be read by people.
pub(super) fn difference(ours: &Value, theirs: &Value) -> String {
    let parts = ours.as_object().into_iter().flatten();
    let differing: Vec<_> = parts
        .filter(|(part, ours)| theirs[part.as_str()] != **ours)
        .map(|(part, ours)| match part.as_str() {
            "file" => "the program's file has changed since it was started".to_owned(),
            part => format!(
                "`{part}` is {} there and {} here",
                shown(&theirs[part]),
                shown(ours)
            ),
        })
        .collect();
    differing.join("; ")
}

/// Words of a command without the marks of their JSON.
fn shown(value: &Value) -> String {
    let Some(words) = value.as_array() else {
        return value.to_string();
    };
    let words = words.iter().map(|word| match &word["text"] {
        Value::Null => word.to_string(),
        text => text.to_string(),
    });
    format!("[{}]", words.collect::<Vec<_>>().join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recipe_is_the_same_until_a_part_or_its_program_changes() {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("server");
        fs::write(&program, "one").unwrap();
        let ask = Ask::new("a".to_owned());
        let of = |args: &str, grace: u32| {
            let args = json!([{ "text": args, "literal": false }]);
            of(
                &json!({ "program": program, "args": args, "grace": grace }),
                &ask,
            )
        };
        let before = of("a", 1);
        assert_eq!(of("a", 2), before);
        let args = "`args` is [\"a\"] there and [\"b\"] here";
        assert_eq!(difference(&of("b", 1), &before), args);
        fs::write(&program, "longer").unwrap();
        assert!(difference(&of("a", 1), &before).starts_with("the program's file has changed"));
    }
}
