use super::*;
use crate::ServeError;

const SPACE: &str = "152522100200.general";

async fn station() -> TestServer {
    let station = TestServer::sample().await;
    let mut a = Phone::enrolled(&station, 1, SPACE).await;
    let first = a.batch(1, &[], vec![a.entry(1, "一"), a.entry(2, "二")]);
    let second = a.batch(2, &[&first], vec![a.entry(3, "三")]);
    a.exchange(&station, &[&first, &second]).await;
    assert_eq!(station.app.verify().await.unwrap().differences, []);
    station
}

#[tokio::test]
async fn verify_notices_every_row_that_somebody_changed() {
    for (sql, what) in [
        (
            "UPDATE record SET state = x'a0' WHERE record = (SELECT MIN(record) FROM record)",
            "record",
        ),
        (
            "UPDATE record SET state = x'ff' WHERE record = (SELECT MIN(record) FROM record)",
            "record",
        ),
        (
            "DELETE FROM record WHERE record = (SELECT MIN(record) FROM record)",
            "record",
        ),
        (
            "UPDATE record SET state = (SELECT MAX(state) FROM record)",
            "record",
        ),
        ("UPDATE space SET counter = 7", "counter"),
        (
            "UPDATE tip SET hash = (SELECT hash FROM batch WHERE seq = 1)",
            "tips",
        ),
        ("DELETE FROM touched WHERE arrival = 2", "touched"),
        ("UPDATE batch SET seq = 5 WHERE arrival = 2", "batch"),
        ("UPDATE batch SET branch = 1 WHERE arrival = 2", "batch"),
        (
            "UPDATE batch SET bytes = (SELECT bytes FROM batch WHERE arrival = 1) WHERE arrival = 2",
            "batch",
        ),
        ("UPDATE batch SET bytes = x'00' WHERE arrival = 2", "batch"),
    ] {
        let station = station().await;
        station.tamper(sql).await;
        let verified = station.app.verify().await.unwrap();
        assert!(
            verified.differences.iter().any(|found| found.what == what),
            "{sql}: {verified:?}"
        );
    }
}

#[tokio::test]
async fn a_row_that_does_not_read_is_an_error_that_names_table_column_and_key() {
    let station = station().await;
    station
        .tamper("UPDATE batch SET prev = x'0102' WHERE arrival = 2")
        .await;
    let error = station.app.verify().await.unwrap_err();
    let error = error.to_string();
    let place = "a row of batch (unit 152522100200, class 0, arrival 2, hash ";
    assert!(error.starts_with(place), "{error}");
    assert!(
        error.ends_with(") has a prev that does not read"),
        "{error}"
    );
    let b = Phone::enrolled(&station, 2, SPACE).await;
    let said = b.send(&station, &[]).await;
    assert!(matches!(said.0, Err(ServeError::Failed(_))));
}

#[tokio::test]
async fn what_the_server_shows_comes_from_the_stored_records() {
    let station = station().await;
    let id = record_id(3).to_string();
    let shown = crate::show::show(&station.app, &id).await.unwrap();
    assert_eq!(shown["fields"]["identity.name"], "三");
    assert_eq!(shown["space"], GACHA);
    assert_eq!(
        crate::show::records(&station.app)
            .await
            .unwrap()
            .as_array()
            .unwrap()
            .len(),
        3
    );
    let unknown = record_id(9).to_string();
    assert!(crate::show::show(&station.app, &unknown).await.is_err());
}
