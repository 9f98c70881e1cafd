//! Checks of the catalogue, alone and beside the package.

use std::collections::BTreeSet;

use super::At;
use crate::catalogue::{Catalogue, Kind, Target};
use crate::load::Diagnostics;
use crate::load::read::catalogue::file_of;
use crate::package::Package;

/// What joins the plan's words where they stand apart in its sentence.
const APART: char = '；';

pub(in crate::load) fn catalogue(
    catalogue: &Catalogue,
    package: &Package,
    diagnostics: &mut Diagnostics,
) {
    let mut seen = BTreeSet::new();
    for target in &catalogue.targets {
        let file = file_of(&target.domain);
        let mut at = At {
            package,
            diagnostics,
            file,
        };
        if !seen.insert(target.key.as_str()) {
            at.report(&target.key, "the id is there twice");
        }
        at.target_of(target, catalogue);
    }
}

impl At<'_> {
    fn target_of(&mut self, target: &Target, catalogue: &Catalogue) {
        let key = target.key.as_str();
        self.named(key, &target.domain);
        if !target.quote.contains(&target.clause) {
            let clause = format!("{key}.source_clause");
            self.report(&clause, "it is no part of the sentence in `source_quote`");
        }
        let wording = target.wording.iter().flat_map(|words| words.split(APART));
        for words in wording {
            if !target.quote.contains(words) {
                let why = format!("the sentence in `source_quote` does not say `{words}`");
                self.report(&format!("{key}.target.wording"), why);
            }
        }
        match (&target.bound, target.trend, &target.wording) {
            (Some(_), Some(_), _) => {
                let why = "it has an amount: a trend is for targets without one";
                self.report(&format!("{key}.target.trend"), why);
            }
            (None, None, None) => {
                let why = "needs `at_least`, `at_most` or `about`, or else `trend` or `wording`";
                self.report(&format!("{key}.target"), why);
            }
            _ => {}
        }
        let amounts = target.bound.is_some() || !target.steps.is_empty();
        if amounts && target.unit.is_none() {
            self.report(&format!("{key}.target"), "an amount needs a `unit`");
        }
        self.years_of(target);
        self.kind_of(target, catalogue);
    }

    fn years_of(&mut self, target: &Target) {
        let (key, years) = (&target.key, self.package.years);
        // 0 was no year at all, which was said then.
        if target.year > 0 && !(years.from..=years.to).contains(&target.year) {
            let why = format!("the plan is for {} to {}", years.from, years.to);
            self.report(&format!("{key}.target.year"), why);
        }
        let mut after = years.from;
        for (at, step) in target.steps.iter().enumerate() {
            if !(after..target.year).contains(&step.year) {
                let why =
                    "steps ascend from the first year of the plan to the one before the target's";
                self.report(&format!("{key}.steps.{at}.year"), why);
            }
            after = step.year.saturating_add(1);
        }
    }

    fn kind_of(&mut self, target: &Target, catalogue: &Catalogue) {
        let key = &target.key;
        match &target.kind {
            Kind::Counted(indicator) => self.counted_by(target, indicator),
            Kind::Reported => {}
            Kind::Qualitative => {
                if target.unit.is_some() {
                    let why = "what is told in words has no unit";
                    self.report(&format!("{key}.target.unit"), why);
                }
            }
            Kind::Composed(of) => {
                let at = format!("{key}.of");
                if of.is_empty() {
                    self.report(&at, "there are none");
                }
                for name in of {
                    match catalogue.target(name).map(|part| &part.kind) {
                        None => self.report(&at, format!("there is no target `{name}`")),
                        Some(Kind::Counted(_) | Kind::Reported) => {}
                        Some(_) => {
                            let why = format!("`{name}` has no figures of its own");
                            self.report(&at, why);
                        }
                    }
                }
            }
        }
    }

    fn counted_by(&mut self, target: &Target, indicator: &str) {
        let key = &target.key;
        let Some(indicator) = self.package.indicator(indicator) else {
            let why = format!("the package has no indicator `{indicator}`");
            return self.report(&format!("{key}.indicator"), why);
        };
        let wanted = &indicator.target;
        let same = [
            ("source_quote", target.quote == indicator.quote),
            ("direction", target.direction == indicator.direction),
            ("period", target.period == indicator.period),
            ("target.unit", target.unit == Some(wanted.unit)),
            ("target.year", target.year == wanted.year),
            (
                "target",
                target.bound == wanted.bound && target.trend == wanted.trend,
            ),
        ];
        for (part, _) in same.into_iter().filter(|(_, same)| !same) {
            let why = format!("the indicator `{}` says something else", indicator.key);
            self.report(&format!("{key}.{part}"), why);
        }
    }
}
