//! What a row of the table measures, and what it must be.

use serde::Serialize;

/// Which way is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Better {
    More,
    Less,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Verdict {
    Aim,
    Must,
    Missed,
}

impl Verdict {
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Aim => "aim",
            Self::Must => "must",
            Self::Missed => "**missed**",
        }
    }
}

/// Several measurements of one thing, and what they must come to.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Figure {
    /// The argument of `cargo bench --` that repeats it.
    pub(crate) row: &'static str,
    pub(crate) what: String,
    pub(crate) unit: &'static str,
    pub(crate) better: Better,
    pub(crate) must: f64,
    pub(crate) aim: f64,
    /// Sorted, one a round.
    pub(crate) samples: Vec<f64>,
    /// The values behind the ratio.
    pub(crate) detail: String,
    /// Every single value, where their spread is worth a picture; sorted.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) spread: Vec<f64>,
}

/// The middle one.
pub(crate) fn median(samples: &[f64]) -> f64 {
    let mut sorted = samples.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}

/// The value that this many of a hundred do not exceed; of sorted ones.
pub(crate) fn percentile(sorted: &[f64], of_hundred: usize) -> f64 {
    let rank = (sorted.len() * of_hundred).div_ceil(100);
    let found = sorted.get(rank.saturating_sub(1));
    found.copied().unwrap_or(f64::NAN)
}

impl Figure {
    pub(crate) fn new(
        row: &'static str,
        what: impl Into<String>,
        (must, aim): (f64, f64),
        samples: Vec<f64>,
        detail: String,
    ) -> Self {
        let better = if aim > must {
            Better::More
        } else {
            Better::Less
        };
        let mut samples = samples;
        samples.sort_unstable_by(f64::total_cmp);
        Self {
            row,
            what: what.into(),
            unit: "",
            better,
            must,
            aim,
            samples,
            detail,
            spread: Vec::new(),
        }
    }

    /// With a picture of these.
    pub(crate) fn spread_over(mut self, mut values: Vec<f64>) -> Self {
        values.sort_unstable_by(f64::total_cmp);
        self.spread = values;
        self
    }

    pub(crate) fn in_unit(mut self, unit: &'static str) -> Self {
        self.unit = unit;
        self
    }

    pub(crate) fn median(&self) -> f64 {
        median(&self.samples)
    }

    /// The least and the most.
    pub(crate) fn range(&self) -> (f64, f64) {
        let at = |found: Option<&f64>| found.copied().unwrap_or(f64::NAN);
        (at(self.samples.first()), at(self.samples.last()))
    }

    pub(crate) fn verdict(&self) -> Verdict {
        let reaches = |bound: f64| match self.better {
            Better::More => self.median() >= bound,
            Better::Less => self.median() <= bound,
        };
        if reaches(self.aim) {
            Verdict::Aim
        } else if reaches(self.must) {
            Verdict::Must
        } else {
            Verdict::Missed
        }
    }
}
