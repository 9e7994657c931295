//! For async code: what waits, without stopping the thread.

use std::net::SocketAddr;
use std::time::Duration;

use super::start::start_for;
use super::{Ready, Server, ServerCommand, Stopped};
use crate::error::Error;
use crate::guard::PortGuard;
use crate::wait::Waiter;

impl PortGuard {
    /// As [`start`](Self::start), for async code: while it waits, the thread is free for other tasks, whatever runtime
    /// runs them. Dropping the future ends what was started.
    ///
    /// # Errors
    ///
    /// Those of [`start`](Self::start).
    pub async fn start_async(&mut self, command: &ServerCommand) -> Result<Server, Error> {
        start_for(Waiter::Future, self, command).await
    }
}

/// The twins leave the thread to other tasks while they wait; else they do the same.
impl Server {
    /// As [`wait_ready`](Self::wait_ready), for async code.
    ///
    /// # Errors
    ///
    /// Those of [`wait_ready`](Self::wait_ready).
    pub async fn wait_ready_async(&mut self, timeout: Duration) -> Result<(), Error> {
        self.wait_for_async(&Ready::listening(), timeout).await
    }

    /// As [`wait_for`](Self::wait_for), for async code.
    ///
    /// # Errors
    ///
    /// Those of [`wait_for`](Self::wait_for).
    pub async fn wait_for_async(&mut self, ready: &Ready, timeout: Duration) -> Result<(), Error> {
        self.wait_for_by(Waiter::Future, ready, timeout).await
    }

    /// As [`wait_until`](Self::wait_until), for async code, with a probe that may await.
    ///
    /// # Errors
    ///
    /// Those of [`wait_until`](Self::wait_until).
    pub async fn wait_until_async(
        &mut self,
        timeout: Duration,
        probe: impl AsyncFnMut(SocketAddr) -> bool,
    ) -> Result<(), Error> {
        self.wait_until_by(Waiter::Future, timeout, probe).await
    }

    /// As [`wait_line`](Self::wait_line), for async code.
    ///
    /// # Errors
    ///
    /// Those of [`wait_line`](Self::wait_line).
    pub async fn wait_line_async<T>(
        &mut self,
        timeout: Duration,
        find: impl FnMut(&str) -> Option<T>,
    ) -> Result<T, Error> {
        self.wait_line_by(Waiter::Future, timeout, find).await
    }

    /// As [`stop`](Self::stop), for async code.
    ///
    /// # Errors
    ///
    /// Those of [`stop`](Self::stop).
    pub async fn stop_async(&mut self) -> Result<Stopped, Error> {
        self.stop_by(Waiter::Future).await
    }

    /// As [`restart`](Self::restart), for async code.
    ///
    /// # Errors
    ///
    /// Those of [`restart`](Self::restart).
    pub async fn restart_async(&mut self) -> Result<(), Error> {
        self.restart_by(Waiter::Future).await
    }
}
