//! The catalogue of all targets: what it takes, its mistakes, and that no phone gets it.

use super::*;
use crate::catalogue::Kind;
use crate::indicator::Measure;

const FILE: &str = "catalogue/health.yaml";

/// Targets of the small plan, one of each kind.
const TARGETS: &str = r#"
- id: health.visits
  item: 4
  title: {zh: 走访率, en: Visited}
  source_quote: 走访率达到三分之一以上，并逐步提高。
  source_clause: 走访率达到三分之一以上
  kind: counted
  indicator: health.visited
  direction: increase
  target: {at_least: "100/3", unit: percent, year: 2030}
  period: year_end
  responsible: {lead: 妇联, others: [], inferred: true}
  steps:
    - {year: 2025, amount: 10}
    - {year: 2027, amount: "22.5"}
- id: health.lifespan
  item: 5
  title: {zh: 寿命, en: Lifespan}
  source_quote: 寿命延长，差距缩小，服务良好、周到。
  source_clause: 寿命延长
  kind: reported
  direction: increase
  target: {unit: years, year: 2030, trend: end_above_baseline}
  period: survey
  responsible: {lead: 卫生健康委, others: [统计局]}
- id: health.gap
  item: 5
  title: {zh: 差距, en: Gap}
  source_quote: 寿命延长，差距缩小，服务良好、周到。
  source_clause: 差距缩小
  kind: composed
  of: [health.lifespan, health.visits]
  direction: decrease
  target: {unit: years, year: 2029, trend: year_on_year}
  period: survey
  responsible: {lead: 卫生健康委, others: []}
- id: health.service
  item: 5
  title: {zh: 服务, en: Service}
  source_quote: 寿命延长，差距缩小，服务良好、周到。
  source_clause: 服务良好、周到
  kind: qualitative
  direction: maintain
  target: {year: 2030, wording: 良好；周到}
  period: calendar_year
  responsible: {lead: 卫生健康委, others: []}
"#;

fn catalogue(targets: &str) -> Result<Catalogue, PlanErrors> {
    let files = CATALOGUE.map(|(name, _)| match name {
        FILE => (name, targets),
        "catalogue/catalogue.yaml" => (name, "version: 3\n"),
        other => (other, "[]\n"),
    });
    load_catalogue(&files, &small())
}

#[test]
fn the_built_in_catalogue_has_every_target_of_the_plan() {
    let catalogue = load_catalogue(&CATALOGUE, &Package::builtin());
    let catalogue = catalogue.unwrap_or_else(|errors| panic!("{errors}"));
    assert_eq!(catalogue.targets.len(), 169);
    let of = |wanted: fn(&Kind) -> bool| {
        let kinds = catalogue.targets.iter().map(|target| &target.kind);
        kinds.filter(|kind| wanted(kind)).count()
    };
    // A target that is counted from now on was reported before.
    let figures = of(|kind| matches!(kind, Kind::Counted(_) | Kind::Reported));
    assert_eq!(figures, 93);
    assert_eq!(of(|kind| matches!(kind, Kind::Qualitative)), 76);
    // Of these no sentence of the plan is the target: they say how many there are.
    let plan = Package::builtin();
    let is_target = |key: &str| {
        let mut kinds = catalogue.targets.iter().map(|target| &target.kind);
        kinds.any(|kind| matches!(kind, Kind::Counted(of) if of == key))
    };
    let keys = plan.indicators.iter().map(|known| known.key.as_str());
    let no_target: Vec<&str> = keys.filter(|key| !is_target(key)).collect();
    let said = [
        "social-security.left-behind-women",
        "social-security.left-behind-women-in-need",
    ];
    assert_eq!(no_target, said);
}

#[test]
fn a_catalogue_says_what_its_files_say_and_is_always_the_same_bytes() {
    let small = catalogue(TARGETS).unwrap_or_else(|errors| panic!("{errors}"));
    assert_eq!(small.version, 3);
    let visits = small.target("health.visits").expect("the target");
    assert_eq!(visits.kind, Kind::Counted("health.visited".into()));
    assert_eq!(visits.steps[1].amount.rounded(), 22.5);
    let lifespan = small.target("health.lifespan").expect("the target");
    assert_eq!(lifespan.unit, Some(Measure::Years));
    let gap = small.target("health.gap").expect("the target");
    let of = ["health.lifespan", "health.visits"].map(str::to_owned);
    assert_eq!(gap.kind, Kind::Composed(of.into()));
    let bytes = small.to_cbor();
    let read: Catalogue = minicbor::decode(&bytes).expect("it decodes");
    assert_eq!(read, small);
    let mut turned = CATALOGUE;
    turned.reverse();
    let turned = load_catalogue(&turned, &Package::builtin()).map(|of| of.hash());
    assert_eq!(turned, Ok(Catalogue::builtin().hash()), "order of files");
}

#[test]
fn every_mistake_of_a_catalogue_is_named_with_file_line_and_key() {
    let rows = [
        (
            "id: health.gap",
            "id: law.gap",
            "law.gap",
            "must begin with `health.`",
        ),
        (
            "id: health.gap",
            "id: health.visits",
            "health.visits",
            "there twice",
        ),
        (
            "差距缩小\n  kind",
            "差别缩小\n  kind",
            "health.gap.source_clause",
            "no part",
        ),
        (
            "良好；周到",
            "良好；热情",
            "health.service.target.wording",
            "`热情`",
        ),
        (
            "kind: reported",
            "kind: guessed",
            "health.lifespan.kind",
            "unknown word",
        ),
        (
            "kind: reported",
            "kind: qualitative",
            "health.lifespan.target.unit",
            "no unit",
        ),
        (
            "indicator: health.visited",
            "indicator: health.x",
            "health.visits.indicator",
            "no indicator",
        ),
        (
            "  indicator: health.visited\n",
            "",
            "health.visits",
            "`indicator` is missing",
        ),
        (
            "unit: percent",
            "unit: per_1000",
            "health.visits.target.unit",
            "something else",
        ),
        ("\"100/3\"", "30", "health.visits.target", "something else"),
        (
            "period: year_end",
            "period: term",
            "health.visits.period",
            "something else",
        ),
        (
            "[health.lifespan, health.visits]",
            "[]",
            "health.gap.of",
            "there are none",
        ),
        (
            "[health.lifespan, health.visits]",
            "[health.x]",
            "health.gap.of",
            "no target",
        ),
        (
            "[health.lifespan, health.visits]",
            "[health.service]",
            "health.gap.of",
            "no figures",
        ),
        (
            "year: 2027",
            "year: 2025",
            "health.visits.steps.1.year",
            "ascend",
        ),
        (
            "year: 2027",
            "year: 2030",
            "health.visits.steps.1.year",
            "ascend",
        ),
        (
            "year: 2029",
            "year: 2035",
            "health.gap.target.year",
            "2021 to 2030",
        ),
        (
            "year: 2029, trend: year_on_year",
            "year: 2029",
            "health.gap.target",
            "needs",
        ),
        (
            "item: 4",
            "item: 4\n  note: x",
            "health.visits.note",
            "unknown key",
        ),
    ];
    for (from, to, key, reason) in rows {
        assert_eq!(TARGETS.matches(from).count(), 1, "`{from}` once");
        let Err(PlanErrors(errors)) = catalogue(&TARGETS.replace(from, to)) else {
            panic!("`{to}` is taken");
        };
        let found = errors.iter().any(|found| {
            let placed = found.file == FILE && found.key == key && found.line > 0;
            placed && found.reason.contains(reason)
        });
        let all = PlanErrors(errors);
        assert!(found, "`{to}`: no {key}: {reason}, but\n{all}");
    }
    // All at once.
    let two = TARGETS.replace("kind: reported", "kind: guessed");
    let two = two.replace("unit: percent", "unit: per_1000");
    let Err(PlanErrors(errors)) = catalogue(&two) else {
        panic!("both are taken");
    };
    assert!(errors.len() >= 2, "{}", PlanErrors(errors));
    let Err(PlanErrors(errors)) = load_catalogue(&CATALOGUE[1..], &Package::builtin()) else {
        panic!("a catalogue without a version is taken");
    };
    assert_eq!(errors[0].file, "catalogue/catalogue.yaml");
}

#[test]
fn nothing_of_the_catalogue_is_in_the_package_that_phones_get() {
    let package = Package::builtin();
    let bytes = package.to_cbor();
    let holds = |text: &str| {
        let text = text.as_bytes();
        bytes.windows(text.len()).any(|part| part == text)
    };
    let counted = |key: &str| package.indicator(key).is_some();
    let catalogue = Catalogue::builtin();
    let others = catalogue.targets.iter();
    for target in others.filter(|target| !counted(&target.key)) {
        assert!(!holds(&target.key), "{}", target.key);
        assert!(!holds(&target.title.en), "{}", target.title.en);
    }
    assert!(holds("health.cervical-screening-rate"));
}
