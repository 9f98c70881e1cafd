use super::*;
use crate::id::{Class, Space};
use crate::testing::{TODAY, TestDevice, UNIT};

fn station() -> TestDevice {
    TestDevice::new(1, &Class::CADRE)
}

fn text(text: &str) -> Value {
    Value::from(text)
}

/// What keeps these values from being saved to a new record: (key, code).
fn refused(subject: crate::id::Subject, puts: &[(&str, Value)]) -> Vec<(String, &'static str)> {
    let mut station = station();
    let record = station.draw(subject);
    let edit = TestDevice::edit(record, puts);
    let package = Package::builtin();
    check_edit(
        &package,
        edit.record,
        &station.replica.view(&edit.unit, edit.record),
        &edit.puts,
        TODAY,
    )
    .into_iter()
    .map(|problem| (problem.key.to_string(), problem.code))
    .collect()
}

fn person(key: &str, value: Value) -> Option<&'static str> {
    let problems = refused(crate::id::Subject::Person, &[(key, value)]);
    assert!(problems.iter().all(|(at, _)| at == key), "{problems:?}");
    problems.first().map(|(_, code)| *code)
}

fn household(key: &str, value: Value) -> Option<&'static str> {
    let problems = refused(crate::id::Subject::Household, &[(key, value)]);
    assert!(problems.iter().all(|(at, _)| at == key), "{problems:?}");
    problems.first().map(|(_, code)| *code)
}

#[test]
fn a_value_that_breaks_the_dictionary_is_named_by_its_code() {
    for (key, value, code) in [
        ("identity.nonsense", text("1"), "unknown_key"),
        ("nonsense.name", text("1"), "unknown_key"),
        ("household.head_name", text("巴特尔"), "wrong_subject"),
        ("identity.name", Value::Int(1), "not_text"),
        ("identity.name", text(&"长".repeat(61)), "too_long"),
        ("identity.name/1", Value::Bool(true), "unknown_key"),
        ("identity#x.name", text("a"), "not_repeating"),
        ("screening.place", text("a"), "item_needed"),
        ("identity.sex", text("7"), "unknown_code"),
        ("identity.phone", text("12"), "bad_pattern"),
        ("identity.birth_date", text("1985-02-30"), "not_a_date"),
        ("identity.birth_date", text("1899-12-31"), "not_a_date"),
        ("identity.birth_date", text("2026-11-26"), "future_date"),
        ("identity.birth_date", text("2026-12"), "future_date"),
        (
            "identity.id_no",
            text("999999198506071241"),
            "bad_id_number",
        ),
        ("background.literate", text("maybe"), "not_a_bool"),
        (
            "care_needs#a.children_under_6",
            text("many"),
            "not_an_integer",
        ),
        (
            "care_needs#a.children_under_6",
            Value::Int(11),
            "out_of_range",
        ),
        ("care_needs#a.needs/77", Value::Bool(true), "unknown_code"),
        ("care_needs#a.needs", text("01"), "unknown_key"),
        ("care_needs#a.needs/01", text("yes"), "not_a_bool"),
        (
            "residence#a.household",
            text("p0000000001x9b257sj2jyfrze0"),
            "bad_reference",
        ),
        ("residence#a.household", text("somewhere"), "bad_reference"),
        ("service#a.void", text("yes"), "not_a_bool"),
    ] {
        assert_eq!(person(key, value), Some(code), "{key}");
    }
    for (point, code) in [
        ("44.02,114.9", Some("bad_point")),
        ("44.0,114.9", None),
        ("-90,180", None),
        ("91,0", Some("bad_point")),
        ("44.0", Some("bad_point")),
        ("1e1,2", Some("bad_point")),
    ] {
        assert_eq!(
            household("household.location", text(point)),
            code,
            "{point}"
        );
    }
}

#[test]
fn good_and_empty_values_pass() {
    for (key, value) in [
        ("identity.name", text("其其格")),
        ("identity.name", text(&"长".repeat(60))),
        ("identity.birth_date", text(TODAY)),
        ("identity.birth_date", text("1985-06")),
        ("identity.id_no", text("11010519491231002X")),
        ("identity.ethnicity", text("97")),
        ("identity.sex", Value::Null),
        ("spouse_away#a.expected_back", text("2030-01")),
        ("care_needs#a.needs/01", Value::Bool(false)),
        ("service#a.void", Value::Bool(true)),
    ] {
        assert_eq!(person(key, value), None, "{key}");
    }
}

#[test]
fn every_problem_of_an_edit_is_named_at_once() {
    let problems = refused(
        crate::id::Subject::Household,
        &[
            ("household.area_type", text("77")),
            ("household.resident_population", text("many")),
            ("household.head_name", text("巴特尔")),
        ],
    );
    let expected = [
        ("household.area_type".to_owned(), "unknown_code"),
        ("household.resident_population".to_owned(), "not_an_integer"),
    ];
    assert_eq!(problems, expected);
}

#[test]
fn an_id_number_must_agree_with_sex_and_birth_where_these_are_known() {
    let number = ("identity.id_no", text("11010519491231002X"));
    let code = |more: &[(&str, Value)]| {
        let puts: Vec<_> = std::iter::once(number.clone())
            .chain(more.iter().cloned())
            .collect();
        refused(crate::id::Subject::Person, &puts)
            .first()
            .map(|(_, code)| *code)
    };
    assert_eq!(code(&[("identity.sex", text("1"))]), Some("id_number_sex"));
    assert_eq!(code(&[("identity.sex", text("2"))]), None);
    assert_eq!(
        code(&[("identity.birth_date", text("1949-12-30"))]),
        Some("id_number_birth")
    );
    assert_eq!(code(&[("identity.birth_date", text("1949-12"))]), None);
    let passport = [
        ("identity.id_type", text("09")),
        ("identity.id_no", text("E123")),
    ];
    assert_eq!(refused(crate::id::Subject::Person, &passport), []);
}

#[test]
fn rules_between_fields_are_kept_and_what_can_not_be_judged_breaks_none() {
    let mut station = station();
    let record = station.draw(crate::id::Subject::Household);
    station
        .save(record, &[("household.resident_female", Value::Int(4))])
        .unwrap();
    let fewer = [("household.resident_population", Value::Int(3))];
    let error = station.save(record, &fewer).unwrap_err();
    let crate::replica::EditError::Problems(problems) = error else {
        panic!("{error:?}")
    };
    assert_eq!(problems.len(), 1);
    assert_eq!(
        (problems[0].key.as_str(), problems[0].code),
        ("household.resident_female", "check_failed")
    );
    assert!(
        problems[0]
            .args
            .iter()
            .any(|(name, says)| *name == "rule-zh" && !says.is_empty())
    );
    station
        .save(record, &[("household.resident_population", Value::Int(4))])
        .unwrap();
}

#[test]
fn an_edit_that_leaves_a_broken_record_as_broken_as_it_was_is_saved() {
    let mut station = station();
    let record = station.draw(crate::id::Subject::Household);
    station
        .save(record, &[("household.resident_female", Value::Int(4))])
        .unwrap();
    // What a merge of two good records can leave behind.
    let mut other = TestDevice::new(2, &[Class::General]);
    other
        .save(record, &[("household.resident_population", Value::Int(3))])
        .unwrap();
    let space = Space::new(UNIT, Class::General).unwrap();
    merge(&mut station, &other, &space, record);
    let shown = station.replica.view(UNIT, record);
    let problems = check_record(&Package::builtin(), record, &shown, TODAY);
    assert!(
        problems
            .iter()
            .any(|problem| problem.code == "check_failed"),
        "{problems:?}"
    );
    station
        .save(record, &[("household.head_name", text("巴特尔"))])
        .unwrap();
    station
        .save(record, &[("household.resident_female", Value::Int(2))])
        .unwrap();
}

/// Puts what another device staged for a record into this one, as an exchange would.
fn merge(into: &mut TestDevice, from: &TestDevice, space: &Space, record: RecordId) {
    let held = |station: &TestDevice| {
        let me = station.replica.me().device;
        let changes = station
            .replica
            .changes_of(
                &station.rows,
                space,
                record,
                &[],
                &BTreeMap::new(),
                station.replica.control(),
            )
            .unwrap();
        assert!(changes.iter().all(|(device, _)| *device == me));
        changes
    };
    let all = [held(into), held(from)].concat();
    let refs: Vec<_> = all
        .iter()
        .map(|(device, raw)| (*device, raw.as_slice()))
        .collect();
    let state = crate::record::RecordState::rebuild(&refs);
    into.replica.put_record(space, record, state);
}

#[test]
fn an_item_keeps_the_values_that_name_it() {
    let other = [
        ("screening#C-2026.cancer", text("B")),
        ("screening#C-2026.round", text("2026")),
    ];
    let problems = refused(crate::id::Subject::Person, &other);
    assert_eq!(
        problems,
        [("screening#C-2026.cancer".to_owned(), "item_key_differs")]
    );
    let same = [
        ("screening#C-2026.cancer", text("C")),
        ("screening#C-2026.round", text("2026")),
    ];
    assert_eq!(refused(crate::id::Subject::Person, &same), []);
    assert_eq!(person("screening#C-2026.place", text("旗医院")), None);
}

#[test]
fn a_code_that_excludes_others_stands_alone() {
    let both = [
        ("water#a.treatment/0", Value::Bool(true)),
        ("water#a.treatment/1", Value::Bool(true)),
    ];
    let problems = refused(crate::id::Subject::Household, &both);
    assert_eq!(problems, [("water#a.treatment".to_owned(), "code_alone")]);
}

#[test]
fn what_is_missing_is_flagged_and_not_refused() {
    let mut station = station();
    let record = station.person();
    station
        .save(record, &[("identity.name", text("其其格"))])
        .unwrap();
    let missing = |station: &TestDevice| -> Vec<String> {
        let shown = station.replica.view(UNIT, record);
        let problems = check_record(&Package::builtin(), record, &shown, TODAY);
        assert!(
            problems.iter().all(|problem| problem.code == "required"),
            "{problems:?}"
        );
        problems
            .iter()
            .map(|problem| problem.key.to_string())
            .collect()
    };
    assert_eq!(
        missing(&station),
        ["identity.birth_date", "identity.id_type", "identity.sex"]
    );
    // An ID card has a number; another document may have none.
    station
        .save(record, &[("identity.id_type", text("01"))])
        .unwrap();
    assert!(missing(&station).contains(&"identity.id_no".to_owned()));
    station
        .save(record, &[("identity.id_type", text("00"))])
        .unwrap();
    assert!(!missing(&station).contains(&"identity.id_no".to_owned()));
    // A section that nobody began asks for nothing, a withdrawn item neither.
    station
        .save(record, &[("spouse_away#a.since", text("2026-01"))])
        .unwrap();
    assert!(missing(&station).contains(&"spouse_away#a.reason".to_owned()));
    station
        .save(record, &[("spouse_away#a.void", Value::Bool(true))])
        .unwrap();
    assert!(
        !missing(&station)
            .iter()
            .any(|key| key.starts_with("spouse_away"))
    );
}

/// The built-in plan with a field and a section that only newer programs know.
fn newer_plan() -> Package {
    // The number 99, with nothing in it.
    let unknown = [0x82, 0x18, 99, 0x80];
    let mut package = Package::builtin();
    for section in package.subjects.iter_mut().flat_map(|of| &mut of.sections) {
        match section.key.as_str() {
            "identity" => {
                let name = section.fields.iter_mut().find(|field| field.key == "name");
                name.unwrap().kind = minicbor::decode(&unknown).unwrap();
            }
            "service" => section.repeating = minicbor::decode(&unknown).unwrap(),
            _ => {}
        }
    }
    package
}

#[test]
fn nobody_edits_a_field_or_section_of_an_unknown_kind_and_what_stands_there_is_no_problem() {
    let mut station = station();
    let record = station.draw(crate::id::Subject::Person);
    let name = [("identity.name", text("其其格"))];
    station.save(record, &name).unwrap();
    let package = newer_plan();
    for (key, value) in [
        ("identity.name", text("乌云")),
        ("identity.name", Value::Null),
        ("service#a.remark", text("x")),
        ("service#a.void", Value::Bool(true)),
    ] {
        let edit = TestDevice::edit(record, &[(key, value)]);
        let shown = station.replica.view(UNIT, record);
        let problems = check_edit(&package, record, &shown, &edit.puts, TODAY);
        let codes: Vec<&str> = problems.iter().map(|problem| problem.code).collect();
        assert_eq!(codes, ["unknown_key"], "{key}");
    }
    let shown = station.replica.view(UNIT, record);
    let problems = check_record(&package, record, &shown, TODAY);
    let told: Vec<String> = problems
        .iter()
        .map(|problem| problem.key.to_string())
        .collect();
    assert!(!told.iter().any(|key| key == "identity.name"), "{told:?}");
    assert!(told.iter().any(|key| key == "identity.sex"), "{told:?}");
}
