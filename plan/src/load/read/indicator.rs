//! Indicators: a file of `indicators/` is the list of one domain's, in the order of the plan.

use super::super::yaml::{Node, Value};
use super::{Entries, Reader};
use crate::indicator::{
    Amount, Bound, Count, Coverage, Direction, Indicator, Measure, Period, Responsible, Target,
    Trend, Years,
};

/// Most digits of an amount, those after the point included.
const DIGITS_MAX: usize = 12;

/// Most digits of what an amount is divided by: six after a point, or of the number below a line.
const BELOW_DIGITS_MAX: usize = 7;

pub(super) const DIRECTIONS: [(&str, Direction); 3] = [
    ("increase", Direction::Increase),
    ("decrease", Direction::Decrease),
    ("maintain", Direction::Maintain),
];

/// The units that figures are counted in.
const COUNTED_UNITS: usize = 5;

pub(super) const UNITS: [(&str, Measure); 9] = [
    ("percent", Measure::Percent),
    ("per_1000", Measure::Per1000),
    ("per_100k", Measure::Per100k),
    ("ratio", Measure::Ratio),
    ("count", Measure::Count),
    ("years", Measure::Years),
    ("percentage_points", Measure::PercentagePoints),
    ("yuan", Measure::Yuan),
    ("tonnes", Measure::Tonnes),
];

pub(super) const TRENDS: [(&str, Trend); 6] = [
    ("year_on_year", Trend::YearOnYear),
    ("term_on_term", Trend::TermOnTerm),
    ("end_above_baseline", Trend::EndAboveBaseline),
    ("end_below_baseline", Trend::EndBelowBaseline),
    ("slower_growth", Trend::SlowerGrowth),
    ("kept_within_reason", Trend::KeptWithinReason),
];

/// The periods that have days, as of which figures are counted.
const COUNTED_PERIODS: usize = 5;

pub(super) const PERIODS: [(&str, Period); 7] = [
    ("calendar_year", Period::CalendarYear),
    ("year_end", Period::YearEnd),
    ("mch_year", Period::MchYear),
    ("school_year", Period::SchoolYear),
    ("each_round", Period::EachRound),
    ("term", Period::Term),
    ("survey", Period::Survey),
];

const COVERAGES: [(&str, Coverage); 2] = [("full", Coverage::Full), ("partial", Coverage::Partial)];

impl Reader<'_> {
    /// The years of the plan, from `package.yaml`.
    pub(super) fn years(&mut self, entries: &mut Entries<'_>) -> Years {
        let node = self.need(entries, "years");
        let Some(mut entries) = node.and_then(|node| self.entries(node, "years")) else {
            return Years::default();
        };
        let (from, to) = (
            self.year(&mut entries, "from"),
            self.year(&mut entries, "to"),
        );
        self.done(entries);
        Years { from, to }
    }

    /// Reads the indicators of a domain.
    pub(super) fn indicators(&mut self, root: &Node, domain: &str) -> Vec<Indicator> {
        let Value::List(nodes) = &root.value else {
            self.say_at(root, "", "must be a list");
            return Vec::new();
        };
        let nodes = nodes.iter().enumerate();
        nodes
            .filter_map(|(at, node)| self.indicator(node, at, domain))
            .collect()
    }

    fn indicator(&mut self, node: &Node, at: usize, domain: &str) -> Option<Indicator> {
        let named = id_of(node).map_or_else(|| at.to_string(), str::to_owned);
        let place = (self.file.to_owned(), named.clone());
        self.diagnostics.lines.insert(place, node.line);
        let mut entries = self.entries(node, &named)?;
        let key = self.some_text(&mut entries, "id");
        let item = self.need(&mut entries, "item");
        let item = item.and_then(|node| self.positive(node, &entries.key("item")));
        let title = self.words_in(&mut entries, "title");
        let quote = self.some_text(&mut entries, "source_quote");
        let clause = self.some_text(&mut entries, "source_clause");
        let direction = self.word(&mut entries, "direction", &DIRECTIONS);
        let target = self.target(&mut entries)?;
        let period = self.word(&mut entries, "period", &PERIODS[..COUNTED_PERIODS]);
        let count = self.count(&mut entries)?;
        let responsible = self.responsible(&mut entries)?;
        let note = entries
            .take("note")
            .map(|node| self.words_of(node, &entries.key("note")));
        self.done(entries);
        Some(Indicator {
            key,
            title,
            domain: domain.to_owned(),
            item: item?,
            quote,
            clause,
            direction: direction?,
            target,
            period: period?,
            count,
            responsible,
            note,
        })
    }

    fn target(&mut self, entries: &mut Entries<'_>) -> Option<Target> {
        let node = self.need(entries, "target")?;
        let mut entries = self.entries(node, &entries.key("target"))?;
        let bound = self.bound(&mut entries);
        let unit = self.word(&mut entries, "unit", &UNITS[..COUNTED_UNITS]);
        let year = self.year(&mut entries, "year");
        let trend = self.word_if(&mut entries, "trend", &TRENDS);
        let wording = self.text_if(&mut entries, "wording");
        self.done(entries);
        Some(Target {
            bound,
            unit: unit?,
            year,
            trend,
            wording,
        })
    }

    pub(super) fn bound(&mut self, entries: &mut Entries<'_>) -> Option<Bound> {
        let sides = [
            ("at_least", Bound::AtLeast as fn(Amount) -> Bound),
            ("at_most", Bound::AtMost),
            ("about", Bound::About),
        ];
        let mut bound = None;
        for (side, make) in sides {
            let Some(node) = entries.take(side) else {
                continue;
            };
            let key = entries.key(side);
            if bound.is_some() {
                self.report(&key, "a target has one amount: leave one out");
            }
            // One that can't be read stands for itself until the mistake is told.
            bound = Some(make(self.amount(node, &key).unwrap_or(Amount::whole(0))));
        }
        bound
    }

    /// A whole number, or a decimal or a fraction as quoted text.
    pub(super) fn amount(&mut self, node: &Node, key: &str) -> Option<Amount> {
        let amount = match &node.value {
            Value::Integer(number) => amount(&number.to_string()),
            Value::Text(text) if node.quoted => amount(text),
            Value::Text(_) | Value::Other => Err("is no whole number: quote it".to_owned()),
            _ => Err("must be a number".to_owned()),
        };
        amount.map_err(|why| self.say_at(node, key, why)).ok()
    }

    fn count(&mut self, entries: &mut Entries<'_>) -> Option<Count> {
        let node = self.need(entries, "count")?;
        let mut entries = self.entries(node, &entries.key("count"))?;
        let of = self.some_text(&mut entries, "of");
        let denominator = self.text_if(&mut entries, "denominator");
        let known = self.text_if(&mut entries, "known");
        let numerator = self.some_text(&mut entries, "numerator");
        let by = entries
            .take("by")
            .map(|node| self.texts_of(node, &entries.key("by")));
        let coverage = self.word(&mut entries, "coverage", &COVERAGES);
        self.done(entries);
        Some(Count {
            of,
            denominator,
            known,
            numerator,
            by: by.unwrap_or_default(),
            coverage: coverage?,
            classes: Vec::new(),
        })
    }

    pub(super) fn responsible(&mut self, entries: &mut Entries<'_>) -> Option<Responsible> {
        let node = self.need(entries, "responsible")?;
        let mut entries = self.entries(node, &entries.key("responsible"))?;
        let lead = self.some_text(&mut entries, "lead");
        let others = self.texts(&mut entries, "others");
        let inferred = self.flag(&mut entries, "inferred");
        self.done(entries);
        Some(Responsible {
            lead,
            others,
            inferred,
        })
    }

    /// A year with four digits; 0 if it isn't, which was said then.
    pub(super) fn year(&mut self, entries: &mut Entries<'_>, name: &str) -> u16 {
        let Some(node) = self.need(entries, name) else {
            return 0;
        };
        let key = entries.key(name);
        let year = self.integer_of(node, &key);
        let good = |year: i64| {
            u16::try_from(year)
                .ok()
                .filter(|y| (1000..=9999).contains(y))
        };
        if year.is_some_and(|year| good(year).is_none()) {
            self.say_at(node, &key, "must be a year with four digits");
        }
        year.and_then(good).unwrap_or(0)
    }

    pub(super) fn positive(&mut self, node: &Node, key: &str) -> Option<u32> {
        let number = self.integer_of(node, key)?;
        let positive = u32::try_from(number).ok().filter(|number| *number > 0);
        if positive.is_none() {
            self.say_at(node, key, "must be 1 or more");
        }
        positive
    }

    /// One of some words.
    pub(super) fn word<T: Copy>(
        &mut self,
        entries: &mut Entries<'_>,
        name: &str,
        words: &[(&str, T)],
    ) -> Option<T> {
        let text = self.text(entries, name)?;
        self.word_of(&text, &entries.key(name), words)
    }

    pub(super) fn word_if<T: Copy>(
        &mut self,
        entries: &mut Entries<'_>,
        name: &str,
        words: &[(&str, T)],
    ) -> Option<T> {
        let text = self.text_if(entries, name)?;
        self.word_of(&text, &entries.key(name), words)
    }

    fn word_of<T: Copy>(&mut self, text: &str, key: &str, words: &[(&str, T)]) -> Option<T> {
        let known = words.iter().find(|(word, _)| *word == text);
        if known.is_none() {
            let all: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            self.report(
                key,
                format!("unknown word `{text}`: use one of {}", all.join(", ")),
            );
        }
        known.map(|(_, meaning)| *meaning)
    }
}

/// The id by which mistakes in an entry are named.
pub(super) fn id_of(node: &Node) -> Option<&str> {
    let Value::Map(pairs) = &node.value else {
        return None;
    };
    let is_id = |key: &Node| matches!(&key.value, Value::Text(text) if text == "id");
    match &pairs.iter().find(|(key, _)| is_id(key))?.1.value {
        Value::Text(text) => Some(text),
        _ => None,
    }
}

/// `42`, `42.5` (425/10) or `100/3`, or what is wrong with it.
fn amount(text: &str) -> Result<Amount, String> {
    let (above, below) = match (text.split_once('.'), text.split_once('/')) {
        (Some((whole, decimals)), _) if !whole.is_empty() && !decimals.is_empty() => {
            let below = format!("1{}", "0".repeat(decimals.len()));
            (format!("{whole}{decimals}"), below)
        }
        (None, Some((above, below))) => (above.to_owned(), below.to_owned()),
        _ => (text.to_owned(), "1".to_owned()),
    };
    let digits = |text: &str, max: usize| {
        (1..=max).contains(&text.len()) && text.bytes().all(|c| c.is_ascii_digit())
    };
    let malformed = || format!("`{text}` is no amount: write 42, \"42.5\" or \"100/3\"");
    if !digits(&above, DIGITS_MAX) || !digits(&below, BELOW_DIGITS_MAX) {
        return Err(malformed());
    }
    let numerator = above.parse().map_err(|_| malformed())?;
    match below.parse().map_err(|_| malformed())? {
        0 => Err("nothing can be divided by 0".to_owned()),
        denominator => Ok(Amount {
            numerator,
            denominator,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_is_a_whole_number_a_decimal_or_a_fraction() {
        let good = [
            ("70", 70, 1),
            ("42.5", 425, 10),
            ("0.125", 125, 1000),
            ("100/3", 100, 3),
            ("0", 0, 1),
        ];
        for (text, numerator, denominator) in good {
            let expected = Amount {
                numerator,
                denominator,
            };
            assert_eq!(amount(text), Ok(expected), "{text}");
        }
        for bad in [
            "",
            "-1",
            "+1",
            "1.",
            ".5",
            "1.2.3",
            "1/",
            "/3",
            "1/2/3",
            "1/-3",
            "1e3",
            "７０",
            "1 ",
            "0x1",
            "1.1234567",
            "1234567890123",
            "1/12345678",
            "100/0",
        ] {
            assert!(amount(bad).is_err(), "{bad}");
        }
    }
}
