//! Test attributes of other runtimes, for which attributes that do the same stand in.

use port_for::{PortGuard, port_for};
use std::net::TcpListener;

use crate::converse;

mod async_std {
    pub(super) use frameworks_stand_ins::runtime_test as test;
}

mod smol_potat {
    pub(super) use frameworks_stand_ins::runtime_test as test;
}

#[port_for("frameworks/shared")]
#[async_std::test]
async fn of_async_std(api: TcpListener) {
    converse(&api, "async-std");
}

#[port_for("frameworks/shared")]
#[smol_potat::test]
async fn of_smol(mut api: PortGuard) -> Result<(), port_for::Error> {
    converse(&api.take_listener()?, "smol");
    Ok(())
}
