//! Mistakes in indicators, and what the loader works out for them.

use super::*;
use crate::indicator::{Amount, Bound, Measure, Target, Years};

const FILE: &str = "indicators/health.yaml";

/// Where the one indicator of the small plan is.
fn at(key: &str) -> String {
    format!("health.visited{key}")
}

/// As [`super::refused`], with keys below the indicator.
fn refused(rows: &[(&str, &str, &str, &str)]) {
    for (from, to, key, reason) in rows {
        super::refused(FILE, &[(from, to, &at(key), reason)]);
    }
}

#[test]
fn an_indicator_becomes_what_it_says() {
    let plan = small();
    assert_eq!(
        plan.years,
        Years {
            from: 2021,
            to: 2030
        }
    );
    let indicator = plan.indicator("health.visited").expect("the indicator");
    let third = Amount {
        numerator: 100,
        denominator: 3,
    };
    let target = Target {
        bound: Some(Bound::AtLeast(third)),
        unit: Measure::Percent,
        year: 2030,
        trend: None,
        wording: None,
    };
    assert_eq!(indicator.target, target);
    assert_eq!((indicator.domain.as_str(), indicator.item), ("health", 4));
    // identity is general, visit is read by way of `seen`.
    assert_eq!(indicator.count.classes, ["care", "general"]);
}

#[test]
fn every_key_of_an_indicator_is_known_and_most_are_needed() {
    for key in [
        "item",
        "title",
        "source_quote",
        "source_clause",
        "direction",
        "period",
    ] {
        let from = format!("  {key}: ");
        let reason = format!("`{key}` is missing");
        let rest = SMALL[7].1.split(&from).nth(1).expect("the key");
        let line = rest.lines().next().expect("a line");
        refused(&[(&format!("{from}{line}\n"), "", "", &reason)]);
    }
    refused(&[
        ("item: 4", "item: 0", ".item", "1 or more"),
        ("item: 4", "item: x", ".item", "whole number"),
        ("item: 4", "item: 4\n  kind: x", ".kind", "unknown key"),
        ("走访率, en: Visited", "走访率", ".title", "`en` is missing"),
        (
            "unit: percent",
            "units: percent",
            ".target.units",
            "unknown key",
        ),
        ("unit: percent, ", "", ".target", "`unit` is missing"),
        (", year: 2030", "", ".target", "`year` is missing"),
        (
            "of: person",
            "of: person\n    over: x",
            ".count.over",
            "unknown key",
        ),
        ("    of: person\n", "", ".count", "`of` is missing"),
        (
            "    coverage: partial\n",
            "",
            ".count",
            "`coverage` is missing",
        ),
        (
            "lead: 妇联",
            "head: 妇联",
            ".responsible.head",
            "unknown key",
        ),
        ("lead: 妇联, ", "", ".responsible", "`lead` is missing"),
        ("others: [], ", "", ".responsible", "`others` is missing"),
        (
            "inferred: true",
            "inferred: perhaps",
            ".responsible.inferred",
            "true or false",
        ),
        ("zh: 无, en: Some", "zh: 无", ".note", "`en` is missing"),
        (
            "source_clause: 走访率达到",
            "source_clause: 访问率达到",
            ".source_clause",
            "no part",
        ),
    ]);
    super::refused(
        FILE,
        &[(
            "id: health.visited",
            "ids: health.visited",
            "0",
            "`id` is missing",
        )],
    );
}

#[test]
fn words_of_an_indicator_are_those_that_there_are() {
    refused(&[
        (
            "direction: increase",
            "direction: up",
            ".direction",
            "use one of increase, decrease",
        ),
        (
            "unit: percent",
            "unit: promille",
            ".target.unit",
            "unknown word `promille`",
        ),
        (
            "period: year_end",
            "period: month",
            ".period",
            "unknown word `month`",
        ),
        (
            "coverage: partial",
            "coverage: half",
            ".count.coverage",
            "use one of full, partial",
        ),
        (
            "at_least: \"100/3\"",
            "trend: upwards",
            ".target.trend",
            "unknown word `upwards`",
        ),
    ]);
}

#[test]
fn ids_are_written_with_the_domain_of_their_file_and_there_once() {
    let rows = [
        ("law.visited", "must begin with `health.`"),
        ("healthy.visited", "must begin with `health.`"),
        ("visited", "must begin with `health.`"),
        ("health.", "a letter first"),
        ("health.1st", "a letter first"),
        ("health.Visited", "a letter first"),
        ("health.visi_ted", "a letter first"),
        ("health.visited.now", "a letter first"),
        ("health.走访", "a letter first"),
    ];
    for (id, reason) in rows {
        super::refused(FILE, &[("health.visited", id, id, reason)]);
    }
    let Err(errors) = with(FILE, SMALL[7].1, &SMALL[7].1.repeat(2)) else {
        panic!("taken twice");
    };
    let told = errors.0.first().expect("a mistake");
    assert_eq!(
        (told.key.as_str(), told.reason.as_str()),
        ("health.visited", "the id is there twice")
    );
    // The text begins with an empty line.
    let second = SMALL[7].1.lines().count() + 2;
    assert_eq!(told.line as usize, second, "the line of the second");
}

#[test]
fn files_of_indicators_are_named_after_domains_of_the_plan() {
    let load = |name: &'static str, text: &'static str| {
        let mut files = SMALL.to_vec();
        files.extend([("units.csv", UNITS), (name, text)]);
        load(&files)
    };
    for name in [
        "indicators/wealth.yaml",
        "indicators/Law.yaml",
        "indicators/.yaml",
        "indicators/law.yml",
    ] {
        let errors = load(name, "[]").expect_err(name);
        assert_eq!(
            errors.to_string(),
            format!("{name}: the plan has no such file")
        );
    }
    assert!(load("indicators/law.yaml", "[]").is_ok());
    let errors = load("indicators/law.yaml", "{}").expect_err("a map");
    assert!(errors.to_string().contains("must be a list"), "{errors}");
    let errors = load("indicators/law.yaml", "[1]").expect_err("a number");
    assert!(
        errors.to_string().contains("law.yaml:1: 0: must be a map"),
        "{errors}"
    );
}

#[test]
fn a_target_has_one_amount_or_other_words() {
    let amount = "at_least: \"100/3\"";
    refused(&[
        (amount, "at_least: 42.5", ".target.at_least", "quote it"),
        (amount, "at_least: 100/3", ".target.at_least", "quote it"),
        (
            amount,
            "at_least: \"42,5\"",
            ".target.at_least",
            "is no amount",
        ),
        (amount, "at_least: -1", ".target.at_least", "is no amount"),
        (
            amount,
            "at_least: [1]",
            ".target.at_least",
            "must be a number",
        ),
        (
            amount,
            "at_most: \"100/0\"",
            ".target.at_most",
            "divided by 0",
        ),
        (
            amount,
            "at_least: 1, at_most: 2",
            ".target.at_most",
            "leave one out",
        ),
        (
            amount,
            "at_least: 1, about: 2",
            ".target.about",
            "leave one out",
        ),
        (
            "at_least: \"100/3\", ",
            "",
            ".target",
            "or else `trend` or `wording`",
        ),
        (
            amount,
            "at_least: 1, trend: year_on_year",
            ".target.trend",
            "without one",
        ),
        (
            amount,
            "wording: 不断提高",
            ".target.wording",
            "does not say that",
        ),
        ("year: 2030", "year: 2031", ".target.year", "2021 to 2030"),
        ("year: 2030", "year: 2020", ".target.year", "2021 to 2030"),
        ("year: 2030", "year: 30", ".target.year", "four digits"),
    ]);
    for good in [
        "about: 42",
        "at_most: \"42.5\"",
        "trend: year_on_year",
        "wording: 逐步提高",
        "trend: slower_growth, wording: 逐步提高",
    ] {
        let loaded = with(FILE, amount, good);
        assert!(loaded.is_ok(), "{good}: {}", loaded.expect_err("mistakes"));
    }
}

#[test]
fn a_count_is_of_a_subject_and_by_statuses_with_few_values() {
    refused(&[
        (
            "of: person",
            "of: people",
            ".count.of",
            "no subject `people`",
        ),
        (
            "of: person",
            "of: household",
            ".count.by",
            "`woman` is no status",
        ),
        ("[woman]", "[women]", ".count.by", "`women` is no status"),
        (
            "[woman]",
            "[identity]",
            ".count.by",
            "`identity` is no status",
        ),
        ("[woman]", "[due]", ".count.by", "true or false, or a code"),
        ("[woman]", "[seen]", ".count.by", "true or false, or a code"),
        ("[woman]", "[woman, woman]", ".count.by", "there twice"),
        ("[woman]", "woman", ".count.by", "must be a list"),
        (
            "    denominator: \"identity.sex == '2'\"\n",
            "",
            ".count",
            "`denominator` is missing",
        ),
    ]);
    // A number of people needs nobody to compare with, and may have somebody.
    assert!(with(FILE, "unit: percent", "unit: count").is_ok());
    let counted = SMALL[7].1.replace("unit: percent", "unit: count");
    let counted = counted.replace("    denominator: \"identity.sex == '2'\"\n", "");
    let loaded = with(FILE, SMALL[7].1, &counted.replace("    by: [woman]\n", ""));
    assert!(loaded.is_ok(), "{}", loaded.expect_err("mistakes"));
    // A text without a list of codes could take any number of values.
    let files = SMALL.map(|(name, text)| match name {
        "computed.yaml" => (
            name,
            "named: {of: person, zh: 名, en: Name, gives: text, is: identity.name}\n".to_owned()
                + text,
        ),
        FILE => (name, text.replace("[woman]", "[named]")),
        _ => (name, text.to_owned()),
    });
    let mut files: Vec<(&str, &str)> = files
        .iter()
        .map(|(name, text)| (*name, text.as_str()))
        .collect();
    files.push(("units.csv", UNITS));
    let errors = load(&files).expect_err("a text");
    assert!(
        errors
            .to_string()
            .contains("`named` is no status that gives"),
        "{errors}"
    );
}

#[test]
fn expressions_of_a_count_give_numbers_or_truths_of_one_type() {
    let sex = "\"identity.sex == '2'\"";
    let reached = "\"seen.children > 0 && reached(period.from, seen.day)\"";
    let long = format!("\"woman || '{}' == ''\"", "a".repeat(2_000));
    let deep = format!("\"woman || {}1 == 1{}\"", "[".repeat(70), "]".repeat(70));
    refused(&[
        (sex, "\"identity.sex ==\"", ".count.denominator", ""),
        (
            sex,
            "\"identity.sxe == '2'\"",
            ".count.denominator",
            "unknown field `sxe`",
        ),
        (
            sex,
            "\"identity.sex == '7'\"",
            ".count.denominator",
            "CL-SEX has no code '7'",
        ),
        (sex, "nobody", ".count.denominator", "unknown name `nobody`"),
        (
            sex,
            "due",
            ".count.denominator",
            "true or false, or a whole number",
        ),
        (
            sex,
            "seen",
            ".count.denominator",
            "true or false, or a whole number",
        ),
        (
            sex,
            "\"woman ? 1 : false\"",
            ".count.denominator",
            "true or false, or a whole number",
        ),
        (sex, "\"1 / 0\"", ".count.denominator", "no answer"),
        (sex, "\"[true][1]\"", ".count.denominator", "no answer"),
        (sex, &long, ".count.denominator", "longer than 2000"),
        (sex, &deep, ".count.denominator", "more than 64 levels"),
        (sex, "\"woman ? 1 : 0\"", ".count", "the one gives a number"),
        (reached, "seen.children", ".count", "the one gives a number"),
        (
            reached,
            "seen.day",
            ".count.numerator",
            "true or false, or a whole number",
        ),
        (
            reached,
            "\"period.form == '2'\"",
            ".count.numerator",
            "unknown field `form`",
        ),
        (
            reached,
            "\"period.from > 3\"",
            ".count.numerator",
            "can't be a number",
        ),
        (
            "\"seen != null\"",
            "seen.children",
            ".count.known",
            "something else",
        ),
        ("\"seen != null\"", "seen", ".count.known", "something else"),
        (
            "\"seen != null\"",
            "\"household.place == null\"",
            ".count.known",
            "unknown name",
        ),
    ]);
    let people = SMALL[7]
        .1
        .replace(sex, "\"woman ? 3 : 0\"")
        .replace(reached, "seen.children");
    let loaded = with(FILE, SMALL[7].1, &people);
    assert!(loaded.is_ok(), "{}", loaded.expect_err("mistakes"));
}

#[test]
fn only_an_indicator_names_its_period() {
    let only = "only an indicator may name `period`";
    let rows = [
        (
            "computed.yaml",
            "identity.sex == '2'",
            "period != null",
            "woman.is",
        ),
        (
            "registers.yaml",
            "rows: woman",
            "rows: \"period == null\"",
            "women.rows",
        ),
        (
            "subjects/person.yaml",
            "identity.sex != null",
            "period.year == '2027'",
            "sections.identity.fields.died.ask_if",
        ),
        (
            "subjects/person.yaml",
            "identity.born <= identity.died",
            "period.to <= identity.died",
            "sections.identity.checks.0.rule",
        ),
    ];
    for (file, from, to, key) in rows {
        super::refused(file, &[(from, to, key, only)]);
    }
    super::refused(
        "subjects/person.yaml",
        &[(
            "  result:",
            "  period:",
            "sections.period",
            "something else",
        )],
    );
    super::refused(
        "computed.yaml",
        &[("woman: {", "period: {", "period", "something else")],
    );
}

#[test]
fn a_figure_needs_no_more_than_one_role_holds() {
    let both = "\"identity.sex == '2' && result.exists(r, r.good)\"";
    refused(&[(
        "\"identity.sex == '2'\"",
        both,
        ".count",
        "no role holds care and general and health together",
    )]);
    // By way of a status that it is broken down by as well.
    let files = SMALL.map(|(name, text)| match name {
        "computed.yaml" => (
            name,
            text.replace("identity.sex == '2'", "result.exists(r, r.good)"),
        ),
        _ => (name, text.to_owned()),
    });
    let mut files: Vec<(&str, &str)> = files
        .iter()
        .map(|(name, text)| (*name, text.as_str()))
        .collect();
    files.push(("units.csv", UNITS));
    let errors = load(&files).expect_err("a mix");
    let key = at(".count");
    assert!(
        errors
            .0
            .iter()
            .any(|told| told.key == key && told.reason.contains("no role holds")),
        "{errors}"
    );
}

#[test]
fn indicators_stand_in_the_order_of_the_plan_whatever_the_order_of_files() {
    let named = |name: &str| SMALL[7].1.replace("health.visited", name);
    let texts = [
        ("indicators/law.yaml", named("law.b") + &named("law.a")),
        ("indicators/education.yaml", named("education.c")),
    ];
    let mut files = SMALL.to_vec();
    files.push(("units.csv", UNITS));
    files.extend(texts.iter().map(|(name, text)| (*name, text.as_str())));
    let plan = load(&files).unwrap_or_else(|errors| panic!("{errors}"));
    let keys: Vec<&str> = plan
        .indicators
        .iter()
        .map(|indicator| indicator.key.as_str())
        .collect();
    assert_eq!(keys, ["health.visited", "education.c", "law.b", "law.a"]);
    for turn in 1..files.len() {
        files.rotate_left(turn);
        assert_eq!(
            load(&files).map(|turned| turned.hash()),
            Ok(plan.hash()),
            "turned by {turn}"
        );
    }
}
