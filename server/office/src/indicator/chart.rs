//! A figure over the years as a line, beside the table that says the same.

use std::collections::BTreeMap;

use plan::indicator::{Amount, Bound, Indicator, Measure};
use sync_core::figure::Tally;

use crate::figure::{BAR_WIDTH, part};

/// The drawing's size; points lie inside its margins.
const WIDTH: i64 = 1000;
const HEIGHT: i64 = 260;
const MARGIN_TOP: i64 = 20;
const MARGIN_BOTTOM: i64 = 40;

/// A line with its points.
pub(super) struct Chart {
    pub(super) width: i64,
    pub(super) height: i64,
    /// Where the scale begins.
    pub(super) base: i64,
    pub(super) line: String,
    pub(super) points: Vec<(i64, i64)>,
    /// How high the target lies.
    pub(super) target: Option<i64>,
    /// Where each year stands.
    pub(super) years: Vec<(i64, u16)>,
}

impl Chart {
    /// None of fewer than two years with a value: that is no line.
    pub(super) fn of(
        indicator: &Indicator,
        by_year: &BTreeMap<u16, Tally>,
        years: &[u16],
    ) -> Option<Self> {
        let unit = indicator.target.unit;
        let value = |year: &u16| by_year.get(year).and_then(|tally| tally.value(unit));
        let bound = indicator.target.bound.as_ref().and_then(Bound::amount);
        let full = full(unit, years.iter().filter_map(value).chain(bound))?;
        let step = WIDTH / i64::try_from(years.len()).ok()?.max(1);
        let across = |at: usize| i64::try_from(at).unwrap_or_default() * step + step / 2;
        let room = HEIGHT - MARGIN_TOP - MARGIN_BOTTOM;
        let up = |amount: Amount| HEIGHT - MARGIN_BOTTOM - part(amount, full) * room / BAR_WIDTH;
        let points: Vec<(i64, i64)> = years
            .iter()
            .enumerate()
            .filter_map(|(at, year)| Some((across(at), up(value(year)?))))
            .collect();
        if points.len() < 2 {
            return None;
        }
        let line = points.iter().map(|(x, y)| format!("{x},{y}"));
        Some(Self {
            width: WIDTH,
            height: HEIGHT,
            base: HEIGHT - MARGIN_BOTTOM,
            line: line.collect::<Vec<_>>().join(" "),
            target: bound.map(up),
            years: years
                .iter()
                .enumerate()
                .map(|(at, year)| (across(at), *year))
                .collect(),
            points,
        })
    }
}

/// The top of the scale: a hundred percent, or the largest amount. None if all are nothing.
fn full(unit: Measure, amounts: impl Iterator<Item = Amount>) -> Option<Amount> {
    if unit == Measure::Percent {
        return Some(Amount::whole(100));
    }
    let largest = amounts.max_by(|a, b| a.compared(*b))?;
    (largest.numerator > 0).then_some(largest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use plan::Package;

    #[test]
    fn a_line_needs_two_years_and_higher_values_lie_higher() {
        let package = Package::builtin();
        let indicator = package.indicator("health.cervical-screening-rate").unwrap();
        let half = Tally {
            numerator: 1,
            denominator: 2,
            unknown: 0,
        };
        let all = Tally {
            numerator: 2,
            ..half
        };
        let years = [2024, 2025, 2026];
        let mut by_year = BTreeMap::from([(2024, half), (2025, Tally::default())]);
        assert!(Chart::of(indicator, &by_year, &years).is_none());
        by_year.insert(2026, all);
        let chart = Chart::of(indicator, &by_year, &years).unwrap();
        // The year of which nothing is counted has no point.
        assert_eq!(chart.points.len(), 2);
        assert!(chart.points[1].1 < chart.points[0].1);
        assert_eq!(chart.points[1].1, MARGIN_TOP);
        assert!(
            chart
                .target
                .is_some_and(|y| y > MARGIN_TOP && y < chart.points[0].1)
        );
        assert_eq!(chart.years.len(), 3);
    }
}
