//! One group against the plan's indicators.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use plan::Package;
use plan::expression::{AsOf, Datum, ExpressionError, Facts, RecordFacts, Scope};
use plan::indicator::{Count, Indicator, Period, Span};

use super::{Absence, Contribution, Tally};
use crate::id::Subject;

/// The most that one group may stand for: a household's people are at most some dozens, and a
/// mistake in the plan must not drown a banner's figure.
const WEIGHT_MAX: i64 = 1_000_000;
/// The longest code that a breakdown names; longer ones count as not known.
const BREAKDOWN_BYTES_MAX: usize = 64;

/// The indicators of one kind of period, with their places in the package.
#[derive(Debug)]
struct OfPeriod<'a> {
    /// Every year's, ascending, with what is in force on its last day.
    spans: Vec<(Span, Option<Arc<AsOf<'a>>>)>,
    indicators: Vec<(u16, &'a Indicator)>,
}

/// The indicators of a package, ready to count groups.
#[derive(Debug)]
pub struct Counter<'a> {
    package: &'a Package,
    /// The indicators of each subject.
    of: BTreeMap<&'a str, BTreeMap<Period, OfPeriod<'a>>>,
}

impl<'a> Counter<'a> {
    /// Of a package.
    pub fn new(package: &'a Package) -> Self {
        let mut of: BTreeMap<&str, BTreeMap<Period, OfPeriod<'_>>> = BTreeMap::new();
        for (at, indicator) in package.counted() {
            let period = indicator.period;
            let span = |year| {
                let span = period.of(year)?;
                let day = AsOf::of_period(package, &span).ok().map(Arc::new);
                Some((span, day))
            };
            let fresh = || OfPeriod {
                spans: package.years.iter().filter_map(span).collect(),
                indicators: Vec::new(),
            };
            let of_subject = of.entry(&indicator.count.of).or_default();
            let of_period = of_subject.entry(period).or_insert_with(fresh);
            of_period.indicators.push((at, indicator));
        }
        Self { package, of }
    }

    /// The package.
    pub fn package(&self) -> &'a Package {
        self.package
    }

    /// The dates that figures about a subject are as of.
    pub fn dates(&self, subject: Subject) -> BTreeSet<String> {
        let periods = self.of.get(subject.key()).into_iter().flatten();
        periods
            .flat_map(|(_, of_period)| of_period.spans.iter().map(|(span, _)| span.to.clone()))
            .collect()
    }

    /// What a group adds. `home` gives the facts of the household in which it lives as of a date;
    /// `away` says when it counts elsewhere.
    pub fn contribution<'f>(
        &'f self,
        subject: Subject,
        facts: &'f Facts,
        home: &dyn Fn(&str) -> Option<&'f Facts>,
        away: &Absence,
    ) -> Contribution {
        self.asked(subject, facts, home, away, &|_| true)
    }

    /// The same, where only these `indicators` may say something else than in `before`; the others
    /// are not asked.
    pub fn contribution_after<'f>(
        &'f self,
        before: &Contribution,
        indicators: &BTreeSet<u16>,
        (subject, facts): (Subject, &'f Facts),
        home: &dyn Fn(&str) -> Option<&'f Facts>,
        away: &Absence,
    ) -> Contribution {
        // Of facts over the limits nothing is known, of whatever indicator.
        if before.is_unknown() || !facts.is_within_limits() {
            return self.contribution(subject, facts, home, away);
        }
        let asked = |at| indicators.contains(&at);
        let now = self.asked(subject, facts, home, away, &asked);
        before.with(indicators, now)
    }

    /// What a group adds to the indicators that are `asked` for.
    fn asked<'f>(
        &'f self,
        subject: Subject,
        facts: &'f Facts,
        home: &dyn Fn(&str) -> Option<&'f Facts>,
        away: &Absence,
        asked: &dyn Fn(u16) -> bool,
    ) -> Contribution {
        let mut found: BTreeMap<(u16, u16), (Tally, Vec<String>)> = BTreeMap::new();
        let of = self.of.get(subject.key());
        let record = RecordFacts::new(self.package, subject.key(), facts);
        let record = record.ok().map(Arc::new);
        let mut homes = Homes::new(self.package);
        for of_period in of.into_iter().flat_map(BTreeMap::values) {
            let indicators = of_period.indicators.iter().filter(|(at, _)| asked(*at));
            let indicators: Vec<&(u16, &Indicator)> = indicators.collect();
            if indicators.is_empty() {
                continue;
            }
            let here = of_period
                .spans
                .iter()
                .filter(|(span, _)| !away.holds(&span.to));
            for (span, day) in here {
                let home = home(&span.to).map(|home| homes.of(home)).transpose();
                let scope = match (&record, home, day) {
                    (Some(record), Ok(home), Some(day)) => {
                        Some(Scope::of(record.clone(), home, day.clone()))
                    }
                    _ => None,
                };
                for (at, indicator) in &indicators {
                    let tally = match &scope {
                        Some(scope) => tally(scope, &indicator.count),
                        // Too much is recorded to say anything.
                        None => unknown(1),
                    };
                    if tally.is_zero() {
                        continue;
                    }
                    let by = indicator.count.by.iter();
                    let values = by.map(|by| value_of(scope.as_ref(), by)).collect();
                    found.insert((*at, span.year), (tally, values));
                }
            }
        }
        let mut contribution = Contribution::default();
        for ((indicator, year), (tally, values)) in found {
            contribution.push(indicator, year, tally, values);
        }
        contribution
    }
}

/// The households of one person: mostly one, for all years.
struct Homes<'f> {
    package: &'f Package,
    read: Vec<(&'f Facts, Home<'f>)>,
}

/// A household as it was read, or why it can't be.
type Home<'f> = Result<Arc<RecordFacts<'f>>, ExpressionError>;

impl<'f> Homes<'f> {
    fn new(package: &'f Package) -> Self {
        let read = Vec::new();
        Self { package, read }
    }

    fn of(&mut self, facts: &'f Facts) -> Home<'f> {
        let known = self
            .read
            .iter()
            .find(|(known, _)| std::ptr::eq(*known, facts));
        if let Some((_, home)) = known {
            return home.clone();
        }
        let home = RecordFacts::new(self.package, Subject::Household.key(), facts).map(Arc::new);
        self.read.push((facts, home.clone()));
        home
    }
}

/// How a group counts as of the scope's date.
fn tally(scope: &Scope<'_>, count: &Count) -> Tally {
    let weight = match &count.denominator {
        None => Ok(1),
        Some(source) => weight(scope.value(source)),
    };
    let weight = match weight {
        Ok(0) => return Tally::default(),
        Ok(weight) => weight,
        Err(_) => return unknown(1),
    };
    let is_known = |known: &String| scope.holds(known) == Ok(true);
    if !count.known.as_ref().is_none_or(is_known) {
        return unknown(weight);
    }
    match self::weight(scope.value(&count.numerator)) {
        Ok(numerator) => Tally {
            numerator,
            denominator: count.denominator.as_ref().map_or(0, |_| weight),
            unknown: 0,
        },
        Err(_) => unknown(weight),
    }
}

fn unknown(weight: i64) -> Tally {
    Tally {
        unknown: weight,
        ..Tally::default()
    }
}

/// Yes or no as 1 or 0, a number of people as it is.
fn weight(given: Result<Datum, ExpressionError>) -> Result<i64, ExpressionError> {
    match given? {
        Datum::Bool(holds) => Ok(i64::from(holds)),
        Datum::Int(number) if (0..=WEIGHT_MAX).contains(&number) => Ok(number),
        _ => Err(ExpressionError::Type),
    }
}

/// A status as the value of a breakdown: `true`, `false`, a code; empty where it is not known.
fn value_of(scope: Option<&Scope<'_>>, status: &str) -> String {
    match scope.map(|scope| scope.computed(status)) {
        Some(Ok(Datum::Bool(holds))) => holds.to_string(),
        Some(Ok(Datum::Text(code))) if is_code(&code) => code,
        _ => String::new(),
    }
}

/// Whether a text may be a code. A record may say anything, and what no engine takes into a key would
/// keep out whatever comes with it.
fn is_code(text: &str) -> bool {
    text.len() <= BREAKDOWN_BYTES_MAX && !text.chars().any(char::is_control)
}
