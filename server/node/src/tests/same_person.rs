//! One ID number in two units: who hears of it, and what the office says.

use std::collections::BTreeSet;

use sync_core::control::{Absence, ControlEntry};
use sync_core::id::{Class, RecordId, Space};

use super::recounting::{SCREENED, counting, figures};
use super::*;
use crate::{CommandError, NamedRecord, Reach, show};

/// A woman of one unit, and a device that records her number in another.
struct Village {
    station: TestServer,
    here: Cadre,
    there: Cadre,
}

impl Village {
    async fn new() -> Self {
        let station = TestServer::sample_by(counting()).await;
        let mut here = Cadre::of(&station, 1, &format!("{GACHA}.general")).await;
        let there = Cadre::of(&station, 2, &format!("{OTHER_GACHA}.general")).await;
        let puts = woman(&id_number(1), "2015-03", household(1));
        here.writes(&station, person(1), &puts).await;
        Self {
            station,
            here,
            there,
        }
    }

    /// The other device writes her number, and that she has lived there since a day.
    async fn claims(&mut self, since: &str) {
        let puts = woman(&id_number(1), since, household(2));
        self.there.writes(&self.station, person(2), &puts).await;
    }

    /// Whether phones of each unit count her in the other one at the end of 2026.
    async fn are_away(&self) -> [bool; 2] {
        self.told().await.map(|told| told.holds("2026-12-31"))
    }

    async fn says(&self, same: bool) -> bool {
        let [here, there] = [person(1), person(2)].map(NamedRecord::from);
        let said = self.station.app.say_same_person(&there, &here, same).await;
        said.unwrap().1
    }

    /// What a device of a unit holds of the control feed.
    async fn entries(&self, unit: &str) -> usize {
        let spaces = [Space::new(unit, Class::General).unwrap()].into();
        self.station.control().await.for_spaces(&spaces).count()
    }

    /// When phones of both units count her in the other one.
    async fn told(&self) -> [Absence; 2] {
        let control = self.station.control().await;
        let told = |unit: &str, record: RecordId| control.elsewhere(unit, record).0;
        [told(GACHA, person(1)), told(OTHER_GACHA, person(2))]
    }

    async fn counted(&self) -> [i64; 2] {
        let here = figures(&self.station, GACHA).await[SCREENED].1;
        [here, figures(&self.station, OTHER_GACHA).await[SCREENED].1]
    }
}

#[tokio::test]
async fn a_number_that_somebody_writes_in_another_unit_tells_neither_of_them_anything() {
    let mut village = Village::new().await;
    let before = village.entries(GACHA).await;
    let before_there = village.entries(OTHER_GACHA).await;
    for since in ["2026-01-01", "2014-01-01", "2026-05-01"] {
        village.claims(since).await;
        assert_eq!(village.entries(GACHA).await, before);
        assert_eq!(village.entries(OTHER_GACHA).await, before_there);
    }
    assert!(village.told().await.iter().all(Absence::is_never));
    // The office counts her once, and sees that there is something to decide.
    assert_eq!(village.counted().await, [0, 1]);
    let pairs = village.station.app.duplicates().await.unwrap();
    let records = [
        (GACHA.to_owned(), person(1)),
        (OTHER_GACHA.to_owned(), person(2)),
    ];
    assert_eq!(pairs.len(), 1);
    assert_eq!((&pairs[0].records, pairs[0].said), (&records, None));
}

#[tokio::test]
async fn both_units_are_told_once_the_office_has_said_that_she_is_one_person() {
    let mut village = Village::new().await;
    village.claims("2026-05-01").await;
    assert!(village.says(true).await);
    assert!(!village.says(true).await, "it says so already");
    assert_eq!(village.are_away().await, [true, false]);
    assert_eq!(village.counted().await, [0, 1]);

    // What is written later follows.
    let puts = [("residence#home.void", sync_core::value::Value::from(true))];
    village
        .there
        .writes(&village.station, person(2), &puts)
        .await;
    assert_eq!(village.are_away().await, [false, true]);
    assert_eq!(village.counted().await, [1, 0]);
}

#[tokio::test]
async fn two_persons_with_one_number_both_count_once_the_office_has_said_that_they_are_two() {
    let mut village = Village::new().await;
    village.claims("2026-05-01").await;
    assert!(village.says(true).await);
    assert!(village.says(false).await);
    assert!(village.told().await.iter().all(Absence::is_never));
    assert_eq!(village.counted().await, [1, 1]);
    let pairs = village.station.app.duplicates().await.unwrap();
    assert_eq!(pairs[0].said, Some(false));
    // And the other way again, which is what counts then.
    assert!(village.says(true).await);
    assert_eq!(village.counted().await, [0, 1]);
}

#[tokio::test]
async fn of_records_that_are_no_two_persons_of_two_units_nothing_is_said() {
    let mut village = Village::new().await;
    let puts = woman(&id_number(2), "2015-03", household(1));
    village
        .here
        .writes(&village.station, person(3), &puts)
        .await;
    let app = &village.station.app;
    for (one, other, code) in [
        (person(1), person(3), "same_person_two_units"),
        (person(1), person(1), "same_person_two_units"),
        (person(1), household(7), "unknown_record"),
    ] {
        let said = app.say_same_person(&one.into(), &other.into(), true).await;
        let refused = said.unwrap_err();
        assert!(
            matches!(refused, CommandError::Wrong { code: of, .. } if of == code),
            "{code}"
        );
    }
    let control = village.station.control().await;
    assert!(
        control
            .entries()
            .all(|entry: &ControlEntry| entry.as_same_person().is_none())
    );
}

#[tokio::test]
async fn a_record_whose_id_stands_in_another_unit_too_is_named_with_its_unit() {
    let mut village = Village::new().await;
    let forged = [("identity.name", sync_core::value::Value::from("苏和"))];
    village
        .there
        .writes(&village.station, person(1), &forged)
        .await;
    let app = &village.station.app;
    let id = person(1).to_string();
    let refused = show::show(app, &id).await.unwrap_err();
    let CommandError::Wrong { code, args, .. } = refused else {
        panic!("{refused:?}");
    };
    assert_eq!(code, "record_in_several_units");
    assert_eq!(args, [("units", format!("{GACHA}, {OTHER_GACHA}"))]);
    let shown = show::show(app, &format!("{OTHER_GACHA}/{id}"))
        .await
        .unwrap();
    assert_eq!(shown["fields"]["identity.name"], "苏和");
    let moved = app.move_person(person(1), OTHER_GACHA, None).await;
    assert!(matches!(
        moved,
        Err(CommandError::Wrong {
            code: "record_in_several_units",
            ..
        })
    ));
    let named: NamedRecord = format!("{GACHA}/{id}").parse().unwrap();
    let moved = app.move_person(named, OTHER_GACHA, None).await.unwrap();
    assert_eq!(moved.from, GACHA);
}

#[tokio::test]
async fn an_order_of_erasure_takes_a_record_of_several_units_only_where_that_is_said() {
    let mut village = Village::new().await;
    let forged = [("identity.name", sync_core::value::Value::from("苏和"))];
    let (station, there) = (&village.station, &mut village.there);
    there.writes(station, person(1), &forged).await;
    let named = |unit: &str| -> NamedRecord { format!("{unit}/{}", person(1)).parse().unwrap() };
    let mut reach = Reach {
        alone: true,
        ..Reach::default()
    };
    for unit in [GACHA, OTHER_GACHA] {
        let refused = station
            .app
            .erasure(&[named(unit)], reach)
            .await
            .unwrap_err();
        let CommandError::Wrong { code, args, .. } = refused else {
            panic!("{refused:?}");
        };
        assert_eq!(code, "erase_in_several_units");
        assert_eq!(args, [("units", format!("{GACHA}, {OTHER_GACHA}"))]);
    }
    reach.every_unit = true;
    let wish = station.app.erasure(&[named(GACHA)], reach).await.unwrap();
    let units: BTreeSet<&str> = wish.scope.iter().map(Space::unit).collect();
    assert_eq!(units, BTreeSet::from([GACHA, OTHER_GACHA]));
}
