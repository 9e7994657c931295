//! Medians of contestants that take turns, and how a figure is printed.

use std::fmt;
use std::time::{Duration, Instant};

/// A figure beside what it is measured against.
#[derive(Debug)]
pub struct Figure {
    pub what: String,
    /// Against what: its name, and what it came to.
    pub beside: (String, String),
    pub ours: String,
    pub result: f64,
    pub unit: &'static str,
    pub target: Target,
}

/// What the figure is to be.
#[derive(Debug, Clone, Copy)]
pub enum Target {
    AtMost(f64),
    AtLeast(f64),
    /// Reported, without a target.
    None,
}

impl Figure {
    pub const HEADER: &'static str = "\
        | what | beside | that | this crate | figure | target | reached |\n\
        |---|---|---|---|---|---|---|";

    /// How many times as long as another it takes.
    pub fn ratio(what: &str, beside: &str, that: Duration, ours: Duration, target: Target) -> Self {
        Self {
            what: what.to_owned(),
            beside: (beside.to_owned(), short(that)),
            ours: short(ours),
            result: ours.as_secs_f64() / that.as_secs_f64(),
            unit: "×",
            target,
        }
    }

    /// How many milliseconds more it takes.
    pub fn more(what: &str, beside: &str, that: Duration, ours: Duration, target: Target) -> Self {
        Self {
            result: (ours.as_secs_f64() - that.as_secs_f64()) * 1e3,
            unit: "ms more",
            ..Self::ratio(what, beside, that, ours, target)
        }
    }

    /// How often something happened; none where that cannot be told.
    pub fn count(what: &str, times: Option<usize>, target: Target) -> Self {
        Self {
            what: what.to_owned(),
            beside: ("–".to_owned(), "–".to_owned()),
            ours: times.map_or_else(|| "not known here".to_owned(), |times| times.to_string()),
            result: times.map_or(f64::NAN, |times| times as f64),
            unit: "",
            target,
        }
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            what,
            beside: (beside, that),
            ours,
            result,
            unit,
            target,
        } = self;
        let (target, reached) = match *target {
            Target::AtMost(most) => (format!("≤ {most} {unit}"), Some(*result <= most)),
            Target::AtLeast(least) => (format!("≥ {least} {unit}"), Some(*result >= least)),
            Target::None => (String::new(), None),
        };
        let reached = reached.map_or("", |reached| if reached { "yes" } else { "no" });
        write!(
            f,
            "| {what} | {beside} | {that} | {ours} | {result:.2} {unit} | {target} | {reached} |"
        )
    }
}

/// With a unit that suits it.
pub fn short(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    if seconds < 1e-3 {
        format!("{:.1} µs", seconds * 1e6)
    } else if seconds < 1.0 {
        format!("{:.2} ms", seconds * 1e3)
    } else {
        format!("{seconds:.2} s")
    }
}

pub fn median<T: Ord + Copy>(mut values: Vec<T>) -> T {
    values.sort_unstable();
    values[values.len() / 2]
}

/// How long each of the jobs takes, in the median. They take turns, a few times in a row each, so that what else the
/// machine does meets all of them alike.
pub fn side_by_side<const N: usize>(
    rounds: usize,
    in_a_row: usize,
    mut jobs: [&mut dyn FnMut(); N],
) -> [Duration; N] {
    let mut times = [(); N].map(|()| Vec::new());
    // The first round warms up.
    for round in 0..=rounds {
        for (job, times) in jobs.iter_mut().zip(&mut times) {
            for _ in 0..in_a_row {
                let begin = Instant::now();
                job();
                if round > 0 {
                    times.push(begin.elapsed());
                }
            }
        }
    }
    times.map(median)
}

/// How long a job takes.
pub fn timed(job: impl FnOnce()) -> Duration {
    let begin = Instant::now();
    job();
    begin.elapsed()
}

/// The CPU time of this process and of all children that have ended, in steps of 10 ms.
#[cfg(target_os = "linux")]
pub fn cpu_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat
        .rsplit_once(") ")
        .map_or("", |(_, rest)| rest)
        .split(' ');
    let ticks = fields
        .skip(11)
        .take(4)
        .filter_map(|ticks| ticks.parse::<u64>().ok());
    Duration::from_millis(10 * ticks.sum::<u64>())
}
