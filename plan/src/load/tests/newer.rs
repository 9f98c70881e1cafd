//! A package of a newer plan: every enum of it once with a number that this program does not know.

use super::*;
use crate::dictionary::{Format, Origin};
use crate::expression::{Datum, ExpressionError, Facts, Fields, Scope};
use crate::indicator::{Bound, Coverage, Direction, Indicator, Measure, Period, Trend};
use crate::register::{Constant, ValueType};
use crate::unit::Level;

/// The package, kept: its bytes are those of a newer program.
const NEWER: &[u8] = include_bytes!("../../../tests/golden/newer-package.cbor");

/// A variant with the number 99 and a content that nobody knows.
fn unknown<T: for<'b> minicbor::Decode<'b, ()>>() -> T {
    // [99, ["mm", {1: -3}]]
    let bytes = [0x82, 0x18, 99, 0x82, 0x62, b'm', b'm', 0xa1, 0x01, 0x22];
    minicbor::decode(&bytes).expect("an unknown variant decodes")
}

/// What [`NEWER`] says: the small plan, and beside it what a newer one could have.
fn newer() -> Package {
    let mut plan = small();
    let person = plan.subjects.iter_mut().find(|s| s.key == "person");
    let sections = &mut person.expect("the subject").sections;
    let mut height = sections[0].fields[0].clone();
    height.key = "height".into();
    height.kind = unknown();
    height.origin = Origin::Other(3);
    sections[0].fields.push(height);
    let Kind::Text { format, .. } = &mut sections[0].fields[0].kind else {
        panic!("the name is a text");
    };
    *format = Some(Format::Other(1));
    let mut series = sections[1].clone();
    series.key = "series".into();
    series.repeating = unknown();
    sections.push(series);
    let mut fraction = plan.settings[0].clone();
    fraction.key = "fraction".into();
    fraction.values[0].value = Constant::List(vec![unknown()]);
    fraction.values.truncate(1);
    plan.settings.push(fraction);
    let mut weight = plan.status("person", "woman").expect("the status").clone();
    weight.key = "weight".into();
    weight.gives = ValueType::Other(5);
    plan.computed.push(weight);
    let mut team = plan.units[4].clone();
    team.code = "152522100201".into();
    team.level = Level::Other(6);
    plan.units.push(team);
    let visited = plan.indicators[0].clone();
    let with = |key: &str, change: fn(&mut Indicator)| {
        let mut indicator = visited.clone();
        indicator.key = format!("health.{key}");
        change(&mut indicator);
        indicator
    };
    plan.indicators
        .insert(0, with("in-years", |i| i.target.unit = Measure::Other(99)));
    plan.indicators
        .push(with("by-term", |i| i.period = Period::Other(99)));
    plan.indicators.push(with("judged", |i| {
        i.direction = Direction::Other(3);
        i.target.bound = Some(unknown::<Bound>());
        i.target.trend = Some(Trend::Other(6));
        i.count.coverage = Coverage::Other(2);
    }));
    // Of one expression only newer programs know a node.
    let mut later = plan.status("person", "woman").expect("the status").clone();
    later.key = "later".into();
    later.is = "identity.sex == '1'".into();
    plan.computed.push(later);
    assert_eq!(plan.parse_expressions(), Ok(()));
    plan.set_tree("identity.sex == '1'", &[0x82, 0x18, 99, 0x00]);
    plan
}

fn read() -> Package {
    Package::from_cbor(NEWER).expect("a package of a newer plan decodes")
}

#[test]
fn the_kept_package_of_a_newer_plan_says_what_is_described_here() {
    assert_eq!(read(), newer());
}

#[test]
fn what_a_newer_plan_says_is_written_again_byte_for_byte() {
    assert_eq!(read().to_cbor(), NEWER);
}

#[test]
fn an_indicator_of_an_unknown_unit_or_period_is_left_out_and_the_others_keep_their_places() {
    let plan = read();
    let counted: Vec<(u16, &str)> = plan
        .counted()
        .map(|(at, indicator)| (at, indicator.key.as_str()))
        .collect();
    assert_eq!(counted, [(1, "health.visited"), (3, "health.judged")]);
    assert_eq!(plan.indicator("health.in-years"), None);
    assert_eq!(plan.indicators[2].period.of(2027), None);
}

#[test]
fn a_figure_with_an_unknown_bound_is_held_against_nothing() {
    let plan = read();
    let judged = plan.indicator("health.judged").expect("it is counted");
    let bound = judged.target.bound.as_ref().expect("it has one");
    assert_eq!(
        (
            bound.amount(),
            bound.reached_by(crate::indicator::Amount::whole(7))
        ),
        (None, None)
    );
}

#[test]
fn expressions_that_rest_on_what_is_unknown_have_no_answer_and_the_others_have() {
    let plan = read();
    let mut facts = Facts::default();
    let woman = Fields::from([("sex".to_owned(), Datum::Text("2".into()))]);
    facts.single.insert("identity".into(), woman);
    let scope = Scope::new(&plan, "person", &facts, None, "2026-06-30").expect("a scope");
    assert_eq!(scope.computed("woman"), Ok(Datum::Bool(true)));
    assert_eq!(scope.computed("weight"), Err(ExpressionError::Type));
    let later = scope.computed("later");
    assert!(
        matches!(later, Err(ExpressionError::Compile(_))),
        "{later:?}"
    );
    // Never an answer that would be wrong: unknown is not no.
    for source in [
        "series.exists(s, s.day == as_of)",
        "size(series) == 0",
        "settings.fraction == null",
        "weight == null",
        "later || weight",
    ] {
        assert!(scope.holds(source).is_err(), "{source}");
    }
    assert_eq!(
        scope.holds("settings.months['1'] == 5 && visit.size() == 0"),
        Ok(true)
    );
}

#[test]
fn a_setting_that_is_nested_without_end_is_refused_and_never_a_panic() {
    let mut plan = small();
    let mut value = Constant::Bool(true);
    for _ in 0..20 {
        value = Constant::List(vec![value]);
    }
    plan.settings[0].values[0].value = value;
    assert!(Package::from_cbor(&plan.to_cbor()).is_err());
}
