//! Real processes killed and links cut at random moments, by seed.

use std::process::Stdio;
use std::time::Duration;

use ortoo_tests::harness::{Phone, Server};
use ortoo_tests::proxy::{NEVER, Proxy};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use serde_json::{Value, json};

const GACHA: &str = "152522100200";
/// Exchanges of which one side or the other is killed.
const EXCHANGES: u32 = 50;

fn household(phone: &Phone, number: u32) -> String {
    phone.add(
        "household",
        &[
            &format!("household.household_no={number:04}"),
            "household.head_name=朝鲁",
            "household.head_sex=1",
            "household.area_type=1",
            "household.residence_status=1",
            "household.resident_population=3",
            "household.resident_female=1",
            "household.main_camp=1",
        ],
    )
}

/// Waits a random moment, then kills; a process that was done before is as good.
fn kill_at_random(rng: &mut ChaCha8Rng, child: &mut std::process::Child, within_ms: u64) {
    std::thread::sleep(Duration::from_micros(rng.next_u64() % (within_ms * 1000)));
    drop(child.kill());
    drop(child.wait());
}

#[test]
fn killing_server_and_phones_at_random_moments_of_50_exchanges_loses_no_saved_edit() {
    let mut rng = ChaCha8Rng::seed_from_u64(20_261_124);
    let dir = tempfile::tempdir().unwrap();
    let mut server = Server::sample(&dir.path().join("server"));
    let phones = ["a", "b"].map(|name| Phone::enrolled(dir.path().join(name), &server, GACHA));
    let ids: Vec<String> = (1..=4).map(|n| household(&phones[0], n)).collect();
    phones[0].sync();
    phones[1].sync();

    // What each phone said is saved: (phone, record) to the values, in order.
    let mut saved: Vec<(String, u32)> = Vec::new();
    for round in 0..EXCHANGES {
        let phone = &phones[(rng.next_u32() % 2) as usize];
        let id = &ids[(rng.next_u32() % 4) as usize];
        let value = 1000 + round;
        let set = format!("household.household_no={value}");
        // The edit itself may be killed; only one that answered counts as saved.
        let mut edit = phone.command(&["edit", id, "--set", &set]);
        let child = edit.stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
        let mut child = child.unwrap();
        if rng.next_u32().is_multiple_of(5) {
            kill_at_random(&mut rng, &mut child, 120);
        } else {
            assert!(child.wait().unwrap().success());
            saved.push((id.clone(), value));
        }
        let mut sync = phone.command(&["sync"]);
        let mut child = sync
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        match rng.next_u32() % 3 {
            0 => kill_at_random(&mut rng, &mut child, 200),
            1 => {
                std::thread::sleep(Duration::from_micros(rng.next_u64() % 200_000));
                server.kill_and_restart();
                drop(child.wait());
            }
            _ => drop(child.wait()),
        }
    }

    for _ in 0..2 {
        phones.iter().for_each(|phone| drop(phone.sync()));
    }
    let verified = server.run(&["verify"]).json();
    assert_eq!(
        (&verified["different"], &verified["forks"]),
        (&json!(0), &json!(0)),
        "{verified}"
    );
    for phone in &phones {
        for id in &ids {
            let history = phone.ok(&["history", id]);
            let written: Vec<&Value> = history
                .as_array()
                .into_iter()
                .flatten()
                .filter(|event| event["key"] == "household.household_no")
                .map(|event| &event["value"])
                .collect();
            for (_, value) in saved.iter().filter(|(record, _)| record == id) {
                assert!(
                    written.contains(&&json!(value.to_string())),
                    "{value} is lost"
                );
            }
        }
        assert_eq!(phone.ok(&["status"])["unsent"], 0);
    }
    let shown = |phone: &Phone| {
        ids.iter()
            .map(|id| phone.ok(&["show", id])["fields"].clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(shown(&phones[0]), shown(&phones[1]));
}

#[test]
fn a_link_that_is_cut_again_and_again_resumes_and_sends_nothing_acknowledged_twice() {
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    let dir = tempfile::tempdir().unwrap();
    let server = Server::sample(&dir.path().join("server"));
    let proxy = Proxy::before(server.address());
    let a = Phone::enrolled(dir.path().join("a"), &server, GACHA);
    let b = Phone::enrolled(dir.path().join("b"), &server, GACHA);
    for phone in [&a, &b] {
        phone.ok(&["server", &format!("https://{}", proxy.address)]);
    }
    let ids: Vec<String> = (1..=12).map(|n| household(&a, n)).collect();

    let mut failures = 0;
    loop {
        // Enough for a handshake and something more, or for nothing at all.
        proxy.cut_after(1_000 + rng.next_u64() % 12_000);
        let said = a.run(&["sync"]);
        match said.code {
            Some(0) => break,
            Some(2) => failures += 1,
            other => panic!("{other:?} {}", said.err),
        }
        assert!(
            failures < 60,
            "no progress over a link that passes up to 13 KB"
        );
    }
    proxy.cut_after(NEVER);
    let again = a.sync();
    assert_eq!(
        (&again["batches_up"], &again["batches_down"]),
        (&json!(0), &json!(0))
    );
    b.sync();
    for id in &ids {
        assert_eq!(b.field(id, "household.head_name"), "朝鲁");
    }
    assert_eq!(server.run(&["verify"]).json()["different"], 0);
}

/// Text that does not compress: some 1.8 bytes of each of its 3 are random.
fn noise(rng: &mut ChaCha8Rng, chars: usize) -> String {
    let any = |rng: &mut ChaCha8Rng| char::from_u32(0x4e00 + rng.next_u32() % 20_000);
    (0..chars).filter_map(|_| any(rng)).collect()
}

#[test]
fn an_upload_over_a_link_that_passes_16_kb_at_a_time_sends_no_acknowledged_batch_again() {
    let mut rng = ChaCha8Rng::seed_from_u64(11);
    let dir = tempfile::tempdir().unwrap();
    let server = Server::sample(&dir.path().join("server"));
    let proxy = Proxy::before(server.address());
    let phone = Phone::enrolled(dir.path().join("phone"), &server, GACHA);
    phone.ok(&["server", &format!("https://{}", proxy.address)]);
    let id = household(&phone, 1);
    // Fifteen edits of some 6 KB, each a batch of its own.
    for edit in 0..15 {
        let remarks: Vec<String> = (0..10)
            .map(|n| format!("toilet#e{edit}n{n}.remark={}", noise(&mut rng, 190)))
            .collect();
        phone.edit(&id, &remarks.iter().map(String::as_str).collect::<Vec<_>>());
    }
    // Two of them and a handshake pass, then the connection is gone.
    proxy.cut_after(16_000);
    let connections = proxy
        .seen
        .connections
        .load(std::sync::atomic::Ordering::SeqCst);
    let report = phone.sync();
    let cuts = proxy
        .seen
        .connections
        .load(std::sync::atomic::Ordering::SeqCst)
        - connections
        - 1;
    assert!(cuts >= 5, "only {cuts} connections were cut");
    let verified = server.run(&["verify"]).json();
    assert_eq!(verified["different"], 0);
    assert!(verified["batches"].as_u64() >= Some(15), "{verified}");
    // Answered rounds carried no batch twice: what had been acknowledged was never among them, and
    // what had landed without an answer was learnt by asking, not by sending it again.
    assert!(
        report["batches_up"].as_u64() <= verified["batches"].as_u64(),
        "{report}"
    );
    assert_eq!(phone.ok(&["status"])["unsent"], 0);
}
