//! The built-in indicators at work: who counts, who has reached it, of whom it is not known.

use super::{facts, herder, says};
use crate::expression::{Datum, ExpressionError, Facts, Scope};
use crate::package::Package;

/// What one group adds to a figure of a year: `numerator/denominator`, `?/denominator` where it is
/// not known, `?` where not even that is, `-` where the figure is not about it. A count without a
/// denominator has the numerator alone.
fn adds(indicator: &str, year: u16, facts: &Facts, home: Option<&Facts>) -> String {
    let plan = Package::builtin();
    let indicator = plan.indicator(indicator).expect("the indicator");
    let count = &indicator.count;
    let span = indicator.period.of(year).expect("a known period");
    let scope = Scope::for_period(&plan, &count.of, facts, home, &span).expect("a scope");
    let number = |source: &str| match scope.value(source) {
        Ok(Datum::Bool(truth)) => Ok(i64::from(truth)),
        Ok(Datum::Int(number)) => Ok(number),
        Ok(_) => Err(ExpressionError::Type),
        Err(error) => Err(error),
    };
    let below = match count.denominator.as_deref().map(number) {
        None => String::new(),
        Some(Ok(0)) => return "-".into(),
        Some(Ok(number)) => format!("/{number}"),
        Some(Err(_)) => return "?".into(),
    };
    let known = count
        .known
        .as_deref()
        .map_or(Ok(true), |known| scope.holds(known));
    match number(&count.numerator) {
        Ok(number) if known == Ok(true) => format!("{number}{below}"),
        _ => format!("?{below}"),
    }
}

/// Each row: what is recorded besides of a woman in the pastoral area, the year, what she adds.
fn women(indicator: &str, rows: &[(&str, u16, &str)]) {
    let (woman, home) = herder();
    for (more, year, expected) in rows {
        let facts = facts(&format!("{woman}\n{more}"));
        let given = adds(indicator, *year, &facts, Some(&home));
        assert_eq!(given, *expected, "{indicator} {year}: {more}");
    }
}

fn households(indicator: &str, rows: &[(&str, u16, &str)]) {
    for (lines, year, expected) in rows {
        let given = adds(indicator, *year, &facts(lines), None);
        assert_eq!(given, *expected, "{indicator} {year}: {lines}");
    }
}

/// An item of a screening.
fn screening(item: &str, more: &str) -> String {
    let (cancer, round) = item.split_once('-').expect("cancer and round");
    let own = format!("cancer = {cancer}; round = {round}; {more}");
    let lines = own.split(';').filter(|line| !line.trim().is_empty());
    let lines: Vec<String> = lines
        .map(|line| format!("screening#{item}.{}", line.trim()))
        .collect();
    lines.join("; ")
}

#[test]
fn a_cervical_screening_counts_at_the_end_of_a_year_as_long_as_its_method_says() {
    let tct = screening("C-2023", "cervical_method = TCT; screened_on = 2023-05-10");
    let hpv = screening("C-2023", "cervical_method = HPV; screened_on = 2023-05-10");
    let new_year = screening("C-2023", "cervical_method = TCT; screened_on = 2023-01-01");
    let breast = screening("B-2023", "screened_on = 2023-05-10");
    women(
        "health.cervical-screening-rate",
        &[
            ("", 2025, "0/1"),
            (&tct, 2022, "0/1"),
            (&tct, 2023, "1/1"),
            (&tct, 2025, "1/1"),
            (&tct, 2026, "0/1"),
            (&new_year, 2025, "1/1"),
            (&hpv, 2027, "1/1"),
            (&hpv, 2028, "0/1"),
            (&breast, 2023, "0/1"),
            // Of age at the end of the year, whatever she is today.
            ("identity.birth_date = 1990-12-31", 2025, "0/1"),
            ("identity.birth_date = 1991-01-01", 2025, "-"),
            ("identity.birth_date = 1961-01-01", 2025, "0/1"),
            ("identity.birth_date = 1960-12-31", 2025, "-"),
            ("identity.sex = 1", 2025, "-"),
            ("identity.deceased_on = 2025-12-31", 2025, "-"),
            ("identity.deceased_on = 2026-01-01", 2025, "0/1"),
            (
                "residence#r2.since = 2025-06-01; residence#r2.status = 5",
                2024,
                "0/1",
            ),
            (
                "residence#r2.since = 2025-06-01; residence#r2.status = 5",
                2025,
                "-",
            ),
        ],
    );
    let unborn = "identity.sex = 2; residence#r.since = 2005-01; residence#r.status = 1";
    let given = adds("health.cervical-screening-rate", 2025, &facts(unborn), None);
    assert_eq!(given, "?", "no date of birth");
}

#[test]
fn a_breast_screening_counts_for_24_months() {
    let screened = screening("B-2024", "screened_on = 2024-07-01");
    women(
        "health.breast-screening-rate",
        &[
            (&screened, 2023, "0/1"),
            (&screened, 2024, "1/1"),
            (&screened, 2025, "1/1"),
            (&screened, 2026, "0/1"),
        ],
    );
}

#[test]
fn coverage_is_of_the_women_named_for_a_round_of_the_year() {
    for (indicator, cancer, other) in [
        ("health.pastoral-cervical-screening-coverage", "C", "B"),
        ("health.pastoral-breast-screening-coverage", "B", "C"),
    ] {
        let item =
            |cancer: &str, round: &str, more: &str| screening(&format!("{cancer}-{round}"), more);
        let listed = |round: &str| item(cancer, round, "on_target_list = true");
        let done = |round: &str, on: &str| {
            item(
                cancer,
                round,
                &format!("on_target_list = true; screened_on = {on}"),
            )
        };
        let off = item(
            cancer,
            "2027",
            "on_target_list = false; screened_on = 2027-05-01",
        );
        let both = format!("{}; {}", listed("2027-1"), done("2027-2", "2027-10-01"));
        let apart = format!(
            "{}; {}",
            listed("2027-1"),
            item(
                cancer,
                "2027-2",
                "on_target_list = false; screened_on = 2027-10-01"
            )
        );
        let rows = [
            (String::new(), 2027, "-"),
            (listed("2027"), 2027, "0/1"),
            (listed("2027"), 2026, "-"),
            (listed("2027-1"), 2027, "0/1"),
            (done("2027-1", "2027-05-01"), 2027, "1/1"),
            (done("2027", "2027-12-31"), 2027, "1/1"),
            (done("2027", "2028-01-01"), 2027, "0/1"),
            (off, 2027, "-"),
            // Missed in one round and screened in the next: covered in the year.
            (both, 2027, "1/1"),
            // Screened only where she was not named: not in a round of the list.
            (apart, 2027, "0/1"),
            (
                item(
                    other,
                    "2027",
                    "on_target_list = true; screened_on = 2027-05-01",
                ),
                2027,
                "-",
            ),
        ];
        for (more, year, expected) in rows {
            women(indicator, &[(&more, year, expected)]);
        }
        let (woman, _) = herder();
        let town = facts("household.area_type = 3; household.residence_status = 1");
        let listed = facts(&format!("{woman}; {}", listed("2027")));
        assert_eq!(adds(indicator, 2027, &listed, Some(&town)), "-", "in town");
        assert_eq!(
            adds(indicator, 2027, &listed, None),
            "-",
            "no household known"
        );
    }
}

const HOME: &str = "household.area_type = 1; household.residence_status = 1; household.main_camp = 1; household.resident_population = 4";

#[test]
fn tap_water_is_counted_in_people_and_unknown_where_nobody_looked() {
    let water = |id: &str, on: &str, more: &str| {
        let own = format!("observed_on = {on}; camp = 1; users = 3; {more}");
        let lines: Vec<String> = own
            .split(';')
            .map(|line| format!("water#{id}.{}", line.trim()))
            .collect();
        format!("{HOME}; {}", lines.join("; "))
    };
    let two = format!(
        "{}\n{}",
        water("w", "2025-06-01", "source = 06"),
        water("x", "2026-06-01", "source = 01")
    );
    households(
        "environment.pastoral-tap-water-rate",
        &[
            (HOME, 2026, "?/4"),
            (&water("w", "2026-06-01", "source = 02"), 2026, "3/4"),
            (&water("w", "2026-06-01", "source = 06"), 2026, "0/4"),
            // Not known are: before it was seen, at another camp, too long ago, what was left out.
            (&water("w", "2026-06-01", "source = 02"), 2025, "?/4"),
            (
                &water("w", "2026-06-01", "source = 02; camp = 2"),
                2026,
                "?/4",
            ),
            (&water("w", "2025-01-01", "source = 02"), 2026, "3/4"),
            (&water("w", "2024-12-31", "source = 02"), 2026, "?/4"),
            (&water("w", "2026-06-01", "quality = 1"), 2026, "?/4"),
            (&two, 2025, "0/4"),
            (&two, 2026, "3/4"),
            (&format!("{two}; household.area_type = 2"), 2026, "-"),
            (&format!("{two}; household.residence_status = 5"), 2026, "-"),
            (
                &format!("{two}; household.resident_population = 0"),
                2026,
                "-",
            ),
            (
                "household.area_type = 1; household.residence_status = 1",
                2026,
                "?",
            ),
        ],
    );
}

#[test]
fn sanitary_toilets_are_counted_in_households() {
    let toilet = |on: &str, more: &str| {
        format!("{HOME}; toilet#t.observed_on = {on}; toilet#t.camp = 1; {more}")
    };
    let good = "toilet#t.type = 01; toilet#t.walls_roof = true; toilet#t.pit_tight = true; toilet#t.clean = true; toilet#t.emptied_treated = true";
    households(
        "environment.pastoral-sanitary-toilet-rate",
        &[
            (HOME, 2026, "?/1"),
            (&toilet("2026-03-01", good), 2026, "1/1"),
            (&toilet("2027-03-01", good), 2026, "?/1"),
            (&toilet("2024-12-31", good), 2026, "?/1"),
            (&toilet("2026-03-01", "toilet#t.type = 00"), 2026, "0/1"),
            (&toilet("2026-03-01", "toilet#t.type = 01"), 2026, "?/1"),
            (
                &toilet("2026-03-01", "toilet#t.type = 01; toilet#t.clean = false"),
                2026,
                "0/1",
            ),
            (
                &format!("{}; household.area_type = 3", toilet("2026-03-01", good)),
                2026,
                "-",
            ),
        ],
    );
}

#[test]
fn left_behind_women_are_counted_once_half_a_year_is_over() {
    women(
        "social-security.left-behind-women",
        &[
            ("", 2026, "0"),
            ("spouse_away#a.since = 2026-07-31", 2026, "0"),
            ("spouse_away#a.since = 2026-06-30", 2026, "1"),
            ("spouse_away#a.since = 2026-06-30", 2025, "0"),
            (
                "spouse_away#a.since = 2026-01-01; spouse_away#a.ended_on = 2026-12-31",
                2026,
                "0",
            ),
            (
                "spouse_away#a.since = 2026-01-01; spouse_away#a.ended_on = 2027-01-01",
                2026,
                "1",
            ),
        ],
    );
}

const AWAY: &str = "spouse_away#a.since = 2024-01-01";

#[test]
fn a_need_is_what_the_latest_assessment_of_the_year_says() {
    let assessed = |id: &str, on: &str, needs: &str| {
        format!("{AWAY}; care_needs#{id}.assessed_on = {on}; care_needs#{id}.needs = {needs}")
    };
    let changed = assessed("a", "2025-05-01", "02") + "\n" + &assessed("b", "2026-05-01", "0");
    women(
        "social-security.left-behind-women-in-need",
        &[
            ("", 2026, "-"),
            (AWAY, 2026, "?/1"),
            (&assessed("a", "2026-05-01", "0"), 2026, "0/1"),
            (&assessed("a", "2026-05-01", "02,09"), 2026, "1/1"),
            (&assessed("a", "2026-05-01", "02,09"), 2025, "?/1"),
            (&assessed("a", "2026-05-01", ""), 2026, "?/1"),
            (
                &format!("{AWAY}; care_needs#a.assessed_on = 2026-05-01"),
                2026,
                "?/1",
            ),
            // Two people ticked apart: a need is a need.
            (&assessed("a", "2026-05-01", "0,02"), 2026, "1/1"),
            (&changed, 2025, "1/1"),
            (&changed, 2026, "0/1"),
        ],
    );
}

#[test]
fn care_is_given_when_every_need_met_a_service_of_its_kind_in_the_year() {
    let needs = |needs: &str| {
        format!("{AWAY}; care_needs#n.assessed_on = 2026-05-01; care_needs#n.needs = {needs}")
    };
    let service = |id: &str, on: &str, kind: &str| {
        format!("; service#{id}.given_on = {on}; service#{id}.type = {kind}")
    };
    let production = service("s", "2026-06-01", "02");
    let comfort = service("t", "2026-12-31", "03");
    women(
        "social-security.care-for-women-in-need",
        &[
            ("", 2026, "-"),
            (AWAY, 2026, "?"),
            (&needs(""), 2026, "?"),
            (&needs("0"), 2026, "-"),
            (&needs("02"), 2026, "0/1"),
            (&(needs("02") + &production), 2026, "1/1"),
            (&(needs("0,02") + &production), 2026, "1/1"),
            (&(needs("02") + &comfort), 2026, "0/1"),
            (&(needs("02,03") + &production), 2026, "0/1"),
            (&(needs("02,03") + &production + &comfort), 2026, "1/1"),
            (
                &(needs("02") + &service("s", "2026-06-01", "00")),
                2026,
                "0/1",
            ),
            (
                &(needs("02") + &service("s", "2025-12-31", "02")),
                2026,
                "0/1",
            ),
            (
                &(needs("02") + &service("s", "2026-01-01", "02")),
                2026,
                "1/1",
            ),
            (
                &(needs("02") + &service("s", "2027-01-01", "02")),
                2026,
                "0/1",
            ),
            (&(needs("02") + &production), 2027, "0/1"),
            (&(needs("02") + &production), 2025, "?"),
        ],
    );
}

#[test]
fn every_need_has_its_service() {
    let plan = Package::builtin();
    let needs = plan.code_list("CL-LBWNEED").expect("the list");
    let services = plan.code_list("CL-SERVICE").expect("the list");
    for need in needs.codes.iter().filter(|need| need.code != "0") {
        let lines = format!(
            "care_needs#n.assessed_on = 2026-05-01; care_needs#n.needs = {}",
            need.code
        );
        let served = format!(
            "{lines}; {AWAY}; service#s.given_on = 2026-06-01; service#s.type = {}",
            need.code
        );
        assert!(services.takes(&need.code), "{}", need.code);
        women(
            "social-security.care-for-women-in-need",
            &[(&served, 2026, "1/1")],
        );
    }
}

#[test]
fn ages_are_broken_down_by_bands_of_five_years() {
    let rows = [
        ("1991-01-01", "00"),
        ("1990-12-31", "35"),
        ("1986-01-01", "35"),
        ("1985-12-31", "40"),
        ("1980-12-31", "45"),
        ("1975-12-31", "50"),
        ("1970-12-31", "55"),
        ("1965-12-31", "60"),
        ("1961-01-01", "60"),
        ("1960-12-31", "65"),
    ];
    for (born, band) in rows {
        let facts = facts(&format!("identity.birth_date = {born}"));
        assert_eq!(
            says("person", &facts, None, "2025-12-31", "age_band"),
            band,
            "{born}"
        );
    }
    let (woman, home) = herder();
    let woman = facts(&woman);
    let empty = Facts::default();
    assert_eq!(says("person", &empty, None, "2025-12-31", "age_band"), "-");
    assert_eq!(
        says("person", &woman, Some(&home), "2025-12-31", "area"),
        "1"
    );
    assert_eq!(says("person", &woman, None, "2025-12-31", "area"), "-");
}

#[test]
fn every_indicator_says_which_classes_it_needs() {
    let plan = Package::builtin();
    let rows = [
        (
            "health.cervical-screening-rate",
            vec!["general", "referral"],
        ),
        ("health.breast-screening-rate", vec!["general", "referral"]),
        (
            "health.pastoral-cervical-screening-coverage",
            vec!["general", "referral"],
        ),
        (
            "health.pastoral-breast-screening-coverage",
            vec!["general", "referral"],
        ),
        ("social-security.left-behind-women", vec!["care", "general"]),
        (
            "social-security.left-behind-women-in-need",
            vec!["care", "general"],
        ),
        (
            "social-security.care-for-women-in-need",
            vec!["care", "general"],
        ),
        ("environment.pastoral-tap-water-rate", vec!["general"]),
        ("environment.pastoral-sanitary-toilet-rate", vec!["general"]),
    ];
    let given: Vec<(&str, Vec<&str>)> = plan
        .indicators
        .iter()
        .map(|it| {
            (
                it.key.as_str(),
                it.count.classes.iter().map(String::as_str).collect(),
            )
        })
        .collect();
    assert_eq!(given, rows);
}
