//! Scripts that complete the command's words in a shell: clap's, with the names that have a port.

use clap::CommandFactory;
use clap_complete::Shell;

use crate::args::Args;

/// Prints the names, one a line.
const NAMES: &str = "port-for --list --format '{id}' 2>/dev/null";
/// The options that a name follows.
const BEFORE_NAMES: [&str; 10] = [
    "bind", "b", "unbind", "u", "list", "l", "who", "wait", "gone", "stop",
];

/// The script for the shell.
pub(crate) fn script(shell: Shell) -> Vec<u8> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Args::command(), "port-for", &mut script);
    let Ok(script) = String::from_utf8(script) else {
        return Vec::new();
    };
    match shell {
        Shell::Bash => bash(&script),
        Shell::Zsh => zsh(&script),
        Shell::Fish => fish(script),
        _ => script,
    }
    .into_bytes()
}

fn bash(script: &str) -> String {
    let files = r#"COMPREPLY=($(compgen -f "${cur}"))"#;
    let names = r#"_port_for_names "${cur}""#;
    let mut script = script.to_owned();
    for option in BEFORE_NAMES {
        let dashes = if option.len() == 1 { "-" } else { "--" };
        let case = format!("{dashes}{option})\n                    ");
        script = script.replace(&format!("{case}{files}"), &format!("{case}{names}"));
    }
    // A word without dashes is a name, the first one too, but not behind `--`.
    let other = "*)\n                    ";
    let no_command = r#"[[ " ${COMP_WORDS[*]:0:COMP_CWORD} " == *" -- "* ]] ||"#;
    let script = script.replace(" || ${COMP_CWORD} -eq 1 ]]", " ]]").replace(
        &format!("{other}COMPREPLY=()"),
        &format!("{other}{no_command} {names}\n                    return 0"),
    );
    // Not by `compgen -W`, which runs what a name says.
    format!(
        "_port_for_names() {{
    local name
    while IFS= read -r name; do
        [[ $name == \"$1\"* ]] && COMPREPLY+=(\"$(printf %q \"$name\")\")
    done < <({NAMES})
}}

{script}"
    )
}

fn zsh(script: &str) -> String {
    let mut script = script.to_owned();
    for what in ["NAME", "PORT|NAME", "PREFIX"] {
        script = script.replace(
            &format!(":{what}:_default"),
            &format!(":{what}:_port_for_names"),
        );
    }
    let is_positional = |line: &&str| line.starts_with("'*::names ");
    if let Some(line) = script.lines().find(is_positional).map(str::to_owned) {
        let names = line.replace(":_default'", ":_port_for_names'");
        script = script.replace(&line, &names);
    }
    let function = format!(
        "_port_for_names() {{\n    local -a names\n    names=(\"${{(@f)$({NAMES})}}\")\n    compadd -a names\n}}\n\n"
    );
    script.replacen("_port-for() {", &format!("{function}_port-for() {{"), 1)
}

fn fish(mut script: String) -> String {
    let mut add = |when: &str| {
        for part in ["complete -c port-for ", when, " -a \"(", NAMES, ")\"\n"] {
            script.push_str(part);
        }
    };
    for option in BEFORE_NAMES {
        let kind = if option.len() == 1 { "-s" } else { "-l" };
        add(&format!("{kind} {option} -x"));
    }
    // Behind `--` come a command's words.
    add("-n 'not contains -- -- (commandline -opc)' -f");
    script
}
