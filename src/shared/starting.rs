//! Starting a keeper: this program again.

use std::io::{self, PipeReader, PipeWriter, Read, Write};
use std::process::{Child, Stdio};
use std::sync::mpsc::{self, TryRecvError};
use std::thread;
use std::time::Duration;

use super::order::{HERE, Order};
use super::place::Place;
use crate::error::{Error, ErrorKind};
use crate::text::printable;
use crate::wait::{Wait, Waiter};

/// How long a keeper may take to say that it is there.
const ANSWER: Duration = Duration::from_secs(10);

/// Runs this program again as a keeper, and waits until it has its lock. The caller holds the gate.
pub(super) async fn start_keeper(
    waiter: Waiter,
    place: &Place,
    order: &Order,
) -> Result<(), Error> {
    let cannot = |why: String| {
        let advice = "its program is this one, run again; can it be run?";
        place.failed(
            ErrorKind::NotStarted,
            format!("its keeper cannot be started: {why}; {advice}"),
        )
    };
    let Some(text) = order.to_json() else {
        return Err(cannot("the path of the store is no Unicode".to_owned()));
    };
    let (mut keeper, told, answer) = spawn(order).map_err(|error| cannot(error.to_string()))?;
    let said = conversation(told, text.to_string(), answer);
    let mut wait = Wait::of(waiter, ANSWER);
    let said = loop {
        match said.try_recv() {
            Ok(said) => break Some(said),
            Err(TryRecvError::Empty) if wait.rest().await => {}
            Err(_) => break None,
        }
    };
    if said.as_deref() == Some(HERE) {
        // It ends by itself, some time; then the system wants its status to be asked for.
        thread::spawn(move || keeper.wait());
        return Ok(());
    }
    // It has no server yet. It may have ended by itself.
    let _ = keeper.kill();
    let _ = keeper.wait();
    Err(match said {
        Some(said) if !said.is_empty() => {
            cannot(format!("it said {:?}", printable(said.trim_end())))
        }
        Some(_) => cannot("it ended without a word".to_owned()),
        None => cannot("it did not answer in ten seconds".to_owned()),
    })
}

#[cfg(unix)]
fn spawn(order: &Order) -> io::Result<(Child, PipeWriter, PipeReader)> {
    use super::keeper;
    let (its_stdin, told) = io::pipe()?;
    let (answer, its_stdout) = io::pipe()?;
    let mut command = keeper::command(order)?;
    let keeper = command
        .stdin(Stdio::from(its_stdin))
        .stdout(Stdio::from(its_stdout.try_clone()?))
        .stderr(Stdio::from(its_stdout))
        .spawn()?;
    Ok((keeper, told, answer))
}

#[cfg(not(unix))]
fn spawn(_order: &Order) -> io::Result<(Child, PipeWriter, PipeReader)> {
    let _ = Stdio::null();
    Err(io::ErrorKind::Unsupported.into())
}

/// Says what there is to say, and hears the answer, to its end.
fn conversation(
    mut told: PipeWriter,
    order: String,
    mut answer: PipeReader,
) -> mpsc::Receiver<String> {
    let (heard, said) = mpsc::channel();
    thread::spawn(move || {
        // A keeper that does not listen says why, or nothing.
        let _ = told.write_all(order.as_bytes());
        drop(told);
        let mut said = String::new();
        let _ = answer.read_to_string(&mut said);
        // Nothing waits for it any more.
        let _ = heard.send(said);
    });
    said
}
