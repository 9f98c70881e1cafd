//! Validation of values against the plan's dictionary: before they are saved, and again after every
//! merge.
//!
//! Before saving, a value of its own that breaks the dictionary is refused, and so is an edit that
//! breaks a rule between fields which held before. What is merely missing is not: a record that is
//! incomplete is saved and flagged, since the alternative is a cadre who writes it on paper.
//! After a merge nothing is refused: two phones may each hold a valid record that together are none,
//! and that is shown, never lost.

mod value;

use std::collections::{BTreeMap, BTreeSet};

use plan::Package;
use plan::dictionary::{Field, Format, Kind, Repeating, Section, Subject};
use plan::expression::{Datum, Facts, Fields, Item, Scope};

use crate::facts::facts;
use crate::group::IdNumber;
use crate::id::RecordId;
use crate::link;
use crate::value::{Key, Value};
use crate::view::RecordValues;

pub use crate::view::class_of;
use value::value_problem;

/// Every code that a [`Problem`] can have; each has a message in both languages.
pub const CODES: [&str; 22] = [
    "bad_id_number",
    "bad_pattern",
    "bad_point",
    "bad_reference",
    "check_failed",
    "code_alone",
    "future_date",
    "id_number_birth",
    "id_number_sex",
    "item_key_differs",
    "item_needed",
    "not_a_bool",
    "not_a_date",
    "not_an_integer",
    "not_repeating",
    "not_text",
    "out_of_range",
    "required",
    "too_long",
    "unknown_code",
    "unknown_key",
    "wrong_subject",
];

/// Something that is wrong with a value, or with several taken together.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// The value that it is about.
    pub key: Key,
    /// A stable code.
    pub code: &'static str,
    /// The arguments of the message, by name.
    pub args: Vec<(&'static str, String)>,
}

impl Problem {
    fn new(key: &Key, code: &'static str) -> Self {
        debug_assert!(CODES.contains(&code), "{code}");
        Self {
            key: key.clone(),
            code,
            args: Vec::new(),
        }
    }

    fn with(mut self, name: &'static str, value: impl ToString) -> Self {
        self.args.push((name, value.to_string()));
        self
    }
}

/// What keeps `puts` from being saved in a record; empty if nothing does. `shown` is what the record
/// shows before, `today` is `YYYY-MM-DD`.
pub fn check_edit(
    package: &Package,
    record: RecordId,
    shown: &RecordValues<'_>,
    puts: &[(Key, Value)],
    today: &str,
) -> Vec<Problem> {
    let subject = record.subject;
    let Some(of) = package.subject(subject.key()) else {
        let unknown = |(key, _): &(Key, Value)| Problem::new(key, "unknown_key");
        return puts.iter().map(unknown).collect();
    };
    let mut problems: Vec<Problem> = puts
        .iter()
        .filter_map(|(key, value)| match key.section() {
            link::SECTION => {
                let wrong = link::wrong(record, key, value);
                wrong.map(|code| Problem::new(key, code).with("value", shown_text(value)))
            }
            _ => value_problem(package, of, key, value, today),
        })
        .collect();
    let bad: BTreeSet<&Key> = problems.iter().map(|problem| &problem.key).collect();
    let good: Vec<_> = puts.iter().filter(|(key, _)| !bad.contains(key)).collect();

    let before: BTreeMap<&Key, &Value> = shown
        .iter()
        .map(|(key, slot)| (*key, slot.winner()))
        .collect();
    let mut after = before.clone();
    after.extend(good.iter().map(|(key, value)| (key, value)));
    let touched: BTreeSet<&str> = good.iter().map(|(key, _)| key.section()).collect();
    let sections = || {
        of.sections
            .iter()
            .filter(|section| touched.contains(section.key.as_str()))
    };
    let held = rule_problems(package, of, sections(), &before, today);
    let broken = rule_problems(package, of, sections(), &after, today);
    problems.extend(broken.into_iter().filter(|problem| !held.contains(problem)));
    problems.sort();
    problems
}

/// A value as a message names it.
fn shown_text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Bool(flag) => flag.to_string(),
        Value::Int(number) => number.to_string(),
        Value::Text(text) => text.clone(),
    }
}

/// Everything that is wrong or missing in what a record shows, by key.
pub fn check_record(
    package: &Package,
    record: RecordId,
    shown: &RecordValues<'_>,
    today: &str,
) -> Vec<Problem> {
    let Some(of) = package.subject(record.subject.key()) else {
        return Vec::new();
    };
    let values: BTreeMap<&Key, &Value> = shown
        .iter()
        .map(|(key, slot)| (*key, slot.winner()))
        .collect();
    problems_of(package, of, &values, today)
}

/// What a record would be like after an edit that [`check_edit`] lets pass.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Afterwards {
    /// What would be wrong or missing in it, as [`check_record`] says it.
    pub problems: Vec<Problem>,
    /// The fields that are asked in it: those of single sections, and of the items that there are.
    /// Whether a field is asked may depend on what others hold.
    pub asked: Vec<Key>,
}

/// Looks at a record that shows `shown` as it would be after `puts`. `today` is `YYYY-MM-DD`.
pub fn afterwards(
    package: &Package,
    record: RecordId,
    shown: &RecordValues<'_>,
    puts: &[(Key, Value)],
    today: &str,
) -> Afterwards {
    let Some(of) = package.subject(record.subject.key()) else {
        return Afterwards::default();
    };
    let mut values: BTreeMap<&Key, &Value> = shown
        .iter()
        .map(|(key, slot)| (*key, slot.winner()))
        .collect();
    values.extend(puts.iter().map(|(key, value)| (key, value)));
    Afterwards {
        problems: problems_of(package, of, &values, today),
        asked: asked_of(package, of, &values, today),
    }
}

/// The fields that are asked, given these values.
fn asked_of(
    package: &Package,
    of: &Subject,
    values: &BTreeMap<&Key, &Value>,
    today: &str,
) -> Vec<Key> {
    let facts = facts(package, values.iter().map(|(key, value)| (*key, *value)));
    let Ok(scope) = Scope::new(package, &of.key, &facts, None, today) else {
        return Vec::new();
    };
    let nothing = Fields::new();
    let mut keys = Vec::new();
    for section in &of.sections {
        for part in &parts_to_fill(section, &facts, &nothing) {
            let asked = section.fields.iter();
            let asked = asked.filter(|field| part.asks(&scope, section, field));
            keys.extend(asked.filter_map(|field| part.key(section, &field.key)));
        }
    }
    keys
}

fn problems_of(
    package: &Package,
    of: &Subject,
    values: &BTreeMap<&Key, &Value>,
    today: &str,
) -> Vec<Problem> {
    let known = |key: &Key| {
        let section = of.section(key.section()).filter(|s| s.is_known());
        section.is_some_and(|s| s.field(key.field()).is_some_and(Field::is_known))
    };
    let mut problems: Vec<Problem> = values
        .iter()
        // A key of a newer plan is kept for those who know it; it is nobody's mistake.
        .filter(|(key, _)| known(key))
        .filter_map(|(key, value)| value_problem(package, of, key, value, today))
        .collect();
    problems.extend(rule_problems(
        package,
        of,
        of.sections.iter(),
        values,
        today,
    ));
    problems.extend(missing(package, of, values, today));
    problems.sort();
    problems.dedup();
    problems
}

/// Rules between the fields of these sections that do not hold.
fn rule_problems<'a>(
    package: &Package,
    of: &Subject,
    sections: impl Iterator<Item = &'a Section>,
    values: &BTreeMap<&Key, &Value>,
    today: &str,
) -> Vec<Problem> {
    let facts = facts(package, values.iter().map(|(key, value)| (*key, *value)));
    let scope = Scope::new(package, &of.key, &facts, None, today).ok();
    let mut problems = Vec::new();
    for section in sections {
        for part in parts(section, &facts) {
            problems.extend(id_number_problems(section, &part));
            problems.extend(alone_problems(package, section, &part));
            problems.extend(item_key_problem(section, &part));
            let Some(scope) = &scope else { continue };
            for check in &section.checks {
                let holds = match part.item {
                    None => scope.holds(&check.rule),
                    Some(item) => scope.item_holds(&check.rule, &section.key, item),
                };
                // What can't be evaluated misses a value, which is another matter.
                if holds == Ok(false)
                    && let Some(key) = part.key(section, &check.at)
                {
                    let problem = Problem::new(&key, "check_failed");
                    problems.push(
                        problem
                            .with("rule-zh", &check.says.zh)
                            .with("rule-en", &check.says.en),
                    );
                }
            }
        }
    }
    problems
}

/// The fields of a single section, or of one item.
struct Part<'a> {
    item: Option<&'a str>,
    fields: &'a Fields,
}

impl Part<'_> {
    fn key(&self, section: &Section, field: &str) -> Option<Key> {
        match self.item {
            None => Key::single(&section.key, field).ok(),
            Some(item) => Key::item_field(&section.key, item, field).ok(),
        }
    }

    fn text(&self, field: &str) -> Option<&str> {
        match self.fields.get(field)? {
            Datum::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Whether a field is asked here.
    fn asks(&self, scope: &Scope<'_>, section: &Section, field: &Field) -> bool {
        match (&field.ask_if, self.item) {
            _ if !field.is_known() => false,
            (None, _) => true,
            (Some(rule), None) => scope.holds(rule) == Ok(true),
            (Some(rule), Some(item)) => scope.item_holds(rule, &section.key, item) == Ok(true),
        }
    }

    fn is_empty(&self, field: &str) -> bool {
        match self.fields.get(field) {
            None | Some(Datum::Null) => true,
            Some(Datum::Codes(codes)) => codes.is_empty(),
            Some(_) => false,
        }
    }
}

fn parts<'a>(section: &Section, facts: &'a Facts) -> Vec<Part<'a>> {
    let part = |item: &'a Item| Part {
        item: Some(&item.id),
        fields: &item.fields,
    };
    match &section.repeating {
        Repeating::No => {
            let fields = facts.single.get(&section.key);
            fields
                .into_iter()
                .map(|fields| Part { item: None, fields })
                .collect()
        }
        _ => facts
            .items
            .get(&section.key)
            .into_iter()
            .flatten()
            .map(part)
            .collect(),
    }
}

/// The same, and of a single section that holds nothing yet the empty form.
fn parts_to_fill<'a>(section: &Section, facts: &'a Facts, nothing: &'a Fields) -> Vec<Part<'a>> {
    let mut parts = parts(section, facts);
    if parts.is_empty() && section.repeating == Repeating::No {
        parts.push(Part {
            item: None,
            fields: nothing,
        });
    }
    parts
}

/// An ID number is checked where the document is an ID card, or not said to be another.
fn id_number_problems(section: &Section, part: &Part<'_>) -> Vec<Problem> {
    let numbered = |field: &&Field| {
        matches!(
            field.kind,
            Kind::Text {
                format: Some(Format::IdNumber),
                ..
            }
        )
    };
    let mut problems = Vec::new();
    for field in section.fields.iter().filter(numbered) {
        let (Some(text), Some(key)) = (part.text(&field.key), part.key(section, &field.key)) else {
            continue;
        };
        if part.text("id_type").is_some_and(|kind| kind != "01") {
            continue;
        }
        let Some(number) = IdNumber::parse(text) else {
            problems.push(Problem::new(&key, "bad_id_number"));
            continue;
        };
        let other_sex = match part.text("sex") {
            Some("1") => number.is_female(),
            Some("2") => !number.is_female(),
            _ => false,
        };
        if other_sex {
            problems.push(Problem::new(&key, "id_number_sex"));
        }
        // A month-only date of birth is compared as far as it goes.
        let birth = part.text("birth_date");
        if birth.is_some_and(|birth| !number.birth_date().starts_with(birth)) {
            problems.push(Problem::new(&key, "id_number_birth"));
        }
    }
    problems
}

/// A code such as "none" that stands beside others.
fn alone_problems(package: &Package, section: &Section, part: &Part<'_>) -> Vec<Problem> {
    let mut problems = Vec::new();
    for field in &section.fields {
        let (Kind::Choices { codes }, Some(Datum::Codes(chosen))) =
            (&field.kind, part.fields.get(&field.key))
        else {
            continue;
        };
        let list = package.code_list(codes);
        let alone = |code: &&String| {
            list.and_then(|list| list.code(code))
                .is_some_and(|listed| listed.alone)
        };
        if chosen.len() > 1
            && let Some(code) = chosen.iter().find(alone)
            && let Some(key) = part.key(section, &field.key)
        {
            problems.push(Problem::new(&key, "code_alone").with("value", code));
        }
    }
    problems
}

/// The values of a natural key are the item's name; another value belongs in another item.
fn item_key_problem(section: &Section, part: &Part<'_>) -> Option<Problem> {
    let (Repeating::ByKey(fields, _), Some(item)) = (&section.repeating, part.item) else {
        return None;
    };
    let values: Option<Vec<String>> = fields
        .iter()
        .map(|field| match part.fields.get(field)? {
            Datum::Text(text) => Some(text.clone()),
            Datum::Int(number) => Some(number.to_string()),
            _ => None,
        })
        .collect();
    let differs = values.is_some_and(|values| values.join("-") != item);
    let key = part.key(section, fields.first()?)?;
    differs.then(|| Problem::new(&key, "item_key_differs").with("item", item))
}

/// Required fields that are empty in sections of which something is filled in, and in the section
/// that names the record.
fn missing(
    package: &Package,
    of: &Subject,
    values: &BTreeMap<&Key, &Value>,
    today: &str,
) -> Vec<Problem> {
    let facts = facts(package, values.iter().map(|(key, value)| (*key, *value)));
    let Ok(scope) = Scope::new(package, &of.key, &facts, None, today) else {
        return Vec::new();
    };
    let nothing = Fields::new();
    let mut problems = Vec::new();
    for section in &of.sections {
        let names_record = of
            .label
            .split_once('.')
            .is_some_and(|(name, _)| name == section.key);
        for part in &parts_to_fill(section, &facts, &nothing) {
            let filled = section
                .fields
                .iter()
                .any(|field| !part.is_empty(&field.key));
            if !filled && !names_record {
                continue;
            }
            let lacking = section
                .fields
                .iter()
                .filter(|field| field.required && part.is_empty(&field.key))
                .filter(|field| part.asks(&scope, section, field))
                .filter_map(|field| part.key(section, &field.key));
            problems.extend(lacking.map(|key| Problem::new(&key, "required")));
        }
    }
    problems
}

#[cfg(test)]
mod tests;
