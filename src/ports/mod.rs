//! Which ports are good to use, and which are in use.
//!
//! [`PortSet`] is a set of ports with the usual set operations. Its constructors know the machine and
//! the registry: [`PortSet::good`] is the pool that ids get their ports from. The functions here ask
//! about single ports: [`is_used`], [`is_available`], and [`pick`] for a random one that is free.
//!
//! ```
//! use port_for::ports::{self, PortSet};
//!
//! let ours: PortSet = "8000-8010".parse()?;
//! let taken = PortSet::from([8000, 8001]);
//! let port = ports::pick(&(ours - taken))?.expect("one of nine ports is free");
//! assert!((8002..=8010).contains(&port));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A number alone is no promise: between the answer and a bind of your own, another program can take
//! the port. That is what a guard is for.

mod choice;
mod iter;
mod numbers;
mod os;
mod parse;
mod pool;
mod probe;
mod set;
mod sys;
mod table;

pub(crate) use choice::walk;
pub use iter::{IntoIter, Iter, Ranges};
pub use parse::ParsePortSetError;
pub use probe::{is_available, is_used, pick};
pub use set::PortSet;
