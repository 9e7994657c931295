//! How long ago, as people write and read it.

use std::time::{Duration, SystemTime};

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// Reads `90s`, `15m`, `12h`, `30d` or `4w`.
pub(crate) fn parse(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text:?} is not a number with a unit of s, m, h, d or w, such as 30d");
    let unit = match text.chars().last() {
        Some('s') => 1,
        Some('m') => MINUTE,
        Some('h') => HOUR,
        Some('d') => DAY,
        Some('w') => 7 * DAY,
        _ => return Err(wrong()),
    };
    let digits = &text[..text.len() - 1];
    // `parse` alone would take a sign.
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(wrong());
    }
    let count: u64 = digits.parse().map_err(|_| wrong())?;
    let seconds = count.checked_mul(unit).ok_or_else(wrong)?;
    Ok(Duration::from_secs(seconds))
}

/// `12 s ago`, `3 min ago`, `5 h ago`, `45 days ago`; a time in the future is now.
pub(crate) fn ago(time: SystemTime) -> String {
    match time.elapsed().unwrap_or_default().as_secs() {
        seconds @ 0..120 => format!("{seconds} s ago"),
        seconds if seconds < 2 * HOUR => format!("{} min ago", seconds / MINUTE),
        seconds if seconds < 2 * DAY => format!("{} h ago", seconds / HOUR),
        seconds => format!("{} days ago", seconds / DAY),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_a_number_with_a_unit() {
        for (text, seconds) in [("0s", 0), ("90s", 90), ("15m", 900), ("12h", 43_200)] {
            assert_eq!(parse(text), Ok(Duration::from_secs(seconds)));
        }
        assert_eq!(parse("30d"), Ok(Duration::from_secs(2_592_000)));
        assert_eq!(parse("4w"), parse("28d"));
        for text in [
            "",
            "30",
            "d",
            "-1d",
            "+1d",
            "1.5d",
            "30 d",
            "30D",
            "1é",
            "99999999999999999999d",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
        assert!(parse(&format!("{}w", u64::MAX)).is_err());
    }

    #[test]
    fn how_long_ago_is_said_in_one_unit() {
        for (seconds, said) in [
            (0, "0 s ago"),
            (119, "119 s ago"),
            (120, "2 min ago"),
            (2 * HOUR, "2 h ago"),
            (2 * DAY, "2 days ago"),
            (45 * DAY, "45 days ago"),
        ] {
            assert_eq!(ago(SystemTime::now() - Duration::from_secs(seconds)), said);
        }
        assert_eq!(ago(SystemTime::now() + Duration::from_secs(9)), "0 s ago");
    }
}
