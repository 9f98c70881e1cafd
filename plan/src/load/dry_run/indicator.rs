//! Dry run of the expressions that indicators count by.

use std::collections::BTreeSet;

use super::{DryRun, Rules};
use crate::expression::{Datum, Type, TypeEnv};
use crate::indicator::Indicator;
use crate::load::Diagnostics;
use crate::load::read::indicator_file;

/// Whose answer is not known is counted apart.
const UNKNOWN: Rules = Rules { unknown: true };

impl DryRun<'_> {
    /// Checks and runs the expressions of an indicator of this subject; `shapes` know the period.
    pub(super) fn indicator(
        &self,
        env: &TypeEnv<'_>,
        broken: &BTreeSet<&str>,
        indicator: &Indicator,
        diagnostics: &mut Diagnostics,
    ) {
        let count = &indicator.count;
        let number = |source: &str| self.number(env, broken, source);
        let truth = |source: &str| self.truth(env, broken, source, None, UNKNOWN);
        let (above, numerator) = number(&count.numerator);
        let denominator = count.denominator.as_deref().map(number);
        let (below, denominator) = denominator.unwrap_or_default();
        let known = count.known.as_deref().map(truth).unwrap_or_default();

        let file = indicator_file(&indicator.domain);
        let key = format!("{}.count", indicator.key);
        let parts = [
            ("denominator", denominator),
            ("known", known),
            ("numerator", numerator),
        ];
        for (part, wrong) in parts {
            for why in wrong {
                diagnostics.report(&file, format!("{key}.{part}"), why);
            }
        }
        if above
            .zip(below)
            .is_some_and(|(above, below)| above != below)
        {
            let why = "numerator and denominator: the one gives a number, the other true or false";
            diagnostics.report(&file, key, why);
        }
    }

    /// What an expression gives that says yes or no or how many, unless something is wrong with it
    /// or with what it rests on; and what is wrong with it.
    fn number(
        &self,
        env: &TypeEnv<'_>,
        broken: &BTreeSet<&str>,
        source: &str,
    ) -> (Option<Type>, Vec<String>) {
        let ty = match env.check(source, None) {
            Err(wrong) => return (None, wrong),
            Ok(ty) => ty,
        };
        if self.rests_on(broken, source) {
            return (None, Vec::new());
        }
        let fits = |value: &Datum| match ty {
            Type::Bool => matches!(value, Datum::Bool(_)),
            _ => matches!(value, Datum::Int(_)),
        };
        if !matches!(ty, Type::Bool | Type::Int) {
            let why = "it gives something else than true or false, or a whole number";
            return (None, vec![why.into()]);
        }
        let wrong = self.tried(source, None, UNKNOWN, &fits);
        (Some(ty), wrong.into_iter().collect())
    }
}
