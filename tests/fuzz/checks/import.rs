//! What must hold of any text that is to be a configuration of Python's `port-for`.

use std::collections::BTreeSet;
use std::fmt::Write as _;

// From wherever the library shows it.
use super::parse_python_config;

pub(crate) fn check(text: &str) {
    let (entries, faults) = parse_python_config(text);
    let lines = 1..=text.split(['\n', '\r']).count();
    for fault in &faults {
        assert!(lines.contains(&fault.line), "{fault}");
        assert!(!fault.what.contains('\n'), "{fault:?}");
    }
    let mut printed = "[DEFAULT]\n".to_owned();
    let (mut ids, mut ports) = (BTreeSet::new(), BTreeSet::new());
    for entry in &entries {
        assert!(lines.contains(&entry.line), "{entry:?}");
        assert!(entry.port > 0, "{entry:?}");
        assert!(
            ids.insert(&entry.id) && ports.insert(entry.port),
            "{entry:?} is there twice"
        );
        writeln!(printed, "{} = {}", entry.id, entry.port).unwrap();
    }

    let (again, faults) = parse_python_config(&printed);
    assert!(faults.is_empty(), "{printed:?}: {faults:?}");
    assert_eq!(entries.len(), again.len(), "{printed:?}");
    for (entry, again) in entries.iter().zip(&again) {
        assert_eq!((&entry.id, entry.port), (&again.id, again.port));
    }
}
