//! The order that a keeper reads from its stdin.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};

use super::state::State;
use crate::ask::{Ask, OnBusy, Preference};

/// What a keeper says once it has its lock.
pub(super) const HERE: &str = "here\n";

/// All that a keeper needs to know, beside its environment.
#[derive(Debug)]
pub(super) struct Order {
    pub(super) store: PathBuf,
    pub(super) id: String,
    /// What is published at the start.
    pub(super) state: State,
    pub(super) ask: Ask,
    /// The recipe, as `ServerCommand` puts itself into JSON.
    pub(super) recipe: Value,
}

impl Order {
    /// None if the store's path is no Unicode.
    pub(super) fn to_json(&self) -> Option<Value> {
        let ask = &self.ask;
        let (default, exact) = match ask.preference {
            Preference::Any => (None, None),
            Preference::Default(port) => (Some(port), None),
            Preference::Exact(port) => (None, Some(port)),
        };
        let timeout = ask.timeout.map(|timeout| timeout.as_millis());
        Some(json!({
            "store": self.store.to_str()?,
            "id": self.id,
            "state": self.state.to_json(),
            "recipe": self.recipe,
            "default": default,
            "exact": exact,
            "ports": ask.ports.as_ref().map(ToString::to_string),
            "host": ask.host.to_string(),
            "udp": ask.udp,
            "block": ask.group.block,
            "companions": ask.group.companions,
            "timeout_ms": timeout.map(|timeout| u64::try_from(timeout).unwrap_or(u64::MAX)),
            "on_busy": match ask.on_busy {
                OnBusy::Wait => "wait",
                OnBusy::Fail => "fail",
                OnBusy::Move => "move",
                OnBusy::Reap => "reap",
            },
        }))
    }

    pub(super) fn parse(value: &Value) -> Option<Self> {
        let text = |field: &str| value[field].as_str().map(str::to_owned);
        let port = |field: &str| u16::try_from(value[field].as_u64()?).ok();
        let id = text("id")?;
        let mut ask = Ask::new(id.clone());
        if let Some(port) = port("default") {
            ask.preference = Preference::Default(port);
        }
        if let Some(port) = port("exact") {
            ask.preference = Preference::Exact(port);
        }
        if let Some(ports) = value["ports"].as_str() {
            ask.ports = Some(ports.parse().ok()?);
        }
        ask.host = value["host"].as_str()?.parse().ok()?;
        ask.udp = value["udp"].as_bool()?;
        ask.group.block = port("block")?;
        ask.group.companions = (value["companions"].as_array()?.iter())
            .map(|offset| u16::try_from(offset.as_u64()?).ok())
            .collect::<Option<_>>()?;
        ask.timeout = value["timeout_ms"].as_u64().map(Duration::from_millis);
        ask.on_busy = match value["on_busy"].as_str()? {
            "wait" => OnBusy::Wait,
            "fail" => OnBusy::Fail,
            "move" => OnBusy::Move,
            "reap" => OnBusy::Reap,
            _ => return None,
        };
        Some(Self {
            store: text("store")?.into(),
            id,
            state: State::parse(&value["state"])?,
            recipe: value["recipe"].clone(),
            ask,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_is_read_as_it_was_written() {
        let mut ask = Ask::new("api".to_owned());
        ask.preference = Preference::Exact(8080);
        ask.ports = Some("20000-20999".parse().unwrap());
        ask.host = "::1".parse().unwrap();
        ask.udp = true;
        ask.group.block = 6;
        ask.group.companions = vec![10_000];
        ask.timeout = Some(Duration::from_millis(1500));
        ask.on_busy = OnBusy::Move;
        let order = Order {
            store: "/a/ports.json".into(),
            id: "api".to_owned(),
            state: State::starting("x#api", json!({}), Duration::from_secs(1)),
            recipe: json!({ "program": "sh" }),
            ask,
        };
        let there = Order::parse(&order.to_json().unwrap()).unwrap();
        assert_eq!(format!("{there:?}"), format!("{order:?}"));
        assert!(Order::parse(&json!({})).is_none());
    }
}
