//! The checkout that the working folder is in: what keeps the ports of several checkouts apart.
//!
//! Only names of files are looked at. Nothing here is an error: a test in a folder of an odd shape runs all the same.

use std::fs;
use std::path::Path;
#[cfg(feature = "cli")]
use std::path::PathBuf;

/// The root of the linked git worktree that the folder is in. None in a main checkout, whose ids stay plain, and outside of
/// any.
pub(super) fn worktree(folder: &Path) -> Option<String> {
    let folder = folder.canonicalize().ok()?;
    let mut roots = folder.ancestors();
    let (root, is_linked) = roots.find_map(|root| Some((root, is_linked(root)?)))?;
    is_linked.then(|| name(root))
}

/// Whether a git checkout that has its root here is a linked worktree. A submodule is a part of the checkout around it.
fn is_linked(root: &Path) -> Option<bool> {
    let git = root.join(".git");
    if git.is_dir() {
        return Some(false);
    }
    // `gitdir: …/.git/worktrees/NAME`, wherever that is by now.
    let text = fs::read_to_string(git).ok()?;
    let folder = Path::new(text.trim().strip_prefix("gitdir:")?.trim());
    let mut parts = folder.iter().rev();
    (parts.nth(1)? == "worktrees").then_some(true)
}

/// The root of the cargo workspace that the folder is in, or of the git checkout, or the folder.
pub(super) fn root(folder: &Path) -> Option<String> {
    let folder = folder.canonicalize().ok()?;
    let with = |file: &str| folder.ancestors().find(|root| root.join(file).exists());
    let root = with("Cargo.lock").or_else(|| with(".git"));
    Some(name(root.unwrap_or(&folder)))
}

/// The path, as a namespace can have it.
fn name(root: &Path) -> String {
    let path = root.to_string_lossy();
    path.chars()
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect()
}

/// Whether the key of an assignment begins with the folder of a checkout that is not there any more.
#[cfg(feature = "cli")]
pub(crate) fn is_gone(key: &str) -> bool {
    // Folders and ids may have the separator in them as well.
    let mut namespaces = key
        .match_indices('#')
        .map(|(at, _)| PathBuf::from(&key[..at]));
    let is_of_checkout = |folder: &PathBuf| folder.is_absolute();
    namespaces.clone().any(|folder| is_of_checkout(&folder)) && !namespaces.any(|it| it.exists())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn linked_worktrees_have_a_name_and_main_checkouts_have_none() {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path().canonicalize().unwrap();
        let make = |path: &str, git: Option<&str>| {
            fs::create_dir_all(at.join(path).join("src/deep")).unwrap();
            if let Some(text) = git {
                fs::write(at.join(path).join(".git"), text).unwrap();
            }
        };
        make("main", None);
        fs::create_dir(at.join("main/.git")).unwrap();
        make("main/linked", Some("gitdir: ../.git/worktrees/linked\n"));
        make(
            "main/submodule",
            Some("gitdir: ../.git/modules/submodule\n"),
        );
        make(
            "main/linked/submodule",
            Some("gitdir: /x/.git/worktrees/linked/modules/submodule"),
        );
        make("orphan", Some("gitdir: /nowhere/.git/worktrees/orphan"));
        make("garbage", Some("\0 no path"));
        make("bare", None);
        let named = |path: &str| at.join(path).display().to_string();
        for (path, expected) in [
            ("main", None),
            ("main/src/deep", None),
            ("main/submodule/src", None),
            ("main/linked", Some(named("main/linked"))),
            ("main/linked/src/deep", Some(named("main/linked"))),
            ("main/linked/submodule/src", Some(named("main/linked"))),
            ("orphan/src", Some(named("orphan"))),
            ("garbage", None),
            ("bare", None),
            ("missing", None),
        ] {
            assert_eq!(worktree(&at.join(path)), expected, "{path}");
        }
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink(at.join("main/linked"), at.join("link")).unwrap();
            assert_eq!(worktree(&at.join("link/src")), Some(named("main/linked")));
        }
    }

    #[test]
    fn the_root_is_the_workspaces_or_the_checkouts_or_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path().canonicalize().unwrap();
        let named = |path: &str| Some(at.join(path).display().to_string());
        fs::create_dir_all(at.join("repo/workspace/member/src")).unwrap();
        fs::create_dir(at.join("repo/.git")).unwrap();
        fs::write(at.join("repo/workspace/Cargo.lock"), "").unwrap();
        assert_eq!(
            root(&at.join("repo/workspace/member/src")),
            named("repo/workspace")
        );
        assert_eq!(root(&at.join("repo")), named("repo"));
    }

    #[cfg(all(unix, feature = "cli"))]
    #[test]
    fn only_folders_that_are_missing_are_gone() {
        for (key, expected) in [
            ("api", false),
            ("ci#api", false),
            ("/#api", false),
            ("/nowhere/at/all#api", true),
            ("/nowhere/at/all#api#1", true),
            ("/#api /nowhere#1", false),
        ] {
            assert_eq!(is_gone(key), expected, "{key}");
        }
    }
}
