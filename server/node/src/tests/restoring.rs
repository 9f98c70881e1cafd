//! Backups, the journal, restores, and service after one.

use std::path::Path;

use sync_core::batch::Batch;
use sync_core::id::DeviceId;
use sync_core::renew::Renewal;
use sync_core::seal::SigningKey;
use sync_core::wire::{Answer, Safe};
use tempfile::TempDir;

use super::*;
use crate::{CommandError, InClear, Restored, ServeError, restore};

const SPACE: &str = "152522100200.general";

/// A server restored from a backup.
pub(super) async fn restored(file: &Path, journal: Option<&Path>) -> (TestServer, Restored) {
    let dir = tempfile::tempdir().unwrap();
    let clock = Arc::new(AtomicI64::new(NOON));
    let options = options(&clock, true);
    let restored = restore(file, dir.path(), journal, options).await.unwrap();
    (TestServer::open(dir, true, package(1)).await, restored)
}

pub(super) async fn backed_up(station: &TestServer, dir: &TempDir) -> std::path::PathBuf {
    let file = dir.path().join("backup");
    station.app.backup(&file, InClear::NotSaid).await.unwrap();
    file
}

fn code(error: CommandError) -> &'static str {
    match error {
        CommandError::Wrong { code, .. } => code,
        CommandError::Data(error) => panic!("{error:#}"),
    }
}

/// What a server holds of the space, after a phone that knows nothing of it asked.
async fn everything(station: &TestServer, phone: &mut Phone) -> Answer {
    phone.base = Default::default();
    let answer = phone.exchange(station, &[]).await;
    if let Some(incarnation) = answer.incarnation {
        phone.incarnation = incarnation;
        phone.base = Default::default();
        return phone.exchange(station, &[]).await;
    }
    answer
}

async fn batches(station: &TestServer) -> u64 {
    let verified = station.app.verify().await.unwrap();
    assert!(verified.differences.is_empty(), "{verified:?}");
    verified.batches
}

#[tokio::test]
async fn backup_and_journal_together_hold_everything_that_was_acknowledged() {
    let station = TestServer::sample().await;
    let (file, journal) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut phone = Phone::enrolled(&station, 1, SPACE).await;
    let first = phone.batch(1, &[], vec![phone.entry(1, "巴特尔")]);
    phone.exchange(&station, &[&first]).await;
    // The journal is begun later and is given what is held by then.
    station.app.keep_journal(journal.path()).await.unwrap();
    let file = backed_up(&station, &file).await;
    let second = phone.batch(2, &[&first], vec![phone.entry(2, "苏和")]);
    phone.exchange(&station, &[&second]).await;
    let mut late = Phone::enrolled(&station, 2, SPACE).await;
    let third = late.batch(1, &[], vec![late.entry(3, "其其格")]);
    late.exchange(&station, &[&third]).await;

    let (again, restored) = restored(&file, Some(journal.path())).await;
    let replayed = restored.journal.unwrap();
    assert_eq!((replayed.batches, replayed.control), (2, 1), "{replayed:?}");
    assert!(replayed.complete && !restored.recovery, "{restored:?}");
    assert_eq!(batches(&again).await, 3);
    // The device that came in after the backup is on the roster, and is served.
    assert_eq!(everything(&again, &mut late).await.batches.len(), 3);
    let again = again.restarted().await;
    assert_eq!(batches(&again).await, 3);
}

#[tokio::test]
async fn a_journal_alone_brings_back_what_an_empty_backup_lacks_however_its_end_was_cut() {
    let station = TestServer::sample().await;
    let (dir, journal) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let file = backed_up(&station, &dir).await;
    station.app.keep_journal(journal.path()).await.unwrap();
    let mut phone = Phone::enrolled(&station, 1, SPACE).await;
    let first = phone.batch(1, &[], vec![phone.entry(1, "巴特尔")]);
    phone.exchange(&station, &[&first]).await;
    let second = phone.batch(2, &[&first], vec![phone.entry(2, "苏和")]);
    phone.exchange(&station, &[&second]).await;

    let files = std::fs::read_dir(journal.path()).unwrap();
    let path = files.map(|file| file.unwrap().path()).max().unwrap();
    let whole = std::fs::read(&path).unwrap();
    for (cut, held) in [(0, 2), (1, 1), (40, 1)] {
        std::fs::write(&path, &whole[..whole.len() - cut]).unwrap();
        let (again, restored) = restored(&file, Some(journal.path())).await;
        assert_eq!(batches(&again).await, held, "{cut}");
        let replayed = restored.journal.unwrap();
        assert_eq!(replayed.torn, usize::from(cut > 0), "{replayed:?}");
        assert!(replayed.complete, "a torn end was acknowledged to nobody");
    }
    // What was altered is told, and somebody has to look.
    let mut altered = whole.clone();
    let at = altered.len() - 1;
    altered[at] ^= 1;
    std::fs::write(&path, &altered).unwrap();
    let (again, restored) = restored(&file, Some(journal.path())).await;
    assert!(restored.recovery && !restored.journal.unwrap().complete);
    assert_eq!(batches(&again).await, 1);
}

#[tokio::test]
async fn a_journal_that_goes_on_elsewhere_after_an_erasure_keeps_what_it_is_given_there() {
    let station = TestServer::sample().await;
    let [dir, here, there] = std::array::from_fn(|_| tempfile::tempdir().unwrap());
    let file = backed_up(&station, &dir).await;
    station.app.keep_journal(here.path()).await.unwrap();
    let mut phone = Phone::enrolled(&station, 1, SPACE).await;
    let (erased, kept) = (phone.entry(1, "巴特尔"), phone.entry(2, "苏和"));
    let record = erased.record;
    let first = phone.batch(1, &[], vec![erased, kept]);
    phone.exchange(&station, &[&first]).await;
    let key = station.dir.path().join("order.key");
    let key = crate::keys::persons_key(&key).unwrap();
    let alone = crate::Reach {
        alone: true,
        ..Default::default()
    };
    let wish = station.app.erasure(&[record.into()], alone).await.unwrap();
    let order = station.app.make_order("order.key", &key, &wish).await;
    station
        .app
        .submit_order("order", &order.unwrap())
        .await
        .unwrap();

    station.app.keep_journal(there.path()).await.unwrap();
    // What a server that runs does every hour.
    station.app.empty_log().await.unwrap();
    let second = phone.batch(2, &[&first], vec![phone.entry(3, "其其格")]);
    phone.exchange(&station, &[&second]).await;
    let (again, restored) = restored(&file, Some(there.path())).await;
    assert!(restored.journal.unwrap().complete, "{restored:?}");
    assert_eq!(batches(&again).await, 2);
}

#[tokio::test]
async fn a_journal_that_begins_with_several_files_keeps_all_of_them() {
    let station = TestServer::sample().await;
    let [dir, journal] = std::array::from_fn(|_| tempfile::tempdir().unwrap());
    let file = backed_up(&station, &dir).await;
    let mut phone = Phone::enrolled(&station, 1, SPACE).await;
    let mut last = phone.batch(1, &[], vec![phone.entry(1, "巴特尔")]);
    phone.exchange(&station, &[&last]).await;
    for n in 2..40 {
        let next = phone.batch(n, &[&last], vec![phone.entry(n as u8, "苏和")]);
        phone.exchange(&station, &[&next]).await;
        last = next;
    }
    station.app.keep_journal(journal.path()).await.unwrap();
    let files = || std::fs::read_dir(journal.path()).unwrap().count();
    let begun = files();
    assert!(begun > 2, "{begun}");
    // What a server that runs does every hour.
    station.app.empty_log().await.unwrap();
    assert_eq!(files(), begun);
    let (again, restored) = restored(&file, Some(journal.path())).await;
    assert!(restored.journal.unwrap().complete, "{restored:?}");
    assert_eq!(batches(&again).await, 39);
}

#[tokio::test]
async fn while_the_journal_can_not_be_written_nothing_is_acknowledged() {
    let station = TestServer::sample().await;
    let journal = tempfile::tempdir().unwrap();
    let dir = journal.path().join("journal");
    station.app.keep_journal(&dir).await.unwrap();
    let mut phone = Phone::enrolled(&station, 1, SPACE).await;
    let first = phone.batch(1, &[], vec![phone.entry(1, "巴特尔")]);
    phone.exchange(&station, &[&first]).await;
    let station = station.restarted().await;

    // A file where the directory was: this process has not begun one of its own yet.
    std::fs::remove_dir_all(&dir).unwrap();
    std::fs::write(&dir, b"in the way").unwrap();
    let second = phone.batch(2, &[&first], vec![phone.entry(2, "苏和")]);
    let said = phone.send(&station, &[&second]).await;
    assert!(matches!(said.0, Err(ServeError::Unjournaled(_))));
    assert_eq!(batches(&station).await, 1);
    let link = station.link(&[SPACE]).await;
    assert!(link.is_ok(), "a code says nothing of anybody's data");

    std::fs::remove_file(&dir).unwrap();
    phone.exchange(&station, &[&second]).await;
    assert_eq!(batches(&station).await, 2);
    assert!(dir.is_dir());
}

#[tokio::test]
async fn after_a_restore_uploads_are_taken_and_nothing_is_sent_until_somebody_confirms() {
    let station = TestServer::sample().await;
    let dir = tempfile::tempdir().unwrap();
    let mut phone = Phone::enrolled(&station, 1, SPACE).await;
    let mut other = Phone::enrolled(&station, 2, SPACE).await;
    let first = phone.batch(1, &[], vec![phone.entry(1, "巴特尔")]);
    phone.exchange(&station, &[&first]).await;
    let file = backed_up(&station, &dir).await;
    let second = phone.batch(2, &[&first], vec![phone.entry(2, "苏和")]);
    phone.exchange(&station, &[&second]).await;

    let (again, restored) = restored(&file, None).await;
    assert!(restored.recovery && restored.journal.is_none());
    let held_back = everything(&again, &mut other).await;
    assert!(held_back.batches.is_empty(), "nothing goes out");
    assert_eq!(held_back.spaces[0].counter, 1, "and all is acknowledged");
    let status = again.app.recovery_status().await.unwrap();
    assert!(status.recovery && status.at_risk.contains(&phone.space));

    // The phone that held the space comes back and brings what the backup lacks.
    let reset = phone.exchange(&again, &[]).await;
    assert!(reset.reset && reset.batches.is_empty());
    phone.incarnation = reset.incarnation.unwrap();
    let answer = phone.exchange(&again, &[&second]).await;
    assert!(!answer.reset);
    assert_eq!(batches(&again).await, 2);
    phone.exchange(&again, &[]).await;
    let status = again.app.recovery_status().await.unwrap();
    assert!(!status.at_risk.contains(&phone.space), "{status:?}");

    let again = again.restarted().await;
    again.app.confirm_recovery().await.unwrap();
    assert_eq!(everything(&again, &mut other).await.batches.len(), 2);
    let kinds: Vec<String> = again
        .app
        .events(10)
        .await
        .unwrap()
        .into_iter()
        .map(|event| event.kind)
        .collect();
    assert_eq!(kinds, ["recovery_confirmed", "restored"]);
}

#[tokio::test]
async fn a_device_enrolled_after_the_backup_gets_in_with_its_own_entry_and_is_held_back() {
    let station = TestServer::sample().await;
    let dir = tempfile::tempdir().unwrap();
    let mut phone = Phone::enrolled(&station, 1, SPACE).await;
    let first = phone.batch(1, &[], vec![phone.entry(1, "巴特尔")]);
    phone.exchange(&station, &[&first]).await;
    let file = backed_up(&station, &dir).await;
    let mut late = Phone::new(&station, 2, SPACE);
    let code = station.code(SPACE).await;
    let enrolment = late.enrolment(&code);
    let control = late.join(&station.enrol(enrolment).await.body()).control;

    let (again, _) = restored(&file, None).await;
    again.app.confirm_recovery().await.unwrap();
    let mine = late.batch(1, &[], vec![late.entry(2, "苏和")]);
    let said = late.send(&again, &[&mine]).await;
    assert_eq!(said.refusal(), "device_unknown");
    let mut request = late.request(&[&mine]);
    request.shown = control;
    let shown = again.exchange(late.encode(&request)).await;
    let answer = Answer::decode(late.network, &shown.body()).unwrap();
    assert!(answer.reset && answer.batches.is_empty());
    late.incarnation = answer.incarnation.unwrap();
    assert_eq!(batches(&again).await, 2, "what it brought is held");

    // From now on it is known; but somebody may have revoked it after the backup.
    let again = again.restarted().await;
    let answer = everything(&again, &mut late).await;
    assert!(answer.batches.is_empty());
    let status = again.app.recovery_status().await.unwrap();
    assert_eq!(
        (status.recovery, status.returned),
        (false, vec![late.device()])
    );
    assert_eq!(everything(&again, &mut phone).await.batches.len(), 2);
    again.app.confirm_recovery().await.unwrap();
    assert_eq!(everything(&again, &mut late).await.batches.len(), 2);
}

#[tokio::test]
async fn an_old_enrolment_of_a_device_that_was_let_in_again_holds_nobody_back() {
    let station = TestServer::sample().await;
    let dir = tempfile::tempdir().unwrap();
    let phone = Phone::enrolled(&station, 1, SPACE).await;
    let file = backed_up(&station, &dir).await;
    let mut late = Phone::enrolled(&station, 2, SPACE).await;
    let told = station.app.dump().await.unwrap().control;
    let (again, _) = restored(&file, None).await;
    late.enrol(&again).await;
    let before = again.app.dump().await.unwrap().control.len();
    again.app.confirm_recovery().await.unwrap();
    // Others hold the entry of before the loss, and show it.
    let mut request = phone.request(&[]);
    request.shown = told;
    let said = again.exchange(phone.encode(&request)).await;
    assert!(said.0.is_ok());
    assert_eq!(again.app.dump().await.unwrap().control.len(), before + 1);
    let status = again.app.recovery_status().await.unwrap();
    assert_eq!(status.returned, []);
}

#[tokio::test]
async fn what_a_stranger_shows_lets_only_in_whom_a_node_of_the_network_has_let_in() {
    let station = TestServer::sample().await;
    let elsewhere = TestServer::sample().await;
    let (mut stranger, mut other) = (
        Phone::new(&station, 7, SPACE),
        Phone::new(&elsewhere, 7, SPACE),
    );
    let code = elsewhere.code(SPACE).await;
    let enrolment = other.enrolment(&code);
    let control = other.join(&elsewhere.enrol(enrolment).await.body()).control;
    let mut request = stranger.request(&[]);
    request.shown = control;
    let said = station.exchange(stranger.encode(&request)).await;
    assert_eq!(said.refusal(), "device_unknown");

    // And an entry shown by somebody else is of no use to whoever does not hold its key.
    let mut phone = Phone::new(&station, 1, SPACE);
    let code = station.code(SPACE).await;
    let enrolment = phone.enrolment(&code);
    let control = phone.join(&station.enrol(enrolment).await.body()).control;
    stranger.nonce = phone.nonce;
    let mut request = stranger.request(&[]);
    request.shown = control;
    let said = station.exchange(stranger.encode(&request)).await;
    assert_eq!(said.refusal(), "device_unknown");
}

#[tokio::test]
async fn a_backup_of_real_data_is_refused_unless_somebody_says_that_he_knows() {
    let station = TestServer::real().await;
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("backup");
    let refused = station.app.backup(&file, InClear::NotSaid).await;
    assert_eq!(code(refused.unwrap_err()), "backup_in_clear");
    assert!(!file.exists());
    let made = station.app.backup(&file, InClear::Known).await.unwrap();
    assert_eq!(made.bytes, file.metadata().unwrap().len());
    // Never over another, and nothing is left beside it.
    let again = station.app.backup(&file, InClear::Known).await;
    assert_eq!(code(again.unwrap_err()), "file_exists");
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    let root = std::fs::read(station.dir.path().join("root.key")).unwrap();
    let backup = std::fs::read(&file).unwrap();
    let found = backup.windows(root.len()).any(|window| window == root);
    assert!(!found, "the root key is inside");
}

#[tokio::test]
async fn a_restore_names_what_is_broken_and_changes_nothing() {
    let station = TestServer::sample().await;
    let (dir, data) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let file = backed_up(&station, &dir).await;
    let clock = station.clock.clone();
    let try_it = async |file: &Path, data: &Path| {
        let tried = restore(file, data, None, options(&clock, true)).await;
        code(tried.unwrap_err())
    };
    assert_eq!(try_it(&file, station.dir.path()).await, "restore_not_empty");
    let mut bytes = std::fs::read(&file).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    let broken = dir.path().join("broken");
    std::fs::write(&broken, &bytes).unwrap();
    assert_eq!(try_it(&broken, data.path()).await, "backup_broken");
    std::fs::write(&broken, b"something else").unwrap();
    assert_eq!(try_it(&broken, data.path()).await, "not_a_backup");
    assert_eq!(std::fs::read_dir(data.path()).unwrap().count(), 0);
    let nothing = tempfile::tempdir().unwrap();
    let tried = restore(
        &file,
        data.path(),
        Some(nothing.path()),
        options(&clock, true),
    )
    .await;
    assert_eq!(code(tried.unwrap_err()), "journal_unusable");
}

#[tokio::test]
async fn a_fork_is_told_once_and_again_when_it_is_healed() {
    let station = TestServer::sample().await;
    let mut phone = Phone::enrolled(&station, 1, SPACE).await;
    let first = phone.batch(1, &[], vec![phone.entry(1, "巴特尔")]);
    let one: Batch = phone.batch(2, &[&first], vec![phone.entry(2, "苏和")]);
    let two = phone.batch(2, &[&first], vec![phone.entry(3, "其其格")]);
    phone.exchange(&station, &[&first, &one]).await;
    phone.exchange(&station, &[&two]).await;
    let kinds = async || -> Vec<(String, Option<DeviceId>)> {
        let events = station.app.events(10).await.unwrap().into_iter();
        events.map(|event| (event.kind, event.device)).collect()
    };
    let me = Some(phone.device());
    assert_eq!(kinds().await, [("fork_seen".into(), me)]);
    let both = phone.batch(3, &[&one, &two], vec![phone.entry(4, "乌云")]);
    phone.exchange(&station, &[&both]).await;
    let told = [("fork_healed".into(), me), ("fork_seen".into(), me)];
    assert_eq!(kinds().await, told);
}

#[tokio::test]
async fn phones_are_told_what_stands_in_a_backup_or_the_journal() {
    let station = TestServer::sample().await;
    let (dir, journal) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut phone = Phone::enrolled(&station, 1, SPACE).await;
    let first = phone.batch(1, &[], vec![phone.entry(1, "巴特尔")]);
    assert_eq!(phone.exchange(&station, &[&first]).await.safe, None);
    let file = backed_up(&station, &dir).await;
    let quiet = phone.exchange(&station, &[]).await;
    assert_eq!(quiet.safe, Some(Safe::All));
    let second = phone.batch(2, &[&first], vec![phone.entry(2, "苏和")]);
    let answer = phone.exchange(&station, &[&second]).await;
    assert_eq!(answer.safe, Some(Safe::UpTo(vec![(0, 1)])));
    station.app.keep_journal(journal.path()).await.unwrap();
    let third = phone.batch(3, &[&second], vec![phone.entry(3, "其其格")]);
    let answer = phone.exchange(&station, &[&third]).await;
    assert_eq!(answer.safe, Some(Safe::All));

    // What a restored server holds came out of a backup; what it is brought is not in one.
    let (again, _) = restored(&file, None).await;
    let reset = phone.exchange(&again, &[]).await;
    assert_eq!((reset.reset, reset.safe), (true, Some(Safe::All)));
    phone.incarnation = reset.incarnation.unwrap();
    let answer = phone.exchange(&again, &[&second, &third]).await;
    assert_eq!(answer.safe, Some(Safe::UpTo(vec![(0, 1)])));
}

/// Another phone with the same keys and the same memory.
fn copy_of(station: &TestServer, phone: &Phone, seed: u8) -> Phone {
    let mut copy = Phone::new(station, seed, SPACE);
    copy.author = phone.author;
    copy.nonce = phone.nonce;
    copy.incarnation = phone.incarnation;
    copy.base = phone.base.clone();
    copy
}

#[tokio::test]
async fn two_phones_with_the_same_keys_are_told_from_one_that_was_set_back() {
    let station = TestServer::sample().await;
    let cloned = async || {
        let events = station.app.events(100).await.unwrap().into_iter();
        events.filter(|event| event.kind == "device_cloned").count()
    };
    // Set back twice, and an answer lost: it comes back with what it brought the time before.
    let mut phone = Phone::enrolled(&station, 1, SPACE).await;
    let first = phone.batch(1, &[], vec![phone.entry(1, "一")]);
    phone.exchange(&station, &[&first]).await;
    let mut old = copy_of(&station, &phone, 1);
    let lost = phone.batch(2, &[&first], vec![phone.entry(2, "二")]);
    phone.exchange(&station, &[&lost]).await;
    let two = old.batch(2, &[&first], vec![old.entry(3, "三")]);
    old.send(&station, &[&two]).await.body();
    let three = old.batch(3, &[&two], vec![old.entry(4, "四")]);
    let answer = old.exchange(&station, &[&two, &three]).await;
    assert!(!answer.renew_keys && answer.batches.len() == 1);
    let joined = old.batch(4, &[&three, &lost], vec![old.entry(5, "五")]);
    assert!(!old.exchange(&station, &[&joined]).await.renew_keys);
    assert_eq!(cloned().await, 0);

    // Copied: each brings what the other does not hold.
    let mut phone = Phone::enrolled(&station, 2, SPACE).await;
    let first = phone.batch(1, &[], vec![phone.entry(6, "六")]);
    phone.exchange(&station, &[&first]).await;
    let mut copy = copy_of(&station, &phone, 2);
    let one = phone.batch(2, &[&first], vec![phone.entry(7, "七")]);
    phone.exchange(&station, &[&one]).await;
    let other = copy.batch(2, &[&first], vec![copy.entry(8, "八")]);
    assert!(!copy.exchange(&station, &[&other]).await.renew_keys);
    let next = phone.batch(3, &[&one], vec![phone.entry(9, "九")]);
    assert!(phone.exchange(&station, &[&next]).await.renew_keys);
    assert!(
        copy.exchange(&station, &[]).await.renew_keys,
        "both are asked"
    );
    assert_eq!(cloned().await, 1);
}

#[tokio::test]
async fn new_keys_get_the_grants_of_the_old_ones_if_whoever_asks_holds_both() {
    for station in [TestServer::sample().await, TestServer::real().await] {
        let mut phone = Phone::new(&station, 1, SPACE);
        let code = station.code(SPACE).await;
        let enrolment = phone.enrolment(&code);
        station.enrol(enrolment.clone()).await;
        if !station.sample {
            station.app.approve(phone.device()).await.unwrap();
        }
        phone.join(&station.enrol(enrolment).await.body());
        let first = phone.batch(1, &[], vec![phone.entry(1, "巴特尔")]);
        phone.exchange(&station, &[&first]).await;

        let key = SigningKey::from_bytes(&[9; 32]);
        let keys = (key.public().bytes, [9; 32]);
        let signed_by = |by: &SigningKey| {
            let sign = |message: &[u8]| by.sign(message);
            Renewal::of(phone.network, phone.device(), keys, &sign)
        };
        let mut new = Phone::new(&station, 9, SPACE);
        (new.nonce, new.incarnation) = (phone.nonce, phone.incarnation);
        for (renewal, known) in [(signed_by(&phone.key), false), (signed_by(&key), true)] {
            let mut request = phone.request(&[]);
            request.renewal = Some(renewal);
            let said = station.exchange(phone.encode(&request)).await;
            assert!(said.0.is_ok());
            let stale = new.send(&station, &[]).await;
            assert_eq!(stale.0.is_ok(), known);
        }
        let answer = new.send(&station, &[]).await.body();
        new.nonce = Answer::decode(new.network, &answer).unwrap().nonce.unwrap();
        let got = everything(&station, &mut new).await.batches.len();
        // On a server for real people somebody has to look first.
        assert_eq!(got, usize::from(station.sample));
        station.app.confirm_recovery().await.unwrap();
        assert_eq!(everything(&station, &mut new).await.batches.len(), 1);
    }
}

#[tokio::test]
async fn a_device_makes_itself_a_few_new_ones_a_day_and_a_revocation_takes_them_with_it() {
    let station = TestServer::sample().await;
    let first = Phone::enrolled(&station, 1, SPACE).await;
    let mut line = vec![first.device()];
    let mut asking = first;
    // Each of them makes the next, and none was asked to.
    for seed in 101..111 {
        let mut new = Phone::new(&station, seed, SPACE);
        let keys = (new.key.public().bytes, [seed; 32]);
        let sign = |message: &[u8]| new.key.sign(message);
        let mut request = asking.request(&[]);
        request.renewal = Some(Renewal::of(asking.network, asking.device(), keys, &sign));
        assert!(station.exchange(asking.encode(&request)).await.0.is_ok());
        (new.nonce, new.incarnation) = (asking.nonce, asking.incarnation);
        let answer = new.send(&station, &[]).await;
        let Ok(answer) = answer.0 else { break };
        new.nonce = Answer::decode(new.network, &answer).unwrap().nonce.unwrap();
        line.push(new.device());
        asking = new;
    }
    assert_eq!(line.len(), 1 + 4, "four a day");

    let wish = |renewals| crate::RevokeRequest {
        device: line[0],
        spaces: [].into(),
        reason: sync_core::control::RevokeReason::Stolen,
        renewals,
    };
    let refused = station.app.revoke(&wish(crate::Renewals::Ask)).await;
    let CommandError::Wrong { code, args, .. } = refused.unwrap_err() else {
        panic!("the office is asked");
    };
    assert_eq!(code, "device_renewed");
    assert!(
        line[1..]
            .iter()
            .all(|made| args[0].1.contains(&made.to_string()))
    );
    assert!(asking.send(&station, &[]).await.0.is_ok());
    station
        .app
        .revoke(&wish(crate::Renewals::Too))
        .await
        .unwrap();
    assert_eq!(asking.send(&station, &[]).await.refusal(), "device_revoked");
    let devices = station.app.devices().await.unwrap();
    assert!(devices.iter().all(|device| device.revoked.is_some()));
    let again = station.app.revoke(&wish(crate::Renewals::Too)).await;
    let CommandError::Wrong { code, .. } = again.unwrap_err() else {
        panic!("nothing is left to revoke");
    };
    assert_eq!(code, "device_revoked");
}
