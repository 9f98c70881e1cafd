//! Checks of indicators beyond the types of their expressions.

use std::collections::BTreeSet;

use super::At;
use crate::indicator::{Count, Indicator, Measure, Target};
use crate::register::ValueType;

/// Most years of a plan: figures are kept for each of them.
const YEARS_MAX: u16 = 30;

impl At<'_> {
    pub(super) fn years(&mut self) {
        let years = self.package.years;
        // 0 was no year at all, which was said then.
        if years.from == 0 || years.to == 0 {
            return;
        }
        if years.from > years.to {
            self.report("years", "the years are upside down");
        } else if years.to - years.from >= YEARS_MAX {
            self.report("years", format!("a plan is for {YEARS_MAX} years at most"));
        }
    }

    pub(super) fn indicator(&mut self, indicator: &Indicator) {
        let key = indicator.key.as_str();
        self.id(key, &indicator.domain);
        if !indicator.quote.contains(&indicator.clause) {
            let clause = format!("{key}.source_clause");
            self.report(&clause, "it is no part of the sentence in `source_quote`");
        }
        self.target(
            &indicator.target,
            &indicator.quote,
            &format!("{key}.target"),
        );
        let counted = format!("{key}.count");
        self.counted(&indicator.count, &counted);
        if indicator.count.denominator.is_none() && indicator.target.unit != Measure::Count {
            let why = "`denominator` is missing: only what is measured as a count has none";
            self.report(&counted, why);
        }
        let classes = indicator.count.classes.iter().map(String::as_str);
        self.held_together(&counted, &classes.collect());
    }

    fn id(&mut self, key: &str, domain: &str) {
        self.named(key, domain);
        let same = |other: &&Indicator| other.key == key;
        if self.package.indicators.iter().filter(same).count() > 1 {
            self.report(key, "the id is there twice");
        }
    }

    /// Checks an id that begins with its domain.
    pub(super) fn named(&mut self, key: &str, domain: &str) {
        let own = key
            .strip_prefix(domain)
            .and_then(|rest| rest.strip_prefix('.'));
        let Some(own) = own else {
            self.report(
                key,
                format!("the id must begin with `{domain}.`, as its file"),
            );
            return;
        };
        let good = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-';
        if !own.starts_with(|c: char| c.is_ascii_lowercase()) || !own.bytes().all(good) {
            let why = "after its domain an id has a to z, 0 to 9 and -, a letter first";
            self.report(key, why);
        }
    }

    fn target(&mut self, target: &Target, quote: &str, key: &str) {
        match (&target.bound, target.trend) {
            (Some(_), Some(_)) => {
                let why = "it has an amount: a trend is for targets without one";
                self.report(&format!("{key}.trend"), why);
            }
            (None, None) if target.wording.is_none() => {
                let why = "needs `at_least`, `at_most` or `about`, or else `trend` or `wording`";
                self.report(key, why);
            }
            _ => {}
        }
        if let Some(wording) = &target.wording
            && !quote.contains(wording)
        {
            let why = "the sentence in `source_quote` does not say that";
            self.report(&format!("{key}.wording"), why);
        }
        let years = self.package.years;
        if target.year > 0 && years.from > 0 && !(years.from..=years.to).contains(&target.year) {
            let why = format!("the plan is for {} to {}", years.from, years.to);
            self.report(&format!("{key}.year"), why);
        }
    }

    fn counted(&mut self, count: &Count, key: &str) {
        if self.package.subject(&count.of).is_none() {
            let why = format!("there is no subject `{}`", count.of);
            self.report(&format!("{key}.of"), why);
            return;
        }
        let mut seen = BTreeSet::new();
        let key = format!("{key}.by");
        for name in &count.by {
            if !seen.insert(name) {
                self.report(&key, format!("`{name}` is there twice"));
            }
            let status = self.package.status(&count.of, name);
            let told = |gives: ValueType, codes: &Option<String>| {
                gives == ValueType::Bool || (gives == ValueType::Text && codes.is_some())
            };
            if !status.is_some_and(|status| told(status.gives, &status.codes)) {
                let why = format!("`{name}` is no status that gives true or false, or a code");
                self.report(&key, why);
            }
        }
    }
}
