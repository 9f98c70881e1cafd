//! A person moves to another 嘎查: what goes along, what stays, who hears of it, and where she counts.

use std::collections::BTreeMap;

use serde_json::json;
use store::record;
use sync_core::figure::YearSelection;
use sync_core::id::RecordId;
use sync_core::link::{Statement, pair, state_key};
use sync_core::value::Value;

use super::recounting::{SCREENED, counting, figures};
use super::*;
use crate::{CommandError, Gone, InClear, Renewals, RevokeRequest, restore, show};

const DAY: &str = "2026-07-01";

fn text(text: &str) -> Value {
    Value::from(text)
}

/// A station where a woman is recorded by everybody who may.
struct Village {
    station: TestServer,
    general: Cadre,
}

impl Village {
    async fn of(number: &str) -> Self {
        let station = TestServer::sample_by(counting()).await;
        let here = |class: &str| format!("{GACHA}.{class}");
        let mut general = Cadre::of(&station, 1, &here("general")).await;
        let mut referral = Cadre::of(&station, 2, &here("referral")).await;
        let mut health = Cadre::of(&station, 3, &here("health")).await;
        let mut protected = Cadre::of(&station, 4, &here("protected")).await;
        let puts = woman(number, "2015-03", household(1));
        general.writes(&station, person(1), &puts).await;
        let puts = [
            ("screening#C-2026.cancer", text("C")),
            ("screening#C-2026.screened_on", text("2026-03-01")),
            ("screening#C-2026.cervical_method", text("HPV")),
        ];
        referral.writes(&station, person(1), &puts).await;
        let puts = [("screening_result#C-2026.pathology", text("10"))];
        health.writes(&station, person(1), &puts).await;
        let puts = [("protection.rights_violated", Value::Bool(true))];
        protected.writes(&station, person(1), &puts).await;
        Self { station, general }
    }

    async fn moves(&self, to: &str) -> Gone {
        let moved = self.station.app.move_person(person(1), to, Some(DAY));
        moved.await.unwrap()
    }

    async fn show(&self, record: RecordId) -> serde_json::Value {
        show::show(&self.station.app, &record.to_string())
            .await
            .unwrap()
    }

    /// Figures of both units, as of the end of a year; everything is recounted too.
    async fn counts(&self, year: u16) -> [(i64, i64, i64); 2] {
        let mut counts = [(0, 0, 0); 2];
        for (at, unit) in [GACHA, OTHER_GACHA].into_iter().enumerate() {
            figures(&self.station, unit).await;
            let app = &self.station.app;
            let of_unit = app
                .indicators(Some(unit), YearSelection::Year(year))
                .await
                .unwrap();
            let screened = of_unit.into_iter().find(|of| of.indicator.key == SCREENED);
            let tally = screened.unwrap().tally;
            counts[at] = (tally.numerator, tally.denominator, tally.unknown);
        }
        counts
    }

    async fn verified(&self) {
        let verified = self.station.app.verify().await.unwrap();
        assert_eq!((verified.differences.len(), verified.aside), (0, 0));
        let recounted = self.station.app.verify_cells().await.unwrap();
        assert_eq!(recounted.differences, []);
    }
}

#[tokio::test]
async fn what_travels_goes_along_and_what_does_not_stays() {
    let village = Village::of(&id_number(1)).await;
    let gone = village.moves(OTHER_GACHA).await;
    assert_eq!((gone.from.as_str(), gone.to.as_str()), (GACHA, OTHER_GACHA));
    assert_eq!((gone.records.len(), gone.records[0].0), (1, person(1)));
    let new = gone.records[0].1;
    let shown = village.show(new).await;
    assert_eq!(shown["space"], OTHER_GACHA);
    assert_eq!(shown["fields"]["identity.name"], "其其格");
    assert_eq!(shown["items"]["screening"][0]["screened_on"], "2026-03-01");
    assert_eq!(shown["items"]["screening_result"][0]["pathology"], "10");
    // Nothing names a household of the unit that she left, and somebody is asked for the new one.
    let residences = shown["items"]["residence"].as_array().unwrap();
    let since = |residence: &serde_json::Value| residence["since"].clone();
    let since: Vec<_> = residences.iter().map(since).collect();
    assert_eq!(since, [json!("2015-03"), json!(DAY)]);
    assert!(residences.iter().all(|one| one.get("household").is_none()));
    assert_eq!(residences[1]["status"], "1");
    let problems = shown["problems"].as_array().unwrap();
    let asks = |problem: &serde_json::Value| {
        let key = problem["key"].as_str().unwrap();
        problem["code"] == "required" && key.ends_with(".household")
    };
    assert!(problems.iter().any(asks), "{problems:?}");

    let old = village.show(person(1)).await;
    let residences = old["items"]["residence"].as_array().unwrap();
    let last = residences.last().unwrap();
    assert_eq!(
        (&last["since"], &last["status"]),
        (&json!(DAY), &json!("5"))
    );
    assert_eq!(old["fields"]["identity.name"], "其其格");
    village.verified().await;
}

#[tokio::test]
async fn each_class_goes_to_its_own_space_and_what_is_protected_to_none() {
    let village = Village::of(&id_number(1)).await;
    let new = village.moves(OTHER_GACHA).await.records[0].1;
    let context = village.station.app.context();
    let mut tx = context.store.read().await.unwrap();
    let spaces = record::spaces_of(&mut tx, new).await.unwrap();
    let spaces: Vec<String> = spaces.iter().map(ToString::to_string).collect();
    let there = |class: &str| format!("{OTHER_GACHA}.{class}");
    assert_eq!(spaces, ["general", "referral", "health"].map(there));
    for (class, sections) in [
        ("general", &["identity", "residence"][..]),
        ("referral", &["screening"]),
        ("health", &["screening_result"]),
    ] {
        let mut states = record::states(&mut tx, &there(class).parse().unwrap(), &[new])
            .await
            .unwrap();
        let state = states.remove(0).1.unwrap();
        for (key, _) in state.view().iter() {
            assert!(sections.contains(&key.section()), "{class}: {key:?}");
        }
    }
    drop(tx);
    // A phone of the new unit that may hold general data gets that and nothing else.
    let mut phone = Phone::enrolled(&village.station, 7, &there("general")).await;
    let answer = phone.exchange(&village.station, &[]).await;
    assert!(!answer.batches.is_empty());
    for bytes in &answer.batches {
        let batch = sync_core::batch::Batch::from_store(phone.network, bytes).unwrap();
        assert_eq!(batch.header.space.to_string(), there("general"));
    }
}

#[tokio::test]
async fn she_counts_in_one_unit_at_every_date_with_a_number_and_without() {
    for number in [id_number(1), String::new()] {
        let village = Village::of(&number).await;
        assert_eq!(village.counts(2026).await, [(1, 1, 0), (0, 0, 0)]);
        village.moves(OTHER_GACHA).await;
        assert_eq!(village.counts(2026).await, [(0, 0, 0), (1, 1, 0)]);
        assert_eq!(village.counts(2025).await, [(0, 1, 0), (0, 0, 0)]);
        // Counted anew it is the same.
        village.station.app.recount().await.unwrap();
        assert_eq!(village.counts(2026).await, [(0, 0, 0), (1, 1, 0)]);
        assert_eq!(village.counts(2025).await, [(0, 1, 0), (0, 0, 0)]);
        village.verified().await;
    }
}

#[tokio::test]
async fn an_edit_of_a_phone_that_had_not_heard_is_carried_over_with_the_exchange_that_brings_it() {
    let mut village = Village::of(&id_number(1)).await;
    let new = village.moves(OTHER_GACHA).await.records[0].1;
    let puts = [
        ("identity.phone", text("10012345678")),
        ("residence#home.status", text("2")),
        ("residence#home.household", text(&household(2).to_string())),
    ];
    village
        .general
        .writes(&village.station, person(1), &puts)
        .await;
    let shown = village.show(new).await;
    assert_eq!(shown["fields"]["identity.phone"], "10012345678");
    assert_eq!(shown["items"]["residence"][0]["status"], "2");
    assert!(shown["items"]["residence"][0].get("household").is_none());
    assert_eq!(shown["conflicts"], json!([]));
    // Emptied is carried as well.
    let puts = [("identity.phone", Value::Null)];
    village
        .general
        .writes(&village.station, person(1), &puts)
        .await;
    let shown = village.show(new).await;
    assert!(shown["fields"].get("identity.phone").is_none(), "{shown}");
    village.verified().await;
}

#[tokio::test]
async fn what_both_places_wrote_apart_is_a_conflict_at_the_new_one() {
    let mut village = Village::of(&id_number(1)).await;
    let new = village.moves(OTHER_GACHA).await.records[0].1;
    let there = format!("{OTHER_GACHA}.general");
    let mut other = Cadre::of(&village.station, 8, &there).await;
    other
        .writes(
            &village.station,
            new,
            &[("identity.phone", text("10000000001"))],
        )
        .await;
    let puts = [("identity.phone", text("10000000002"))];
    village
        .general
        .writes(&village.station, person(1), &puts)
        .await;
    let conflicts = village.show(new).await["conflicts"].clone();
    assert_eq!(conflicts[0]["key"], "identity.phone");
    let mut values: Vec<&str> = conflicts[0]["values"]
        .as_array()
        .unwrap()
        .iter()
        .map(|value| value.as_str().unwrap())
        .collect();
    values.sort_unstable();
    assert_eq!(values, ["10000000001", "10000000002"]);
    // The old record has none of it.
    assert_eq!(village.show(person(1)).await["conflicts"], json!([]));
    village.verified().await;
}

#[tokio::test]
async fn moving_twice_to_one_place_is_moving_once() {
    let village = Village::of(&id_number(1)).await;
    let first = village.moves(OTHER_GACHA).await;
    let batches = village.station.app.verify().await.unwrap().batches;
    assert_eq!(village.moves(OTHER_GACHA).await, first);
    assert_eq!(village.station.app.verify().await.unwrap().batches, batches);
}

#[tokio::test]
async fn who_moves_on_is_followed_from_the_first_place_to_the_last() {
    let mut package = counting();
    package.units.push(plan::unit::OrgUnit {
        code: "152522100202".into(),
        level: plan::unit::Level::Gacha,
        name: "third".into(),
        cadres: true,
    });
    let station = TestServer::sample_by(package).await;
    let mut cadre = Cadre::of(&station, 1, &format!("{GACHA}.general")).await;
    let puts = woman("", "2015-03", household(1));
    cadre.writes(&station, person(1), &puts).await;
    let app = &station.app;
    let moved = app.move_person(person(1), OTHER_GACHA, Some("2025-07-01"));
    let second = moved.await.unwrap().records[0].1;
    let moved = app.move_person(second, "152522100202", Some(DAY)).await;
    let third = moved.unwrap().records[0].1;
    let puts = [("identity.phone", text("10012345678"))];
    cadre.writes(&station, person(1), &puts).await;
    for record in [second, third] {
        let shown = show::show(app, &record.to_string()).await.unwrap();
        assert_eq!(shown["fields"]["identity.phone"], "10012345678");
    }
    let mut where_she_counts = BTreeMap::new();
    for year in [2025, 2026] {
        for unit in [GACHA, OTHER_GACHA, "152522100202"] {
            figures(&station, unit).await;
            let of_unit = app
                .indicators(Some(unit), YearSelection::Year(year))
                .await
                .unwrap();
            let screened = of_unit.into_iter().find(|of| of.indicator.key == SCREENED);
            if screened.unwrap().tally.denominator == 1 {
                where_she_counts
                    .entry(year)
                    .or_insert_with(Vec::new)
                    .push(unit);
            }
        }
    }
    let expected = BTreeMap::from([(2025, vec![OTHER_GACHA]), (2026, vec!["152522100202"])]);
    assert_eq!(where_she_counts, expected);
    assert_eq!(app.verify().await.unwrap().differences.len(), 0);
}

#[tokio::test]
async fn the_records_of_one_woman_move_together_and_stay_one() {
    let mut village = Village::of("").await;
    let puts = woman("", "2015-03", household(1));
    village
        .general
        .writes(&village.station, person(2), &puts)
        .await;
    let (holder, named) = pair(person(1), person(2));
    let key = state_key(named).unwrap();
    let same = [(key.as_str(), Value::from(Statement::Same.key()))];
    village
        .general
        .writes(&village.station, holder, &same)
        .await;
    let gone = village.moves(OTHER_GACHA).await;
    assert_eq!(gone.records.len(), 2);
    let shown = village.show(gone.records[0].1).await;
    assert_eq!(shown["linked"], json!([gone.records[1].1.to_string()]));
    assert_eq!(village.counts(2026).await, [(0, 0, 0), (1, 1, 0)]);
    assert_eq!(village.counts(2025).await, [(0, 1, 0), (0, 0, 0)]);
    village.verified().await;
}

#[tokio::test]
async fn what_cannot_move_is_refused_and_nothing_is_written() {
    let village = Village::of(&id_number(1)).await;
    let app = &village.station.app;
    let before = app.verify().await.unwrap().batches;
    let day = Some(DAY);
    for (record, to, on, expected) in [
        (household(1), OTHER_GACHA, day, "move_not_person"),
        (person(1), GACHA, day, "move_stays"),
        (person(9), OTHER_GACHA, day, "unknown_record"),
        (person(1), "152522999999", day, "unknown_unit"),
        (person(1), MINE, day, "unit_without_cadres"),
        (person(1), OTHER_GACHA, Some("2026-13-01"), "bad_date"),
    ] {
        let refused = app.move_person(record, to, on).await.unwrap_err();
        let CommandError::Wrong { code, .. } = refused else {
            panic!("{refused}");
        };
        assert_eq!(code, expected);
    }
    assert_eq!(app.verify().await.unwrap().batches, before);
}

#[tokio::test]
async fn a_server_that_starts_again_carries_on() {
    let mut village = Village::of(&id_number(1)).await;
    let new = village.moves(OTHER_GACHA).await.records[0].1;
    village.station = village.station.restarted_by(counting()).await;
    let puts = [("identity.phone", text("10012345678"))];
    village
        .general
        .writes(&village.station, person(1), &puts)
        .await;
    let shown = village.show(new).await;
    assert_eq!(shown["fields"]["identity.phone"], "10012345678");
    village.verified().await;
}

#[tokio::test]
async fn what_the_office_accepts_later_is_carried_over_too() {
    let mut village = Village::of(&id_number(1)).await;
    let space = format!("{GACHA}.general");
    let device = village.general.phone.device();
    let request = RevokeRequest {
        device,
        spaces: [space.parse().unwrap()].into(),
        reason: sync_core::control::RevokeReason::Left,
        renewals: Renewals::Ask,
    };
    village.station.app.revoke(&request).await.unwrap();
    let puts = [("identity.phone", text("10012345678"))];
    village
        .general
        .writes(&village.station, person(1), &puts)
        .await;
    let new = village.moves(OTHER_GACHA).await.records[0].1;
    assert!(
        village.show(new).await["fields"]
            .get("identity.phone")
            .is_none()
    );
    let app = &village.station.app;
    let waiting = app.waiting_batches().await.unwrap();
    let waiting = waiting.iter().map(|waiting| waiting.batch).collect();
    app.decide(&waiting, true, None).await.unwrap();
    let shown = village.show(new).await;
    assert_eq!(shown["fields"]["identity.phone"], "10012345678");
    village.verified().await;
}

#[tokio::test]
async fn a_restored_server_that_hears_of_a_move_again_carries_over_once_it_is_confirmed() {
    let mut village = Village::of(&id_number(1)).await;
    let files = tempfile::tempdir().unwrap();
    let file = files.path().join("backup");
    let app = &village.station.app;
    app.backup(&file, InClear::NotSaid).await.unwrap();
    let before = app.dump().await.unwrap().control.len();
    let first = village.moves(OTHER_GACHA).await.records[0].1;
    let app = &village.station.app;
    let on = app
        .move_person(first, GACHA, Some("2026-08-01"))
        .await
        .unwrap();
    let new = on.records[0].1;
    let told = app.dump().await.unwrap().control.split_off(before);

    let dir = tempfile::tempdir().unwrap();
    let options = options(&village.station.clock, true);
    let restored = restore(&file, dir.path(), None, options).await.unwrap();
    assert!(restored.recovery);
    village.station = TestServer::open(dir, true, counting()).await;
    let mut request = village.general.phone.request(&[]);
    request.shown = told;
    let packed = village.general.phone.encode(&request);
    let said = village.station.exchange(packed).await;
    said.body();
    // What this node wrote may still come back from the phones, so the office moves nobody either.
    let moved = village
        .station
        .app
        .move_person(person(1), OTHER_GACHA, None);
    assert!(matches!(
        moved.await,
        Err(CommandError::Wrong {
            code: "recovery_first",
            ..
        })
    ));
    let context = village.station.app.context();
    let mut tx = context.store.read().await.unwrap();
    assert!(record::spaces_of(&mut tx, new).await.unwrap().is_empty());
    drop(tx);
    village.station.app.confirm_recovery().await.unwrap();
    let shown = village.show(new).await;
    assert_eq!(shown["fields"]["identity.name"], "其其格");
    assert_eq!(shown["space"], GACHA);
    assert_eq!(shown["items"]["residence"][1]["since"], DAY);
    assert_eq!(shown["items"]["residence"][2]["since"], "2026-08-01");
    let old = village.show(person(1)).await;
    let residences = old["items"]["residence"].as_array().unwrap();
    assert_eq!(residences.last().unwrap()["status"], "5");
    village.verified().await;
}

#[tokio::test]
async fn whom_only_a_clinic_has_recorded_is_said_to_have_moved_in_both_units_too() {
    let station = TestServer::sample_by(counting()).await;
    let mut clinic = Cadre::of(&station, 1, &format!("{GACHA}.referral")).await;
    let puts = [
        ("screening#C-2026.cancer", text("C")),
        ("screening#C-2026.screened_on", text("2026-03-01")),
    ];
    clinic.writes(&station, person(1), &puts).await;
    let gone = station
        .app
        .move_person(person(1), OTHER_GACHA, Some(DAY))
        .await
        .unwrap();
    for (record, status) in [(person(1), Some(json!("5"))), (gone.records[0].1, None)] {
        let shown = show::show(&station.app, &record.to_string()).await.unwrap();
        let residence = &shown["items"]["residence"][0];
        assert_eq!(residence["since"], DAY, "{shown}");
        assert_eq!(residence.get("status").cloned(), status);
    }
}
