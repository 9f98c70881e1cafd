use sync_core::control::Control;
use sync_core::id::Class;

use super::*;
use crate::CommandError;
use crate::transaction::ReadTx;

const CARE: &str = "152522100200.care";

fn code_of(error: CommandError) -> &'static str {
    match error {
        CommandError::Wrong { code, .. } => code,
        CommandError::Data(error) => panic!("{error:#}"),
    }
}

#[tokio::test]
async fn the_same_keys_get_the_same_answer_again_and_other_keys_are_refused_and_counted() {
    let station = TestServer::real().await;
    let code = station.code(CARE).await;
    let one = Phone::new(&station, 1, CARE);
    let two = Phone::new(&station, 2, CARE);
    let first = station.enrol(one.enrolment(&code)).await.body();
    let again = station.enrol(one.enrolment(&code)).await.body();
    assert_eq!(first, again);
    let other = station.enrol(two.enrolment(&code)).await;
    assert_eq!(other.refusal(), "code_used");
    let pending = station.app.pending().await.unwrap();
    assert_eq!(
        (pending.len(), pending[0].device, pending[0].redeemers),
        (1, one.device(), 1)
    );
}

#[tokio::test]
async fn a_code_expires_by_the_servers_clock_but_not_for_who_used_it_in_time() {
    let station = TestServer::sample().await;
    let (early, late) = (station.code(CARE).await, station.code(CARE).await);
    let one = Phone::new(&station, 1, CARE);
    let two = Phone::new(&station, 2, CARE);
    station.enrol(one.enrolment(&early)).await.body();
    station.pass(24 * 3600);
    station.enrol(one.enrolment(&early)).await.body();
    let said = station.enrol(two.enrolment(&late)).await;
    assert_eq!(said.refusal(), "code_expired");
    let unknown = sync_core::enrol::code_from([9; 17]);
    let said = station.enrol(two.enrolment(&unknown)).await;
    assert_eq!(said.refusal(), "code_unknown");
}

#[tokio::test]
async fn a_device_waits_until_its_digits_are_compared_and_then_exchanges() {
    let station = TestServer::real().await;
    let mut phone = Phone::new(&station, 1, CARE);
    let code = station.code(CARE).await;
    let answer = station.enrol(phone.enrolment(&code)).await.body();
    let answer = phone.join(&answer);
    assert!(answer.pending && !answer.pin_only && answer.control.is_empty());
    assert_eq!(phone.send(&station, &[]).await.refusal(), "device_unknown");

    let pending = station.app.pending().await.unwrap();
    let digits = sync_core::enrol::six_digits(phone.network, &phone.key.public().bytes, &[1; 32]);
    assert_eq!(
        (pending[0].digits.as_str(), pending[0].since),
        (digits.as_str(), NOON)
    );
    // By another process, as an administrator does it.
    let office = App::open(station.dir.path(), options(&station.clock, false))
        .await
        .unwrap();
    office.approve(phone.device()).await.unwrap();
    office.approve(phone.device()).await.unwrap();
    assert!(station.app.pending().await.unwrap().is_empty());

    let answer = station.enrol(phone.enrolment(&code)).await.body();
    let answer = phone.join(&answer);
    assert!(!answer.pending);
    let mut control = Control::new(phone.network);
    for entry in &answer.control {
        let entry = control.check(entry).unwrap().unwrap();
        control.apply(entry);
    }
    let spaces = &control.enrolment(phone.device()).unwrap().spaces;
    assert_eq!(
        spaces.iter().map(ToString::to_string).collect::<Vec<_>>(),
        [CARE]
    );
    assert_eq!(control.package().unwrap().version, 1);
    let answer = phone.exchange(&station, &[]).await;
    assert!(!answer.reset && answer.batches.is_empty());
}

#[tokio::test]
async fn a_unit_without_a_class_is_what_a_cadre_holds_and_a_sumu_is_all_its_units() {
    let station = TestServer::sample().await;
    let spaces = async |wished: &str| {
        let mut phone = Phone::new(&station, 7, CARE);
        let code = station.code(wished).await;
        let answer = station.enrol(phone.enrolment(&code)).await.body();
        phone.join(&answer);
        let ReadTx { control, .. } = station.app.context().read().await.unwrap();
        control.enrolment(phone.device()).unwrap().spaces.clone()
    };
    let one = spaces(GACHA).await;
    assert_eq!(
        one.iter().map(|space| space.class).collect::<Vec<_>>(),
        Class::CADRE
    );
    // A second code of one device adds to the first.
    let all = spaces("152522100.referral").await;
    assert_eq!(all.len(), 4);
    assert!(all.is_superset(&one) && all.iter().all(|space| space.unit() != MINE));
}

#[tokio::test]
async fn a_wish_that_means_nothing_is_refused_in_words() {
    let station = TestServer::sample().await;
    for (wished, code) in [
        ("999999999999", "unknown_unit"),
        ("152522100200.secret", "unknown_class"),
        (MINE, "unit_without_cadres"),
        ("152522", "unit_without_cadres"),
    ] {
        assert_eq!(
            code_of(station.link(&[wished]).await.unwrap_err()),
            code,
            "{wished}"
        );
    }
    assert_eq!(
        code_of(
            station
                .app
                .approve(sync_core::id::DeviceId([1; 8]))
                .await
                .unwrap_err()
        ),
        "device_unknown"
    );
    let url = Some("https://a/b".to_owned());
    let request = CodeRequest {
        spaces: vec![GACHA.into()],
        url,
        name: None,
    };
    assert_eq!(
        code_of(station.app.enrol_code(&request).await.unwrap_err()),
        "bad_address"
    );
}

#[tokio::test]
async fn the_database_holds_no_code_that_can_be_used() {
    let station = TestServer::sample().await;
    let code = station.code(CARE).await;
    station.app.close().await;
    for entry in std::fs::read_dir(station.dir.path()).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        assert!(
            !bytes
                .windows(code.len())
                .any(|window| window == code.as_bytes())
        );
    }
}

#[tokio::test]
async fn a_short_secret_is_refused_for_real_data_and_does_not_use_up_the_code() {
    let station = TestServer::real().await;
    let code = station.code(CARE).await;
    let one = Phone::new(&station, 1, CARE);
    let weak = station.enrol(one.enrolment_by(&code, false)).await;
    assert_eq!(weak.refusal(), "secret_weak");
    assert!(station.app.pending().await.unwrap().is_empty());
    let two = Phone::new(&station, 2, CARE);
    station.enrol(two.enrolment(&code)).await.body();
    assert_eq!(station.app.pending().await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_code_for_what_was_taken_from_a_device_is_refused_to_its_keys_and_good_for_new_ones() {
    let station = TestServer::sample().await;
    let old = Phone::enrolled(&station, 1, CARE).await;
    let request = crate::RevokeRequest {
        device: old.device(),
        spaces: [CARE.parse().unwrap()].into(),
        reason: sync_core::control::RevokeReason::Left,
        renewals: crate::Renewals::Ask,
    };
    station.app.revoke(&request).await.unwrap();
    let code = station.code(CARE).await;
    let refused = station.enrol(old.enrolment(&code)).await;
    assert_eq!(refused.refusal(), "space_taken");
    let mut new = Phone::new(&station, 2, CARE);
    let answer = station.enrol(new.enrolment(&code)).await.body();
    assert!(!new.join(&answer).pending);
    let batch = new.batch(1, &[], vec![new.entry(1, "一")]);
    new.exchange(&station, &[&batch]).await;
    assert_eq!(station.app.verify().await.unwrap().batches, 1);
}
