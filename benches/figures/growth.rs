//! How the cost of a handout grows with the store and with the number of processes: measured, and drawn.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use crate::Effort;
use crate::children::start_together;
use crate::handouts::by_all;
use crate::measure::{Figure, median};
use crate::processes::first_by_size;
use crate::support::{FLOOR, ONLY_NUMBERS, OURS, PEERS, ids, store_of};

/// A line in the figure: how many times the floor, at each place of the x axis.
struct Line {
    name: String,
    points: Vec<(usize, f64)>,
}

/// One of the figure's halves.
struct Panel {
    title: &'static str,
    ticks: Vec<usize>,
    lines: Vec<Line>,
}

/// Draws the figure; nothing in it has a target.
pub fn growth(effort: Effort) -> Vec<Figure> {
    let panels = [over_stores(effort), over_processes(effort)];
    let path = match effort {
        Effort::Full => Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/growth.svg"),
        Effort::Once => PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("growth.svg"),
    };
    fs::write(path, draw(&panels)).unwrap();
    Vec::new()
}

fn over_stores(effort: Effort) -> Panel {
    let sizes = match effort {
        Effort::Full => vec![10, 100, 1_000, 10_000, 60_000],
        Effort::Once => vec![10, 100],
    };
    let ids = ids(1);
    let mut lines = names(&["port-for, a process's first"]);
    for &size in &sizes {
        let store = store_of(size, &ids);
        let (floor, ours, peers) = by_all(effort.rounds(200), &store, &ids[0]);
        let [process, first] = first_by_size(effort.rounds(100), size);
        let ours = [(ours, floor)].into_iter();
        let peers = peers.map(|time| (time, floor));
        let times = ours.chain(peers).chain([(first, process)]);
        for (line, (time, floor)) in lines.iter_mut().zip(times) {
            let ratio = time.as_secs_f64() / floor.as_secs_f64();
            line.points.push((size, ratio));
        }
    }
    Panel {
        title: "assignments in the store",
        ticks: sizes,
        lines,
    }
}

fn over_processes(effort: Effort) -> Panel {
    let counts = match effort {
        Effort::Full => vec![1, 2, 4, 8, 16, 32, 64],
        Effort::Once => vec![1, 2],
    };
    let millis = match effort {
        Effort::Full => "300",
        Effort::Once => "10",
    };
    let ids = ids(*counts.last().unwrap());
    let store = store_of(0, &ids);
    // How many handouts all processes together come to.
    let run = |name: &str, count: usize, ids: &dyn Fn(usize) -> String| {
        let (_, children) = start_together(count, store.path(), |nth| {
            ["as many", name, &ids(nth), millis]
                .map(str::to_owned)
                .to_vec()
        });
        let counts = children.into_iter().map(|child| child.numbers()[0][0]);
        counts.sum::<u64>()
    };
    let own = |nth: usize| ids[nth].clone();
    let mut lines = names(&[]);
    for &count in &counts {
        let mut totals = vec![Vec::new(); lines.len() + 1];
        for _ in 0..effort.rounds(5) {
            totals[0].push(run(FLOOR, count, &own));
            for (line, totals) in lines.iter().zip(&mut totals[1..]) {
                totals.push(run(&line.name, count, &own));
            }
        }
        let totals: Vec<f64> = totals.into_iter().map(|t| median(t) as f64).collect();
        for (line, total) in lines.iter_mut().zip(&totals[1..]) {
            line.points.push((count, totals[0] / total.max(1.0)));
        }
    }
    Panel {
        title: "processes at once, an id each (serial_test: one after the other)",
        ticks: counts,
        lines,
    }
}

fn names(more: &[&str]) -> Vec<Line> {
    let names = [OURS].iter().chain(&PEERS).chain(more);
    names
        .map(|name| Line {
            name: (*name).to_owned(),
            points: Vec::new(),
        })
        .collect()
}

const WIDTH: f64 = 980.0;
const HEIGHT: f64 = 430.0;
const TOP: f64 = 46.0;
const BOTTOM: f64 = 372.0;
/// Where the panels' plots begin and end.
const PLOTS: [(f64, f64); 2] = [(60.0, 330.0), (540.0, 810.0)];
/// Between the names at the lines' ends.
const NAME_HEIGHT: f64 = 15.0;

/// Both axes are logarithmic: equal distances are equal ratios.
fn draw(panels: &[Panel; 2]) -> String {
    let ratios = || panels.iter().flat_map(|panel| &panel.lines);
    let ratios = || ratios().flat_map(|line| line.points.iter().map(|point| point.1));
    let lowest = ratios().fold(1.0, f64::min) * 0.9;
    let highest = ratios().fold(2.0, f64::max) * 1.1;
    let y = |ratio: f64| place(ratio, (lowest, highest), (BOTTOM, TOP));

    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" \
         font-family=\"sans-serif\" font-size=\"12\" fill=\"#333\">\n\
         <title>Time of a handout, as a multiple of a bare bind</title>\n\
         <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"#fff\"/>\n\
         <text x=\"{}\" y=\"22\" font-size=\"14\">A port handed out and given back: time, as a \
         multiple of a bare bind + listen + close (dashed: only a number, no socket)</text>\n",
        PLOTS[0].0
    );
    for (panel, (left, right)) in panels.iter().zip(PLOTS) {
        for power in -2..6 {
            for step in [1.0, 2.0, 5.0] {
                let ratio = step * 10_f64.powi(power);
                if (lowest..=highest).contains(&ratio) {
                    let y = y(ratio);
                    let (color, width) = if (ratio - 1.0).abs() < 1e-9 {
                        ("#333", 1.5)
                    } else {
                        ("#ddd", 1.0)
                    };
                    let _ = writeln!(
                        svg,
                        "<path d=\"M{left} {y:.1}H{right}\" stroke=\"{color}\" stroke-width=\"{width}\"/>\
                         <text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{ratio}×</text>",
                        left - 6.0,
                        y + 4.0
                    );
                }
            }
        }
        let ends = (panel.ticks[0] as f64, *panel.ticks.last().unwrap() as f64);
        let x = |tick: usize| place(tick as f64, ends, (left, right));
        for &tick in &panel.ticks {
            let _ = writeln!(
                svg,
                "<path d=\"M{:.1} {BOTTOM}v5\" stroke=\"#333\"/>\
                 <text x=\"{:.1}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
                x(tick),
                x(tick),
                BOTTOM + 19.0,
                thousands(tick)
            );
        }
        let _ = writeln!(
            svg,
            "<text x=\"{}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
            f64::midpoint(left, right),
            BOTTOM + 42.0,
            panel.title
        );
        draw_lines(&mut svg, &panel.lines, x, y, right);
    }
    svg.push_str("</svg>\n");
    svg
}

/// The lines, each with its name at its end; names that would overlap move apart.
fn draw_lines(
    svg: &mut String,
    lines: &[Line],
    x: impl Fn(usize) -> f64,
    y: impl Fn(f64) -> f64,
    right: f64,
) {
    let mut ends: Vec<(f64, &Line)> = lines
        .iter()
        .map(|line| (y(line.points.last().unwrap().1), line))
        .collect();
    ends.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut names: Vec<f64> = ends.iter().map(|end| end.0).collect();
    for nth in 1..names.len() {
        names[nth] = names[nth].max(names[nth - 1] + NAME_HEIGHT);
    }
    // What was pushed out at the bottom pushes back.
    let mut lowest = BOTTOM;
    for name in names.iter_mut().rev() {
        *name = name.min(lowest);
        lowest = *name - NAME_HEIGHT;
    }
    for ((end, line), name) in ends.into_iter().zip(names) {
        let (color, width) = style(&line.name);
        let dashed = match &*line.name {
            name if ONLY_NUMBERS.contains(&name) => " stroke-dasharray=\"5 3\"",
            _ => "",
        };
        let points = line.points.iter();
        let points: Vec<_> = points
            .map(|&(tick, ratio)| format!("{:.1},{:.1}", x(tick), y(ratio)))
            .collect();
        let _ = writeln!(
            svg,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{color}\" stroke-width=\"{width}\"{dashed}/>\
             <path d=\"M{} {end:.1}L{} {name:.1}\" stroke=\"{color}\" stroke-width=\"0.7\" fill=\"none\"/>\
             <text x=\"{}\" y=\"{:.1}\" fill=\"{color}\">{}</text>",
            points.join(" "),
            right + 2.0,
            right + 14.0,
            right + 17.0,
            name + 4.0,
            line.name
        );
    }
}

/// A color that is told from the others without hue, too: ours are strong, peers' thin.
fn style(name: &str) -> (&'static str, f64) {
    const COLORS: [&str; 7] = [
        "#666666", "#b35900", "#2a7f3f", "#7a4fbf", "#a0522d", "#008b8b", "#c2185b",
    ];
    match PEERS.iter().position(|peer| *peer == name) {
        Some(nth) => (COLORS[nth], 1.3),
        None if name == OURS => ("#0b3d91", 3.0),
        None => ("#3f7fd9", 2.2),
    }
}

/// Where a value is between two ends, on a logarithmic axis.
fn place(value: f64, (low, high): (f64, f64), (start, end): (f64, f64)) -> f64 {
    start + (value / low).ln() / (high / low).ln() * (end - start)
}

fn thousands(number: usize) -> String {
    match (number / 1_000, number % 1_000) {
        (0, rest) => rest.to_string(),
        (thousands, rest) => format!("{thousands},{rest:03}"),
    }
}
