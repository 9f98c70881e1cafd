//! A figure as a page shows it: the value beside its target, what it is made of, what is not known.
//!
//! Nothing here judges: how far a figure is from its target is said with its sign, and whose work
//! that is belongs to people.

use plan::indicator::{Amount, Bound, Indicator, Measure};
use sync_core::figure::Tally;
use words::Words;

/// The width of a bar, and of the scale that the chart of years is drawn on.
pub(super) const BAR_WIDTH: i64 = 1000;

/// A figure in words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Figure {
    /// The value; a dash where nobody is counted.
    pub(super) value: String,
    /// The target, or the plan's own words for it.
    pub(super) target: String,
    /// How far the value is from the target, with its sign; empty without either.
    pub(super) gap: String,
    pub(super) numerator: i64,
    /// None for a plain number.
    pub(super) denominator: Option<i64>,
    pub(super) unknown: i64,
    /// The value if everybody of whom it is not known had not reached it; empty where all is known.
    pub(super) at_least: String,
    pub(super) bar: Option<Bar>,
}

/// Value and target on one scale, in thousandths of its width.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bar {
    pub(super) value: i64,
    pub(super) target: Option<i64>,
}

/// The width of the mark at the target, which lies inside the bar also at its end.
pub(super) const MARK_WIDTH: i64 = 8;

/// What stands for a value that there is not.
pub(super) const NONE: &str = "—";

impl Figure {
    /// The figure of an indicator.
    pub(super) fn of(words: &Words, indicator: &Indicator, tally: &Tally) -> Self {
        let unit = indicator.target.unit;
        let value = tally.value(unit);
        let bound = indicator.target.bound.as_ref().and_then(Bound::amount);
        let at_least = match unit.scale() {
            Some(_) if tally.unknown > 0 => tally.value_at_least(unit),
            _ => None,
        };
        let gap = value
            .zip(bound)
            .map(|(value, bound)| gap(words, unit, value, bound));
        Self {
            value: value.map_or_else(|| NONE.to_owned(), |value| amount(words, unit, value)),
            target: target(words, indicator),
            gap: gap.unwrap_or_default(),
            numerator: tally.numerator,
            denominator: indicator
                .count
                .denominator
                .as_ref()
                .map(|_| tally.denominator),
            unknown: tally.unknown,
            at_least: at_least
                .map(|value| amount(words, unit, value))
                .unwrap_or_default(),
            bar: value.and_then(|value| Bar::of(unit, value, bound)),
        }
    }
}

/// An amount in its unit.
pub(super) fn amount(words: &Words, unit: Measure, amount: Amount) -> String {
    let number = decimal(
        amount.numerator.into(),
        amount.denominator.into(),
        places(unit),
    );
    in_unit(words, unit, &number)
}

/// What the plan wants, in words.
pub(super) fn target(words: &Words, indicator: &Indicator) -> String {
    let target = &indicator.target;
    let bound = target.bound.as_ref();
    let Some((bound, exact)) = bound.and_then(|bound| Some((bound, bound.amount()?))) else {
        return target.wording.clone().unwrap_or_default();
    };
    // As the plan writes it: 70, not 70.0.
    let number = decimal(
        exact.numerator.into(),
        exact.denominator.into(),
        places(target.unit),
    );
    let number = match number.contains('.') {
        true => number.trim_end_matches('0').trim_end_matches('.'),
        false => number.as_str(),
    };
    let name = match bound {
        Bound::AtLeast(_) => "console-at-least",
        Bound::AtMost(_) => "console-at-most",
        Bound::About(_) | Bound::Other(_) => "console-about",
    };
    words.sentence(name, &[("amount", &in_unit(words, target.unit, number))])
}

/// The value less the bound. A difference that is too small to show has its sign all the same: a
/// target that is missed by a hair is not reached.
fn gap(words: &Words, unit: Measure, value: Amount, bound: Amount) -> String {
    let (a, b) = (i128::from(value.numerator), i128::from(value.denominator));
    let (c, d) = (i128::from(bound.numerator), i128::from(bound.denominator));
    let (difference, below) = (a * d - c * b, b * d);
    let sign = match difference {
        0 => "",
        1.. => "+",
        _ => "−",
    };
    let number = decimal(difference.abs(), below, places(unit));
    let tiny = difference != 0 && number.bytes().all(|byte| matches!(byte, b'0' | b'.'));
    let number = match (tiny, places(unit)) {
        (false, _) => number,
        (true, 2) => "<0.01".to_owned(),
        (true, 1) => "<0.1".to_owned(),
        (true, _) => "<1".to_owned(),
    };
    let signed = format!("{sign}{number}");
    match unit {
        Measure::Percent => words.sentence("console-points", &[("number", &signed)]),
        _ => in_unit(words, unit, &signed),
    }
}

fn in_unit(words: &Words, unit: Measure, number: &str) -> String {
    let name = match unit {
        Measure::Percent => "console-percent",
        Measure::Per1000 => "console-per-1000",
        Measure::Per100k => "console-per-100k",
        _ => return number.to_owned(),
    };
    words.sentence(name, &[("number", number)])
}

/// Decimals that a unit is shown with.
fn places(unit: Measure) -> u32 {
    match unit {
        Measure::Percent | Measure::Per1000 | Measure::Per100k => 1,
        Measure::Ratio => 2,
        _ => 0,
    }
}

/// A fraction of whole numbers as a decimal, rounded half away from zero, never through a float.
fn decimal(numerator: i128, denominator: i128, places: u32) -> String {
    let scale = 10_i128.pow(places);
    let denominator = denominator.max(1);
    let rounded = (numerator.abs() * scale * 2 + denominator) / (denominator * 2);
    let sign = if numerator < 0 && rounded > 0 {
        "−"
    } else {
        ""
    };
    let (whole, part) = (rounded / scale, rounded % scale);
    match places {
        0 => format!("{sign}{whole}"),
        _ => format!("{sign}{whole}.{part:0width$}", width = places as usize),
    }
}

impl Bar {
    /// None where there is nothing to measure against: a plain number without a target.
    fn of(unit: Measure, value: Amount, bound: Option<Amount>) -> Option<Self> {
        let full = match unit {
            Measure::Percent => Amount::whole(100),
            // Room beyond whichever is larger.
            _ => {
                let bound = bound?;
                let larger = match value.compared(bound).is_gt() {
                    true => value,
                    false => bound,
                };
                Amount {
                    numerator: larger.numerator.saturating_mul(5),
                    denominator: larger.denominator.saturating_mul(4),
                }
            }
        };
        Some(Self {
            value: part(value, full),
            target: bound.map(|bound| part(bound, full).min(BAR_WIDTH - MARK_WIDTH)),
        })
    }
}

/// An amount on a scale that ends at `full`.
pub(super) fn part(amount: Amount, full: Amount) -> i64 {
    let above = i128::from(amount.numerator) * i128::from(full.denominator);
    let below = i128::from(amount.denominator) * i128::from(full.numerator);
    let width = i128::from(BAR_WIDTH);
    match below {
        ..=0 => 0,
        below => i64::try_from((above * width / below).clamp(0, width)).unwrap_or(BAR_WIDTH),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use words::Language;

    fn chinese() -> Words {
        Words::new(Language::Chinese)
    }

    #[test]
    fn a_fraction_is_rounded_half_up_and_never_through_a_float() {
        assert_eq!(decimal(1, 3, 1), "0.3");
        assert_eq!(decimal(135, 200, 2), "0.68");
        assert_eq!(decimal(-5, 100, 1), "−0.1");
        assert_eq!(decimal(-1, 100, 1), "0.0");
        assert_eq!(decimal(7, 1, 0), "7");
        assert_eq!(decimal(0, 0, 1), "0.0");
    }

    #[test]
    fn a_target_missed_by_a_hair_is_not_shown_as_reached() {
        let words = chinese();
        let value = Amount {
            numerator: 699_999,
            denominator: 10_000,
        };
        assert_eq!(amount(&words, Measure::Percent, value), "70.0%");
        assert_eq!(
            gap(&words, Measure::Percent, value, Amount::whole(70)),
            "−<0.1 个百分点"
        );
        assert_eq!(
            gap(
                &words,
                Measure::Percent,
                Amount::whole(70),
                Amount::whole(70)
            ),
            "0.0 个百分点"
        );
        assert_eq!(
            gap(
                &words,
                Measure::Per100k,
                Amount::whole(13),
                Amount::whole(12)
            ),
            "+1.0/10万"
        );
    }

    #[test]
    fn a_bar_ends_at_a_hundred_percent_or_leaves_room_beyond_the_larger() {
        let bar = Bar::of(Measure::Percent, Amount::whole(35), Some(Amount::whole(70)));
        let expected = Bar {
            value: 350,
            target: Some(700),
        };
        assert_eq!(bar, Some(expected));
        let bar = Bar::of(Measure::Per1000, Amount::whole(4), Some(Amount::whole(8))).unwrap();
        assert_eq!((bar.value, bar.target), (400, Some(800)));
        assert_eq!(Bar::of(Measure::Count, Amount::whole(4), None), None);
    }
}
