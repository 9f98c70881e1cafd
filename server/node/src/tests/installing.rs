use std::fs;

use store::FILE_NAME;

use tempfile::TempDir;

use super::*;
use crate::CommandError;
use crate::keys::{MATCH, NODE, ORDER, ROOT, TLS, TLS_NEXT};
use crate::transaction::ReadTx;

async fn open(dir: &std::path::Path, version: u32) -> Result<App, anyhow::Error> {
    let clock = Arc::new(AtomicI64::new(NOON));
    let options = Options {
        package: package(version),
        ..options(&clock, true)
    };
    App::open(dir, options).await
}

/// The version of the plan that a server has published.
async fn published(app: &App) -> u32 {
    let ReadTx { control, .. } = app.context().read().await.unwrap();
    control.package().unwrap().version
}

#[tokio::test]
async fn a_first_start_killed_after_any_step_goes_on_with_the_same_keys() {
    let whole = tempfile::tempdir().unwrap();
    let app = open(whole.path(), 1).await.unwrap();
    let network = app.network();
    app.close().await;
    drop(app);
    let keys = [ROOT, NODE, TLS, TLS_NEXT, ORDER];
    for step in 0..=keys.len() {
        for database in [false, true] {
            let dir = tempfile::tempdir().unwrap();
            for name in &keys[..step] {
                fs::copy(whole.path().join(name), dir.path().join(name)).unwrap();
            }
            // Half a key beside, as a kill in the middle of a write leaves it.
            fs::write(dir.path().join("node.key.new"), "01ab").unwrap();
            if database {
                store::Store::open(dir.path()).await.unwrap().close().await;
            }
            let app = open(dir.path(), 1).await.unwrap();
            assert!(app.founded());
            assert_eq!(app.network() == network, step == keys.len(), "{step}");
            for name in &keys[..step] {
                let read = |dir: &TempDir| fs::read(dir.path().join(name)).unwrap();
                assert_eq!(read(&dir), read(&whole), "{name}");
            }
            let found = app.network();
            app.close().await;
            drop(app);
            let again = open(dir.path(), 1).await.unwrap();
            assert!(!again.founded());
            assert_eq!(again.network(), found);
        }
    }
}

#[tokio::test]
async fn a_lost_database_or_key_founds_no_other_network() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path();
    let app = open(path, 1).await.unwrap();
    let network = app.network();
    app.close().await;
    drop(app);
    let failure = async || open(path, 1).await.unwrap_err().to_string();

    let aside = |name: &str| path.join(format!("{name}.aside"));
    fs::rename(path.join(MATCH), aside(MATCH)).unwrap();
    let why = failure().await;
    assert!(why.contains("match.key is missing"), "{why}");
    assert!(!path.join(MATCH).exists());
    fs::rename(aside(MATCH), path.join(MATCH)).unwrap();

    fs::rename(path.join(ROOT), aside(ROOT)).unwrap();
    for file in fs::read_dir(path).unwrap() {
        let file = file.unwrap();
        if file.file_name().to_str().unwrap().starts_with(FILE_NAME) {
            fs::remove_file(file.path()).unwrap();
        }
    }
    for _ in 0..2 {
        let why = failure().await;
        assert!(
            why.contains("the database of this installation is gone"),
            "{why}"
        );
        assert!(!path.join(ROOT).exists());
    }
    // With the root key it is the same network again, and waits for the phones.
    fs::rename(aside(ROOT), path.join(ROOT)).unwrap();
    let app = open(path, 1).await.unwrap();
    assert_eq!(app.network(), network);
    assert!(app.recovery_status().await.unwrap().recovery);
}

#[tokio::test]
async fn two_first_starts_at_once_found_one_network() {
    let dir = tempfile::tempdir().unwrap();
    let (one, two) = tokio::join!(open(dir.path(), 1), open(dir.path(), 1));
    let (one, two) = (one.unwrap(), two.unwrap());
    assert_eq!(one.network(), two.network());
    assert!(one.founded() != two.founded());
}

#[tokio::test]
async fn a_newer_plan_is_published_at_the_next_start_and_an_older_one_is_not() {
    let dir = tempfile::tempdir().unwrap();
    for (version, expected) in [(2, 2), (3, 3), (1, 3)] {
        let app = open(dir.path(), version).await.unwrap();
        assert_eq!(published(&app).await, expected);
        app.close().await;
    }
}

#[tokio::test]
async fn the_root_key_may_be_gone_after_the_first_start_and_the_others_may_not() {
    let dir = tempfile::tempdir().unwrap();
    open(dir.path(), 1).await.unwrap().close().await;
    fs::remove_file(dir.path().join(ROOT)).unwrap();
    open(dir.path(), 1).await.unwrap().close().await;
    assert!(!dir.path().join(ROOT).exists());

    let other = tempfile::tempdir().unwrap();
    open(other.path(), 1).await.unwrap().close().await;
    fs::copy(other.path().join(TLS), dir.path().join(TLS)).unwrap();
    let error = open(dir.path(), 1).await.unwrap_err();
    assert!(error.to_string().contains(TLS), "{error}");
    // The other of the two listed keys is as good.
    fs::copy(dir.path().join(TLS_NEXT), dir.path().join(TLS)).unwrap();
    open(dir.path(), 1).await.unwrap().close().await;
    fs::remove_file(dir.path().join(NODE)).unwrap();
    let error = open(dir.path(), 1).await.unwrap_err();
    assert!(error.to_string().contains(NODE), "{error}");
}

#[tokio::test]
async fn a_root_key_given_beforehand_is_used() {
    let dir = tempfile::tempdir().unwrap();
    let given = sync_core::seal::SigningKey::from_bytes(&[5; 32]);
    fs::write(dir.path().join(ROOT), format!("01{}\n", "05".repeat(32))).unwrap();
    let app = open(dir.path(), 1).await.unwrap();
    let ReadTx { control, .. } = app.context().read().await.unwrap();
    assert_eq!(control.root().unwrap().root_keys, [given.public().bytes]);
}

#[tokio::test]
async fn a_directory_without_an_installation_is_not_made_one_by_a_question() {
    let dir = tempfile::tempdir().unwrap();
    assert!(
        App::open_existing(dir.path(), Options::default())
            .await
            .is_err()
    );
    assert!(!dir.path().join(FILE_NAME).exists());
}

#[tokio::test]
async fn an_installation_for_real_data_never_becomes_a_sample() {
    let dir = tempfile::tempdir().unwrap();
    let sample = || Options {
        sample: true,
        ..Options::default()
    };
    drop(App::open(dir.path(), Options::default()).await.unwrap());
    let app = App::open(dir.path(), sample()).await.unwrap();
    let error = app.keep_sample_apart().await.unwrap_err();
    assert!(
        matches!(
            error,
            CommandError::Wrong {
                code: "not_a_sample",
                ..
            }
        ),
        "{error}"
    );

    let made_up = tempfile::tempdir().unwrap();
    drop(App::open(made_up.path(), sample()).await.unwrap());
    let app = App::open(made_up.path(), sample()).await.unwrap();
    assert!(app.keep_sample_apart().await.is_ok());
}
