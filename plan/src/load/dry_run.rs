//! Dry run of every expression: its references, and its value with nothing and with everything
//! filled in.
//!
//! Filled in is done many times over, with other codes, numbers and dates each time, so that every
//! code of every closed list comes up with every other.

mod indicator;

use std::collections::{BTreeMap, BTreeSet};

use super::Diagnostics;
use crate::dictionary::{Field, Kind, Repeating, Section, Subject};
use crate::expression::{Datum, Facts, Fields, Item, Scope, Type, TypeEnv};
use crate::indicator::Span;
use crate::package::Package;
use crate::register::Computed;

/// The day of the trials, unless a setting begins later.
const AS_OF: &str = "2031-06-30";

/// Dates of the trials: before and after thresholds, and one that is not reached.
const DATES: [&str; 4] = ["2031-02-28", "1980-01-31", "2029-12-31", "2032-01-01"];

/// The item of the trials.
const ITEM: &str = "trial";

/// Checks all expressions and returns the package with its statuses in the order in which they rest
/// on each other.
pub(super) fn package(mut package: Package, diagnostics: &mut Diagnostics) -> Package {
    package.computed = ordered(&package, diagnostics);
    for subject in &package.subjects {
        DryRun::new(&package, subject).run(diagnostics);
    }
    package
}

/// The statuses, each after those that it uses.
fn ordered(package: &Package, diagnostics: &mut Diagnostics) -> Vec<Computed> {
    let mut left: Vec<&Computed> = package.computed.iter().collect();
    let mut uses: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for computed in &left {
        uses.insert(
            &computed.key,
            package.names(&computed.is).unwrap_or_default(),
        );
    }
    let mut sorted: Vec<Computed> = Vec::new();
    while !left.is_empty() {
        let waits = |computed: &&&Computed| {
            let uses = uses
                .get(computed.key.as_str())
                .map(Vec::as_slice)
                .unwrap_or_default();
            left.iter()
                .any(|other| other.of == computed.of && uses.contains(&other.key))
        };
        let Some(ready) = left.iter().position(|computed| !waits(&computed)) else {
            break;
        };
        sorted.push(left.remove(ready).clone());
    }
    for computed in &left {
        let key = format!("{}.is", computed.key);
        diagnostics.report(
            "computed.yaml",
            key,
            "it rests on itself, perhaps by way of others",
        );
    }
    sorted.extend(left.into_iter().cloned());
    sorted
}

struct DryRun<'a> {
    package: &'a Package,
    subject: &'a Subject,
    /// Facts with a word for them, and whether everything in them is known.
    cases: Vec<Case>,
    /// A year until the day of the trials. What is no indicator can't name it.
    span: Span,
}

struct Case {
    what: &'static str,
    full: bool,
    facts: Facts,
    home: Option<Facts>,
}

/// What an expression may do.
#[derive(Clone, Copy)]
struct Rules {
    /// It may have no answer where something is not known.
    unknown: bool,
}

impl<'a> DryRun<'a> {
    fn new(package: &'a Package, subject: &'a Subject) -> Self {
        let dates = package.settings.iter().flat_map(|setting| &setting.values);
        let latest = dates
            .map(|dated| dated.from.as_str())
            .filter(|from| crate::expression::is_day(from));
        let as_of = latest.chain([AS_OF]).max().unwrap_or(AS_OF);
        let home = package.subject("household");
        let facts = |fill: Fill| facts(package, subject, fill);
        let at_home = |fill: Fill| home.map(|home| self::facts(package, home, fill));
        let mut cases = vec![
            Case {
                what: "a record with nothing in it",
                full: false,
                facts: Facts::default(),
                home: None,
            },
            Case {
                what: "a record with empty items",
                full: false,
                facts: facts(Fill::Empty),
                home: at_home(Fill::Empty),
            },
            Case {
                what: "a record without a household",
                full: false,
                facts: facts(Fill::Full(0)),
                home: None,
            },
            Case {
                what: "a record with no code chosen",
                full: false,
                facts: facts(Fill::Unchosen),
                home: at_home(Fill::Unchosen),
            },
        ];
        let closed = package.codes.iter().filter(|list| !list.open);
        let most = closed
            .map(|list| list.codes.len())
            .max()
            .unwrap_or(1)
            .max(DATES.len());
        for variant in 0..most {
            let what = "a record with everything filled in";
            let (facts, home) = (facts(Fill::Full(variant)), at_home(Fill::Full(variant)));
            cases.push(Case {
                what,
                full: true,
                facts,
                home,
            });
        }
        Self {
            package,
            subject,
            cases,
            span: Span {
                year: as_of.get(..4).and_then(|y| y.parse().ok()).unwrap_or(0),
                from: format!("{}-01-01", as_of.get(..4).unwrap_or_default()),
                to: as_of.to_owned(),
            },
        }
    }

    fn run(&self, diagnostics: &mut Diagnostics) {
        let mut env = TypeEnv::new(self.package, self.subject);
        // Names that don't exist are told once, where they are, and not by everything that uses them.
        let mut broken: BTreeSet<&str> = BTreeSet::new();
        let of = |of: &str| of == self.subject.key;
        for computed in self
            .package
            .computed
            .iter()
            .filter(|computed| of(&computed.of))
        {
            let mut wrong = Vec::new();
            let ty = env
                .check(&computed.is, None)
                .map_err(|why| wrong.extend(why))
                .ok();
            if let Some(ty) = &ty {
                wrong.extend(env.gives(computed, ty).err());
            }
            env.add(computed, ty);
            if wrong.is_empty() && !self.rests_on(&broken, &computed.is) {
                let fits = |value: &Datum| self.fits(computed, value);
                wrong.extend(self.tried(&computed.is, None, Rules { unknown: true }, &fits));
            }
            if !wrong.is_empty() {
                broken.insert(&computed.key);
            }
            for why in wrong {
                diagnostics.report("computed.yaml", format!("{}.is", computed.key), why);
            }
        }
        let file = diagnostics.subject_file(&self.subject.key);
        for section in &self.subject.sections {
            let item = (section.repeating != Repeating::No).then_some(section);
            let key = format!("sections.{}", section.key);
            for field in &section.fields {
                let Some(source) = &field.ask_if else {
                    continue;
                };
                let written = format!("{key}.fields.{}", field.key);
                let required = format!("{written}.required_if");
                let place = (file.clone(), required.clone());
                let key = if diagnostics.lines.contains_key(&place) {
                    required
                } else {
                    format!("{written}.ask_if")
                };
                for why in self.truth(&env, &broken, source, item, Rules { unknown: false }) {
                    diagnostics.report(&file, key.clone(), why);
                }
            }
            for (at, check) in section.checks.iter().enumerate() {
                for why in self.truth(&env, &broken, &check.rule, item, Rules { unknown: true }) {
                    diagnostics.report(&file, format!("{key}.checks.{at}.rule"), why);
                }
            }
        }
        for register in self
            .package
            .registers
            .iter()
            .filter(|register| of(&register.of))
        {
            for why in self.truth(
                &env,
                &broken,
                &register.rows,
                None,
                Rules { unknown: false },
            ) {
                diagnostics.report("registers.yaml", format!("{}.rows", register.key), why);
            }
        }
        env.know_period();
        for indicator in &self.package.indicators {
            if of(&indicator.count.of) {
                self.indicator(&env, &broken, indicator, diagnostics);
            }
        }
    }

    /// Whether an expression uses a status that has a mistake of its own, which was told already.
    fn rests_on(&self, broken: &BTreeSet<&str>, source: &str) -> bool {
        let names = self.package.names(source).unwrap_or_default();
        names.iter().any(|name| broken.contains(name.as_str()))
    }

    /// What is wrong with an expression that says yes or no.
    fn truth(
        &self,
        env: &TypeEnv<'_>,
        broken: &BTreeSet<&str>,
        source: &str,
        item: Option<&Section>,
        rules: Rules,
    ) -> Vec<String> {
        match env.check(source, item) {
            Err(wrong) => return wrong,
            Ok(Type::Bool | Type::Any) => {}
            Ok(_) => return vec!["it gives something else than true or false".into()],
        }
        if self.rests_on(broken, source) {
            return Vec::new();
        }
        let fits = |value: &Datum| matches!(value, Datum::Bool(_));
        self.tried(source, item, rules, &fits).into_iter().collect()
    }

    /// Runs the expression over all cases and returns the first thing that goes wrong.
    fn tried(
        &self,
        source: &str,
        item: Option<&Section>,
        rules: Rules,
        fits: &dyn Fn(&Datum) -> bool,
    ) -> Option<String> {
        let item = item.map(|section| (section.key.as_str(), ITEM));
        let mut answered = false;
        for case in &self.cases {
            let there = |(section, _): (&str, &str)| case.facts.items.contains_key(section);
            if !item.is_none_or(there) {
                continue;
            }
            let what = case.what;
            let home = case.home.as_ref();
            let scope = match Scope::for_period(
                self.package,
                &self.subject.key,
                &case.facts,
                home,
                &self.span,
            ) {
                Ok(scope) => scope,
                Err(error) => return Some(format!("for {what}: {error}")),
            };
            let wrong = match scope.trial(source, item) {
                Ok(value) if fits(&value) => {
                    answered |= case.full;
                    continue;
                }
                Ok(_) => format!("for {what} it gives another type than it should"),
                Err(why) => format!("for {what} it has no answer: {why}"),
            };
            // Where something is not known, a status may have no answer or not even a type.
            if !rules.unknown || (case.full && !self.rests_on_unknown(&scope, source)) {
                return Some(wrong);
            }
        }
        let never = || "there is no record for which it has an answer".to_owned();
        (!answered).then(never)
    }

    /// Whether the expression uses a status that has no value here, such as the observation of
    /// record where none is recent enough.
    fn rests_on_unknown(&self, scope: &Scope<'_>, source: &str) -> bool {
        let names = self.package.names(source).unwrap_or_default();
        let status = |name: &String| self.package.status(&self.subject.key, name);
        let unknown = |used: &Computed| !matches!(scope.computed(&used.key), Ok(value) if value != Datum::Null);
        names.iter().filter_map(status).any(unknown)
    }

    fn fits(&self, computed: &Computed, value: &Datum) -> bool {
        let list = computed
            .codes
            .as_ref()
            .and_then(|codes| self.package.code_list(codes));
        computed.gives.matches(value)
            && match (value, list) {
                (Datum::Text(code), Some(list)) => list.takes(code),
                _ => true,
            }
    }
}

#[derive(Clone, Copy)]
enum Fill {
    /// Items without values.
    Empty,
    /// Values, others for every number.
    Full(usize),
    /// Values, but no code of a multi-choice.
    Unchosen,
}

fn facts(package: &Package, subject: &Subject, fill: Fill) -> Facts {
    let mut facts = Facts::default();
    for section in &subject.sections {
        let mut fields = Fields::new();
        let filled = match fill {
            Fill::Empty => None,
            Fill::Full(variant) => Some((variant, true)),
            Fill::Unchosen => Some((0, false)),
        };
        if let Some((variant, chosen)) = filled {
            let value = |(at, field): (usize, &Field)| match field.kind {
                Kind::Choices { .. } if !chosen => (field.key.clone(), Datum::Codes(Vec::new())),
                _ => (field.key.clone(), value(package, field, variant, at)),
            };
            fields.extend(section.fields.iter().enumerate().map(value));
        }
        match section.repeating {
            Repeating::No => drop(facts.single.insert(section.key.clone(), fields)),
            _ => {
                let item = Item {
                    id: ITEM.into(),
                    fields,
                };
                facts.items.insert(section.key.clone(), vec![item]);
            }
        }
    }
    facts
}

fn value(package: &Package, field: &Field, variant: usize, at: usize) -> Datum {
    let code = |list: &str| {
        let codes = package
            .code_list(list)
            .map(|list| list.codes.as_slice())
            .unwrap_or_default();
        codes
            .get(variant % codes.len().max(1))
            .map(|code| code.code.clone())
    };
    match &field.kind {
        Kind::Text { .. } => Datum::Text("2026".into()),
        Kind::Date { .. } => Datum::Text(DATES[(variant + at) % DATES.len()].into()),
        Kind::Integer { min, max } => Datum::Int(if (variant + at).is_multiple_of(2) {
            *min
        } else {
            *max
        }),
        Kind::Bool => Datum::Bool((variant + at).is_multiple_of(2)),
        Kind::Choice { codes } => code(codes).map_or(Datum::Null, Datum::Text),
        Kind::Choices { codes } => Datum::Codes(code(codes).into_iter().collect()),
        Kind::Reference { .. } => Datum::Text("h00000000000000000000000000".into()),
        Kind::Point => Datum::Text("44.0,115.0".into()),
        Kind::Other(_) => Datum::Null,
    }
}
