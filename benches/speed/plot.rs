//! A picture of how values are spread: how many of a hundred are no larger, in SVG.

use std::fmt::Write as _;

use crate::figure::{Figure, percentile};

const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 300.0;
const LEFT: f64 = 52.0;
const RIGHT: f64 = 620.0;
const TOP: f64 = 44.0;
const BOTTOM: f64 = 244.0;
const STYLE: &str = "\
text{font:13px system-ui,sans-serif;fill:#1c2530}\
.title{font-weight:600}.grid{stroke:#c9d1da}.line{fill:none;stroke:#0b6e6e;stroke-width:2}\
.mark{stroke:#a3341f;stroke-dasharray:4 3}.paper{fill:#fff}\
@media (prefers-color-scheme:dark){text{fill:#e6ebf0}.grid{stroke:#3c4752}\
.line{stroke:#5fd0c5}.mark{stroke:#ff9d85}.paper{fill:#12181f}}";

/// A round number that is no smaller.
fn ceiling(value: f64) -> f64 {
    let power = 10_f64.powf(value.max(1e-3).log10().floor());
    [1.0, 2.0, 2.5, 5.0, 10.0]
        .map(|step| step * power)
        .into_iter()
        .find(|round| *round >= value)
        .unwrap_or(value)
}

/// The spread of a figure that has one.
pub(crate) fn spread(figure: &Figure) -> Option<String> {
    let (values, unit) = (&figure.spread, figure.unit);
    let most = ceiling(*values.last()?);
    let x = |value: f64| LEFT + (RIGHT - LEFT) * value / most;
    let y = |share: f64| BOTTOM - (BOTTOM - TOP) * share / 100.0;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" \
         aria-label=\"{0}\"><style>{STYLE}</style>\
         <rect class=\"paper\" width=\"{WIDTH}\" height=\"{HEIGHT}\"/>\
         <text class=\"title\" x=\"{LEFT}\" y=\"24\">{0}, of {1}</text>",
        figure.what,
        values.len()
    );
    for share in [0.0, 25.0, 50.0, 75.0, 100.0] {
        let _ = write!(
            svg,
            "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{RIGHT}\" y1=\"{0:.1}\" y2=\"{0:.1}\"/>\
             <text x=\"{1}\" y=\"{2:.1}\" text-anchor=\"end\">{share} %</text>",
            y(share),
            LEFT - 8.0,
            y(share) + 4.0
        );
    }
    for quarter in 0..=4 {
        let value = most * f64::from(quarter) / 4.0;
        let _ = write!(
            svg,
            "<text x=\"{:.1}\" y=\"{}\" text-anchor=\"middle\">{value}{unit}</text>",
            x(value),
            BOTTOM + 20.0
        );
    }
    let mut path = format!("M{:.1} {:.1}", x(0.0), y(0.0));
    for (rank, value) in (1..).zip(values) {
        let share = 100.0 * f64::from(rank) / f64::from(u32::try_from(values.len()).ok()?);
        let _ = write!(path, "H{:.1}V{:.1}", x(*value), y(share));
    }
    let _ = write!(svg, "<path class=\"line\" d=\"{path}H{RIGHT}\"/>");
    for of_hundred in [50, 99] {
        let value = percentile(values, of_hundred);
        let _ = write!(
            svg,
            "<line class=\"mark\" x1=\"{0:.1}\" x2=\"{0:.1}\" y1=\"{TOP}\" y2=\"{BOTTOM}\"/>\
             <text x=\"{0:.1}\" y=\"{1}\" text-anchor=\"middle\">p{of_hundred} \
             {value:.0}{unit}</text>",
            x(value),
            BOTTOM + 42.0
        );
    }
    svg.push_str("</svg>\n");
    Some(svg)
}
