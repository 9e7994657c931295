//! Two ports, two HTTP servers in this process, and requests through them.
//!
//! Run it twice: the ports are the same. Run two at once: the second waits for the first, and says so.

use std::net::TcpListener;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use port_for::PortFor;

/// How long the servers stay up, so that there is time to look at them, or to start this a second time.
const UP: Duration = Duration::from_secs(3);

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let ports = PortFor::shared()?;
    let before = ports.assignments()?;

    // Both or none: from here on nobody else has these ids, or listens on these ports.
    let mut guards = ports.guards(["api", "admin"])?;

    println!("store: {}\n", ports.path().display());
    println!(
        "{:<7} {:>5}  {:<24} {:<24} port was",
        "id", "port", "URL", "GET / gives"
    );
    let mut servers = Vec::new();
    for guard in &mut guards {
        let id = guard.id().expect("it was asked for by its id").to_owned();
        let url = format!("http://{}/", guard.addr());
        servers.push(serve(guard.take_listener()?, format!("hello from {id}"))?);

        let response = minreq::get(&url).send()?;
        let known = before.iter().any(|assignment| assignment.id() == id);
        println!(
            "{id:<7} {:>5}  {url:<24} {:<24} {}",
            guard.port(),
            format!("{} {:?}", response.status_code, response.as_str()?),
            if known { "remembered" } else { "assigned now" }
        );
    }

    println!(
        "\nserving for {} s: try one of the URLs, or start this a second time",
        UP.as_secs()
    );
    thread::sleep(UP);
    for server in servers {
        server.unblock();
    }
    Ok(())
}

/// Answers every request with `text`, on a listener that the guard has given away.
fn serve(
    listener: TcpListener,
    text: String,
) -> Result<Arc<tiny_http::Server>, Box<dyn std::error::Error>> {
    let server = Arc::new(
        tiny_http::Server::from_listener(listener, None).map_err(|error| error.to_string())?,
    );
    let running = Arc::clone(&server);
    thread::spawn(move || {
        for request in running.incoming_requests() {
            if let Err(error) = request.respond(tiny_http::Response::from_string(&text)) {
                eprintln!("a client went away: {error}");
            }
        }
    });
    Ok(server)
}
