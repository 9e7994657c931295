//! Ports in the texts that systems print.

use super::PortSet;

/// What a program prints. To call the system itself takes code that the compiler cannot check.
#[cfg(any(
    target_vendor = "apple",
    target_os = "freebsd",
    target_os = "dragonfly",
    windows
))]
pub(super) fn output<S: AsRef<std::ffi::OsStr>>(
    program: &str,
    args: impl IntoIterator<Item = S>,
) -> Option<String> {
    use std::process::{Command, Stdio};

    let output = Command::new(program)
        .args(args)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    // Words may be in any language and encoding; only numbers are read.
    output
        .status
        .success()
        .then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

/// `32768 60999`, on one line or two, as often as you like, whatever words stand in between.
pub(super) fn first_and_last(text: &str) -> PortSet {
    let numbers: Vec<u16> = numbers(text).collect();
    numbers
        .chunks_exact(2)
        .map(|pair| pair[0]..=pair[1])
        .collect()
}

/// `49152 16384`: a first port, and how many there are.
#[cfg(any(windows, test))]
pub(super) fn first_and_count(text: &str) -> Option<PortSet> {
    let mut numbers = numbers(text);
    let (first, count) = (numbers.next()?, numbers.next()?);
    Some(PortSet::from(
        first..=first.checked_add(count.checked_sub(1)?)?,
    ))
}

fn numbers(text: &str) -> impl Iterator<Item = u16> {
    text.split_whitespace().filter_map(|word| word.parse().ok())
}

/// `8080,9148-9150`, or an empty line. Zero may be among them, so this is not [`PortSet`]'s own parser.
#[cfg(any(target_os = "linux", target_os = "android", test))]
pub(super) fn list(text: &str) -> PortSet {
    let run = |item: &str| {
        let (first, last) = item.split_once('-').unwrap_or((item, item));
        Some(first.parse().ok()?..=last.parse().ok()?)
    };
    text.trim().split(',').filter_map(run).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn linux_prints_the_range_on_one_line() {
        assert_eq!(
            first_and_last("32768\t60999\n"),
            PortSet::from(32768..=60999)
        );
    }

    #[test]
    fn sysctl_prints_a_number_a_line() {
        let freebsd = "10000\n65535\n49152\n65535\n";
        assert_eq!(first_and_last(freebsd), PortSet::from(10000..=65535));
        let apart = "10000\n19999\n49152\n65535\n";
        assert_eq!(first_and_last(apart).to_string(), "10000-19999,49152-65535");
    }

    #[test]
    fn netsh_prints_numbers_among_words_of_any_language() {
        let dynamic = "\r\nProtokoll tcp Dynamischer Portbereich\r\n-------\r\n\
            Startport       : 1024\r\nAnzahl von Ports : 64511\r\n\r\n";
        assert_eq!(first_and_count(dynamic), Some(PortSet::from(1024..=65534)));

        let excluded = "\r\nProtocol tcp Port Exclusion Ranges\r\n\r\n\
            Start Port    End Port      \r\n----------    --------      \r\n\
            \x20     5357        5357      \r\n     50000       50059     *\r\n\r\n\
            * - Administered port exclusions.\r\n\r\n";
        assert_eq!(first_and_last(excluded).to_string(), "5357,50000-50059");
    }

    #[test]
    fn what_is_no_answer_is_no_ports() {
        for text in [
            "",
            "\n",
            "no such key",
            "60999 32768",
            "70000 80000",
            "32768",
        ] {
            assert_eq!(first_and_last(text), PortSet::new(), "{text:?}");
        }
        for text in ["", "49152", "65535 2", "49152 0"] {
            assert_eq!(first_and_count(text), None, "{text:?}");
        }
    }

    #[test]
    fn linux_lists_reserved_ports_or_nothing() {
        assert_eq!(list("\n"), PortSet::new());
        assert_eq!(list("8080,9148-9150\n").to_string(), "8080,9148-9150");
        assert_eq!(list("0-3,7\n").to_string(), "1-3,7");
    }
}
