//! Where the default store is.

use std::env;
use std::fs;
use std::path::PathBuf;

use crate::error::{Cause, Error};
use crate::files;

/// The per-user store: `ports.json` in the platform's state folder for `port-for`, or, where there is no home to keep
/// it in (a CI sandbox), in a private folder among the temporary files. The caller knows the home and the state folder.
///
/// # Errors
///
/// When neither can be used.
pub(crate) fn default_store(user: Option<(PathBuf, PathBuf)>) -> Result<PathBuf, Error> {
    let folder = match user.and_then(state_folder) {
        Some(folder) => folder,
        None => temporary_folder()?,
    };
    Ok(folder.join("ports.json"))
}

/// The state folder, if it is there or can be made.
fn state_folder((home, state): (PathBuf, PathBuf)) -> Option<PathBuf> {
    let folder = state.join("port-for");
    // Made or not: many a home is on NFS, and a store there would be refused.
    if files::is_on_network(&folder) {
        return None;
    }
    // What is there is used, and if it cannot be, that is an error rather than a reason to go elsewhere.
    if folder.symlink_metadata().is_ok() {
        return Some(folder);
    }
    // `/nonexistent` as a home must not be made by root, and a store made by root in a user's home would lock them
    // out of it. A state folder outside of the home was chosen on purpose.
    let usable = if state.starts_with(&home) {
        fs::metadata(&home).is_ok_and(|found| found.is_dir() && files::is_own(&found))
    } else {
        true
    };
    (usable && files::make_folder(&folder).is_ok()).then_some(folder)
}

fn temporary_folder() -> Result<PathBuf, Error> {
    let folder = env::temp_dir().join(format!("port-for{}", files::user_suffix()));
    match files::make_private_folder(&folder) {
        Ok(Ok(())) => Ok(folder),
        Ok(Err(why)) => Err(Cause::Untrusted { path: folder, why }.into()),
        Err(error) => Err(files::failed("make the folder", &folder, error)),
    }
}
