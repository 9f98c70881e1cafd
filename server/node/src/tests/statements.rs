//! Numbers of statements that an exchange costs: over a network each is a round trip, and most of them
//! are under the turn.

use sample::people::id_number;
use sample::phone::{Enrolling, Phone};
use sync_core::exchange::Budget;
use sync_core::id::{RecordId, Subject};
use sync_core::value::{Key, Value as Said};

use super::*;

type Puts<'a> = &'a [(&'a str, Said)];

/// A phone of a unit, with its three spaces, that holds what the server holds.
async fn enrolled(station: &TestServer) -> Phone {
    let link = station.link(&[GACHA]).await.unwrap();
    let enrolling = Enrolling::new(&link, 1);
    let answer = station.app.enrol(enrolling.request().to_vec()).await;
    let mut phone = enrolling.finish(NOON, &answer.unwrap()).unwrap();
    exchanged(station, &mut phone).await;
    phone
}

fn save(phone: &mut Phone, record: RecordId, puts: Puts<'_>) {
    let put = |(key, value): &(&str, Said)| (Key::parse(key).unwrap(), value.clone());
    let saved = phone.save(NOON, record, puts.iter().map(put).collect());
    assert_eq!(saved.unwrap(), 1);
}

/// Exchanges once; returns the statements that the server ran.
async fn exchanged(station: &TestServer, phone: &mut Phone) -> Vec<String> {
    let store = &station.app.context().store;
    let outgoing = phone.request(NOON, Budget::LARGEST).unwrap();
    store.statements();
    let answer = station.app.exchange(outgoing.bytes.clone()).await.unwrap();
    let run = store.statements();
    assert!(!phone.take(NOON, &outgoing, &answer).unwrap().again);
    run
}

#[tokio::test(flavor = "multi_thread")]
async fn an_exchange_of_twenty_edits_runs_few_statements() {
    let station = TestServer::sample().await;
    station.app.count_figures().await.unwrap();
    let mut phone = enrolled(&station).await;
    let draw = |phone: &mut Phone, subject, count| -> Vec<RecordId> {
        (0..count).map(|_| phone.draw(NOON, subject)).collect()
    };

    let households = draw(&mut phone, Subject::Household, 20);
    for record in &households {
        let puts = [
            ("household.area_type", "1".into()),
            ("household.residence_status", "1".into()),
            ("household.resident_population", 4.into()),
            ("household.main_camp", "1".into()),
            ("water#4ar8my87.camp", "1".into()),
            ("water#4ar8my87.observed_on", "2026-06-01".into()),
            ("water#4ar8my87.source", "01".into()),
            ("water#4ar8my87.users", 3.into()),
        ];
        save(&mut phone, *record, &puts);
    }
    let new_households = exchanged(&station, &mut phone).await;

    for record in &households {
        let puts = [("water#4ar8my87.source", "03".into())];
        save(&mut phone, *record, &puts);
    }
    let edits = exchanged(&station, &mut phone).await;

    let persons = draw(&mut phone, Subject::Person, 10);
    for ((number, record), household) in (0..).zip(persons).zip(&households) {
        let id_no = id_number("19900102", 2 * number);
        let puts = [
            ("identity.name", "其其格".into()),
            ("identity.sex", "2".into()),
            ("identity.id_type", "01".into()),
            ("identity.id_no", id_no.as_str().into()),
            ("identity.birth_date", "1990-01-02".into()),
            ("residence#4ar8my87.since", "2020-05-01".into()),
            ("residence#4ar8my87.status", "1".into()),
            (
                "residence#4ar8my87.household",
                household.to_string().as_str().into(),
            ),
        ];
        save(&mut phone, record, &puts);
    }
    let new_persons = exchanged(&station, &mut phone).await;
    let nothing = exchanged(&station, &mut phone).await;

    for (what, run, max) in [
        ("20 new households", new_households, 26),
        ("20 edits", edits, 26),
        (
            "10 new persons, whose ID numbers tie them to others",
            new_persons,
            30,
        ),
        ("nothing new", nothing, 6),
    ] {
        assert!(run.len() <= max, "{what}: {} of {run:#?}", run.len());
    }
}
