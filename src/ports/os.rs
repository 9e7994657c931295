//! What the operating system says about its ports.
//!
//! It is asked anew each time, for the answers can change while a program runs. Only Windows is asked
//! once, for each answer costs a process there; ports that it excludes later cannot be bound, and so
//! are not chosen either.

use super::PortSet;

/// IANA's dynamic ports, for systems that do not say which ones they use.
const FALLBACK: (u16, u16) = (49152, 65535);

pub(super) fn ephemeral() -> PortSet {
    system::ephemeral()
        .filter(|ports| !ports.is_empty())
        .unwrap_or_else(|| PortSet::from_runs(vec![FALLBACK]))
}

pub(super) fn reserved() -> PortSet {
    system::reserved().unwrap_or_default()
}

#[cfg(any(target_os = "linux", target_os = "android"))]
mod system {
    use std::fs;

    use super::{PortSet, first_and_last, list};

    pub(super) fn ephemeral() -> Option<PortSet> {
        let text = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").ok()?;
        Some(first_and_last(&text))
    }

    pub(super) fn reserved() -> Option<PortSet> {
        let text = fs::read_to_string("/proc/sys/net/ipv4/ip_local_reserved_ports").ok()?;
        Some(list(&text))
    }
}

#[cfg(any(
    target_vendor = "apple",
    target_os = "freebsd",
    target_os = "dragonfly"
))]
mod system {
    use super::{PortSet, first_and_last, output};

    #[cfg(target_vendor = "apple")]
    const SYSCTL: &str = "/usr/sbin/sysctl";
    #[cfg(not(target_vendor = "apple"))]
    const SYSCTL: &str = "/sbin/sysctl";

    pub(super) fn ephemeral() -> Option<PortSet> {
        let names = ["first", "last", "hifirst", "hilast"]
            .map(|end| format!("net.inet.ip.portrange.{end}"));
        Some(first_and_last(&output(
            SYSCTL,
            ["-n".to_owned()].into_iter().chain(names),
        )?))
    }

    pub(super) fn reserved() -> Option<PortSet> {
        None
    }
}

#[cfg(windows)]
mod system {
    use once_cell::sync::Lazy;

    use super::{PortSet, first_and_count, first_and_last, output};

    pub(super) fn ephemeral() -> Option<PortSet> {
        static EPHEMERAL: Lazy<Option<PortSet>> = Lazy::new(|| {
            let range = ["int", "ipv4", "show", "dynamicport", "tcp"];
            first_and_count(&output("netsh", range)?)
        });
        EPHEMERAL.clone()
    }

    pub(super) fn reserved() -> Option<PortSet> {
        static RESERVED: Lazy<Option<PortSet>> = Lazy::new(|| {
            let ranges = ["int", "ipv4", "show", "excludedportrange", "protocol=tcp"];
            Some(first_and_last(&output("netsh", ranges)?))
        });
        RESERVED.clone()
    }
}

#[cfg(not(any(
    target_os = "linux",
    target_os = "android",
    target_vendor = "apple",
    target_os = "freebsd",
    target_os = "dragonfly",
    windows
)))]
mod system {
    use super::PortSet;

    pub(super) fn ephemeral() -> Option<PortSet> {
        None
    }

    pub(super) fn reserved() -> Option<PortSet> {
        None
    }
}

/// What a program prints. To call the system itself takes code that the compiler cannot check.
#[cfg(any(
    target_vendor = "apple",
    target_os = "freebsd",
    target_os = "dragonfly",
    windows
))]
fn output<S: AsRef<std::ffi::OsStr>>(
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
fn first_and_last(text: &str) -> PortSet {
    let numbers: Vec<u16> = numbers(text).collect();
    numbers
        .chunks_exact(2)
        .map(|pair| pair[0]..=pair[1])
        .collect()
}

/// `49152 16384`: a first port, and how many there are.
#[cfg(any(windows, test))]
fn first_and_count(text: &str) -> Option<PortSet> {
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
fn list(text: &str) -> PortSet {
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

    #[test]
    fn this_system_has_ephemeral_ports() {
        assert!(!ephemeral().is_empty());
    }
}
