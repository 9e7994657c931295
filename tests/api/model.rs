//! Any sequence of calls does what a model says: some, of those that the campaign of `tests/trust` tries.

#[path = "../support/model/mod.rs"]
mod machine;

use std::process::Stdio;

use crate::support::child::test_name;
use crate::support::{ChildTest, TempStore, command, report, told};

#[test]
#[ignore = "a child of other tests"]
fn child_runs_sequences() {
    let Some((_, sequences)) = told() else { return };
    match machine::run(0, sequences.parse().unwrap()) {
        Ok(figures) => report(format_args!("kept: {figures}")),
        Err(broken) => report(broken.replace('\n', " ")),
    }
}

#[test]
fn any_sequence_of_calls_does_what_the_model_says() {
    let (store, block) = (TempStore::new(), machine::Block::claim());
    let mut command = command(test_name!(child_runs_sequences), store.path(), "100");
    block.give(&mut command);
    #[cfg(target_os = "linux")]
    let mut command = crate::support::privileges::alone(&command);
    // Ids that are moved or make room are named there.
    command.stderr(Stdio::null());
    let mut child = ChildTest::run(&mut command);
    let line = child.line();
    assert!(line.starts_with("kept: "), "{line}");
    child.join();
}
