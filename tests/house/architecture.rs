//! The architecture: which folder of `src` may use which.
//!
//! `lib.rs` names everything. [`ROOMS`] is the documentation of the rest, in reading order: whoever stands above may use what stands below, never the other way,
//! and only what its line allows. Within a folder, files do not use each other in a circle either.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// A folder or file of `src`, what it is for, and what it may use.
type Room = (&'static str, &'static str, &'static str);

#[rustfmt::skip]
const ROOMS: [Room; 25] = [
    ("attribute", "what the macro's expansion calls, and fixtures",      "port_for shared acquire server guard ask error id wait"),
    ("command",   "what only the command line tool needs",               "port_for shared acquire server handover guard ask context store config error who socket proc id text"),
    ("startup",   "before `main`",                                       "shared server handover"),
    ("port_for",  "the facade: a store and what can be asked of it",     "request acquire guard ask context store error wait"),
    ("request",   "the facade: one port with its options",               "shared acquire server guard ask context error ports wait"),
    ("shared",    "one server for many tests, and its keeper",           "acquire server handover ask context store lease config files error who id text wait"),
    ("acquire",   "the story from what is asked for to guards",          "server handover guard ask context store lease files config error ports socket who group wait text"),
    ("server",    "a server's process on a guarded port",                "handover guard config files error proc exec who wait text"),
    ("ask",       "what is asked for, as plain data",                    "guard ports group"),
    ("context",   "a store under one configuration",                     "guard store config files error id"),
    ("guard",     "a port that is yours, its lease and its hold",        "lease error socket marker who wait"),
    ("store",     "assignments in a file, changed under its lock",       "lease files error who group id wait"),
    ("lease",     "locks, and the records of their holders",             "files config error who"),
    ("handover",  "sockets passed between processes",                    "config socket proc exec"),
    ("config",    "every environment variable",                          "error ports id"),
    ("files",     "files in folders that others may reach",              "error wait proc"),
    ("error",     "what can go wrong, and how it is said",               "who wait text"),
    ("ports",     "which ports are good, and which are in use",          "who socket id proc"),
    ("who",       "holders and occupants of ports",                      "socket marker linux_socket proc text"),
    ("socket",    "sockets with options, and probes",                    "marker proc"),
    ("marker",    "markers of vacated ports",                            "linux_socket proc text wait"),
    ("linux_socket", "sockets that only Linux has",                      ""),
    ("exec",      "becoming another program, by system calls only",      ""),
    ("proc",      "`/proc`, parsed",                                     ""),
    ("leaves",    "`group`, `id`, `text`, `wait`: what they say",        ""),
];

const LEAVES: [&str; 4] = ["group", "id", "text", "wait"];

#[test]
fn every_arrow_between_folders_is_allowed_and_goes_down() {
    let place = |room: &str| {
        let room = if LEAVES.contains(&room) {
            "leaves"
        } else {
            room
        };
        let place = ROOMS.iter().position(|&(name, ..)| name == room);
        place.unwrap_or_else(|| panic!("`{room}` is not in the list of rooms"))
    };
    for (name, _, uses) in ROOMS {
        for used in uses.split_whitespace() {
            assert!(
                place(used) > place(name),
                "the list lets `{name}` use `{used}` above it"
            );
        }
    }
    let mut unused: BTreeSet<(String, String)> = ROOMS
        .iter()
        .flat_map(|&(name, _, uses)| {
            let pair = move |used: &str| (name.to_owned(), used.to_owned());
            uses.split_whitespace().map(pair)
        })
        .collect();
    let mut forbidden = Vec::new();
    for (file, code) in sources() {
        let from = room_of(&file);
        if from == "lib" || from == "fuzz" {
            continue;
        }
        for used in rooms_used_by(&code) {
            if used == from {
                continue;
            }
            let (_, _, uses) = ROOMS[place(&from)];
            let allowed = uses.split_whitespace().any(|room| room == used);
            if !allowed {
                forbidden.push(format!("{} uses `{used}`", file.display()));
            }
            unused.remove(&(from.clone(), used));
        }
    }
    assert!(forbidden.is_empty(), "{forbidden:#?}");
    assert!(
        unused.is_empty(),
        "the list allows what is not used: {unused:#?}"
    );
}

#[test]
fn no_files_use_each_other_in_a_circle() {
    let sources = sources();
    let files: BTreeSet<PathBuf> = sources.iter().map(|(file, _)| file.clone()).collect();
    let mut arrows: BTreeMap<PathBuf, BTreeSet<PathBuf>> = BTreeMap::new();
    for (file, code) in &sources {
        let used = files_used_by(file, code, &files, &sources);
        arrows.insert(file.clone(), used);
    }
    // What uses nothing that is left is no part of a circle.
    while let Some(done) = arrows.iter().find(|(_, used)| used.is_empty()) {
        let done = done.0.clone();
        arrows.remove(&done);
        for used in arrows.values_mut() {
            used.remove(&done);
        }
    }
    assert!(arrows.is_empty(), "in a circle, or before one: {arrows:#?}");
}

/// Every file of `src` but the command's own, by its path there, and its code without comments.
fn sources() -> Vec<(PathBuf, String)> {
    fn collect(folder: &Path, root: &Path, found: &mut Vec<(PathBuf, String)>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                if !path.ends_with("src/bin") {
                    collect(&path, root, found);
                }
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let code = fs::read_to_string(&path).unwrap();
                let code: Vec<_> = code
                    .lines()
                    .filter(|line| !line.trim_start().starts_with("//"))
                    .collect();
                let name = path.strip_prefix(root).unwrap().to_owned();
                found.push((name, code.join("\n")));
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    collect(&root, &root, &mut found);
    found.sort();
    assert!(found.len() > 50, "the sources are looked at");
    found
}

fn room_of(file: &Path) -> String {
    let first = file.components().next().unwrap();
    let first = first.as_os_str().to_str().unwrap();
    first.trim_end_matches(".rs").to_owned()
}

/// The modules that the code names from the crate's root on.
fn rooms_used_by(code: &str) -> BTreeSet<String> {
    paths_from(code, "crate::")
        .filter(|path| path[0] != "crate")
        .map(|path| {
            let is_module = path[0].chars().next().is_some_and(char::is_lowercase);
            assert!(
                is_module,
                "name `{}` by its module, not by the crate's root",
                path[0]
            );
            path[0].clone()
        })
        .collect()
}

/// The paths behind each `root`, word by word; a group in braces is a path each.
fn paths_from<'a>(code: &'a str, root: &'a str) -> impl Iterator<Item = Vec<String>> + 'a {
    let starts = code.match_indices(root).filter(|&(at, _)| {
        let before = code[..at].chars().next_back();
        !before.is_some_and(|c| c.is_alphanumeric() || "_:$-".contains(c))
    });
    starts.flat_map(|(at, _)| expand(&code[at + root.len()..]))
}

fn expand(text: &str) -> Vec<Vec<String>> {
    if let Some(group) = text.strip_prefix('{') {
        let mut depth = 1;
        let end = group.find(|c| {
            depth += match c {
                '{' => 1,
                '}' => -1,
                _ => 0,
            };
            depth == 0
        });
        let group = &group[..end.unwrap()];
        return group
            .split(',')
            .map(str::trim)
            .filter(|part| !part.is_empty())
            .flat_map(expand)
            .collect();
    }
    let end = text
        .find(|c: char| !c.is_alphanumeric() && c != '_')
        .unwrap_or(text.len());
    let (word, rest) = text.split_at(end);
    if word.is_empty() {
        return Vec::new();
    }
    match rest.strip_prefix("::") {
        Some(rest) if rest.starts_with(|c: char| c.is_alphanumeric() || "_{".contains(c)) => {
            let mut paths = expand(rest);
            for path in &mut paths {
                path.insert(0, word.to_owned());
            }
            paths
        }
        _ => vec![vec![word.to_owned()]],
    }
}

/// The module's path, such as `["who", "sys", "linux"]`.
fn module_of(file: &Path) -> Vec<String> {
    let mut parts: Vec<_> = file
        .with_extension("")
        .components()
        .map(|part| part.as_os_str().to_str().unwrap().to_owned())
        .collect();
    if parts
        .last()
        .is_some_and(|last| last == "mod" || last == "lib")
    {
        parts.pop();
    }
    parts
}

fn file_of(module: &[String], files: &BTreeSet<PathBuf>) -> Option<PathBuf> {
    let path: PathBuf = module.iter().collect();
    [path.with_extension("rs"), path.join("mod.rs")]
        .into_iter()
        .find(|path| files.contains(path))
}

/// The files whose items the file names. What a `mod.rs` passes on is its children's.
fn files_used_by(
    file: &Path,
    code: &str,
    files: &BTreeSet<PathBuf>,
    sources: &[(PathBuf, String)],
) -> BTreeSet<PathBuf> {
    let module = module_of(file);
    let code = without_reexports(code);
    let mut used = BTreeSet::new();
    let mut add = |path: Vec<String>| used.extend(resolve(&path, files, sources));
    paths_from(&code, "crate::").for_each(&mut add);
    for (root, up) in [("super::super::", 2), ("super::", 1)] {
        for path in paths_from(&code, root) {
            // Of a module within the file, such as its tests, that is the file.
            if path[0] != "super" && path[0] != "*" && module.len() >= up {
                add([&module[..module.len() - up], &path].concat());
            }
        }
    }
    // Its own children, by their names.
    for child in files {
        let path = module_of(child);
        if let Some((name, parent)) = path.split_last()
            && parent == module
            && code.match_indices(&format!("{name}::")).any(|(at, _)| {
                !code[..at].ends_with(|c: char| c.is_alphanumeric() || "_:".contains(c))
            })
        {
            for rest in paths_from(&code, &format!("{name}::")) {
                add([&path[..], &rest].concat());
            }
        }
    }
    used.remove(file);
    used
}

/// `pub use child::Item;` passes on, and uses nothing.
fn without_reexports(code: &str) -> String {
    let mut rest = String::new();
    let mut is_reexport = false;
    for line in code.lines() {
        is_reexport |= line.starts_with("pub") && line.contains(" use ");
        if !is_reexport {
            rest.push_str(line);
            rest.push('\n');
        }
        is_reexport &= !line.ends_with(';');
    }
    rest
}

/// The file of the deepest module of the path, or of the child that the module has the item from.
fn resolve(
    path: &[String],
    files: &BTreeSet<PathBuf>,
    sources: &[(PathBuf, String)],
) -> Option<PathBuf> {
    let depth = (1..=path.len())
        .rev()
        .find(|&depth| file_of(&path[..depth], files).is_some())?;
    let file = file_of(&path[..depth], files)?;
    let Some(item) = path.get(depth) else {
        return Some(file);
    };
    let (_, code) = sources.iter().find(|(other, _)| *other == file)?;
    let reexports: Vec<_> = code
        .split(';')
        .filter(|line| line.trim_start().contains("pub") && line.contains(" use "))
        .flat_map(|line| expand(line.split_once(" use ").unwrap().1))
        .filter(|reexport| reexport.len() > 1)
        .collect();
    let child = reexports
        .iter()
        .find(|reexport| reexport.last() == Some(item));
    // A glob, of the one system that there is.
    let Some(child) = child else {
        return Some(file);
    };
    let child = [&path[..depth], &child[..]].concat();
    resolve(&child, files, sources).or(Some(file))
}
