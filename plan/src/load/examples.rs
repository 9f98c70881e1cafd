//! The built-in plan at work: what its statuses and registers say of people and households.

mod indicators;

use std::collections::BTreeMap;

use crate::dictionary::{Kind, Repeating};
use crate::expression::{Datum, Facts, Fields, Item, Scope};
use crate::package::Package;

const TODAY: &str = "2026-06-30";

/// Facts from lines `section.field = value` and `section#item.field = value`. A value is read as the
/// dictionary has it; `a,b` are the codes of a multi-choice.
fn facts(lines: &str) -> Facts {
    let plan = Package::builtin();
    let mut facts = Facts::default();
    for line in lines
        .split([';', '\n'])
        .map(str::trim)
        .filter(|line| !line.is_empty())
    {
        let (key, value) = line.split_once('=').expect("key = value");
        let (section, field) = key.trim().rsplit_once('.').expect("section.field");
        let (section, item) = section
            .split_once('#')
            .map_or((section, None), |(s, i)| (s, Some(i)));
        let kind = &plan
            .field(section, field)
            .unwrap_or_else(|| panic!("no field {key}"))
            .kind;
        let value = value.trim();
        let value = match kind {
            Kind::Bool => Datum::Bool(value == "true"),
            Kind::Integer { .. } => Datum::Int(value.parse().expect("a number")),
            Kind::Choices { .. } => {
                let codes = value.split(',').filter(|code| !code.is_empty());
                Datum::Codes(codes.map(str::to_owned).collect())
            }
            _ => Datum::Text(value.to_owned()),
        };
        let fields = match item {
            None => facts.single.entry(section.to_owned()).or_default(),
            Some(id) => {
                let items = facts.items.entry(section.to_owned()).or_default();
                if !items.iter().any(|item| item.id == id) {
                    items.push(Item {
                        id: id.to_owned(),
                        fields: Fields::new(),
                    });
                }
                let at = items
                    .iter()
                    .position(|item| item.id == id)
                    .expect("just made");
                &mut items[at].fields
            }
        };
        fields.insert(field.to_owned(), value);
    }
    facts
}

/// A woman who lives in the pastoral area, and her household.
fn herder() -> (String, Facts) {
    let woman = "
        identity.name = 其力嘎; identity.sex = 2; identity.birth_date = 1985-05-20
        residence#r1.since = 2005-06; residence#r1.status = 1; residence#r1.household = h1
    ";
    (
        woman.to_owned(),
        facts("household.area_type = 1; household.residence_status = 1"),
    )
}

/// The value of a status in few characters: `?` is no answer, `-` is null.
fn says(subject: &str, facts: &Facts, home: Option<&Facts>, as_of: &str, status: &str) -> String {
    let plan = Package::builtin();
    let scope = Scope::new(&plan, subject, facts, home, as_of).expect("a scope");
    match scope.computed(status) {
        Err(_) => "?".into(),
        Ok(Datum::Null) => "-".into(),
        Ok(Datum::Bool(truth)) => if truth { "yes" } else { "no" }.into(),
        Ok(Datum::Int(number)) => number.to_string(),
        Ok(Datum::Text(text)) => text,
        Ok(Datum::Item(item)) => match item.get("item_id") {
            Some(Datum::Text(id)) => id.clone(),
            other => panic!("no id: {other:?}"),
        },
        Ok(Datum::Codes(codes)) => codes.join(","),
    }
}

#[test]
fn a_woman_is_left_behind_once_her_husband_is_away_half_a_year() {
    let (woman, home) = herder();
    // What else is recorded; whether she counts, since when, and whether the register shows her.
    let rows = [
        ("", "no", "-", "no"),
        (
            "spouse_away#a.since = 2025-12-30",
            "yes",
            "2026-06-30",
            "yes",
        ),
        ("spouse_away#a.since = 2025-12-31", "no", "-", "yes"),
        ("spouse_away#a.since = 2025-12", "yes", "2026-06-01", "yes"),
        (
            "spouse_away#a.since = 2024-01-01; spouse_away#a.ended_on = 2026-06-30",
            "no",
            "-",
            "no",
        ),
        (
            "spouse_away#a.since = 2024-01-01; spouse_away#a.ended_on = 2026-07-01",
            "yes",
            "2024-07-01",
            "yes",
        ),
        ("spouse_away#a.since = 2026-07-01", "no", "-", "no"),
        (
            "spouse_away#a.since = 2024-01-01; identity.sex = 1",
            "no",
            "-",
            "no",
        ),
        (
            "spouse_away#a.since = 2024-01-01; identity.deceased_on = 2026-01-01",
            "no",
            "-",
            "yes",
        ),
        (
            "spouse_away#a.since = 2024-01-01; residence#r2.since = 2026-01-01; residence#r2.status = 3",
            "no",
            "-",
            "yes",
        ),
        (
            "spouse_away#a.since = 2024-01-01; residence#r2.since = 2026-08-01; residence#r2.status = 3",
            "yes",
            "2024-07-01",
            "yes",
        ),
    ];
    let plan = Package::builtin();
    let shown = &plan.register("留守妇女台账").expect("the register").rows;
    for (more, left_behind, since, in_register) in rows {
        let facts = facts(&format!("{woman}\n{more}"));
        let status = |name: &str| says("person", &facts, Some(&home), TODAY, name);
        assert_eq!(status("left_behind"), left_behind, "{more}");
        assert_eq!(status("left_behind_since"), since, "{more}");
        let scope = Scope::new(&plan, "person", &facts, Some(&home), TODAY).expect("a scope");
        assert_eq!(scope.holds(shown), Ok(in_register == "yes"), "{more}");
    }
    let facts = facts(&format!("{woman}\nspouse_away#a.since = 2024-01-01"));
    assert_eq!(
        says("person", &facts, None, TODAY, "left_behind"),
        "no",
        "no household known"
    );
    assert_eq!(
        says("person", &facts, Some(&home), "2024-06-30", "left_behind"),
        "no"
    );
    assert_eq!(
        says("person", &facts, Some(&home), "2024-07-01", "left_behind"),
        "yes"
    );
}

#[test]
fn visits_are_due_sooner_in_hardship() {
    let (woman, home) = herder();
    let rows = [
        ("", "-", "-", "2024-07-01"),
        ("condition.serious_illness = false", "1", "-", "2024-07-01"),
        (
            "service#s.given_on = 2026-05-31; service#s.type = 00",
            "-",
            "2026-05-31",
            "2026-11-30",
        ),
        (
            "service#s.given_on = 2026-05-31; condition.serious_illness = true",
            "3",
            "2026-05-31",
            "2026-08-31",
        ),
        (
            "service#s.given_on = 2026-05-31; condition.disability = 64",
            "4",
            "2026-05-31",
            "2026-08-31",
        ),
        (
            "service#s.given_on = 2026-05-31; condition.disability = 00",
            "1",
            "2026-05-31",
            "2026-11-30",
        ),
        (
            "service#s.given_on = 2026-05-31; service#t.given_on = 2026-06-10",
            "-",
            "2026-06-10",
            "2026-12-10",
        ),
        (
            "service#s.given_on = 2026-05-31; service#t.given_on = 2026-07-10",
            "-",
            "2026-05-31",
            "2026-11-30",
        ),
    ];
    for (more, category, last, next) in rows {
        let facts = facts(&format!(
            "{woman}\nspouse_away#a.since = 2024-01-01; {more}"
        ));
        let status = |name: &str| says("person", &facts, Some(&home), TODAY, name);
        assert_eq!(status("care_category"), category, "{more}");
        assert_eq!(status("care_last_visit"), last, "{more}");
        assert_eq!(status("care_next_visit"), next, "{more}");
    }
}

#[test]
fn a_cervical_screening_counts_as_long_as_its_method_says() {
    let (woman, home) = herder();
    let screened = |on: &str, method: &str| {
        let id = "screening#C-2023";
        let method = if method.is_empty() {
            String::new()
        } else {
            format!("{id}.cervical_method = {method};")
        };
        format!("{id}.cancer = C; {id}.round = 2023; {method} {id}.screened_on = {on}")
    };
    let rows = [
        (String::new(), "no", "2020-05-20"),
        (screened("2023-07-01", "TCT"), "yes", "2026-07-01"),
        (screened("2023-06-30", "TCT"), "no", "2026-06-30"),
        (screened("2023-06-30", "HPV"), "yes", "2028-06-30"),
        (screened("2021-06-30", "HPV_TCT"), "no", "2026-06-30"),
        (screened("2023-06-30", ""), "no", "2026-06-30"),
        (screened("2026-07-01", "TCT"), "no", "2020-05-20"),
        (
            "screening#B-2026.cancer = B; screening#B-2026.screened_on = 2026-05-01".into(),
            "no",
            "2020-05-20",
        ),
    ];
    for (more, counts, due) in rows {
        let facts = facts(&format!("{woman}\n{more}"));
        let status = |name: &str| says("person", &facts, Some(&home), TODAY, name);
        assert_eq!(status("cervical_screened"), counts, "{more}");
        assert_eq!(status("cervical_due_on"), due, "{more}");
    }
}

#[test]
fn breast_screening_and_follow_up_are_due() {
    let (woman, home) = herder();
    let more = "
        screening#B-2024.cancer = B; screening#B-2024.screened_on = 2024-07-01
        screening_contact#k.contact_on = 2026-06-01; screening_contact#k.follow_up_state = 2
        screening_contact#k.next_due = 2026-07-01
    ";
    let lost = "
        screening_contact#l.contact_on = 2026-06-20; screening_contact#l.follow_up_state = 6
        screening_contact#l.next_due = 2026-08-01
    ";
    let told = facts(&format!("{woman}\n{more}"));
    let table = [
        ("breast_screened", "yes"),
        ("breast_last_on", "2024-07-01"),
        ("breast_due_on", "2026-07-01"),
        ("contact_due_on", "2026-07-01"),
        ("last_contact", "k"),
    ];
    for (status, expected) in table {
        assert_eq!(
            says("person", &told, Some(&home), TODAY, status),
            expected,
            "{status}"
        );
    }
    let lost = facts(&format!("{woman}\n{more}\n{lost}"));
    assert_eq!(
        says("person", &lost, Some(&home), TODAY, "contact_due_on"),
        "-"
    );
}

#[test]
fn screening_is_for_resident_women_of_35_to_64() {
    let plan = Package::builtin();
    let shown = &plan.register("screening").expect("the register").rows;
    let rows = [
        ("1991-06-30", "yes", true),
        ("1991-07-01", "no", false),
        ("1991-07", "no", false),
        ("1961-07-01", "yes", true),
        ("1961-06-30", "no", false),
        ("", "?", true),
    ];
    for (born, of_age, in_register) in rows {
        let born_on = if born.is_empty() {
            String::new()
        } else {
            format!("identity.birth_date = {born}")
        };
        let facts = facts(
            &format!(
                "identity.sex = 2; residence#r.since = 2005; residence#r.status = 1; {born_on}"
            )
            .replace("2005;", "2005-01;"),
        );
        assert_eq!(
            says("person", &facts, None, TODAY, "screening_age"),
            of_age,
            "{born}"
        );
        let scope = Scope::new(&plan, "person", &facts, None, TODAY).expect("a scope");
        assert_eq!(scope.holds(shown), Ok(in_register), "{born}");
    }
}

#[test]
fn a_toilet_is_sanitary_by_its_type_and_four_checks_at_the_main_dwelling() {
    let home = "household.area_type = 1; household.residence_status = 1; household.main_camp = 1";
    let good = "
        toilet#t.observed_on = 2026-01-10; toilet#t.camp = 1; toilet#t.type = 01; toilet#t.in_use = true
        toilet#t.walls_roof = true; toilet#t.pit_tight = true; toilet#t.clean = true; toilet#t.emptied_treated = true
    ";
    // Sanitary, harmless, in use, next observation.
    let rows = [
        (
            format!("{home}\n{good}"),
            ["yes", "yes", "yes", "2027-01-10"],
        ),
        (
            format!("{home}\n{good}; toilet#t.type = 08"),
            ["yes", "no", "yes", "2027-01-10"],
        ),
        (
            format!("{home}\n{good}; toilet#t.type = 09"),
            ["no", "no", "yes", "2027-01-10"],
        ),
        (
            format!("{home}\n{good}; toilet#t.clean = false"),
            ["no", "no", "yes", "2027-01-10"],
        ),
        (
            format!(
                "{home}; toilet#t.observed_on = 2026-01-10; toilet#t.camp = 1; toilet#t.type = 00"
            ),
            ["no", "no", "no", "2027-01-10"],
        ),
        // Not filled in is not known, unless something else decides.
        (
            format!(
                "{home}; toilet#t.observed_on = 2026-01-10; toilet#t.camp = 1; toilet#t.type = 01"
            ),
            ["?", "?", "?", "2027-01-10"],
        ),
        (
            format!(
                "{home}; toilet#t.observed_on = 2026-01-10; toilet#t.camp = 1; toilet#t.type = 01; toilet#t.clean = false"
            ),
            ["no", "no", "?", "2027-01-10"],
        ),
        // At the summer camp, or too old: as if never observed.
        (
            format!("{home}\n{good}; toilet#t.camp = 2"),
            ["?", "?", "?", TODAY],
        ),
        (
            format!("{home}\n{good}; toilet#t.observed_on = 2024-06-30"),
            ["?", "?", "?", TODAY],
        ),
        (
            format!("{home}\n{good}; toilet#t.observed_on = 2024-07-01"),
            ["yes", "yes", "yes", "2025-07-01"],
        ),
        (home.to_owned(), ["?", "?", "?", TODAY]),
        // A later observation wins; one after the day does not.
        (
            format!(
                "{home}\n{good}; toilet#u.observed_on = 2026-05-01; toilet#u.camp = 1; toilet#u.type = 09"
            ),
            ["no", "no", "?", "2027-05-01"],
        ),
        (
            format!(
                "{home}\n{good}; toilet#u.observed_on = 2026-07-01; toilet#u.camp = 1; toilet#u.type = 09"
            ),
            ["yes", "yes", "yes", "2027-01-10"],
        ),
        (
            format!("{home}\n{good}; household.area_type = 3"),
            ["yes", "yes", "yes", "-"],
        ),
    ];
    for (lines, expected) in rows {
        let facts = facts(&lines);
        let status = |name: &str| says("household", &facts, None, TODAY, name);
        let given = [
            "sanitary_toilet",
            "harmless_toilet",
            "toilet_used",
            "toilet_due_on",
        ]
        .map(status);
        assert_eq!(given, expected, "{lines}");
    }
}

#[test]
fn water_is_as_safe_as_the_worst_of_four() {
    let home = "household.area_type = 1; household.residence_status = 1; household.main_camp = 1; water#w.observed_on = 2026-01-10; water#w.camp = 1";
    // Quantity, quality, convenience, reliability, the whole, tap water.
    let rows = [
        ("", ["-", "-", "-", "-", "-", "?"]),
        (
            "water#w.source = 01; water#w.litres_per_person_day = 35; water#w.quality = 1; water#w.no_water_days = 18",
            ["1", "1", "1", "1", "1", "yes"],
        ),
        (
            "water#w.source = 08; water#w.litres_per_person_day = 20; water#w.quality = 3; water#w.no_water_days = 36; water#w.fetch_minutes = 20",
            ["2", "2", "2", "2", "2", "no"],
        ),
        (
            "water#w.source = 08; water#w.litres_per_person_day = 19; water#w.quality = 3; water#w.no_water_days = 37; water#w.fetch_minutes = 21",
            ["3", "2", "3", "3", "3", "no"],
        ),
        (
            "water#w.source = 04; water#w.quality = 2",
            ["-", "3", "1", "-", "3", "no"],
        ),
        (
            "water#w.source = 04; water#w.quality = 1",
            ["-", "1", "1", "-", "-", "no"],
        ),
    ];
    for (more, expected) in rows {
        let facts = facts(&format!("{home}; {more}"));
        let status = |name: &str| says("household", &facts, None, TODAY, name);
        let names = [
            "water_quantity",
            "water_quality",
            "water_convenience",
            "water_reliability",
            "water_safety",
            "tap_water",
        ];
        assert_eq!(names.map(status), expected, "{more}");
    }
}

#[test]
fn questions_are_asked_where_they_make_sense() {
    let plan = Package::builtin();
    // Facts, field, whether it is asked.
    let rows = [
        ("identity.id_type = 01", "identity.id_no", true),
        ("identity.id_type = 00", "identity.id_no", false),
        ("identity.name = x", "identity.id_no", false),
        ("identity.name = x", "identity.ethnicity", false),
        ("identity.name = x", "background.literate", true),
        (
            "identity.birth_date = 2011-06-30",
            "background.literate",
            true,
        ),
        (
            "identity.birth_date = 2011-07-01",
            "background.literate",
            false,
        ),
        ("toilet#t.type = 00", "toilet#t.clean", false),
        ("toilet#t.type = 10", "toilet#t.clean", false),
        ("toilet#t.type = 09", "toilet#t.clean", true),
        ("toilet#t.camp = 1", "toilet#t.clean", false),
        (
            "toilet#t.in_use = false",
            "toilet#t.not_in_use_reason",
            true,
        ),
        (
            "toilet#t.in_use = true",
            "toilet#t.not_in_use_reason",
            false,
        ),
        ("water#w.treatment = 0", "water#w.treatment_working", false),
        ("water#w.treatment = 2,5", "water#w.treatment_working", true),
        ("water#w.source = 01", "water#w.treatment_working", false),
        ("water#w.quality = 2", "water#w.tested_on", true),
        ("water#w.quality = 3", "water#w.tested_on", false),
        (
            "screening#i.cancer = C; screening#i.screened_on = 2026-01-01",
            "screening#i.cervical_method",
            true,
        ),
        (
            "screening#i.cancer = B; screening#i.screened_on = 2026-01-01",
            "screening#i.cervical_method",
            false,
        ),
        ("screening#i.cancer = C", "screening#i.proof", false),
        ("service#s.type = 00", "service#s.outcome", false),
        ("service#s.type = A03", "service#s.amount", true),
        ("service#s.type = 02", "service#s.amount", false),
        (
            "screening_result#i.diagnosed_on = 2026-01-01",
            "screening_result#i.not_treated_reason",
            true,
        ),
        (
            "screening_result#i.diagnosed_on = 2026-01-01; screening_result#i.treated_on = 2026-02-01",
            "screening_result#i.not_treated_reason",
            false,
        ),
    ];
    for (lines, field, asked) in rows {
        let facts = facts(lines);
        let (place, field) = field.rsplit_once('.').expect("section.field");
        let (section, item) = place
            .split_once('#')
            .map_or((place, None), |(s, i)| (s, Some(i)));
        let (subject, _) = plan.section(section).expect("the section");
        let source = plan
            .field(section, field)
            .and_then(|field| field.ask_if.clone());
        let source = source.expect("an expression");
        let scope = Scope::new(&plan, &subject.key, &facts, None, TODAY).expect("a scope");
        let given = match item {
            None => scope.holds(&source),
            Some(item) => scope.item_holds(&source, section, item),
        };
        assert_eq!(given, Ok(asked), "{field} for {lines}");
    }
}

#[test]
fn checks_hold_for_good_values_and_break_for_bad_ones() {
    let plan = Package::builtin();
    let rows = [
        (
            "household.resident_population = 3; household.resident_female = 3",
            "household",
            Some(true),
        ),
        (
            "household.resident_population = 3; household.resident_female = 4",
            "household",
            Some(false),
        ),
        ("household.resident_population = 3", "household", None),
        (
            "identity.birth_date = 1990-05; identity.deceased_on = 1990-05-01",
            "identity",
            Some(true),
        ),
        (
            "identity.birth_date = 1990-05-02; identity.deceased_on = 1990-05-01",
            "identity",
            Some(false),
        ),
        (
            "background.never_schooled = true; background.education_level = 80",
            "background",
            Some(false),
        ),
        (
            "background.never_schooled = true; background.education_level = 90",
            "background",
            Some(true),
        ),
        ("background.never_schooled = true", "background", Some(true)),
        ("background.education_level = 80", "background", Some(true)),
        (
            "spouse_away#a.since = 2025-01; spouse_away#a.ended_on = 2025-01-01",
            "spouse_away#a",
            Some(true),
        ),
        (
            "spouse_away#a.since = 2025-01-02; spouse_away#a.ended_on = 2025-01-01",
            "spouse_away#a",
            Some(false),
        ),
        ("spouse_away#a.since = 2025-01-02", "spouse_away#a", None),
        (
            "service#s.given_on = 2026-01-01; service#s.next_due = 2026-01-01",
            "service#s",
            Some(false),
        ),
        (
            "water#w.observed_on = 2026-01-01; water#w.tested_on = 2026-01-02",
            "water#w",
            Some(false),
        ),
    ];
    for (lines, place, good) in rows {
        let facts = facts(lines);
        let (section, item) = place
            .split_once('#')
            .map_or((place, None), |(s, i)| (s, Some(i)));
        let (subject, section) = plan.section(section).expect("the section");
        let scope = Scope::new(&plan, &subject.key, &facts, None, TODAY).expect("a scope");
        let rule = &section.checks[0].rule;
        let given = match item {
            None => scope.holds(rule),
            Some(item) => scope.item_holds(rule, &section.key, item),
        };
        assert_eq!(given.ok(), good, "{lines}");
    }
}

#[test]
fn screening_results_are_items_with_the_same_key_as_their_screening() {
    let plan = Package::builtin();
    let kind = |section: &str| plan.section(section).map(|(_, section)| &section.repeating);
    let key = || vec!["cancer".to_owned(), "round".to_owned()];
    let screening = Repeating::ByKey(key(), Some("screened_on".into()));
    assert_eq!(kind("screening"), Some(&screening));
    assert_eq!(
        kind("screening_result"),
        Some(&Repeating::ByKey(key(), None))
    );
}

#[test]
fn every_section_and_field_of_the_first_release_is_there() {
    let plan = Package::builtin();
    let counts: BTreeMap<&str, Vec<(&str, &str, usize)>> = plan
        .subjects
        .iter()
        .map(|subject| {
            let section = |section: &'_ crate::dictionary::Section| section.fields.len();
            let sections = subject
                .sections
                .iter()
                .map(|s| (s.key.as_str(), s.class.as_str(), section(s)));
            (subject.key.as_str(), sections.collect())
        })
        .collect();
    // What came later is there besides.
    let has = |subject: &str, first: &[(&str, &str, usize)]| {
        for (key, class, fields) in first {
            let section = counts[subject].iter().find(|section| section.0 == *key);
            let is_there = section.is_some_and(|s| s.1 == *class && s.2 >= *fields);
            assert!(is_there, "{subject}: {key} {class} {fields}: {section:?}");
        }
    };
    has("organisation", &[("organisation", "general", 4)]);
    has(
        "household",
        &[
            ("household", "general", 13),
            ("water", "general", 19),
            ("toilet", "general", 13),
        ],
    );
    has(
        "person",
        &[
            ("identity", "general", 10),
            ("background", "general", 5),
            ("residence", "general", 6),
            ("consent", "general", 7),
            ("condition", "care", 2),
            ("spouse_away", "care", 8),
            ("care_needs", "care", 11),
            ("service", "care", 10),
            ("protection", "protected", 1),
            ("screening", "referral", 13),
            ("screening_contact", "referral", 8),
            ("screening_result", "health", 14),
            ("vaccination", "health", 1),
        ],
    );
}
