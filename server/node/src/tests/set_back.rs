//! Databases that were set back to an older copy, and what is not taken for one.

use std::path::{Path, PathBuf};
use std::time::Duration;

use store::copy;
use tempfile::TempDir;

use super::*;

const SPACE: &str = "152522100200.general";
const DATABASE: &str = "ortoo.db";
const LOG: &str = "ortoo.db-wal";

/// Ends a server; returns its directory, whose database nobody uses any more.
async fn ended(station: TestServer) -> (TempDir, Arc<AtomicI64>) {
    let TestServer {
        app, clock, dir, ..
    } = station;
    app.close().await;
    drop(app);
    // The writer's thread closes last, and its connection takes the log with it.
    while dir.path().join(LOG).exists() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    (dir, clock)
}

async fn started(dir: TempDir, clock: Arc<AtomicI64>) -> TestServer {
    let app = App::open(dir.path(), options(&clock, true)).await.unwrap();
    TestServer {
        app,
        clock,
        dir,
        sample: true,
    }
}

/// A copy of the database as it is now.
async fn copied(station: &TestServer, to: &TempDir) -> PathBuf {
    let file = to.path().join("copy");
    let mut conn = station.app.context().store.connect().await.unwrap();
    copy::copy(&mut conn, &file).await.unwrap();
    file
}

async fn put_back(station: TestServer, copy: &Path) -> TestServer {
    let (dir, clock) = ended(station).await;
    std::fs::copy(copy, dir.path().join(DATABASE)).unwrap();
    started(dir, clock).await
}

async fn is_recovering(station: &TestServer) -> bool {
    station.app.recovery_status().await.unwrap().recovery
}

async fn kinds(station: &TestServer) -> Vec<String> {
    let events = station.app.events(10).await.unwrap();
    events.into_iter().map(|event| event.kind).collect()
}

async fn batches(station: &TestServer) -> u64 {
    let verified = station.app.verify().await.unwrap();
    assert!(verified.differences.is_empty(), "{verified:?}");
    verified.batches
}

#[tokio::test]
async fn a_database_that_was_set_back_begins_another_life_and_gets_back_what_it_lost() {
    let station = TestServer::sample().await;
    let there = tempfile::tempdir().unwrap();
    let mut phone = Phone::enrolled(&station, 1, SPACE).await;
    let first = phone.batch(1, &[], vec![phone.entry(1, "巴特尔")]);
    phone.exchange(&station, &[&first]).await;
    let copy = copied(&station, &there).await;
    let second = phone.batch(2, &[&first], vec![phone.entry(2, "苏和")]);
    phone.exchange(&station, &[&second]).await;

    let station = put_back(station, &copy).await;
    assert!(is_recovering(&station).await);
    assert_eq!(kinds(&station).await, ["set_back"]);
    assert_eq!(batches(&station).await, 1);
    let status = station.app.recovery_status().await.unwrap();
    assert!(status.at_risk.contains(&phone.space), "{status:?}");

    // The phone does not believe that the server still holds what it was told, and brings it again.
    let reset = phone.exchange(&station, &[]).await;
    assert!(reset.reset && reset.batches.is_empty());
    phone.incarnation = reset.incarnation.unwrap();
    phone.exchange(&station, &[&second]).await;
    assert_eq!(batches(&station).await, 2);
    phone.exchange(&station, &[]).await;
    let status = station.app.recovery_status().await.unwrap();
    assert!(!status.at_risk.contains(&phone.space), "{status:?}");

    station.app.confirm_recovery().await.unwrap();
    let station = station.restarted().await;
    assert!(!is_recovering(&station).await, "it is noticed once");
    assert_eq!(kinds(&station).await, ["recovery_confirmed", "set_back"]);
}

#[tokio::test]
async fn a_restart_and_a_killed_process_are_not_taken_for_a_database_that_was_set_back() {
    let station = TestServer::sample().await;
    let mut phone = Phone::enrolled(&station, 1, SPACE).await;
    let first = phone.batch(1, &[], vec![phone.entry(1, "巴特尔")]);
    phone.exchange(&station, &[&first]).await;
    let station = station.restarted().await;
    assert!(!is_recovering(&station).await);

    // What a process leaves behind that is killed: the log is not in the database yet.
    let second = phone.batch(2, &[&first], vec![phone.entry(2, "苏和")]);
    phone.exchange(&station, &[&second]).await;
    let killed = tempfile::tempdir().unwrap();
    for file in std::fs::read_dir(station.dir.path()).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), killed.path().join(file.file_name())).unwrap();
    }
    assert!(killed.path().join(LOG).exists());
    let killed = started(killed, station.clock.clone()).await;
    assert!(!is_recovering(&killed).await);
    assert_eq!(kinds(&killed).await, [""; 0]);
    assert_eq!(batches(&killed).await, 2);
}

#[tokio::test]
async fn a_database_that_is_gone_is_founded_again_in_recovery() {
    let station = TestServer::sample().await;
    let network = station.app.network();
    let (dir, clock) = ended(station).await;
    std::fs::remove_file(dir.path().join(DATABASE)).unwrap();
    let station = started(dir, clock).await;
    assert_eq!(station.app.network(), network);
    assert!(is_recovering(&station).await);
}
