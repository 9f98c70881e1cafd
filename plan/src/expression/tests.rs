//! The expression language: visible names, nulls, rejected programs.

use super::*;
use crate::dictionary::{Field, Kind, Origin, Repeating, Text};
use crate::dictionary::{Section, Subject};
use crate::package::Package;
use crate::register::{Computed, Dated};
use crate::register::{Constant, Setting};

/// A small plan: a person with a single and a repeating section, a household, a setting.
fn plan(statuses: &[(&str, ValueType, &str)]) -> Package {
    let words = Text::default;
    let field = |key: &str, kind: Kind| Field {
        key: key.into(),
        title: words(),
        kind,
        required: false,
        ask_if: None,
        origin: Origin::Practice,
        hint: None,
    };
    let text = || Kind::Text {
        max_chars: 60,
        pattern: None,
        format: None,
    };
    let date = || Kind::Date {
        month: true,
        future: true,
    };
    let section = |key: &str, repeating: Repeating, fields: Vec<Field>| Section {
        key: key.into(),
        title: words(),
        class: "general".into(),
        repeating,
        fields,
        checks: Vec::new(),
        travels: None,
    };
    let subject = |key: &str, sections: Vec<Section>| Subject {
        key: key.into(),
        title: words(),
        label: String::new(),
        sections,
    };
    let choices = Kind::Choices {
        codes: "CL-A".into(),
    };
    let identity = vec![
        field("name", text()),
        field("birth_date", date()),
        field("needs", choices),
    ];
    let stays = vec![field("since", date()), field("status", text())];
    let dated = |from: &str, value: i64| Dated {
        from: from.into(),
        value: Constant::Integer(value),
        standard: String::new(),
    };
    Package {
        version: 1,
        years: Default::default(),
        indicators: Vec::new(),
        expressions: Vec::new(),
        subjects: vec![
            subject(
                "household",
                vec![section(
                    "household",
                    Repeating::No,
                    vec![field("area", text())],
                )],
            ),
            subject(
                "person",
                vec![
                    section("identity", Repeating::No, identity),
                    section("stay", Repeating::ByDate("since".into()), stays),
                    section("note", Repeating::Drawn, vec![field("text", text())]),
                ],
            ),
        ],
        codes: Vec::new(),
        settings: vec![Setting {
            key: "months".into(),
            title: words(),
            values: vec![dated("2021-01-01", 6), dated("2026-01-01", 3)],
        }],
        computed: statuses
            .iter()
            .map(|(key, gives, is)| Computed {
                key: (*key).into(),
                of: "person".into(),
                title: words(),
                gives: *gives,
                is: (*is).into(),
                codes: None,
            })
            .collect(),
        registers: Vec::new(),
        units: Vec::new(),
        programs: Programs::default(),
    }
}

fn text(text: &str) -> Datum {
    Datum::Text(text.into())
}

fn fields(fields: &[(&str, Datum)]) -> Fields {
    fields
        .iter()
        .map(|(key, value)| ((*key).to_owned(), value.clone()))
        .collect()
}

fn item(id: &str, values: &[(&str, Datum)]) -> Item {
    Item {
        id: id.into(),
        fields: fields(values),
    }
}

fn sample() -> Facts {
    let stays = vec![
        item("b", &[("since", text("2020-05")), ("status", text("1"))]),
        item("a", &[("since", text("2024-03-01")), ("status", text("2"))]),
        item("c", &[("since", text("2030-01-01")), ("status", text("3"))]),
        item("d", &[("status", text("4"))]),
    ];
    Facts {
        single: [(
            "identity".to_owned(),
            fields(&[
                ("name", text("其力嘎")),
                ("needs", Datum::Codes(vec!["01".into(), "03".into()])),
            ]),
        )]
        .into(),
        items: [("stay".to_owned(), stays)].into(),
    }
}

/// What the expression gives on the sample, on the last day of June 2026.
fn given(source: &str) -> Result<Datum, ExpressionError> {
    let (plan, facts) = (plan(&[]), sample());
    Scope::new(&plan, "person", &facts, None, "2026-06-30").and_then(|scope| scope.value(source))
}

fn table(rows: &[(&str, Datum)]) {
    for (source, expected) in rows {
        assert_eq!(given(source).as_ref(), Ok(expected), "{source}");
    }
}

#[test]
fn sections_have_every_field_of_the_dictionary_and_items_their_id_and_date() {
    table(&[
        ("identity.name", text("其力嘎")),
        ("identity.birth_date", Datum::Null),
        ("'01' in identity.needs", Datum::Bool(true)),
        (
            "identity.needs",
            Datum::Codes(vec!["01".into(), "03".into()]),
        ),
        ("size(stay)", Datum::Int(4)),
        ("note", Datum::Codes(vec![])),
        (
            "stay.map(s, s.item_id)",
            Datum::Codes(vec!["a".into(), "b".into(), "c".into(), "d".into()]),
        ),
        ("stay[0].item_id", text("a")),
        ("stay[0].item_date", text("2024-03-01")),
        ("stay[3].item_date", Datum::Null),
        ("as_of", text("2026-06-30")),
        ("home", Datum::Null),
    ]);
}

#[test]
fn an_item_as_a_result_has_its_fields_by_name() {
    let Ok(Datum::Item(item)) = given("last(stay, as_of)") else {
        panic!("an item")
    };
    let keys: Vec<&str> = item.keys().map(String::as_str).collect();
    assert_eq!(keys, ["item_date", "item_id", "since", "status"]);
    assert_eq!(item["status"], text("2"));
}

#[test]
fn a_household_is_seen_through_home_with_every_field() {
    let (plan, facts) = (plan(&[]), Facts::default());
    let area = fields(&[("area", text("1"))]);
    let home = Facts {
        single: [("household".to_owned(), area)].into(),
        ..Facts::default()
    };
    let scope = Scope::new(&plan, "person", &facts, Some(&home), "2026-06-30").unwrap();
    assert_eq!(
        scope.holds("home != null && home.household.area == '1'"),
        Ok(true)
    );
    let nothing = Facts::default();
    let scope = Scope::new(&plan, "person", &facts, Some(&nothing), "2026-06-30").unwrap();
    assert_eq!(scope.value("home.household.area"), Ok(Datum::Null));
}

#[test]
fn a_setting_has_the_value_in_force_on_the_day_and_none_before_the_first() {
    let (plan, facts) = (plan(&[]), Facts::default());
    let rows = [
        ("2020-12-31", Datum::Null),
        ("2021-01-01", Datum::Int(6)),
        ("2025-12-31", Datum::Int(6)),
        ("2026-01-01", Datum::Int(3)),
    ];
    for (as_of, expected) in rows {
        let scope = Scope::new(&plan, "person", &facts, None, as_of).unwrap();
        assert_eq!(scope.value("settings.months"), Ok(expected), "{as_of}");
    }
}

#[test]
fn a_figure_sees_its_period_and_nothing_else_does() {
    let plan = plan(&[("now", ValueType::Date, "as_of")]);
    let facts = sample();
    let span = crate::indicator::Period::MchYear.of(2027).unwrap();
    let scope = Scope::for_period(&plan, "person", &facts, None, &span).unwrap();
    let rows = [
        ("period.year", text("2027")),
        ("period.from", text("2026-10-01")),
        ("period.to", text("2027-09-30")),
        ("as_of", text("2027-09-30")),
        ("now", text("2027-09-30")),
        ("settings.months", Datum::Int(3)),
    ];
    for (source, expected) in rows {
        assert_eq!(scope.value(source), Ok(expected), "{source}");
    }
    assert!(scope.value("period.day").is_err());
    table(&[("period", Datum::Null)]);
    assert!(given("period.year == '2027'").is_err());
}

#[test]
fn what_an_expression_reads_is_known_through_statuses_and_the_household() {
    let mut plan = plan(&[
        (
            "moved",
            ValueType::Bool,
            "now != null && settings.months > 3",
        ),
        ("now", ValueType::Item, "last(stay, as_of)"),
        (
            "housed",
            ValueType::Bool,
            "home != null && home.household.area == '1'",
        ),
        ("circle", ValueType::Bool, "circle || size(note) > 0"),
    ]);
    let water = plan.subjects[0].sections[0].clone();
    plan.subjects[0].sections.push(Section {
        key: "water".into(),
        ..water
    });
    let rows = [
        ("true", vec![]),
        ("as_of == period.to", vec![]),
        ("identity.name == 'x'", vec!["identity"]),
        ("moved", vec!["stay"]),
        ("moved && identity.name == 'x'", vec!["identity", "stay"]),
        (
            "stay.exists(s, note.exists(n, n.text == s.status))",
            vec!["note", "stay"],
        ),
        ("circle", vec!["note"]),
        ("home == null", vec![]),
        ("null != home", vec![]),
        ("housed", vec!["household"]),
        ("home.water.area == '1'", vec!["water"]),
        ("has(home.water)", vec!["water"]),
        (
            "[home.household.area, home.water.area] == []",
            vec!["household", "water"],
        ),
        ("{'a': home.water} == {}", vec!["water"]),
        ("home['water'].area == '1'", vec!["household", "water"]),
        (
            "home.exists(key, key == 'water')",
            vec!["household", "water"],
        ),
        ("home == home", vec!["household", "water"]),
        ("[home] == []", vec!["household", "water"]),
        ("household.area == '1'", vec![]),
        ("identity.name ==", vec![]),
    ];
    for (source, expected) in rows {
        let reads: Vec<String> = plan.reads("person", source).into_iter().collect();
        assert_eq!(reads, expected, "{source}");
    }
    let reads: Vec<String> = plan
        .reads("household", "household.area")
        .into_iter()
        .collect();
    assert_eq!(reads, ["household"]);
    assert!(plan.reads("nobody", "identity.name").is_empty());
    let parts = [
        ("true", vec![]),
        ("identity.name == 'x'", vec!["identity.name"]),
        ("identity['name'] == 'x'", vec!["identity"]),
        (
            "moved && identity.name == 'x'",
            vec!["identity.name", "stay"],
        ),
        ("home == null", vec!["home"]),
        (
            "home != null && home.household.area == '1'",
            vec!["home", "household.area"],
        ),
        ("has(home.household)", vec!["home", "household"]),
        ("home == home", vec!["home", "household", "water"]),
        (
            "[home.household.area, home.water.area] == []",
            vec!["home", "household.area", "water.area"],
        ),
        ("household.area == '1'", vec![]),
    ];
    for (source, expected) in parts {
        let reads: Vec<String> = plan.reads_parts("person", source).into_iter().collect();
        assert_eq!(reads, expected, "{source}");
    }
}

#[test]
fn dates_are_compared_at_their_borders() {
    let yes = Datum::Bool(true);
    let no = Datum::Bool(false);
    table(&[
        ("age('1990-06-30', as_of)", Datum::Int(36)),
        ("age('1990-07-01', as_of)", Datum::Int(35)),
        ("age('1990-07', as_of)", Datum::Int(35)),
        ("age('1990-06', as_of)", Datum::Int(36)),
        ("age('2000-02-29', '2001-02-28')", Datum::Int(0)),
        ("age('2000-02-29', '2001-03-01')", Datum::Int(1)),
        ("age('2000-02-29', '2004-02-29')", Datum::Int(4)),
        ("age('2030-01-01', as_of)", Datum::Int(-4)),
        ("ago('2024-03-31', 1)", text("2024-02-29")),
        ("ago('2024-03', 1)", text("2024-02-01")),
        ("ahead('2023-08-31', 6)", text("2024-02-29")),
        ("reached('2026-06-30', as_of)", yes.clone()),
        ("reached('2026-07-01', as_of)", no.clone()),
        ("reached('2026-07', as_of)", no.clone()),
        ("reached('2026-06', as_of)", yes.clone()),
        ("within('2023-05-10', 36, '2023-05-09')", no.clone()),
        ("within('2023-05-10', 36, '2023-05-10')", yes.clone()),
        ("within('2023-05-10', 36, '2026-05-09')", yes.clone()),
        ("within('2023-05-10', 36, '2026-05-10')", no.clone()),
        ("held('2026-06-30', null, as_of)", yes.clone()),
        ("held('2026-07-01', null, as_of)", no.clone()),
        ("held('2020-01-01', '2026-06-30', as_of)", no.clone()),
        ("held('2020-01-01', '2026-07-01', as_of)", yes.clone()),
        ("held(null, '2026-07-01', as_of)", no.clone()),
        (
            "newest(['2024-05', null, '2024-05-01', '2023-12-31'])",
            text("2024-05-01"),
        ),
        ("newest(['2024-05', '2024-04-30'])", text("2024-05")),
        ("newest([])", Datum::Null),
        ("newest([null])", Datum::Null),
        ("last(stay, as_of).item_id", text("a")),
        ("last(stay, '2024-02-29').item_id", text("b")),
        ("last(stay, '2020-05-01').item_id", text("b")),
        ("last(stay, '2020-04-30')", Datum::Null),
        (
            "last(stay.filter(s, s.status == '1'), as_of).item_id",
            text("b"),
        ),
        ("last(stay.filter(s, s.status == '9'), as_of)", Datum::Null),
        ("last([], as_of)", Datum::Null),
        ("last(note, as_of)", Datum::Null),
    ]);
}

#[test]
fn of_items_with_one_date_the_last_is_the_one_with_the_greatest_id() {
    let plan = plan(&[]);
    let on = text("2024-01-01");
    let stays = ["b", "c", "a"]
        .map(|id| item(id, &[("since", on.clone())]))
        .to_vec();
    let facts = Facts {
        items: [("stay".to_owned(), stays)].into(),
        ..Facts::default()
    };
    let scope = Scope::new(&plan, "person", &facts, None, "2026-06-30").unwrap();
    assert_eq!(scope.value("last(stay, as_of).item_id"), Ok(text("c")));
}

#[test]
fn functions_give_false_or_null_for_nulls() {
    for source in [
        "age(null, as_of)",
        "age(identity.birth_date, as_of)",
        "age('1990-01-01', null)",
        "ago(null, 6)",
        "ago(as_of, null)",
        "ahead(null, null)",
        "newest(null)",
        "last(null, as_of)",
        "last(stay, null)",
    ] {
        assert_eq!(given(source), Ok(Datum::Null), "{source}");
    }
    for source in [
        "reached(null, as_of)",
        "reached('2020-01-01', null)",
        "within(null, 6, as_of)",
        "within('2026-01-01', null, as_of)",
        "within('2026-01-01', 600, null)",
        "held(null, null, null)",
    ] {
        assert_eq!(given(source), Ok(Datum::Bool(false)), "{source}");
    }
}

#[test]
fn what_has_no_answer_is_an_error_and_never_a_panic() {
    for source in [
        "age(1, as_of)",
        "age('x', as_of)",
        "ago(as_of, '6')",
        "ahead(as_of, 9223372036854775807)",
        "ago(as_of, -9223372036854775807 - 1)",
        "reached(true, as_of)",
        "newest('2020-01-01')",
        "newest([1])",
        "last(identity, as_of)",
        "last([1], as_of)",
        "identity.birth_date < 'x'",
        "identity.nmae",
        "1 / 0",
        "9223372036854775807 + 1",
        "stay[9]",
        "stay['x']",
        "identity.name.x",
        "settings.none",
        "[1, 2].map(x, x)",
        "1.5",
        "{1: 2}",
        "age",
        "stay.map(s, s)",
    ] {
        let error = given(source).expect_err(source);
        assert!(
            matches!(
                error,
                ExpressionError::Evaluate(_) | ExpressionError::Type | ExpressionError::Compile(_)
            ),
            "{source}: {error}"
        );
        assert!(!error.to_string().contains("其力嘎"), "{error}");
    }
    for source in [
        "nobody",
        "nobody.x",
        "identity.none(1)",
        "age(as_of)",
        "stay.exists(s, t.x == 1)",
        "item.x",
        "household.area",
    ] {
        assert!(given(source).is_err(), "{source}");
    }
    assert!(matches!(given("nobody"), Err(ExpressionError::Compile(_))));
}

#[test]
fn messages_repeat_no_value_of_the_record() {
    for source in [
        "identity.name + 1",
        "identity.name < 1",
        "settings[identity.name]",
        "identity.name.matches('(')",
        "age(identity.name, as_of)",
    ] {
        let error = given(source).expect_err(source).to_string();
        assert!(!error.contains("其力嘎"), "{source}: {error}");
    }
}

#[test]
fn what_is_no_expression_is_refused_and_never_a_panic() {
    let nested = |open: &str, close: &str, times: usize| {
        format!("{}1{}", open.repeat(times), close.repeat(times))
    };
    let sources = [
        String::new(),
        " ".into(),
        "'".into(),
        "1 +".into(),
        "a.".into(),
        "a.?b".into(),
        "// x".into(),
        "\u{0}".into(),
        "妇女".into(),
        "'\\x'".into(),
        "has(1)".into(),
        "[].exists(1, 2)".into(),
        "X{a: 1}".into(),
        "1".repeat(2_001),
        "9".repeat(100),
        "`a`".into(),
        "a.b{c: 1}".into(),
        nested("(", ")", 900),
        nested("[", "]", 900),
        vec!["1"; 900].join("+"),
        vec!["a"; 900].join("."),
        vec!["true"; 300].join("?"),
        nested("[1].exists(x, ", ")", 100),
        "a[".repeat(600),
        "{".repeat(900),
        "'a' in ".repeat(250),
        "true ? 1 : ".repeat(150) + "1",
        "[1].map(x, [1].map(y, [1].map(z, 1)))".into(),
    ];
    // Signs that cancel each other are taken out by the parser: these may have answers.
    for source in [
        nested("!", "", 1_901),
        nested("-", "", 1_901),
        vec!["true"; 300].join("&&"),
    ] {
        let _ = given(&source);
    }
    for source in sources {
        let error = given(&source).expect_err(&source);
        assert!(
            matches!(error, ExpressionError::Compile(_)),
            "{source}: {error}"
        );
    }
}

#[test]
fn loops_may_be_nested_once() {
    assert_eq!(
        given("stay.exists(s, stay.exists(t, s.since != t.since))"),
        Ok(Datum::Bool(true))
    );
}

#[test]
fn another_type_than_was_asked_for_is_an_error() {
    let (plan, facts) = (plan(&[]), sample());
    let scope = Scope::new(&plan, "person", &facts, None, "2026-06-30").unwrap();
    assert_eq!(scope.holds("identity.name"), Err(ExpressionError::Type));
    assert_eq!(scope.holds("null"), Err(ExpressionError::Type));
    assert_eq!(scope.value("[1]"), Err(ExpressionError::Type));
}

#[test]
fn an_item_is_asked_by_its_id() {
    let (plan, facts) = (plan(&[]), sample());
    let scope = Scope::new(&plan, "person", &facts, None, "2026-06-30").unwrap();
    assert_eq!(
        scope.item_holds("item.status == '2' && size(stay) == 4", "stay", "a"),
        Ok(true)
    );
    assert_eq!(
        scope.item_holds("item.status == '2'", "stay", "b"),
        Ok(false)
    );
    assert_eq!(
        scope.item_holds("item.item_id == 'b'", "stay", "b"),
        Ok(true)
    );
    for (section, item) in [
        ("stay", "z"),
        ("note", "a"),
        ("identity", "a"),
        ("none", "a"),
    ] {
        assert!(
            scope.item_holds("true", section, item).is_err(),
            "{section}#{item}"
        );
    }
}

#[test]
fn statuses_are_variables_and_rest_on_each_other() {
    let plan = plan(&[
        ("moved", ValueType::Bool, "now != null && now.status == '2'"),
        ("now", ValueType::Item, "last(stay, as_of)"),
        ("since", ValueType::Date, "now.since"),
    ]);
    let facts = sample();
    let scope = Scope::new(&plan, "person", &facts, None, "2026-06-30").unwrap();
    assert_eq!(scope.holds("moved && now.item_id == 'a'"), Ok(true));
    assert_eq!(scope.computed("since"), Ok(text("2024-03-01")));
    assert_eq!(scope.computed("moved"), Ok(Datum::Bool(true)));
    assert!(matches!(
        scope.computed("none"),
        Err(ExpressionError::Compile(_))
    ));
}

#[test]
fn a_status_without_an_answer_is_an_error_where_it_matters() {
    let plan = plan(&[
        (
            "grown_up",
            ValueType::Bool,
            "age(identity.birth_date, as_of) >= 18",
        ),
        ("rest", ValueType::Bool, "grown_up"),
        ("wrong", ValueType::Integer, "identity.name"),
    ]);
    let facts = sample();
    let scope = Scope::new(&plan, "person", &facts, None, "2026-06-30").unwrap();
    for name in ["grown_up", "rest"] {
        assert!(
            matches!(scope.computed(name), Err(ExpressionError::Evaluate(_))),
            "{name}"
        );
        assert!(
            matches!(scope.holds(name), Err(ExpressionError::Evaluate(_))),
            "{name}"
        );
    }
    assert_eq!(scope.holds("grown_up && false"), Ok(false));
    assert_eq!(scope.holds("grown_up || true"), Ok(true));
    assert_eq!(scope.computed("wrong"), Err(ExpressionError::Type));
}

#[test]
fn statuses_in_a_circle_or_a_long_chain_are_errors() {
    let chain: Vec<(String, String)> = (0..200)
        .map(|at| (format!("s{at}"), format!("s{}", at + 1)))
        .collect();
    let mut statuses: Vec<(&str, ValueType, &str)> = chain
        .iter()
        .map(|(key, is)| (key.as_str(), ValueType::Bool, is.as_str()))
        .collect();
    statuses.extend([
        ("a", ValueType::Bool, "b"),
        ("b", ValueType::Bool, "a"),
        ("c", ValueType::Bool, "c"),
    ]);
    let plan = plan(&statuses);
    let facts = sample();
    for name in ["a", "b", "c", "s0"] {
        let scope = Scope::new(&plan, "person", &facts, None, "2026-06-30").unwrap();
        assert!(scope.computed(name).is_err(), "{name}");
    }
}

#[test]
fn facts_over_the_limits_are_refused() {
    let plan = plan(&[]);
    let new = |facts: &Facts| Scope::new(&plan, "person", facts, None, "2026-06-30").map(|_| ());
    let stays = |many: usize| {
        let items = (0..many).map(|at| item(&at.to_string(), &[])).collect();
        Facts {
            items: [("stay".to_owned(), items)].into(),
            ..Facts::default()
        }
    };
    assert_eq!(new(&stays(ITEMS_MAX)), Ok(()));
    assert_eq!(new(&stays(ITEMS_MAX + 1)), Err(ExpressionError::TooLarge));
    let long = |bytes: usize| {
        let name = fields(&[("name", Datum::Text("a".repeat(bytes)))]);
        Facts {
            single: [("identity".to_owned(), name)].into(),
            ..Facts::default()
        }
    };
    assert_eq!(new(&long(FACTS_BYTES_MAX - VALUE_BYTES)), Ok(()));
    assert_eq!(new(&long(FACTS_BYTES_MAX)), Err(ExpressionError::TooLarge));
    let home = Scope::new(
        &plan,
        "person",
        &Facts::default(),
        Some(&stays(ITEMS_MAX + 1)),
        "2026-06-30",
    )
    .map(|_| ());
    assert_eq!(home, Err(ExpressionError::TooLarge));
}

#[test]
fn a_scope_needs_a_subject_of_the_plan_and_a_date() {
    let (plan, facts) = (plan(&[]), sample());
    assert!(Scope::new(&plan, "nobody", &facts, None, "2026-06-30").is_err());
    assert!(Scope::new(&plan, "person", &facts, None, "yesterday").is_err());
}

#[test]
fn a_loop_over_as_many_items_as_are_allowed_ends() {
    let plan = plan(&[]);
    let items = (0..ITEMS_MAX)
        .map(|at| item(&at.to_string(), &[("status", text("1"))]))
        .collect();
    let facts = Facts {
        items: [("stay".to_owned(), items)].into(),
        ..Facts::default()
    };
    let scope = Scope::new(&plan, "person", &facts, None, "2026-06-30").unwrap();
    assert_eq!(
        scope.holds("stay.exists(s, stay.exists(t, s.status != t.status))"),
        Ok(false)
    );
}

#[test]
fn programs_are_shared_by_the_clones_of_a_package_and_bounded() {
    let plan = plan(&[]);
    let first = plan.compile("1 == 1").unwrap();
    let again = plan.clone().compile("1 == 1").unwrap();
    assert!(std::sync::Arc::ptr_eq(&first, &again));
    for at in 0..3_000 {
        plan.compile(&format!("{at} == 1")).unwrap();
    }
    assert!(!std::sync::Arc::ptr_eq(
        &first,
        &plan.compile("1 == 1").unwrap()
    ));
}

#[test]
fn patterns_match_whole_texts_and_broken_ones_everything() {
    let plan = plan(&[]);
    let rows = [
        ("[0-9]{4}", "2026", true),
        ("[0-9]{4}", "2026\n", false),
        ("[0-9]{4}", "x2026", false),
        ("a|bc", "ab", false),
        ("a|bc", "bc", true),
        ("a)(?:b", "zzz", true),
        ("(", "zzz", true),
        ("[^0-9]{2}", "留守", true),
        (r"\p{Han}", "1", true),
    ];
    for (pattern, text, matches) in rows {
        assert_eq!(
            plan.pattern_matches(pattern, text),
            matches,
            "{pattern} on {text:?}"
        );
    }
}

#[test]
fn a_package_can_be_used_from_any_thread() {
    fn shared<T: Send + Sync + Clone + std::fmt::Debug + PartialEq>() {}
    shared::<Package>();
}
