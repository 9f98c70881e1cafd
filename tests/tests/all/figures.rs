//! From the record to the figure: what cadres record is what the banner sees.

use std::collections::BTreeMap;

use harness::{Phone, Server};
use sample::people::id_number;
use serde_json::Value;

/// 阿日哈夏图嘎查 and 恩格尔哈夏图嘎查 of 别力古台镇.
const GACHA: &str = "152522100200";
const OTHER: &str = "152522100201";

const CERVICAL: &str = "health.cervical-screening-rate";
const BREAST: &str = "health.breast-screening-rate";
const COVERAGE: &str = "health.pastoral-cervical-screening-coverage";
const TAP: &str = "environment.pastoral-tap-water-rate";
const TOILET: &str = "environment.pastoral-sanitary-toilet-rate";
const LEDGER: &str = "social-security.left-behind-women";
const IN_NEED: &str = "social-security.left-behind-women-in-need";
const SERVED: &str = "social-security.care-for-women-in-need";

/// Numerator, denominator and unknown by indicator and year; zeros left out.
pub(super) type Figures = BTreeMap<(String, u64), [i64; 3]>;

fn figures(rows: &Value) -> Figures {
    let mut figures = Figures::new();
    for row in rows.as_array().into_iter().flatten() {
        let number = |key: &str| row[key].as_i64().unwrap_or(0);
        let cell = [
            number("numerator"),
            number("denominator"),
            number("unknown"),
        ];
        if cell != [0; 3] {
            let key = row["indicator"].as_str().unwrap_or_default().to_owned();
            let year = row["year"].as_u64().unwrap_or_default();
            assert!(figures.insert((key, year), cell).is_none(), "{row}");
        }
    }
    figures
}

fn on_phone(phone: &Phone) -> Figures {
    figures(&phone.ok(&["indicators", "--every-year"]))
}

pub(super) fn at_banner(server: &Server, org: &str) -> Figures {
    figures(
        &server
            .run(&["indicators", "--org", org, "--every-year"])
            .json(),
    )
}

/// What a step moved: the difference of two figures, zeros left out.
fn moved(before: &Figures, after: &Figures) -> Figures {
    let mut moved = Figures::new();
    for key in before.keys().chain(after.keys()) {
        let get = |of: &Figures| of.get(key).copied().unwrap_or_default();
        let (was, is) = (get(before), get(after));
        let by = [is[0] - was[0], is[1] - was[1], is[2] - was[2]];
        if by != [0; 3] {
            moved.insert(key.clone(), by);
        }
    }
    moved
}

/// What a step should move: an indicator, its years, by how much.
type Expected<'a> = &'a [(&'a str, std::ops::RangeInclusive<u64>, [i64; 3])];

fn expected(table: Expected<'_>) -> Figures {
    let mut figures = Figures::new();
    for (indicator, years, by) in table {
        for year in years.clone() {
            figures.insert(((*indicator).to_owned(), year), *by);
        }
    }
    figures
}

/// A server, two phones of one 嘎查 and one of another, and the figures as they were last seen.
struct Banner {
    _dir: tempfile::TempDir,
    server: Server,
    a: Phone,
    b: Phone,
    other: Phone,
    last: Figures,
}

impl Banner {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let server = Server::sample(&dir.path().join("banner"));
        let phone = |name: &str, unit| Phone::enrolled(dir.path().join(name), &server, unit);
        let (a, b) = (phone("a", GACHA), phone("b", GACHA));
        let other = phone("c", OTHER);
        Self {
            _dir: dir,
            server,
            a,
            b,
            other,
            last: Figures::new(),
        }
    }

    /// Everybody exchanges until everybody has everything.
    fn meet(&self) {
        for _ in 0..2 {
            for phone in [&self.a, &self.b, &self.other] {
                phone.sync();
            }
        }
    }

    /// After a step: phones and server say the same of every unit and year, the banner is their
    /// sum, a recount finds no difference, and exactly what should have moved has.
    fn then(&mut self, step: &str, table: Expected<'_>) {
        self.meet();
        let unit = at_banner(&self.server, GACHA);
        let other = at_banner(&self.server, OTHER);
        assert_eq!(on_phone(&self.a), unit, "{step}: phone A and the server");
        assert_eq!(on_phone(&self.b), unit, "{step}: phone B and the server");
        assert_eq!(on_phone(&self.other), other, "{step}: the other unit");
        let mut sum = unit;
        for (key, by) in other {
            let cell = sum.entry(key).or_default();
            (0..3).for_each(|at| cell[at] += by[at]);
        }
        let all = at_banner(&self.server, "152522");
        assert_eq!(all, sum, "{step}: the banner is the sum of its units");
        assert_eq!(
            at_banner(&self.server, "152522100"),
            all,
            "{step}: the sumu"
        );
        let verified = self.server.run(&["verify-cells"]).json();
        assert_eq!(verified["different"], 0, "{step}: {verified}");
        assert_eq!(moved(&self.last, &all), expected(table), "{step}");
        self.last = all;
    }
}

fn household(phone: &Phone, number: &str, area: &str) -> String {
    let (number, area) = (
        format!("household.household_no={number}"),
        format!("household.area_type={area}"),
    );
    phone.add(
        "household",
        &[
            &number,
            &area,
            "household.head_name=巴特尔",
            "household.head_sex=1",
            "household.residence_status=1",
            "household.resident_population=4",
            "household.resident_female=2",
            "household.main_camp=1",
        ],
    )
}

fn woman(phone: &Phone, home: &str, birth: &str, number: Option<&str>) -> String {
    let (home, birth) = (
        format!("residence.household={home}"),
        format!("identity.birth_date={birth}"),
    );
    let number = number.map(|number| format!("identity.id_no={number}"));
    let mut sets = vec![
        "identity.name=其其格",
        "identity.sex=2",
        "identity.id_type=01",
        &birth,
        "residence.since=2015-03-01",
        "residence.status=1",
        "residence.info_source=01",
        &home,
    ];
    sets.extend(number.as_deref());
    phone.add("person", &sets)
}

fn item(phone: &Phone, id: &str, section: &str, sets: &[&str]) -> String {
    let mut args = vec!["item", id, section];
    sets.iter().for_each(|set| args.extend(["--set", set]));
    let said = phone.ok(&args);
    said["item"].as_str().unwrap_or_default().to_owned()
}

#[test]
fn each_step_moves_exactly_the_figures_that_it_should() {
    let mut banner = Banner::new();
    let number = id_number("19800520", 124);

    // A household of four that was never observed: of four people and one household it is unknown.
    let home = household(&banner.a, "0001", "1");
    banner.then(
        "a household",
        &[
            (TAP, 2021..=2030, [0, 0, 4]),
            (TOILET, 2021..=2030, [0, 0, 1]),
        ],
    );

    // Born in May 1980 she is of screening age from 2015 to 2044.
    let first = woman(&banner.a, &home, "1980-05-20", Some(&number));
    banner.then(
        "a woman of screening age",
        &[
            (CERVICAL, 2021..=2030, [0, 1, 0]),
            (BREAST, 2021..=2030, [0, 1, 0]),
        ],
    );

    // Cytology counts 36 months: at the ends of 2023, 2024 and 2025. She was on the list of 2023.
    let screening = [
        "cancer=C",
        "round=2023",
        "on_target_list=true",
        "screened_on=2023-05-10",
        "cervical_method=TCT",
        "proof=1",
        "info_source=01",
    ];
    let screened = item(&banner.a, &first, "screening", &screening);
    banner.then(
        "a screening",
        &[
            (CERVICAL, 2023..=2025, [1, 0, 0]),
            (COVERAGE, 2023..=2023, [1, 1, 0]),
        ],
    );

    // The test was one for HPV: it counts two years more.
    let method = format!("screening#{screened}.cervical_method=HPV");
    banner.b.sync();
    banner.b.edit(&first, &[&method]);
    banner.then("another method", &[(CERVICAL, 2026..=2027, [1, 0, 0])]);

    // Another cadre registers her again: one woman still, and the second entry's screening is hers.
    let second = woman(&banner.b, &home, "1980-05-20", Some(&number));
    banner.then("the same woman registered twice", &[]);
    let breast = [
        "cancer=B",
        "round=2024",
        "on_target_list=false",
        "screened_on=2024-03-01",
        "breast_method=US",
        "proof=1",
        "info_source=01",
    ];
    item(&banner.b, &second, "screening", &breast);
    banner.then(
        "a screening at the second entry",
        &[(BREAST, 2024..=2025, [1, 0, 0])],
    );

    // The second entry's number was mistyped: two women, of whom one had each screening.
    let corrected = format!("identity.id_no={}", id_number("19800520", 126));
    banner.b.edit(&second, &[&corrected]);
    banner.then(
        "a corrected ID number parts them",
        &[
            (CERVICAL, 2021..=2030, [0, 1, 0]),
            (BREAST, 2021..=2030, [0, 1, 0]),
        ],
    );

    // A screening that never was is withdrawn.
    banner
        .a
        .ok(&["item", &first, "screening", "--void", &screened]);
    banner.then(
        "a withdrawn screening",
        &[
            (CERVICAL, 2023..=2027, [-1, 0, 0]),
            (COVERAGE, 2023..=2023, [-1, -1, 0]),
        ],
    );

    // She died in 2025: neither counts from then on.
    banner.a.edit(&first, &["identity.deceased_on=2025-02-03"]);
    banner.then(
        "a death",
        &[
            (CERVICAL, 2025..=2030, [0, -1, 0]),
            (BREAST, 2025..=2030, [0, -1, 0]),
        ],
    );

    // An observation of 2022 that reaches the server today counts for 24 months.
    let water = [
        "observed_on=2022-09-01",
        "camp=1",
        "source=01",
        "users=3",
        "treatment=0",
        "quality=3",
        "info_source=01",
    ];
    item(&banner.b, &home, "water", &water);
    banner.then(
        "a late observation of an older year",
        &[(TAP, 2022..=2023, [3, 4, -4])],
    );
}

#[test]
fn a_settled_conflict_moves_the_figures_once_and_an_open_one_blocks_nobody() {
    let mut banner = Banner::new();
    let home = household(&banner.a, "0001", "1");
    banner.then(
        "a household",
        &[
            (TAP, 2021..=2030, [0, 0, 4]),
            (TOILET, 2021..=2030, [0, 0, 1]),
        ],
    );
    banner.a.edit(&home, &["household.resident_population=5"]);
    banner.b.edit(&home, &["household.resident_population=7"]);
    banner.meet();
    let conflicts = banner.a.ok(&["conflicts"]);
    let shown = conflicts[0]["values"][0].as_i64().unwrap();
    banner.then(
        "an open conflict shows one value",
        &[(TAP, 2021..=2030, [0, 0, shown - 4])],
    );
    banner.b.ok(&[
        "resolve",
        &home,
        "household.resident_population",
        "--set",
        "6",
    ]);
    banner.then("settled", &[(TAP, 2021..=2030, [0, 0, 6 - shown])]);
}

#[test]
fn a_woman_recorded_in_two_units_counts_in_one_at_each_date() {
    let mut banner = Banner::new();
    let number = id_number("19800520", 124);
    let home = household(&banner.a, "0001", "2");
    let here = woman(&banner.a, &home, "1980-05-20", Some(&number));
    banner.then(
        "recorded in one",
        &[
            (CERVICAL, 2021..=2030, [0, 1, 0]),
            (BREAST, 2021..=2030, [0, 1, 0]),
        ],
    );
    // She moves in 2024; the cadre there registers her, nobody knows of each other.
    let there = household(&banner.other, "0002", "2");
    let moved = woman(&banner.other, &there, "1980-05-20", Some(&number));
    let residence = banner.other.ok(&["show", &moved])["items"]["residence"][0]["item"].clone();
    let since = format!("residence#{}.since=2024-06-01", residence.as_str().unwrap());
    banner.other.edit(&moved, &[&since]);
    banner.meet();
    // Until the office has looked, nobody of either unit is told of the other.
    let counted = |phone: &Phone| -> Vec<i64> {
        let figures = on_phone(phone);
        let of = figures.iter().filter(|((key, _), _)| key == CERVICAL);
        of.map(|(_, cell)| cell[1]).collect()
    };
    assert_eq!(counted(&banner.a), [1; 10]);
    assert_eq!(counted(&banner.other), [1; 7], "from 2024 on");
    let pairs = banner.server.run(&["duplicates"]).json();
    let [one, other] = [0, 1].map(|at| pairs[0]["records"][at].as_str().unwrap().to_owned());
    assert_eq!(
        (one, other),
        (format!("{GACHA}/{here}"), format!("{OTHER}/{moved}"))
    );
    assert_eq!(pairs[0]["said"], serde_json::Value::Null);
    let said = banner.server.run(&["same-person", &here, &moved]).json();
    assert_eq!(said["new"], true);
    banner.then("recorded in two", &[]);
    let first = at_banner(&banner.server, GACHA);
    let then = at_banner(&banner.server, OTHER);
    let years = |figures: &Figures| -> Vec<u64> {
        let of = figures.keys().filter(|(key, _)| key == CERVICAL);
        of.map(|(_, year)| *year).collect()
    };
    assert_eq!(years(&first), [2021, 2022, 2023]);
    assert_eq!(years(&then), [2024, 2025, 2026, 2027, 2028, 2029, 2030]);
}

#[test]
fn left_behind_women_are_counted_with_what_they_need_and_got() {
    let mut banner = Banner::new();
    let home = household(&banner.a, "0001", "1");
    let woman = woman(&banner.a, &home, "1999-01-31", None);
    banner.then(
        "nobody is away",
        &[
            (TAP, 2021..=2030, [0, 0, 4]),
            (TOILET, 2021..=2030, [0, 0, 1]),
        ],
    );
    // Away since August 2023: six months are over in February 2024.
    let away = ["since=2023-08-10", "reason=1", "info_source=01"];
    let spell = item(&banner.a, &woman, "spouse_away", &away);
    banner.then(
        "her husband is away",
        &[
            (LEDGER, 2024..=2030, [1, 0, 0]),
            (IN_NEED, 2024..=2030, [0, 0, 1]),
            (SERVED, 2024..=2030, [0, 0, 1]),
        ],
    );
    let needs = [
        "assessed_on=2025-03-01",
        "children_under_6=1",
        "children_6_15=0",
        "elderly_cared=0",
        "needs=02,03",
        "responsible=娜仁",
        "info_source=01",
    ];
    item(&banner.a, &woman, "care_needs", &needs);
    banner.then(
        "her needs are assessed",
        &[
            (IN_NEED, 2025..=2030, [1, 1, -1]),
            (SERVED, 2025..=2030, [0, 1, -1]),
        ],
    );
    let serve = |phone: &Phone, kind: &str, on: &str| {
        let (kind, on) = (format!("type={kind}"), format!("given_on={on}"));
        let sets = [
            kind.as_str(),
            &on,
            "provider=1",
            "outcome=1",
            "info_source=01",
        ];
        item(phone, &woman, "service", &sets);
    };
    serve(&banner.a, "02", "2025-05-01");
    serve(&banner.a, "03", "2026-01-15");
    banner.then("one need each year", &[]);
    serve(&banner.a, "03", "2025-11-30");
    banner.then("both in one year", &[(SERVED, 2025..=2025, [1, 0, 0])]);
    let back = [
        format!("spouse_away#{spell}.ended_on=2026-04-01"),
        format!("spouse_away#{spell}.end_reason=1"),
    ];
    banner.a.edit(&woman, &[&back[0], &back[1]]);
    banner.then(
        "he is back",
        &[
            (LEDGER, 2026..=2030, [-1, 0, 0]),
            (IN_NEED, 2026..=2030, [-1, -1, 0]),
            (SERVED, 2026..=2030, [0, -1, 0]),
        ],
    );
}

#[test]
fn what_is_due_is_listed_until_it_is_done() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::sample(&dir.path().join("banner"));
    let phone = Phone::enrolled(dir.path().join("a"), &server, GACHA);
    let home = household(&phone, "0001", "1");
    let woman = woman(&phone, &home, "1980-05-20", None);
    let due = |phone: &Phone| -> Vec<(String, String)> {
        let rows = phone.ok(&["tasks"]);
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let mut tasks: Vec<_> = rows
            .as_array()
            .into_iter()
            .flatten()
            .map(|row| (text(&row["task"]), text(&row["id"])))
            .collect();
        tasks.sort();
        tasks
    };
    let task = |task: &str, id: &str| (task.to_owned(), id.to_owned());
    assert_eq!(
        due(&phone),
        [
            task("breast_screening", &woman),
            task("cervical_screening", &woman),
            task("toilet_visit", &home),
            task("water_visit", &home),
        ]
    );
    let today = phone.ok(&["tasks"])[0].clone();
    assert!(
        today["due"].as_str().is_some_and(|due| due.len() == 10),
        "{today}"
    );
    let on = today_in_china();
    let screened = format!("screened_on={on}");
    let sets = [
        "cancer=C",
        "round=2026",
        "on_target_list=true",
        &screened,
        "cervical_method=HPV",
        "proof=1",
        "info_source=01",
    ];
    item(&phone, &woman, "screening", &sets);
    assert!(!due(&phone).contains(&task("cervical_screening", &woman)));
    let ahead = phone.ok(&["tasks", "--days", "3000"]);
    let names = |row: &Value| row["task"] == "cervical_screening";
    assert!(
        ahead.as_array().unwrap().iter().any(names),
        "due again in five years"
    );
}

fn today_in_china() -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    sync_core::date::date_in_china(now.unwrap().as_secs() as i64)
}

#[test]
fn a_year_or_unit_that_the_plan_does_not_have_is_refused_in_words() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::sample(&dir.path().join("banner"));
    let phone = Phone::enrolled(dir.path().join("a"), &server, GACHA);
    let error = phone.run(&["indicators", "--year", "2019"]).error(1);
    assert_eq!(error["code"], "unknown_year");
    assert!(
        error["message"].as_str().unwrap().contains("2021"),
        "{error}"
    );
    let error = server.run(&["indicators", "--year", "2031"]).error(1);
    assert_eq!(error["code"], "unknown_year");
    let error = server.run(&["indicators", "--org", "999"]).error(1);
    assert_eq!(error["code"], "unknown_org");
}

#[test]
fn two_processes_that_exchange_at_once_about_the_same_people_count_nobody_twice() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::sample(&dir.path().join("banner"));
    let phone = |name: &str| Phone::enrolled(dir.path().join(name), &server, GACHA);
    let phones: Vec<Phone> = ["a", "b", "c", "d"].into_iter().map(phone).collect();
    let home = household(&phones[0], "0001", "1");
    phones[0].sync();
    // Each registers the same three women, knowing of nobody, and all exchange at once.
    for phone in &phones {
        phone.sync();
        for birth in ["1980-05-20", "1975-02-01", "1990-10-10"] {
            let number = id_number(&birth.replace('-', ""), 124);
            woman(phone, &home, birth, Some(&number));
        }
    }
    let running: Vec<_> = phones
        .iter()
        .map(|phone| phone.command(&["sync"]).spawn().unwrap())
        .collect();
    for mut process in running {
        assert!(process.wait().unwrap().success());
    }
    let figures = at_banner(&server, GACHA);
    let at = |year| figures[&(CERVICAL.to_owned(), year)];
    assert_eq!((at(2021), at(2026)), ([0, 2, 0], [0, 3, 0]));
    let verified = server.run(&["verify-cells"]).json();
    assert_eq!(verified["different"], 0, "{verified}");
    for phone in &phones {
        phone.sync();
        assert_eq!(on_phone(phone), figures);
    }
}
