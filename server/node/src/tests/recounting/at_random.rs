//! Several devices that write at random without seeing each other.

use super::*;

/// Keys of households with the values that they get at random: `=3` is a number, nothing is null.
const HOUSEHOLD: [(&str, &[&str]); 8] = [
    ("household.area_type", &["1", "1", "2", ""]),
    ("household.residence_status", &["1", "1", "3"]),
    ("household.resident_population", &["=3", "=0", "=-1", ""]),
    ("household.main_camp", &["1", "2"]),
    ("water#w1.camp", &["1", "2"]),
    ("water#w1.observed_on", &DATES),
    ("water#w1.source", &["01", "05", ""]),
    ("water#w1.void", &["true", "false"]),
];

/// The same of persons: what everybody sees of them.
const PERSON: [(&str, &[&str]); 15] = [
    ("identity.name", &["其其格", "其其格", "娜仁", ""]),
    ("identity.sex", &["2", "2", "1", ""]),
    (
        "identity.birth_date",
        &["1985-05-20", "1985-05", "2015-01-01", ""],
    ),
    ("identity.deceased_on", &["2026-06-30", "", ""]),
    ("identity.id_no", &NUMBERS),
    ("identity.id_no", &NUMBERS),
    ("residence#a.since", &DATES),
    ("residence#a.status", &["1", "2", "3"]),
    ("residence#a.household", &HOMES),
    ("residence#a.void", &["true", "false"]),
    ("residence#b.since", &DATES),
    ("residence#b.status", &["1", "2", "3"]),
    ("residence#b.household", &HOMES),
    ("residence#b.void", &["true", "false"]),
    ("spouse_away#s1.since", &DATES),
];

/// What is said of two persons, in a section of the engine's own.
const SAID: [(&str, &[&str]); 4] = [
    ("state", &["same", "same", "not_same", "", "perhaps"]),
    ("despite/name", &["true", "false"]),
    ("despite/birth_date", &["true", "false"]),
    ("state", &["same", "not_same"]),
];

/// What the cadre alone sees, with a key that has no business there.
const CARE: [(&str, &[&str]); 5] = [
    ("spouse_away#s1.since", &DATES),
    ("spouse_away#s1.ended_on", &DATES),
    ("spouse_away#s1.void", &["true", "false"]),
    ("condition.disability", &["00", "01", ""]),
    ("identity.sex", &["1"]),
];

/// What cadre and clinic see of a screening.
const REFERRAL: [(&str, &[&str]); 4] = [
    ("screening#C-2026.cancer", &["C", "C", "B"]),
    ("screening#C-2026.screened_on", &DATES),
    ("screening#C-2026.cervical_method", &["HPV", "TCT", ""]),
    ("screening#C-2026.void", &["true", "false"]),
];

const DATES: [&str; 8] = [
    "",
    "2023-05-20",
    "2025-11",
    "2025-11-01",
    "2026-08-31",
    "2026-09-01",
    "2027-02",
    "2028",
];
/// Stand for ID numbers and households of the unit.
const NUMBERS: [&str; 6] = ["n1", "n2", "n2", "n3", "123", ""];
const HOMES: [&str; 4] = ["h1", "h1", "h2", ""];

/// A key and a value out of a list.
fn drawn(dice: &mut Dice, from: &[(&'static str, &[&str])], homes: u8) -> (&'static str, Value) {
    let (key, values) = from[dice.below(from.len())];
    let value = match values[dice.below(values.len())] {
        "" => Value::Null,
        "true" => Value::from(true),
        "false" => Value::from(false),
        "h1" => text(&household(homes).to_string()),
        "h2" => text(&household(homes + 1).to_string()),
        "n1" => text(&id_number(1)),
        "n2" => text(&id_number(2)),
        "n3" => text(&id_number(3)),
        other => match other.strip_prefix('=') {
            Some(number) => Value::from(number.parse::<i64>().unwrap()),
            None => text(other),
        },
    };
    (key, value)
}

/// Something said of a person and another of her unit, mostly in the smaller record.
fn said(dice: &mut Dice, unit: u8) -> (RecordId, String, Value) {
    let (one, other) = (dice.below(4) as u8, dice.below(4) as u8);
    let (mut one, mut other) = (one.min(other), one.max(other));
    if dice.below(20) == 0 {
        std::mem::swap(&mut one, &mut other);
    }
    let (field, value) = drawn(dice, &SAID, unit);
    let other = person(unit + other);
    (person(unit + one), format!("same#{other}.{field}"), value)
}

#[tokio::test]
async fn cells_equal_a_recount_whatever_several_devices_write_apart() {
    let mut counted = 0;
    for seed in 0..12 {
        let dice = &mut Dice(seed);
        let station = TestServer::sample_by(counting()).await;
        let mut devices = Vec::new();
        for (unit, number) in [(GACHA, 10), (OTHER_GACHA, 20)] {
            for (at, class) in ["general", "general", "care", "referral"]
                .iter()
                .enumerate()
            {
                let space = format!("{unit}.{class}");
                let cadre = Cadre::of(&station, number + at as u8, &space).await;
                devices.push((number, *class, cadre));
            }
        }
        for (number, class, cadre) in &mut devices {
            if *class == "general" {
                cadre
                    .writes(&station, household(*number), &tap_water())
                    .await;
                for name in 0..4 {
                    let puts = woman(&id_number(name), "2023-01-01", household(*number));
                    cadre.writes(&station, person(*number + name), &puts).await;
                }
            }
        }
        for _ in 0..100 {
            if dice.below(30) == 0 {
                move_somebody(dice, &station).await;
                same(&station, seed, &mut counted).await;
            }
            if dice.below(15) == 0 {
                decide_on_somebody(dice, &station).await;
                same(&station, seed, &mut counted).await;
            }
            let at = dice.below(devices.len());
            let (number, class, cadre) = &mut devices[at];
            let of_person = person(*number + dice.below(4) as u8);
            let (record, put) = match *class {
                "care" => (of_person, drawn(dice, &CARE, *number)),
                "referral" => (of_person, drawn(dice, &REFERRAL, *number)),
                _ if dice.below(4) == 0 => {
                    let of_household = household(*number + dice.below(2) as u8);
                    (of_household, drawn(dice, &HOUSEHOLD, *number))
                }
                _ if dice.below(3) == 0 => {
                    let (record, key, value) = said(dice, *number);
                    cadre.writes(&station, record, &[(&key, value)]).await;
                    same(&station, seed, &mut counted).await;
                    continue;
                }
                _ => (of_person, drawn(dice, &PERSON, *number)),
            };
            cadre.writes(&station, record, &[put]).await;
            same(&station, seed, &mut counted).await;
        }
    }
    assert!(counted > 10_000, "{counted}");
}

/// Somebody moves to the other unit, once or more often; the devices go on writing to the old records.
async fn move_somebody(dice: &mut Dice, station: &TestServer) {
    let (unit, to) = [(10, OTHER_GACHA), (20, GACHA)][dice.below(2)];
    let record = person(unit + dice.below(4) as u8);
    let on = ["2023-05-20", "2025-11-01", "2026-08-31"][dice.below(3)];
    let moved = station.app.move_person(record, to, Some(on)).await;
    assert!(moved.is_ok(), "{moved:?}");
}

/// The office says of two records of the two units that they are one person, or two.
async fn decide_on_somebody(dice: &mut Dice, station: &TestServer) {
    let [here, there] = [10, 20].map(|unit| person(unit + dice.below(4) as u8).into());
    let said = station
        .app
        .say_same_person(&here, &there, dice.below(2) == 0);
    assert!(said.await.is_ok());
}

/// The cells are what a recount says.
async fn same(station: &TestServer, seed: u64, counted: &mut u64) {
    let recounted = station.app.verify_cells().await.unwrap();
    assert_eq!(recounted.differences, [], "seed {seed}");
    *counted += recounted.cells;
}
