//! The plan's expressions over made-up records.

use std::collections::BTreeMap;

use plan::Package;
use plan::expression::{Datum, ExpressionError, Facts, Scope};
use plan::indicator::Period;
use sync_core::facts::facts;
use sync_core::id::RecordId;
use sync_core::value::{Key, Value};

use crate::day::Day;
use crate::diary;
use crate::names::Names;
use crate::recording_unit::places;

type Answers = Vec<Result<Datum, ExpressionError>>;

/// What every expression says of a record as of the end of a year, of items as of each item.
fn answers(package: &Package, subject: &str, facts: &Facts, home: Option<&Facts>) -> Answers {
    let span = Period::YearEnd.of(2026).unwrap();
    let scope = Scope::for_period(package, subject, facts, home, &span).unwrap();
    let mut answers: Answers = package
        .sources()
        .map(|source| scope.value(source))
        .collect();
    for (section, items) in &facts.items {
        let (_, section) = package.section(section).unwrap();
        let asked = section
            .fields
            .iter()
            .filter_map(|field| field.ask_if.as_deref());
        let checks = section.checks.iter().map(|check| check.rule.as_str());
        for source in asked.chain(checks) {
            answers.extend(items.iter().map(|item| {
                let holds = scope.item_holds(source, &section.key, &item.id);
                holds.map(Datum::Bool)
            }));
        }
    }
    answers
}

#[test]
fn parsed_expressions_and_their_sources_say_the_same_of_every_record() {
    let bytes = Package::builtin().to_cbor();
    let parsed = Package::from_cbor(&bytes).unwrap();
    let mut source = Package::from_cbor(&bytes).unwrap();
    source.expressions.clear();
    assert!(!parsed.expressions.is_empty());
    let names = Names::new();
    let until = Day::of(2026, 12, 31);
    let (mut records, mut known) = (0, 0);
    for place in places(&parsed, 400, 11).iter().take(12) {
        let written = diary::write(11, place, &names, until);
        let mut values: BTreeMap<RecordId, BTreeMap<Key, Value>> = BTreeMap::new();
        for entry in written.entries {
            let puts = entry.puts.0.into_iter();
            let puts = puts.map(|(key, value)| (Key::parse(&key).unwrap(), value));
            values.entry(entry.record).or_default().extend(puts);
        }
        let facts_of = |values: &BTreeMap<Key, Value>| facts(&parsed, values);
        let all: BTreeMap<RecordId, Facts> =
            values.iter().map(|(id, of)| (*id, facts_of(of))).collect();
        let home = all.iter().find(|(id, _)| id.subject.key() == "household");
        let home = home.map(|(_, facts)| facts);
        for (id, facts) in &all {
            let subject = id.subject.key();
            let by_tree = answers(&parsed, subject, facts, home);
            assert_eq!(by_tree, answers(&source, subject, facts, home), "{id}");
            records += 1;
            known += by_tree.iter().filter(|answer| answer.is_ok()).count();
        }
    }
    assert!(
        records > 50 && known > records * 20,
        "{records} records, {known} answers"
    );
}
