//! A new plan is counted beside the one in use, while phones go on (R45).

use sync_core::figure::Tally;

use super::recounting::{SCREENED, counting, figures, station};
use super::*;
use crate::CommandError;
use crate::figures::{Built, FigureReader, build_next};
use crate::transaction::{ReadTx, WriteTx};

/// The plan of [`counting`], which asks for no age any more.
fn of_every_age(version: u32) -> Package {
    let mut package = counting();
    package.version = version;
    package.indicators[0].count.denominator = Some("woman && resident".into());
    package
}

/// A girl, whom only the newer plan counts.
fn girl(number: &str) -> Vec<(&'static str, sync_core::value::Value)> {
    let mut puts = woman(number, "2020-05", household(1));
    puts.retain(|(key, _)| *key != "identity.birth_date");
    puts.push(("identity.birth_date", "2015-05-20".into()));
    puts
}

/// What is shown of 2026 at this moment, whatever is being counted.
async fn shown(station: &TestServer) -> Tally {
    let context = station.app.context();
    let ReadTx { mut conn, control } = context.read().await.unwrap();
    let shown = FigureReader::current(&mut conn, &control).await.unwrap();
    shown.unwrap().totals(&mut conn, GACHA, 2026).await.unwrap()[SCREENED]
}

async fn build(station: &TestServer) -> Built {
    let next = async |tx: &mut WriteTx<'_>| Ok::<_, CommandError>(build_next(tx).await?);
    station.app.write(next).await.unwrap()
}

fn women(count: i64) -> Tally {
    Tally {
        denominator: count,
        ..Tally::default()
    }
}

#[tokio::test]
async fn figures_are_shown_by_the_old_plan_until_all_are_counted_by_the_new_one() {
    let (station, mut cadre) = station().await;
    let mut there = Cadre::of(&station, 2, "152522100201.general").await;
    let puts = woman(&id_number(2), "2020-05", household(2));
    there.writes(&station, person(2), &puts).await;
    cadre
        .writes(&station, person(3), &girl(&id_number(3)))
        .await;
    assert_eq!(shown(&station).await, women(1));

    let station = station.restarted_by(of_every_age(2)).await;
    assert_eq!(shown(&station).await, women(1), "nothing is counted yet");
    assert_eq!(build(&station).await, Built::More);
    assert_eq!(shown(&station).await, women(1), "one unit is counted");

    // An edit in the unit that is counted changes both; one in the other is counted with it.
    cadre
        .writes(&station, person(4), &girl(&id_number(4)))
        .await;
    there
        .writes(&station, person(5), &girl(&id_number(5)))
        .await;
    let puts = woman(&id_number(6), "2020-05", household(1));
    cadre.writes(&station, person(6), &puts).await;
    assert_eq!(shown(&station).await, women(2));
    assert_eq!(build(&station).await, Built::More);
    assert_eq!(build(&station).await, Built::Done);
    assert_eq!(shown(&station).await, women(4), "by the new plan, at once");
    assert_eq!(figures(&station, OTHER_GACHA).await[SCREENED], (0, 2, 0));
    assert_eq!(build(&station).await, Built::Done, "nothing is left to do");
}

#[tokio::test]
async fn a_plan_that_is_replaced_while_it_is_counted_is_forgotten() {
    let (station, mut cadre) = station().await;
    cadre
        .writes(&station, person(2), &girl(&id_number(2)))
        .await;
    let station = station.restarted_by(of_every_age(2)).await;
    assert_eq!(build(&station).await, Built::More);
    let mut third = counting();
    third.version = 3;
    let station = station.restarted_by(third).await;
    assert_eq!(station.app.count_figures().await.unwrap(), 1);
    assert_eq!(shown(&station).await, women(1));
    assert_eq!(figures(&station, GACHA).await[SCREENED], (0, 1, 0));
}

#[tokio::test]
async fn counting_anew_gives_the_same() {
    let (station, mut cadre) = station().await;
    let before = figures(&station, GACHA).await;
    assert_eq!(station.app.recount().await.unwrap(), 1);
    assert_eq!(figures(&station, GACHA).await, before);
    cadre
        .writes(
            &station,
            person(2),
            &woman(&id_number(2), "2020-05", household(1)),
        )
        .await;
    assert_eq!(figures(&station, GACHA).await[SCREENED], (0, 2, 0));
}

#[tokio::test]
async fn an_installation_from_before_there_were_figures_is_counted_whole() {
    let (station, _) = station().await;
    let before = figures(&station, GACHA).await;
    for table in [
        "DELETE FROM cell",
        "DELETE FROM contribution",
        "DELETE FROM generation",
        "DELETE FROM identity_number",
        "DELETE FROM lives_in",
    ] {
        station.tamper(table).await;
    }
    let station = station.restarted_by(counting()).await;
    assert_eq!(figures(&station, GACHA).await, before);
}
