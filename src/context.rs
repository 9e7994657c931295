//! A store under one configuration.

use std::borrow::Cow;
use std::io;
use std::path::Path;

use crate::config::{self, Config};
use crate::error::{Cause, Error};
use crate::files;
use crate::guard::Neighbours;
use crate::id::broken_rule_of_new;
use crate::store::{Store, location};

#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) store: Store,
    pub(crate) config: Config,
}

impl Context {
    /// The default store, under what the environment says.
    ///
    /// # Errors
    ///
    /// For an environment variable that cannot be used, and when there is no folder to keep the store in.
    pub(crate) fn from_env() -> Result<Self, Error> {
        let config = Config::from_env()?;
        let path = match &config.store {
            Some(path) => path.clone(),
            None => location::default_store(config::home_and_state())?,
        };
        Self::with(&path, config)
    }

    /// The store at `path`, under what the environment says.
    ///
    /// # Errors
    ///
    /// For an environment variable that cannot be used, and for a path that names no file.
    pub(crate) fn open(path: &Path) -> Result<Self, Error> {
        Self::with(path, Config::from_env()?)
    }

    fn with(path: &Path, config: Config) -> Result<Self, Error> {
        if !config::names_file(path) {
            let error = io::Error::other("this is not the path of a file");
            return Err(files::failed("find the store", path, error));
        }
        // The working directory may change; the store does not.
        let absolute = std::path::absolute(path)
            .map_err(|error| files::failed("find the store", path, error))?;
        Ok(Self {
            store: Store::new(absolute),
            config,
        })
    }

    /// The key of `id` in the store: `id` itself, or `namespace#id`.
    ///
    /// # Errors
    ///
    /// When `id` breaks the rule of ids.
    pub(crate) fn key<'a>(&self, id: &'a str) -> Result<Cow<'a, str>, Error> {
        if let Some(rule) = broken_rule_of_new(id) {
            let id = id.to_owned();
            return Err(Cause::InvalidId { id, rule }.into());
        }
        Ok(match &self.config.namespace {
            Some(namespace) => Cow::Owned(format!("{namespace}#{id}")),
            None => Cow::Borrowed(id),
        })
    }

    /// The id whose key is `key`; none if it belongs to another namespace.
    pub(crate) fn id_of<'a>(&self, key: &'a str) -> Option<&'a str> {
        match &self.config.namespace {
            Some(namespace) => key.strip_prefix(namespace.as_str())?.strip_prefix('#'),
            None => Some(key),
        }
    }
}

impl Neighbours for Context {
    fn port_of(&self, id: &str) -> Result<Option<u16>, Error> {
        let key = self.key(id)?;
        Ok(self.store.snapshot()?.port_of(&key))
    }
}
