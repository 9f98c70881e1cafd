//! The figures that are kept against those recounted by other code, after edits of every kind.

mod at_random;

use std::collections::BTreeMap;

use plan::dictionary::Text;
use plan::indicator::{
    Count, Coverage, Direction, Indicator, Measure, Period, Responsible, Target, Years,
};
use recount::Recounted;
use store::figure;
use sync_core::batch::Entry;
use sync_core::feed::Vector;
use sync_core::figure::{Tally, YearSelection};
use sync_core::id::{RecordId, Space};
use sync_core::record::RecordState;
use sync_core::value::{Key, Value};
use sync_core::wire::{SpaceClaim, base_digest};

use super::*;

pub(super) const SCREENED: &str = "test.screened";
const LEFT_BEHIND: &str = "test.left-behind";
const TAP_WATER: &str = "test.tap-water";
const MOVED: &str = "test.moved";
const HOMELESS: &str = "test.homeless";

fn indicator(key: &str, of: &str, numerator: &str, by: &[&str]) -> Indicator {
    let none = Text::default();
    Indicator {
        key: key.into(),
        title: none.clone(),
        domain: "test".into(),
        item: 1,
        quote: String::new(),
        clause: String::new(),
        direction: Direction::Increase,
        target: Target {
            bound: None,
            unit: Measure::Percent,
            year: 2030,
            trend: None,
            wording: None,
        },
        period: Period::YearEnd,
        count: Count {
            of: of.into(),
            denominator: None,
            known: None,
            numerator: numerator.into(),
            by: by.iter().map(|by| (*by).to_owned()).collect(),
            coverage: Coverage::Full,
            classes: vec!["care".into(), "general".into(), "referral".into()],
        },
        responsible: Responsible {
            lead: String::new(),
            others: Vec::new(),
            inferred: true,
        },
        note: None,
    }
}

/// A plan with one indicator of each kind: a rate, a plain number, a sum over households of which not
/// everything is known, and one with a year of its own.
pub(super) fn counting() -> Package {
    let mut screened = indicator(
        SCREENED,
        "person",
        "cervical_screened",
        &["pastoral", "migrant"],
    );
    screened.count.denominator = Some("woman && resident && screening_age".into());
    let mut water = indicator(
        TAP_WATER,
        "household",
        "tap_water ? counted_water.users : 0",
        &["water_source"],
    );
    water.count.denominator = Some("counted_household ? household.resident_population : 0".into());
    water.count.known = Some("counted_water != null".into());
    let mut moved = indicator(MOVED, "person", "migrant", &["woman"]);
    moved.count.denominator = Some("resident".into());
    moved.period = Period::SchoolYear;
    let mut package = package(1);
    package.years = Years {
        from: 2025,
        to: 2028,
    };
    package.indicators = vec![
        screened,
        indicator(LEFT_BEHIND, "person", "left_behind", &["care_category"]),
        water,
        moved,
    ];
    package
}

fn text(text: &str) -> Value {
    Value::from(text)
}

/// The figures of a unit in 2026, after everything stored was recounted and found the same.
pub(super) async fn figures(station: &TestServer, unit: &str) -> BTreeMap<String, (i64, i64, i64)> {
    let recounted = station.app.verify_cells().await.unwrap();
    assert_eq!(recounted.differences, []);
    let figures = station
        .app
        .indicators(Some(unit), YearSelection::Year(2026))
        .await
        .unwrap();
    let tally = |tally: Tally| (tally.numerator, tally.denominator, tally.unknown);
    figures
        .into_iter()
        .map(|figure| (figure.indicator.key, tally(figure.tally)))
        .collect()
}

/// What makes a household count as one with tap water, of whose four people three use it.
fn tap_water() -> Vec<(&'static str, Value)> {
    vec![
        ("household.area_type", text("1")),
        ("household.residence_status", text("1")),
        ("household.resident_population", Value::from(4)),
        ("household.main_camp", text("1")),
        ("water#w1.camp", text("1")),
        ("water#w1.observed_on", text("2026-06-01")),
        ("water#w1.source", text("01")),
        ("water#w1.users", Value::from(3)),
    ]
}

/// A unit with a household that has tap water, and a woman in it.
pub(super) async fn station() -> (TestServer, Cadre) {
    let station = TestServer::sample_by(counting()).await;
    let mut cadre = Cadre::of(&station, 1, "152522100200.general").await;
    cadre.writes(&station, household(1), &tap_water()).await;
    let puts = woman(&id_number(1), "2020-05", household(1));
    cadre.writes(&station, person(1), &puts).await;
    (station, cadre)
}

#[tokio::test]
async fn cells_are_what_the_records_say_after_every_kind_of_edit() {
    let (station, mut cadre) = station().await;
    let mut clinic = Cadre::of(&station, 2, "152522100200.referral").await;
    let mut care = Cadre::of(&station, 3, "152522100200.care").await;
    let now = figures(&station, GACHA).await;
    assert_eq!((now[SCREENED], now[TAP_WATER]), ((0, 1, 0), (3, 4, 0)));
    assert_eq!((now[LEFT_BEHIND], now[MOVED]), ((0, 0, 0), (0, 1, 0)));

    let puts = [
        ("screening#C-2026.cancer", text("C")),
        ("screening#C-2026.screened_on", text("2026-03-01")),
        ("screening#C-2026.cervical_method", text("HPV")),
    ];
    clinic.writes(&station, person(1), &puts).await;
    let puts = [("spouse_away#s1.since", text("2025-11-20"))];
    care.writes(&station, person(1), &puts).await;
    let now = figures(&station, GACHA).await;
    assert_eq!((now[SCREENED], now[LEFT_BEHIND]), ((1, 1, 0), (1, 0, 0)));

    // Not in the pastoral area any more: nobody is left behind there, nobody's water counts.
    let puts = [("household.area_type", text("2"))];
    cadre.writes(&station, household(1), &puts).await;
    let now = figures(&station, GACHA).await;
    assert_eq!((now[TAP_WATER], now[LEFT_BEHIND]), ((0, 0, 0), (0, 0, 0)));

    // Back there, and the observation withdrawn: not known.
    let puts = [
        ("household.area_type", text("1")),
        ("water#w1.void", Value::from(true)),
    ];
    cadre.writes(&station, household(1), &puts).await;
    assert_eq!(figures(&station, GACHA).await[TAP_WATER], (0, 0, 4));

    // A key in another class than its section's says nothing.
    let puts = [("identity.sex", text("1"))];
    care.writes(&station, person(1), &puts).await;
    assert_eq!(figures(&station, GACHA).await[SCREENED], (1, 1, 0));
}

#[tokio::test]
async fn a_code_that_no_code_can_be_is_taken_and_counts_as_not_known() {
    let (station, mut cadre) = station().await;
    let (longest, longer) = ("9".repeat(64), "9".repeat(65));
    for (code, counted) in [
        (longest.as_str(), longest.as_str()),
        (longer.as_str(), ""),
        ("0\u{0}1", ""),
        ("0\n1", ""),
    ] {
        let puts = [("water#w1.source", text(code))];
        cadre.writes(&station, household(1), &puts).await;
        assert_eq!(figures(&station, GACHA).await[TAP_WATER], (0, 4, 0));
        let mut tx = station.app.context().store.read().await.unwrap();
        let generations = figure::generations(&mut tx).await.unwrap();
        let live = generations.iter().find(|of| of.live).unwrap();
        let by = "water_source";
        let cells = figure::of_year(&mut tx, live.number, 2026, by, GACHA);
        let cells = cells.await.unwrap().into_iter();
        let known = cells.filter(|(_, tally)| tally.denominator > 0);
        let known: Vec<String> = known.map(|(cell, _)| cell.value).collect();
        assert_eq!(known, [counted], "{code:?}");
    }
}

#[tokio::test]
async fn a_corrected_number_parts_and_joins_who_is_counted() {
    let (station, mut cadre) = station().await;
    let puts = woman(&id_number(1), "2021-01-01", household(1));
    cadre.writes(&station, person(2), &puts).await;
    assert_eq!(figures(&station, GACHA).await[SCREENED], (0, 1, 0));

    let puts = [("identity.id_no", text(&id_number(2)))];
    cadre.writes(&station, person(2), &puts).await;
    assert_eq!(figures(&station, GACHA).await[SCREENED], (0, 2, 0));

    // Somebody else, who has not seen that, writes another number: both link.
    let mut other = Cadre::of(&station, 2, "152522100200.general").await;
    let puts = woman(&id_number(3), "2021-01-01", household(1));
    cadre.writes(&station, person(3), &puts).await;
    let puts = [("identity.id_no", text(&id_number(3)))];
    other.writes(&station, person(2), &puts).await;
    assert_eq!(figures(&station, GACHA).await[SCREENED], (0, 2, 0));

    // Another birth date, and it is open who they are: the first speaks for all.
    let puts = [("identity.birth_date", text("2015-01-01"))];
    cadre.writes(&station, person(2), &puts).await;
    assert_eq!(figures(&station, GACHA).await[SCREENED], (0, 1, 0));
}

#[tokio::test]
async fn what_is_said_of_two_records_parts_and_joins_who_is_counted() {
    let (station, mut cadre) = station().await;
    let said = format!("same#{}.state", person(2));
    // Nobody has written anything of the other yet.
    cadre
        .writes(&station, person(1), &[(&said, text("same"))])
        .await;
    let puts = woman("", "2021-01-01", household(1));
    cadre.writes(&station, person(2), &puts).await;
    assert_eq!(figures(&station, GACHA).await[SCREENED], (0, 1, 0));

    cadre
        .writes(&station, person(1), &[(&said, text("not_same"))])
        .await;
    assert_eq!(figures(&station, GACHA).await[SCREENED], (0, 2, 0));

    // With one number, and still two women.
    let puts = [("identity.id_no", text(&id_number(1)))];
    cadre.writes(&station, person(2), &puts).await;
    assert_eq!(figures(&station, GACHA).await[SCREENED], (0, 2, 0));

    // A third who shows the number too is one of the two: the first.
    let puts = woman(&id_number(1), "2021-01-01", household(1));
    cadre.writes(&station, person(3), &puts).await;
    assert_eq!(figures(&station, GACHA).await[SCREENED], (0, 2, 0));

    cadre
        .writes(&station, person(1), &[(&said, Value::Null)])
        .await;
    assert_eq!(figures(&station, GACHA).await[SCREENED], (0, 1, 0));
}

#[tokio::test]
async fn two_women_who_were_parted_do_not_count_as_one_because_of_a_third_unit() {
    let (station, mut cadre) = station().await;
    let puts = woman(&id_number(1), "2021-01-01", household(1));
    cadre.writes(&station, person(2), &puts).await;
    let said = format!("same#{}.state", person(2));
    cadre
        .writes(&station, person(1), &[(&said, text("not_same"))])
        .await;
    let mut there = Cadre::of(&station, 2, "152522100201.general").await;
    let puts = woman(&id_number(1), "2026-10-01", household(2));
    there.writes(&station, person(7), &puts).await;
    // The first of the two moved there; the other is somebody else.
    assert_eq!(figures(&station, GACHA).await[SCREENED], (0, 1, 0));
    assert_eq!(figures(&station, OTHER_GACHA).await[SCREENED], (0, 1, 0));
}

#[tokio::test]
async fn names_that_differ_are_one_woman_s_once_somebody_confirmed_it() {
    let (station, mut cadre) = station().await;
    let mut clinic = Cadre::of(&station, 2, "152522100200.referral").await;
    let mut puts = woman(&id_number(1), "2020-05", household(1));
    puts[0] = ("identity.name", text("琪琪格"));
    cadre.writes(&station, person(2), &puts).await;
    let puts = [
        ("screening#C-2026.cancer", text("C")),
        ("screening#C-2026.screened_on", text("2026-03-01")),
        ("screening#C-2026.cervical_method", text("HPV")),
    ];
    clinic.writes(&station, person(2), &puts).await;
    assert_eq!(figures(&station, GACHA).await[SCREENED], (0, 1, 0));
    let confirmed = format!("same#{}.despite/name", person(2));
    cadre
        .writes(&station, person(1), &[(&confirmed, Value::from(true))])
        .await;
    assert_eq!(figures(&station, GACHA).await[SCREENED], (1, 1, 0));
}

#[tokio::test]
async fn a_woman_in_two_units_counts_in_the_one_where_she_lives() {
    let (station, mut here) = station().await;
    let mut there = Cadre::of(&station, 2, "152522100201.general").await;
    let puts = woman(&id_number(1), "2026-10-01", household(2));
    there.writes(&station, person(2), &puts).await;
    let (a, b) = (
        figures(&station, GACHA).await,
        figures(&station, OTHER_GACHA).await,
    );
    assert_eq!((a[SCREENED], b[SCREENED]), ((0, 0, 0), (0, 1, 0)));
    // The school year ended before she moved.
    assert_eq!((a[MOVED], b[MOVED]), ((0, 1, 0), (0, 0, 0)));

    // It was a mistake: she is not there.
    let puts = [("residence#home.void", Value::from(true))];
    there.writes(&station, person(2), &puts).await;
    assert_eq!(figures(&station, GACHA).await[SCREENED], (0, 1, 0));
    assert_eq!(figures(&station, OTHER_GACHA).await[SCREENED], (0, 0, 0));

    // Another number: two women, one of whom lives nowhere.
    let puts = [("identity.id_no", text(&id_number(2)))];
    here.writes(&station, person(1), &puts).await;
    let puts = [("residence#home.void", Value::from(false))];
    there.writes(&station, person(2), &puts).await;
    assert_eq!(figures(&station, GACHA).await[SCREENED], (0, 1, 0));
    assert_eq!(figures(&station, OTHER_GACHA).await[SCREENED], (0, 1, 0));
}

#[tokio::test]
async fn a_household_that_comes_after_its_people_is_their_home_from_then_on() {
    let mut package = counting();
    package
        .indicators
        .push(indicator(HOMELESS, "person", "woman && home == null", &[]));
    let station = TestServer::sample_by(package).await;
    let mut cadre = Cadre::of(&station, 1, "152522100200.general").await;
    let puts = woman(&id_number(1), "2020-05", household(1));
    cadre.writes(&station, person(1), &puts).await;
    assert_eq!(figures(&station, GACHA).await[HOMELESS], (1, 0, 0));
    // Nothing of what is written of it is read by any figure; that it is there is.
    let puts = [("household.phone", text("10012345678"))];
    cadre.writes(&station, household(1), &puts).await;
    assert_eq!(figures(&station, GACHA).await[HOMELESS], (0, 0, 0));
}

/// The one cell that differs, as `indicator year breakdown=value`, stored and recounted numerators.
fn only(found: &Recounted) -> (String, i64, i64) {
    let [different] = &found.differences[..] else {
        panic!("{found:?}");
    };
    let cell = &different.cell;
    assert_eq!(cell.unit, GACHA);
    let (indicator, year) = (&cell.indicator, cell.year);
    let key = format!("{indicator} {year} {}={}", cell.breakdown, cell.value);
    (
        key,
        different.stored.numerator,
        different.recounted.numerator,
    )
}

#[tokio::test]
async fn a_changed_a_missing_and_an_extra_cell_are_found_and_counted_right_again() {
    for (sql, found) in [
        (
            "UPDATE cell SET numerator = numerator + 1
                WHERE indicator = 'test.tap-water' AND year = 2026 AND breakdown = ''",
            ("test.tap-water 2026 =", 4, 3),
        ),
        (
            "DELETE FROM cell
                WHERE indicator = 'test.tap-water' AND year = 2027 AND breakdown <> ''",
            ("test.tap-water 2027 water_source=01", 0, 3),
        ),
        (
            "INSERT INTO cell SELECT generation, year, breakdown, '99', indicator, unit, 7, 8, 9
                FROM cell WHERE indicator = 'test.tap-water' AND year = 2026 AND breakdown <> ''",
            ("test.tap-water 2026 water_source=99", 7, 0),
        ),
        (
            "INSERT INTO cell SELECT generation, 1999, '', '', 'test.gone', unit, 5, 5, 0
                FROM cell WHERE indicator = 'test.tap-water' AND year = 2026 AND breakdown = ''",
            ("test.gone 1999 =", 5, 0),
        ),
    ] {
        let (station, _) = station().await;
        let clean = station.app.verify_cells().await.unwrap();
        assert_eq!(clean.differences, []);
        station.tamper(sql).await;
        let (key, stored, recounted) = only(&station.app.verify_cells().await.unwrap());
        assert_eq!((key.as_str(), stored, recounted), found, "{sql}");
        station.app.recount().await.unwrap();
        assert_eq!(station.app.verify_cells().await.unwrap(), clean, "{sql}");
    }
}

#[tokio::test]
async fn a_cell_of_zeros_is_as_good_as_none() {
    let (station, _) = station().await;
    let clean = station.app.verify_cells().await.unwrap();
    assert!(clean.cells > 0);
    let zeros =
        "INSERT INTO cell SELECT generation, year, breakdown, '99', indicator, unit, 0, 0, 0
        FROM cell WHERE indicator = 'test.tap-water' AND year = 2026 AND breakdown <> ''";
    station.tamper(zeros).await;
    assert_eq!(station.app.verify_cells().await.unwrap(), clean);
}

#[tokio::test]
async fn a_record_that_does_not_read_is_named_by_table_and_column() {
    let (station, _) = station().await;
    station.tamper("UPDATE record SET state = x'ff'").await;
    let error = station.app.verify_cells().await.unwrap_err();
    let text = "a row of record has a state that does not read";
    assert_eq!(error.to_string(), text);
}

/// One change of a record that nobody has seen anything of.
fn unseen(phone: &Phone, record: RecordId, puts: &[(&str, Value)]) -> Entry {
    let puts: Vec<(Key, Value)> = puts
        .iter()
        .map(|(key, value)| (Key::parse(key).unwrap(), value.clone()))
        .collect();
    let written = RecordState::empty().write(phone.device(), &[], &puts, NOON);
    let (change, _) = written.unwrap().unwrap();
    Entry { record, change }
}

#[tokio::test]
async fn one_request_about_two_units_moves_who_counts_where_in_both() {
    let (station, _) = station().await;
    let mut there = Cadre::of(&station, 2, "152522100201.general").await;
    let puts = [
        ("identity.sex", text("2")),
        ("identity.birth_date", text("1985-05-20")),
        ("identity.id_no", text(&id_number(1))),
    ];
    there.writes(&station, person(2), &puts).await;
    assert_eq!(figures(&station, GACHA).await[SCREENED], (0, 1, 0));

    // An officer of both writes something of her here that no figure reads, and that she lives
    // there now.
    let units = ["152522100200.general", "152522100201.general"];
    let mut phone = Phone::new(&station, 9, units[0]);
    let code = station.link(&units).await.unwrap().code;
    let answer = station.enrol(phone.enrolment(&code)).await.body();
    phone.join(&answer);
    let consent = unseen(
        &phone,
        person(1),
        &[("consent#c.given_on", text("2026-01-01"))],
    );
    let here = phone.batch(1, &[], vec![consent]);
    phone.space = units[1].parse().unwrap();
    let puts = [
        ("residence#n.since", text("2026-01-01")),
        ("residence#n.status", text("1")),
    ];
    let lives = unseen(&phone, person(2), &puts);
    let there = phone.batch(1, &[], vec![lives]);
    let spaces = units.map(|space| space.parse::<Space>().unwrap());
    let mut request = phone.request(&[&here, &there]);
    let claim = |space: &Space| SpaceClaim {
        space: space.clone(),
        counter: 0,
        changes: vec![],
        locators: vec![],
    };
    request.spaces = spaces.iter().map(claim).collect();
    let bases = spaces.map(|space| (space, (0, Vector::default())));
    request.base = base_digest(Some(phone.incarnation), &bases.into());
    station.exchange(phone.encode(&request)).await.body();
    assert_eq!(figures(&station, GACHA).await[SCREENED], (0, 0, 0));
    assert_eq!(figures(&station, OTHER_GACHA).await[SCREENED], (0, 1, 0));
}
