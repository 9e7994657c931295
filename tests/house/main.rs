//! The house: what has one home stays there, and what must agree agrees.

mod architecture;

use std::fs;
use std::path::{Path, PathBuf};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

fn read(path: impl AsRef<Path>) -> String {
    let path = Path::new(ROOT).join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn the_macro_crate_is_pinned_to_this_version() {
    let version = env!("CARGO_PKG_VERSION");
    let pin = format!("port-for-macros = {{ version = \"={version}\", path = \"macros\" }}");
    assert!(read("Cargo.toml").contains(&pin), "expected: {pin}");
}

/// What is compiled for Windows alone.
const WINDOWS: [&str; 3] = [
    "command/console.rs",
    "files/sys/flags.rs",
    "server/sys/job.rs",
];

#[test]
fn each_outside_thing_has_one_home() {
    let mut files = Vec::new();
    sources(&Path::new(ROOT).join("src"), &mut files);
    assert!(files.len() > 20, "the sources are looked at");
    for (thing, home) in [
        ("fs2::", "lease/lock.rs"),
        // `socket/`, and the leaf with what only Linux has.
        ("socket2::", "socket"),
        ("tempfile::Builder", "files/"),
        ("ctor::", "startup.rs"),
        ("windows_sys::", "windows.rs"),
        ("\"/proc", "proc.rs"),
        ("\"LISTEN_", "handover/protocol.rs"),
    ] {
        for file in &files {
            let code = fs::read_to_string(file).unwrap();
            // Examples in comments are a user's code.
            let uses = code.lines().any(|line| {
                let line = line.trim_start();
                !line.starts_with("//") && line.contains(thing)
            });
            // A file, a folder, or the files of one system.
            let name = file
                .strip_prefix(ROOT)
                .unwrap()
                .to_string_lossy()
                .replace('\\', "/");
            let is_home = name.contains(home)
                || home == "windows.rs" && WINDOWS.iter().any(|file| name.ends_with(file));
            assert!(
                !uses || is_home,
                "`{thing}` is for {home}, and is in {}",
                file.display()
            );
        }
    }
}

#[test]
fn unsafe_code_is_in_few_files_and_says_why_it_is_sound() {
    let mut files = Vec::new();
    sources(&Path::new(ROOT).join("src"), &mut files);
    let mut homes = Vec::new();
    for file in &files {
        let code = fs::read_to_string(file).unwrap();
        let mut reason = String::new();
        for line in code.lines().map(str::trim_start) {
            if line.starts_with("//") {
                reason += line;
                continue;
            }
            let is_unsafe = ["unsafe {", "unsafe impl", "unsafe fn", "(unsafe)"]
                .iter()
                .any(|word| line.contains(word));
            if is_unsafe {
                let file = file.strip_prefix(ROOT).unwrap();
                let is_told = ["// SAFETY: ", "/// # Safety"]
                    .iter()
                    .any(|word| reason.contains(word));
                assert!(is_told, "{}: {line}", file.display());
                homes.push(file.to_owned());
            }
            reason.clear();
        }
    }
    homes.sort();
    homes.dedup();
    let expected = [
        "src/command/console.rs",
        "src/exec.rs",
        "src/handover/activation.rs",
        "src/handover/sys/unix.rs",
        "src/linux_socket.rs",
        "src/server/sys/job.rs",
        "src/server/sys/unix/at_exit.rs",
        "src/server/sys/unix/become_guardian.rs",
        "src/server/sys/unix/guardian.rs",
        "src/server/sys/unix/pre_exec.rs",
        "src/server/sys/unix/quick.rs",
        "src/server/sys/unix/signals.rs",
        "src/server/sys/unix/vfork.rs",
        "src/socket/sys/windows.rs",
        "src/startup.rs",
        "src/who/sys/windows.rs",
    ];
    assert_eq!(homes, expected.map(PathBuf::from));
}

#[cfg(unix)] // Programs for Windows may be run where cargo is not.
#[test]
fn users_compile_no_crate_in_two_versions() {
    let tree = [
        "tree",
        "--offline",
        "--edges",
        "normal,build",
        "--prefix",
        "none",
        "--format",
        "{p}",
    ];
    let output = std::process::Command::new(env!("CARGO"))
        .args(tree)
        .current_dir(ROOT)
        .output()
        .unwrap();
    let tree = String::from_utf8(output.stdout).unwrap();
    let mut crates: Vec<_> = tree
        .lines()
        .filter_map(|line| {
            let mut words = line.split(' ');
            Some((words.next()?, words.next()?))
        })
        .collect();
    crates.sort_unstable();
    crates.dedup();
    assert!(crates.len() > 10, "{tree}");
    for pair in crates.windows(2) {
        assert_ne!(pair[0].0, pair[1].0, "{tree}");
    }
}

#[test]
fn the_attribute_and_the_library_have_one_table_of_unseen_characters() {
    let [ours, theirs] = ["src/id.rs", "macros/src/values.rs"].map(|file| {
        let code = read(file);
        let (_, table) = code.split_once("const UNSEEN").unwrap();
        table.split_once("];").unwrap().0.to_owned()
    });
    assert_eq!(ours, theirs);
}
