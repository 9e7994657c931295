//! What is done once in a server's life.

use std::error::Error as StdError;
use std::fmt;
use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::SharedServer;
use crate::error::{Error, ErrorKind};
use crate::files;
use crate::lease::Lock;
use crate::wait::{Wait, Waiter, without_pending};

/// Why [`SharedServer::once`] has no value.
#[derive(Debug)]
pub enum OnceError<E> {
    /// The caller's own `init` failed.
    Init(E),
    /// The server has ended, or the value cannot be read or written.
    Port(Error),
}

impl<E: fmt::Display> fmt::Display for OnceError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Init(error) => error.fmt(f),
            Self::Port(error) => error.fmt(f),
        }
    }
}

impl<E: StdError> StdError for OnceError<E> {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Self::Init(error) => error.source(),
            Self::Port(error) => error.source(),
        }
    }
}

impl<E> From<Error> for OnceError<E> {
    fn from(error: Error) -> Self {
        Self::Port(error)
    }
}

/// After that, a wait is reported.
const PATIENCE: Duration = Duration::from_secs(1);

impl SharedServer {
    /// Runs `init` once in the life of this server, for example to make a schema or a template database. Every user
    /// that asks by the same key gets the text that `init` returned, in any process. Blocks while another user runs it,
    /// for as long as that takes. If it fails or its process is killed, the next user that asks runs it.
    ///
    /// ```no_run
    /// use port_for::{PortFor, ServerCommand};
    ///
    /// # fn migrate(addr: std::net::SocketAddr) -> Result<(), std::io::Error> { Ok(()) }
    /// let postgres = ServerCommand::new("postgres").args(["-D", "{dir}", "-p", "{port}"]);
    /// let server = PortFor::shared()?.request("postgres").start_shared(&postgres)?;
    /// let template = server.once("schema", |addr| {
    ///     migrate(addr)?;
    ///     Ok::<_, std::io::Error>("template_1".to_owned())
    /// })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`OnceError::Init`] for the caller whose `init` failed. [`OnceError::Port`] when the server has ended, of kind
    /// [`Server`](crate::ErrorKind::Server), or the value cannot be read or written, of kind
    /// [`Store`](crate::ErrorKind::Store).
    pub fn once<E>(
        &self,
        key: &str,
        init: impl FnOnce(SocketAddr) -> Result<String, E>,
    ) -> Result<String, OnceError<E>> {
        without_pending(self.once_by(Waiter::Thread, key, async |addr| init(addr)))
    }

    /// As [`once`](Self::once), for async code: while it waits, the thread is free for other tasks.
    ///
    /// # Errors
    ///
    /// Those of [`once`](Self::once).
    #[cfg(feature = "tokio")]
    pub async fn once_async<E>(
        &self,
        key: &str,
        init: impl AsyncFnOnce(SocketAddr) -> Result<String, E>,
    ) -> Result<String, OnceError<E>> {
        self.once_by(Waiter::Future, key, init).await
    }

    async fn once_by<E>(
        &self,
        waiter: Waiter,
        key: &str,
        init: impl AsyncFnOnce(SocketAddr) -> Result<String, E>,
    ) -> Result<String, OnceError<E>> {
        let path = self.server.place.once(&self.server.start, key);
        if let Some(value) = self.value_at(&path, key)? {
            return Ok(value);
        }
        let _lock = self.turn(waiter, &path.with_extension("lock"), key).await?;
        if let Some(value) = self.value_at(&path, key)? {
            return Ok(value);
        }
        if !self.is_running() {
            let what = format!("cannot run `{key}` once: {} has ended", self.server.shown());
            return Err(self.server.place.error(ErrorKind::Server, what).into());
        }
        let value = init(self.server.addr).await.map_err(OnceError::Init)?;
        let text = json!({ "key": key, "value": value }).to_string();
        files::replace(&path, text.as_bytes(), self.server.place.access())
            .map_err(|error| files::failed("write what is made once to", &path, error))?;
        Ok(value)
    }

    /// Waits for as long as it takes: another user is making the value.
    async fn turn(&self, waiter: Waiter, path: &Path, key: &str) -> Result<Lock, Error> {
        let (mut wait, began) = (Wait::patient(waiter, Duration::MAX), Instant::now());
        let mut told = false;
        loop {
            if let Some(lock) = Lock::try_take(path, self.server.place.access())? {
                lock.write_record(Some(self.server.place.key()))?;
                return Ok(lock);
            }
            if !told
                && began.elapsed() >= PATIENCE
                && let Some(holder) = Lock::holder(path, self.server.place.access())?
            {
                told = true;
                eprintln!(
                    "port-for: waiting until `{key}` of the shared server of `{}` was run by {holder}",
                    self.server.place.id()
                );
            }
            wait.rest().await;
        }
    }

    /// The value, if it was made.
    fn value_at(&self, path: &Path, key: &str) -> Result<Option<String>, Error> {
        const ACTION: &str = "read what was made once from";
        let Some((file, _)) = files::open(ACTION, path, self.server.place.access())? else {
            return Ok(None);
        };
        // What is no such text is made anew.
        let value: Value = serde_json::from_reader(file).unwrap_or(Value::Null);
        Ok((value["key"] == *key)
            .then(|| value["value"].as_str().map(str::to_owned))
            .flatten())
    }
}
