//! `port-for NAME --ready KIND -- CMD`: the command stays as CMD's parent, knows when it is ready, and ends what it leaves.

use std::ffi::{OsStr, OsString};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use port_for::__cli as cli;
use port_for::{ErrorKind, PortGuard, Server, ServerCommand, Signal};

use crate::args::Args;
use crate::run::exit_of;
use crate::{Failure, note};

/// How often the end of CMD is looked for.
const PAUSE: Duration = Duration::from_millis(20);

/// Runs CMD on the ports of the guards, to its end, which is this process's.
pub(crate) fn supervise(
    guards: &mut [PortGuard],
    args: &Args,
    program: &OsStr,
    words: Vec<OsString>,
    variables: Vec<(String, String)>,
) -> Result<(), Failure> {
    let mut command = ServerCommand::new(program)
        .ready(cli::all_of(&args.ready))
        .grace(grace(args));
    for word in words {
        command = command.literal_arg(word);
    }
    for (name, value) in variables {
        // A value has no placeholders.
        command = command.env(name, value);
    }
    if let Some(timeout) = args.ready_timeout {
        command = command.ready_timeout(timeout);
    }
    if let Some(signal) = args.stop_signal {
        command = command.stop_signal(signal);
    }
    // What CMD prints is read for a line, and then passed on.
    let is_read = args.ready.iter().any(cli::looks_for_a_line);
    command = match &args.log {
        Some(file) => command.output_to(file),
        None if is_read => command,
        None => command.inherit_output(),
    };
    if args.inherit {
        command = command.activated();
    }
    let signals = signals()?;
    let [first, others @ ..] = guards else {
        return Ok(());
    };
    for guard in others {
        guard.vacate()?;
    }
    if args.close_hold {
        first.close_hold()?;
    }
    let server = first.start(&command).map_err(|error| match error.kind() {
        ErrorKind::NotStarted => exit_of(&error, error.to_string()),
        _ => error.into(),
    })?;
    if !args.ready.is_empty() {
        note(&format!("ready on {}", server.addr()));
    }
    let printed = (args.log.is_none() && is_read).then(|| cli::Follower::of(&server));
    until_it_ends(server, &signals, args, printed)
}

fn until_it_ends(
    mut server: Server,
    signals: &Receiver<Signal>,
    args: &Args,
    mut printed: Option<cli::Follower>,
) -> Result<(), Failure> {
    let mut deadline = None;
    loop {
        let mut ended = server.try_wait()?;
        if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            ended = Some(server.kill()?);
        }
        // Unread, it is not missed.
        if let Some(printed) = &mut printed {
            let _ = printed.pass_on(&mut std::io::stdout().lock());
        }
        if let Some(status) = ended {
            return Err(Failure::Status(code(status)));
        }
        match signals.recv_timeout(PAUSE) {
            Ok(signal) => {
                let ends = matches!(signal, Signal::Term | Signal::Int);
                let signal = args.stop_signal.filter(|_| ends).unwrap_or(signal);
                // It may have ended at this moment.
                let _ = server.signal(signal);
                if ends && deadline.is_none() {
                    deadline = Some(Instant::now() + grace(args));
                }
            }
            Err(RecvTimeoutError::Timeout) => {}
            // There are none on this system.
            Err(RecvTimeoutError::Disconnected) => std::thread::sleep(PAUSE),
        }
    }
}

/// How long CMD has to end after a signal.
fn grace(args: &Args) -> Duration {
    args.grace.unwrap_or(Duration::from_secs(10))
}

/// As a shell tells it.
fn code(status: std::process::ExitStatus) -> u8 {
    #[cfg(unix)]
    let signal = std::os::unix::process::ExitStatusExt::signal(&status).map(|signal| 128 + signal);
    #[cfg(not(unix))]
    let signal = None;
    let code = status.code().or(signal).unwrap_or(1);
    u8::try_from(code).unwrap_or(1)
}

/// Those that this process gets, to be passed on.
#[cfg(unix)]
fn signals() -> Result<Receiver<Signal>, Failure> {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2};
    let passed = [
        (SIGTERM, Signal::Term),
        (SIGINT, Signal::Int),
        (SIGQUIT, Signal::Quit),
        (SIGHUP, Signal::Hup),
        (SIGUSR1, Signal::Usr1),
        (SIGUSR2, Signal::Usr2),
    ];
    let (sender, receiver) = mpsc::channel();
    let mut caught = signal_hook::iterator::Signals::new(passed.map(|(number, _)| number))
        .map_err(|error| Failure::Could(format!("cannot pass signals on: {error}")))?;
    std::thread::spawn(move || {
        for number in &mut caught {
            let signal = passed.iter().find(|(known, _)| *known == number);
            if let Some(&(_, signal)) = signal
                && sender.send(signal).is_err()
            {
                return;
            }
        }
    });
    Ok(receiver)
}

#[cfg(not(unix))]
fn signals() -> Result<Receiver<Signal>, Failure> {
    Ok(mpsc::channel().1)
}
