//! The loader: what it takes, and every mistake that it finds, by file, key and reason.

use super::*;
use crate::dictionary::{Kind, Repeating};

mod catalogue;
mod indicators;
mod newer;

/// The line with the years of the small plan.
const YEARS: &str = "years: {from: 2021, to: 2030}\n";

/// A small plan that loads. Tests put one thing of it wrong.
const SMALL: [(&str, &str); 8] = [
    (
        "package.yaml",
        "version: 7\nyears: {from: 2021, to: 2030}\n",
    ),
    (
        "subjects/person.yaml",
        r#"
subject: person
title: {zh: 人员, en: Person}
label: identity.name
sections:
  identity:
    title: {zh: 身份, en: Identity}
    class: general
    fields:
      name: {zh: 姓名, en: Name, type: text, max: 60, required: true, origin: plan}
      sex: {zh: 性别, en: Sex, type: choice, codes: CL-SEX}
      born: {zh: 出生, en: Born, type: date, month: true}
      died: {zh: 死亡, en: Died, type: date, ask_if: "identity.sex != null"}
    checks:
      - {rule: "identity.born <= identity.died", zh: 早, en: Early, at: died}
  visit:
    title: {zh: 走访, en: Visit}
    class: care
    repeating: {date: day}
    fields:
      day: {zh: 日期, en: Date, type: date, required: true}
      needs: {zh: 需求, en: Needs, type: choices, codes: CL-NEED}
      children: {zh: 子女, en: Children, type: integer, range: [0, 10]}
  round:
    title: {zh: 轮次, en: Round}
    class: referral
    repeating: {key: [sex, number], date: day}
    fields:
      sex: {zh: 性别, en: Sex, type: choice, codes: CL-SEX, required: true}
      number: {zh: 号, en: Number, type: text, max: 4, pattern: "[0-9]{4}", required: true}
      day: {zh: 日期, en: Date, type: date, required_if: "item.number != null"}
  result:
    title: {zh: 结果, en: Result}
    class: health
    repeating: {drawn: true}
    fields:
      good: {zh: 好, en: Good, type: bool}
"#,
    ),
    (
        "subjects/household.yaml",
        r#"
subject: household
title: {zh: 户, en: Household}
label: household.head
sections:
  household:
    title: {zh: 户, en: Household}
    class: general
    fields:
      head: {zh: 户主, en: Head, type: reference, to: person}
      place: {zh: 位置, en: Place, type: point, hint: {zh: 一位小数, en: One decimal}}
"#,
    ),
    (
        "codes.yaml",
        r#"
CL-SEX:
  title: {zh: 性别, en: Sex}
  source: GB/T 2261.1-2003
  codes:
    "1": {zh: 男, en: Male}
    "2": {zh: 女, en: Female}
CL-NEED:
  title: {zh: 需求, en: Needs}
  source: own list
  codes:
    "0": {zh: 无, en: None, alone: true}
    "01": {zh: 有, en: Some, retired: true}
CL-SOURCE:
  title: {zh: 来源, en: Source}
  source: own list
  codes:
    "01": {zh: 走访, en: Visit}
"#,
    ),
    (
        "settings.yaml",
        r#"
months:
  title: {zh: 月数, en: Months}
  values:
    - {from: 2021-01-01, value: {"1": 6, "2": 3}, standard: proposal}
    - {from: "2025-01-01", value: {"1": 5, "2": 2}, standard: proposal}
"#,
    ),
    (
        "computed.yaml",
        r#"
due: {of: person, zh: 到期, en: Due, gives: date, is: "seen == null ? null : ahead(seen.day, 6)"}
seen: {of: person, zh: 走访, en: Seen, gives: item, is: "last(visit, as_of)"}
woman: {of: person, zh: 妇女, en: Woman, is: "identity.sex == '2'"}
"#,
    ),
    (
        "registers.yaml",
        r#"
women:
  title: {zh: 妇女, en: Women}
  of: person
  rows: woman
  fill: [identity, visit]
  columns: [identity.name, due]
  sort: due
  tasks:
    call: {zh: 走访, en: Call, due: due, adds: visit}
"#,
    ),
    (
        "indicators/health.yaml",
        r#"
- id: health.visited
  item: 4
  title: {zh: 走访率, en: Visited}
  source_quote: 走访率达到三分之一以上，并逐步提高。
  source_clause: 走访率达到三分之一以上
  direction: increase
  target: {at_least: "100/3", unit: percent, year: 2030}
  period: year_end
  count:
    of: person
    denominator: "identity.sex == '2'"
    known: "seen != null"
    numerator: "seen.children > 0 && reached(period.from, seen.day)"
    by: [woman]
    coverage: partial
  responsible: {lead: 妇联, others: [], inferred: true}
  note: {zh: 无, en: Some}
"#,
    ),
];

const UNITS: &str = "code,parent_code,level,name_zh,class,cadres
15,,region,内蒙古自治区,,true
1525,15,league,锡林郭勒盟,,true
152522,1525,banner,阿巴嘎旗,,true
152522100,152522,sumu,别力古台镇,,true
152522100200,152522100,gacha,阿日哈夏图嘎查,,true
";

/// Loads the small plan with one text in one file replaced by another.
fn with(file: &str, from: &str, to: &str) -> Result<Package, PlanErrors> {
    let texts = SMALL
        .iter()
        .chain([&("units.csv", UNITS)])
        .map(|(name, text)| {
            let changed = if *name == file {
                assert_eq!(text.matches(from).count(), 1, "`{from}` once in {file}");
                text.replace(from, to)
            } else {
                (*text).to_owned()
            };
            (*name, changed)
        });
    let texts: Vec<(&str, String)> = texts.collect();
    let files: Vec<(&str, &str)> = texts
        .iter()
        .map(|(name, text)| (*name, text.as_str()))
        .collect();
    load(&files)
}

fn small() -> Package {
    with("", "", "").unwrap_or_else(|errors| panic!("{errors}"))
}

/// Each row: what is put in place of what, and the key and the beginning of the reason of the one
/// mistake that it makes.
fn refused(file: &str, rows: &[(&str, &str, &str, &str)]) {
    for (from, to, key, reason) in rows {
        let Err(PlanErrors(errors)) = with(file, from, to) else {
            panic!("`{to}` in {file} is taken");
        };
        let found = errors
            .iter()
            .any(|found| found.file == file && found.key == *key && found.reason.contains(reason));
        assert!(
            found,
            "`{to}`: no {key}: {reason}, but\n{}",
            PlanErrors(errors)
        );
    }
}

#[test]
fn the_built_in_plan_loads() {
    if let Err(errors) = load(&BUILTIN) {
        panic!("{errors}");
    }
    let plan = Package::builtin();
    assert_eq!(plan.units.len(), 87);
    assert_eq!(
        plan.code_list("CL-ETHNIC").map(|list| list.codes.len()),
        Some(56)
    );
    assert_eq!(plan.units.iter().filter(|unit| !unit.cadres).count(), 2);
}

#[test]
fn the_directory_gives_the_plan_that_is_built_in() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR"));
    assert_eq!(load_dir(directory).as_ref(), Ok(&Package::builtin()));
    let Err(PlanErrors(errors)) = load_dir(&directory.join("src")) else {
        panic!("no plan there")
    };
    assert_eq!(errors[0].file, "subjects");
}

#[test]
fn a_package_is_the_same_after_the_wire_and_always_the_same_bytes() {
    let plan = Package::builtin();
    let bytes = plan.to_cbor();
    let read = Package::from_cbor(&bytes).expect("it decodes");
    assert_eq!(read, plan);
    assert_eq!(read.to_cbor(), bytes);
    assert_eq!(load(&BUILTIN).map(|plan| plan.hash()), Ok(plan.hash()));
    let mut turned = BUILTIN;
    turned.reverse();
    assert_eq!(
        load(&turned).map(|plan| plan.hash()),
        Ok(plan.hash()),
        "order of files"
    );
    assert!(bytes.len() < 80_000, "{} bytes", bytes.len());
}

#[test]
fn a_package_of_more_years_than_a_plan_has_is_refused() {
    // Found by the fuzzer: figures were counted for each of thousands of years.
    let mut plan = Package::builtin();
    plan.years.to = plan.years.from + 199;
    assert!(Package::from_cbor(&plan.to_cbor()).is_ok());
    plan.years.to += 1;
    assert!(Package::from_cbor(&plan.to_cbor()).is_err());
    plan.years.to = u16::MAX;
    assert!(Package::from_cbor(&plan.to_cbor()).is_err());
}

/// A package as it was before there were indicators.
#[derive(minicbor::Encode)]
struct Older<'p> {
    #[n(0)]
    version: u32,
    #[n(1)]
    subjects: &'p [crate::dictionary::Subject],
    #[n(2)]
    codes: &'p [crate::dictionary::CodeList],
    #[n(3)]
    settings: &'p [crate::register::Setting],
    #[n(4)]
    computed: &'p [crate::register::Computed],
    #[n(5)]
    registers: &'p [crate::register::Register],
    #[n(6)]
    units: &'p [crate::unit::OrgUnit],
}

#[test]
fn a_package_from_before_there_were_indicators_still_decodes() {
    let plan = small();
    let older = Older {
        version: plan.version,
        subjects: &plan.subjects,
        codes: &plan.codes,
        settings: &plan.settings,
        computed: &plan.computed,
        registers: &plan.registers,
        units: &plan.units,
    };
    let bytes = minicbor::to_vec(&older).expect("bytes");
    let read = Package::from_cbor(&bytes).expect("it decodes");
    assert_eq!(read.years.iter().count() + read.indicators.len(), 0);
    let without = Package {
        years: Default::default(),
        indicators: Vec::new(),
        expressions: Vec::new(),
        ..plan
    };
    assert_eq!(read, without);
}

#[test]
fn the_small_plan_becomes_what_it_says() {
    let plan = small();
    assert_eq!(plan.version, 7);
    let visit = plan.section("visit").expect("the section").1;
    assert_eq!(visit.repeating, Repeating::ByDate("day".into()));
    let keys: Vec<&str> = visit
        .fields
        .iter()
        .map(|field| field.key.as_str())
        .collect();
    assert_eq!(keys, ["day", "needs", "children", "info_source", "remark"]);
    let round = plan.section("round").expect("the section").1;
    let named = Repeating::ByKey(vec!["sex".into(), "number".into()], Some("day".into()));
    assert_eq!(round.repeating, named);
    let on = plan.field("round", "day").expect("the field");
    assert!(on.required && on.ask_if.as_deref() == Some("item.number != null"));
    let remark = plan.field("visit", "remark").map(|field| &field.kind);
    assert_eq!(
        remark,
        Some(&Kind::Text {
            max_chars: 200,
            pattern: None,
            format: None
        })
    );
    let order: Vec<&str> = plan
        .computed
        .iter()
        .map(|computed| computed.key.as_str())
        .collect();
    assert_eq!(order, ["seen", "due", "woman"], "each after what it uses");
}

#[test]
fn all_mistakes_are_told_at_once() {
    let text = SMALL[1]
        .1
        .replace("class: care", "class: caring")
        .replace("max: 60", "max: 6000");
    let codes = SMALL[3].1.replace("\"2\":", "2:");
    let mut files = SMALL.to_vec();
    files[1].1 = &text;
    files[3].1 = &codes;
    files[0].1 = "version: [";
    files.push(("units.csv", UNITS));
    let Err(errors) = load(&files) else {
        panic!("mistakes")
    };
    let told: Vec<(&str, &str)> = errors
        .0
        .iter()
        .map(|told| (told.file.as_str(), told.key.as_str()))
        .collect();
    for wanted in [
        ("codes.yaml", "CL-SEX.codes.2"),
        ("package.yaml", ""),
        ("subjects/person.yaml", "sections.identity.fields.name.max"),
        ("subjects/person.yaml", "sections.visit.class"),
    ] {
        assert!(told.contains(&wanted), "{wanted:?} in {errors}");
    }
    assert!(errors.0.iter().all(|told| told.line > 0), "lines: {errors}");
}

#[test]
fn what_is_no_yaml_is_told_with_line_and_column() {
    let Err(PlanErrors(errors)) = with(
        "registers.yaml",
        "fill: [identity, visit]",
        "fill: [identity",
    ) else {
        panic!("a mistake");
    };
    let told = &errors[0];
    assert!(told.line > 0 && told.reason.starts_with("line "), "{told}");
    refused(
        "codes.yaml",
        &[("\"2\": {zh: 女", "\"1\": {zh: 女", "", "line 7")],
    );
}

#[test]
fn files_are_all_there_once_and_no_others() {
    let load = |files: &[(&str, &str)]| {
        let Err(PlanErrors(errors)) = load(files) else {
            panic!("a mistake")
        };
        errors
            .into_iter()
            .map(|told| format!("{}: {}", told.file, told.reason))
            .collect::<Vec<_>>()
    };
    let told = load(&[]);
    for file in [
        "package.yaml",
        "codes.yaml",
        "settings.yaml",
        "computed.yaml",
        "registers.yaml",
        "units.csv",
    ] {
        assert!(
            told.contains(&format!("{file}: the file is missing")),
            "{told:?}"
        );
    }
    let told = load(&[
        ("codes.yaml", "{}"),
        ("codes.yaml", "{}"),
        ("code.yaml", "{}"),
        ("subjects/a.txt", "{}"),
    ]);
    assert!(
        told.contains(&"codes.yaml: the file is there twice".to_owned()),
        "{told:?}"
    );
    assert!(
        told.contains(&"code.yaml: the plan has no such file".to_owned()),
        "{told:?}"
    );
    assert!(
        told.contains(&"subjects/a.txt: the plan has no such file".to_owned()),
        "{told:?}"
    );
}

#[test]
fn unknown_and_missing_keys_are_refused_everywhere() {
    refused(
        "package.yaml",
        &[
            ("version: 7", "version: 7\nname: x", "name", "unknown key"),
            ("version: 7", "version: 0", "version", "1 or more"),
            ("version: 7", "version: '7'", "version", "whole number"),
            ("{from: 2021, to: 2030}", "2021", "years", "must be a map"),
            (", to: 2030", "", "years", "`to` is missing"),
            ("to: 2030", "to: 2020", "years", "upside down"),
            ("to: 2030", "to: 2051", "years", "30 years at most"),
            ("to: 2030", "to: '2030'", "years.to", "whole number"),
            ("to: 2030", "to: 30", "years.to", "four digits"),
            ("to: 2030", "to: 2030, by: 1", "years.by", "unknown key"),
            ("version: 7", "", "", "`version` is missing"),
            (YEARS, "", "", "`years` is missing"),
        ],
    );
    let field = "sections.identity.fields.name";
    refused(
        "subjects/person.yaml",
        &[
            (
                "label: identity.name",
                "label: identity.name\nlabels: x",
                "labels",
                "unknown key",
            ),
            ("label: identity.name", "", "", "`label` is missing"),
            (
                "en: Identity}",
                "en: Identity, de: x}",
                "sections.identity.title.de",
                "unknown key",
            ),
            (
                "title: {zh: 身份, en: Identity}",
                "title: {zh: 身份}",
                "sections.identity.title",
                "`en` is missing",
            ),
            (
                "class: care",
                "class: care\n    kind: x",
                "sections.visit.kind",
                "unknown key",
            ),
            (
                "max: 60, required",
                "max: 60, codes: CL-SEX, required",
                &format!("{field}.codes"),
                "unknown key",
            ),
            ("max: 60, required", "required", field, "`max` is missing"),
            (
                "origin: plan}",
                "orign: plan}",
                &format!("{field}.orign"),
                "unknown key",
            ),
            (
                "at: died}",
                "at: died, because: x}",
                "sections.identity.checks.0.because",
                "unknown key",
            ),
            (
                "{date: day}",
                "{date: day, by: x}",
                "sections.visit.repeating.by",
                "unknown key",
            ),
        ],
    );
    refused(
        "codes.yaml",
        &[
            (
                "source: GB/T 2261.1-2003",
                "source: x\n  closed: true",
                "CL-SEX.closed",
                "unknown key",
            ),
            (
                "source: GB/T 2261.1-2003",
                "",
                "CL-SEX",
                "`source` is missing",
            ),
            (
                "en: None, alone: true",
                "en: None, only: true",
                "CL-NEED.codes.0.only",
                "unknown key",
            ),
            (
                "en: None, alone: true",
                "en: None, alone: 1",
                "CL-NEED.codes.0.alone",
                "true or false",
            ),
        ],
    );
    refused(
        "settings.yaml",
        &[(
            "title: {zh: 月数",
            "name: x\n  title: {zh: 月数",
            "months.name",
            "unknown key",
        )],
    );
    refused(
        "computed.yaml",
        &[("en: Woman", "en: Woman, not: x", "woman.not", "unknown key")],
    );
    refused(
        "registers.yaml",
        &[
            (
                "sort: due",
                "sort: due\n  order: x",
                "women.order",
                "unknown key",
            ),
            (
                "due: due, adds",
                "due: due, does: x, adds",
                "women.tasks.call.does",
                "unknown key",
            ),
        ],
    );
}

#[test]
fn unknown_words_are_refused() {
    refused(
        "subjects/person.yaml",
        &[
            (
                "type: bool",
                "type: boolean",
                "sections.result.fields.good.type",
                "unknown type `boolean`",
            ),
            (
                "class: care",
                "class: carer",
                "sections.visit.class",
                "unknown class `carer`",
            ),
            (
                "type: choices, codes: CL-NEED",
                "type: choices, codes: CL-NEEDS",
                "sections.visit.fields.needs.codes",
                "no list `CL-NEEDS`",
            ),
            (
                "origin: plan}",
                "origin: law}",
                "sections.identity.fields.name.origin",
                "unknown origin `law`",
            ),
            (
                "max: 60,",
                "max: 60, format: iban,",
                "sections.identity.fields.name.format",
                "unknown format `iban`",
            ),
            (
                "label: identity.name",
                "label: identity.nmae",
                "label",
                "no field `identity.nmae`",
            ),
            (
                "label: identity.name",
                "label: name",
                "label",
                "no field `name`",
            ),
            (
                "at: died}",
                "at: buried}",
                "sections.identity.checks.0.at",
                "no field `buried`",
            ),
        ],
    );
    refused(
        "subjects/household.yaml",
        &[(
            "to: person",
            "to: people",
            "sections.household.fields.head.to",
            "no subject `people`",
        )],
    );
    refused(
        "computed.yaml",
        &[
            (
                "gives: date",
                "gives: day",
                "due.gives",
                "unknown type `day`",
            ),
            (
                "woman: {of: person",
                "woman: {of: people",
                "woman.of",
                "no subject `people`",
            ),
            (
                "en: Woman",
                "en: Woman, codes: CL-SEX",
                "woman.codes",
                "only what gives text",
            ),
        ],
    );
}

#[test]
fn every_item_needs_a_list_of_sources() {
    let Err(errors) = with("codes.yaml", "CL-SOURCE:", "CL-FROM:") else {
        panic!("a mistake")
    };
    let key = "sections.visit.fields.info_source.codes";
    assert!(errors.0.iter().any(|told| told.key == key), "{errors}");
}

#[test]
fn codes_are_quoted_and_keys_are_text() {
    for code in [
        "01", "2", "N", "on", "yes", "null", "0x1", "1e3", "CIN1", "1.5",
    ] {
        let Err(errors) = with("codes.yaml", "\"2\": {zh: 女", &format!("{code}: {{zh: 女"))
        else {
            panic!("{code} is taken");
        };
        let quoted = |told: &&Diagnostic| told.reason.contains("a code must be quoted");
        let told = errors
            .0
            .iter()
            .find(quoted)
            .unwrap_or_else(|| panic!("{code}: {errors}"));
        assert_eq!((told.file.as_str(), told.line), ("codes.yaml", 7), "{told}");
    }
    for key in ["on", "off", "yes", "no", "y", "1", "null"] {
        let Err(errors) = with("subjects/person.yaml", "good:", &format!("{key}:")) else {
            panic!("{key} is taken");
        };
        assert!(errors.to_string().contains("quote it"), "{key}: {errors}");
    }
    refused(
        "settings.yaml",
        &[("\"1\": 6", "1: 6", "months.values.0.value.1", "quote it")],
    );
    refused(
        "subjects/person.yaml",
        &[
            (
                "en: Name,",
                "en: no,",
                "sections.identity.fields.name.en",
                "quote it",
            ),
            (
                "en: Name,",
                "en: 12,",
                "sections.identity.fields.name.en",
                "quote it",
            ),
            (
                "en: Name,",
                "en: '',",
                "sections.identity.fields.name.en",
                "is empty",
            ),
            (
                "en: Name,",
                "en: ,",
                "sections.identity.fields.name.en",
                "must be text",
            ),
            (
                "en: Name,",
                "en: [a],",
                "sections.identity.fields.name.en",
                "must be text",
            ),
        ],
    );
}

#[test]
fn codes_fit_into_the_keys_of_documents() {
    refused(
        "codes.yaml",
        &[
            (
                "\"2\": {zh: 女",
                "\"2 \": {zh: 女",
                "CL-SEX.codes.2 ",
                "letters, digits",
            ),
            (
                "\"2\": {zh: 女",
                "\"\": {zh: 女",
                "CL-SEX.codes.",
                "letters, digits",
            ),
            (
                "\"2\": {zh: 女",
                "\"女\": {zh: 女",
                "CL-SEX.codes.女",
                "letters, digits",
            ),
            (
                "\"2\": {zh: 女",
                "\"a/b\": {zh: 女",
                "CL-SEX.codes.a/b",
                "letters, digits",
            ),
            ("CL-NEED:", "NEED:", "NEED", "CL-"),
        ],
    );
    // A dash is good for one choice and for no multi-choice: there each code is a key.
    assert!(
        with("codes.yaml", "\"2\": {zh: 女", "\"2-a\": {zh: 女").is_err(),
        "used in an expression"
    );
    let Err(errors) = with("codes.yaml", "\"01\": {zh: 有", "\"0-1\": {zh: 有") else {
        panic!("a dash in a multi-choice");
    };
    let told = errors.0.iter().any(|told| {
        told.key == "sections.visit.fields.needs.codes" && told.reason.contains("has a dash")
    });
    assert!(told, "{errors}");
    let Err(errors) = with(
        "codes.yaml",
        "source: own list\n  codes:\n    \"0\"",
        "source: own list\n  open: true\n  codes:\n    \"0\"",
    ) else {
        panic!("an open multi-choice");
    };
    assert!(errors.to_string().contains("the list is open"), "{errors}");
}

#[test]
fn names_are_names_and_used_once() {
    refused(
        "subjects/person.yaml",
        &[
            (
                "good:",
                "Good:",
                "sections.result.fields.Good",
                "is no name",
            ),
            ("good:", "1st:", "sections.result.fields.1st", "is no name"),
            (
                "good:",
                "go-od:",
                "sections.result.fields.go-od",
                "is no name",
            ),
            ("good:", "好:", "sections.result.fields.好", "is no name"),
            (
                "good:",
                "void:",
                "sections.result.fields.void",
                "for themselves",
            ),
            (
                "good:",
                "item_id:",
                "sections.result.fields.item_id",
                "for themselves",
            ),
            (
                "good:",
                "item_date:",
                "sections.result.fields.item_date",
                "for themselves",
            ),
            (
                "good:",
                "in:",
                "sections.result.fields.in",
                "for themselves",
            ),
            (
                "good:",
                "remark:",
                "sections.result.fields.remark",
                "leave it out",
            ),
            (
                "good:",
                "info_source:",
                "sections.result.fields.info_source",
                "leave it out",
            ),
            ("  result:", "  home:", "sections.home", "something else"),
            ("  result:", "  last:", "sections.last", "something else"),
            ("  result:", "  same:", "sections.same", "one person"),
            (
                "  result:",
                "  household:",
                "sections.household",
                "has a section of this name",
            ),
        ],
    );
    refused(
        "subjects/household.yaml",
        &[(
            "subject: household",
            "subject: person",
            "subject",
            "there twice",
        )],
    );
    refused(
        "computed.yaml",
        &[
            ("woman: {", "visit: {", "visit", "a section has this name"),
            ("woman: {", "as_of: {", "as_of", "something else"),
            ("woman: {", "Woman: {", "Woman", "is no name"),
        ],
    );
    refused(
        "settings.yaml",
        &[("months:", "Months:", "Months", "is no name")],
    );
    refused(
        "registers.yaml",
        &[("call: {", "Call: {", "women.tasks.Call", "is no name")],
    );
    let long = "a".repeat(190);
    refused(
        "subjects/person.yaml",
        &[(
            "good:",
            &format!("{long}:"),
            &format!("sections.result.fields.{long}"),
            "more than 200 bytes",
        )],
    );
    let long = "A".repeat(190);
    let Err(errors) = with(
        "codes.yaml",
        "\"01\": {zh: 有",
        &format!("\"{long}\": {{zh: 有"),
    ) else {
        panic!("a long key");
    };
    assert!(
        errors
            .0
            .iter()
            .any(|told| told.key == "sections.visit.fields.needs"),
        "{errors}"
    );
}

#[test]
fn items_are_named_and_dated_by_fields_that_can() {
    refused(
        "subjects/person.yaml",
        &[
            (
                "{date: day}",
                "{date: at}",
                "sections.visit.repeating.date",
                "no field `at`",
            ),
            (
                "{date: day}",
                "{date: needs}",
                "sections.visit.repeating.date",
                "is no date",
            ),
            (
                "{date: day}",
                "{}",
                "sections.visit.repeating",
                "needs `date`",
            ),
            (
                "{date: day}",
                "{date: day, drawn: true}",
                "sections.visit.repeating",
                "needs `date`",
            ),
            (
                "{key: [sex, number], date: day}",
                "{key: [sex, no_such]}",
                "sections.round.repeating.key",
                "no field `no_such`",
            ),
            (
                "{key: [sex, number], date: day}",
                "{key: []}",
                "sections.round.repeating.key",
                "there are none",
            ),
            (
                "{key: [sex, number], date: day}",
                "{key: [day]}",
                "sections.round.repeating.key",
                "must be required",
            ),
            (
                "max: 4, pattern: \"[0-9]{4}\"",
                "max: 4",
                "sections.round.repeating.key",
                "can't name an item",
            ),
            (
                "codes: CL-SEX, required: true",
                "codes: CL-SEX",
                "sections.round.repeating.key",
                "`sex` must be required",
            ),
        ],
    );
}

#[test]
fn limits_of_values_are_sound() {
    refused(
        "subjects/person.yaml",
        &[
            (
                "range: [0, 10]",
                "range: [10, 0]",
                "sections.visit.fields.children.range",
                "upside down",
            ),
            (
                "range: [0, 10]",
                "range: [0]",
                "sections.visit.fields.children.range",
                "two numbers",
            ),
            (
                "range: [0, 10]",
                "range: 10",
                "sections.visit.fields.children.range",
                "two numbers",
            ),
            (
                "range: [0, 10]",
                "range: [0, 1.5]",
                "sections.visit.fields.children.range",
                "whole number",
            ),
            (
                "max: 60",
                "max: 1001",
                "sections.identity.fields.name.max",
                "1 to 1000",
            ),
            (
                "max: 60",
                "max: 0",
                "sections.identity.fields.name.max",
                "1 to 1000",
            ),
            (
                "pattern: \"[0-9]{4}\"",
                "pattern: \"[0-9\"",
                "sections.round.fields.number.pattern",
                "no regular expression",
            ),
            (
                "pattern: \"[0-9]{4}\"",
                "pattern: '\\p{Han}{4}'",
                "sections.round.fields.number.pattern",
                "no regular expression",
            ),
            (
                "required_if: \"item.number != null\"",
                "required: true, required_if: \"item.number != null\"",
                "sections.round.fields.day",
                "says both",
            ),
        ],
    );
}

#[test]
fn settings_have_a_standard_and_ascending_dates() {
    refused(
        "settings.yaml",
        &[
            (
                "{\"1\": 6, \"2\": 3}, standard: proposal",
                "{\"1\": 6, \"2\": 3}",
                "months.values.0",
                "`standard` is missing",
            ),
            (
                "\"2025-01-01\"",
                "\"2021-01-01\"",
                "months.values.1.from",
                "later than the one before",
            ),
            (
                "\"2025-01-01\"",
                "\"2020-01-01\"",
                "months.values.1.from",
                "later than the one before",
            ),
            (
                "\"2025-01-01\"",
                "\"2025-02-30\"",
                "months.values.1.from",
                "must be a date",
            ),
            (
                "\"2025-01-01\"",
                "\"2025-02\"",
                "months.values.1.from",
                "must be a date",
            ),
            (
                "{\"1\": 5, \"2\": 2}",
                "1.5",
                "months.values.1.value",
                "whole number",
            ),
            (
                "{\"1\": 5, \"2\": 2}",
                "[1, x]",
                "months.values.1.value",
                "one type",
            ),
        ],
    );
}

#[test]
fn statuses_rest_on_each_other_without_circles() {
    refused(
        "computed.yaml",
        &[
            (
                "identity.sex == '2'",
                "woman",
                "woman.is",
                "rests on itself",
            ),
            (
                "last(visit, as_of)",
                "due == null ? null : last(visit, as_of)",
                "seen.is",
                "rests on itself",
            ),
            (
                "last(visit, as_of)",
                "due == null ? null : last(visit, as_of)",
                "due.is",
                "rests on itself",
            ),
        ],
    );
}

#[test]
fn registers_name_what_there_is_and_what_one_role_holds() {
    refused(
        "registers.yaml",
        &[
            (
                "of: person",
                "of: people",
                "women.of",
                "no subject `people`",
            ),
            (
                "[identity, visit]",
                "[identity, visit, visits]",
                "women.fill",
                "no section `visits`",
            ),
            ("[identity, visit]", "[]", "women.fill", "there are none"),
            (
                "[identity.name, due]",
                "[identity.nmae, due]",
                "women.columns",
                "`identity.nmae` is no field",
            ),
            (
                "[identity.name, due]",
                "[identity.name, due, no_such]",
                "women.columns",
                "`no_such` is no field",
            ),
            (
                "[identity.name, due]",
                "[identity.name, due, due]",
                "women.columns",
                "there twice",
            ),
            (
                "[identity.name, due]",
                "[identity.name, due, seen]",
                "women.columns",
                "a whole item",
            ),
            ("sort: due", "sort: woman", "women.sort", "no column"),
            (
                "due: due,",
                "due: woman,",
                "women.tasks.call.due",
                "gives a date",
            ),
            (
                "adds: visit",
                "adds: identity",
                "women.tasks.call.adds",
                "no repeating section",
            ),
            (
                "adds: visit",
                "adds: round",
                "women.tasks.call.adds",
                "not filled in here",
            ),
            (
                "[identity, visit]",
                "[identity, visit, result]",
                "women",
                "no role holds care and general and health",
            ),
        ],
    );
}

#[test]
fn units_are_led_by_the_code_of_their_parent() {
    refused(
        "units.csv",
        &[
            (
                "152522100200,152522100,gacha",
                "152522100200,152522101,gacha",
                "152522100200",
                "no unit above",
            ),
            (
                "152522100,152522,sumu",
                "1525221,152522,sumu",
                "1525221",
                "9 digits",
            ),
            ("gacha", "village", "152522100200", "unknown level"),
            (
                "阿日哈夏图嘎查,,true",
                "阿日哈夏图嘎查,,",
                "152522100200",
                "`cadres`",
            ),
            (
                "阿日哈夏图嘎查,,true",
                "阿日哈夏图嘎查,true",
                "line 6",
                "six columns",
            ),
            (
                "阿日哈夏图嘎查,,true",
                ",,true",
                "152522100200",
                "name is empty",
            ),
            ("code,parent_code", "code,parent", "", "the first line"),
            (
                "152522100200,",
                "152522100,152522,sumu,x,,true\n152522100200,",
                "152522100",
                "there twice",
            ),
        ],
    );
}

#[test]
fn expressions_that_name_what_is_not_there_are_found_wherever_they_hide() {
    let with_woman = |is: &str| with("computed.yaml", "identity.sex == '2'", is);
    let rows = [
        ("identity.sxe == '2'", "unknown field `sxe`"),
        ("idenity.sex == '2'", "unknown name `idenity`"),
        ("household.head == '2'", "unknown name `household`"),
        (
            "home != null && home.household.haed == 'x'",
            "unknown field `haed`",
        ),
        (
            "home != null && home.houshold.head == 'x'",
            "unknown field `houshold`",
        ),
        ("settings.month == null", "unknown field `month`"),
        ("item.day == null", "unknown name `item`"),
        ("nobody", "unknown name `nobody`"),
        ("false && identity.nmae == 'x'", "unknown field `nmae`"),
        ("visit.exists(v, v.at == as_of)", "unknown field `at`"),
        (
            "visit.filter(v, v.children > 100).exists(v, v.at == as_of)",
            "unknown field `at`",
        ),
        (
            "visit.exists(v, v.children > 100 && w.day == as_of)",
            "unknown name `w`",
        ),
        ("last(visit, as_of).at == as_of", "unknown field `at`"),
        ("seen.at == as_of", "unknown field `at`"),
        (
            "visit.map(v, v.day).exists(v, v.day == as_of)",
            "`.day` of a date",
        ),
        ("reach(identity.born, as_of)", "unknown function `reach`"),
        ("identity.born.reached(as_of)", "no method"),
        ("reached(identity.born)", "takes 2 arguments"),
        ("duration('1s') == null", "unknown function"),
        ("identity.name.matches('^a')", "no regular expressions here"),
        (
            "matches(identity.name, '^a')",
            "no regular expressions here",
        ),
        ("identity.sex == ", ""),
    ];
    for (is, reason) in rows {
        let Err(PlanErrors(errors)) = with_woman(is) else {
            panic!("`{is}` is taken")
        };
        let told = errors
            .iter()
            .any(|told| told.key == "woman.is" && told.reason.contains(reason));
        assert!(told, "{is}: {}", PlanErrors(errors));
    }
}

#[test]
fn comparisons_that_would_quietly_be_false_are_found() {
    let rows = [
        ("identity.sex == 2", "can't be a number"),
        ("identity.sex == '3'", "CL-SEX has no code '3'"),
        ("identity.sex in ['1', '3']", "CL-SEX has no code '3'"),
        ("identity.sex == true", "can't be a Boolean"),
        ("visit.exists(v, '2' in v.needs)", "CL-NEED has no code '2'"),
        ("visit.exists(v, v.needs == '01')", "a list can't be"),
        ("visit.exists(v, v.children == '1')", "a number can't be"),
        ("visit.exists(v, v.children)", "a number can't be a Boolean"),
        ("identity.born == 'spring'", "a date can't be"),
        ("identity.born < 1990", "a date can't be a number"),
        ("reached(identity.sex, as_of)", "can't be a date"),
        (
            "settings.months[identity.sex == null ? '3' : identity.sex] > 1",
            "unknown field `3`",
        ),
        ("round.exists(r, r.good)", "unknown field `good`"),
        ("identity.sex && true", "can't be a Boolean"),
        ("!identity.born", "can't be a Boolean"),
        ("identity.name + 1 == null", "can't be a number"),
    ];
    for (is, reason) in rows {
        let Err(errors) = with("computed.yaml", "identity.sex == '2'", is) else {
            panic!("`{is}` is taken")
        };
        assert!(errors.to_string().contains(reason), "{is}: {errors}");
    }
    let good = [
        "settings.months[identity.sex == null ? '1' : identity.sex] > 1",
        "round.exists(r, r.number == 'x')",
        "identity.sex in ['1', null]",
    ];
    for is in good {
        let loaded = with("computed.yaml", "identity.sex == '2'", is);
        assert!(loaded.is_ok(), "{is}: {}", loaded.expect_err("mistakes"));
    }
}

#[test]
fn expressions_give_what_they_have_to_give() {
    refused(
        "computed.yaml",
        &[
            (
                "identity.sex == '2'",
                "identity.sex",
                "woman.is",
                "gives something else",
            ),
            (
                "gives: date",
                "gives: bool",
                "due.is",
                "gives something else",
            ),
            (
                "gives: date",
                "gives: item",
                "due.is",
                "gives something else",
            ),
            (
                "gives: item",
                "gives: date",
                "seen.is",
                "gives something else",
            ),
            (
                "gives: date, is: \"seen",
                "gives: text, codes: CL-SEX, is: \"seen",
                "due.is",
                "gives something else",
            ),
            ("identity.sex == '2'", "1 / 0 == 1", "woman.is", "no answer"),
            ("identity.sex == '2'", "[][0]", "woman.is", "no answer"),
        ],
    );
    refused(
        "registers.yaml",
        &[
            (
                "rows: woman",
                "rows: due",
                "women.rows",
                "something else than true or false",
            ),
            (
                "rows: woman",
                "rows: \"identity.born < '2000-01-01'\"",
                "women.rows",
                "for a record with nothing in it it has no answer",
            ),
            (
                "rows: woman",
                "rows: \"home.household.head == null\"",
                "women.rows",
                "for a record with nothing in it it has no answer",
            ),
        ],
    );
    refused(
        "subjects/person.yaml",
        &[
            (
                "identity.sex != null",
                "identity.sxe != null",
                "sections.identity.fields.died.ask_if",
                "unknown field",
            ),
            (
                "identity.sex != null",
                "age(identity.born, as_of) > 3",
                "sections.identity.fields.died.ask_if",
                "no answer",
            ),
            (
                "item.number != null",
                "item.numbr != null",
                "sections.round.fields.day.required_if",
                "unknown field",
            ),
            (
                "item.number != null",
                "item.number",
                "sections.round.fields.day.required_if",
                "something else",
            ),
            (
                "identity.born <= identity.died",
                "identity.born <= identity.dead",
                "sections.identity.checks.0.rule",
                "unknown field",
            ),
            (
                "identity.born <= identity.died",
                "item.born <= identity.died",
                "sections.identity.checks.0.rule",
                "unknown name `item`",
            ),
        ],
    );
}
