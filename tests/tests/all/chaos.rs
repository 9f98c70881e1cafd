//! Real processes killed and links cut at random moments, by seed.

use std::process::{Command, Stdio};
use std::time::Duration;

use harness::proxy::{NEVER, Proxy};
use harness::{Phone, Server, run_server, server_command};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use serde_json::{Value, json};

use crate::restore::replace;

const GACHA: &str = "152522100200";
/// Exchanges of which one side or the other is killed.
const EXCHANGES: u32 = 50;
/// Processes killed in a story with couriers and a restore, unless ORTOO_KILLS says otherwise.
const KILLS: u32 = 24;

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

/// A village whose processes are killed at random moments.
struct Chaos {
    rng: ChaCha8Rng,
    dir: tempfile::TempDir,
    server: Server,
    phones: [Phone; 2],
    ids: Vec<String>,
    /// What a phone said is saved: record and household number.
    saved: Vec<(String, u32)>,
    kills: u32,
    files: u32,
}

impl Chaos {
    fn new(seed: u64, options: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let server = Server::start(&dir.path().join("server"), options, "127.0.0.1:0");
        let phones = ["a", "b"].map(|name| Phone::enrolled(dir.path().join(name), &server, GACHA));
        let ids: Vec<String> = (1..=4).map(|n| household(&phones[0], n)).collect();
        phones[0].sync();
        phones[1].sync();
        Self {
            rng: ChaCha8Rng::seed_from_u64(seed),
            dir,
            server,
            phones,
            ids,
            saved: Vec::new(),
            kills: 0,
            files: 0,
        }
    }

    fn below(&mut self, limit: u32) -> u32 {
        self.rng.next_u32() % limit
    }

    /// Runs a command, and in one of so many cases kills it at a random moment; whether it was done.
    fn run(&mut self, mut command: Command, kill_one_in: u32) -> bool {
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let mut child = child.unwrap();
        if self.below(kill_one_in) == 0 {
            kill_at_random(&mut self.rng, &mut child, 150);
            self.kills += 1;
        }
        child.wait().unwrap().success()
    }

    /// Somebody edits; only an edit that was answered counts as saved.
    fn edit(&mut self, phone: usize, value: u32) {
        let at = self.below(4) as usize;
        let id = self.ids[at].clone();
        let set = format!("household.household_no={value}");
        let edit = self.phones[phone].command(&["edit", &id, "--set", &set]);
        if self.run(edit, 5) {
            self.saved.push((id, value));
        }
    }

    /// A phone exchanges, and one side or the other is killed.
    fn exchange(&mut self, phone: usize) {
        let mut sync = self.phones[phone].command(&["sync"]);
        match self.below(3) {
            0 => drop(self.run(sync, 1)),
            1 => {
                let child = sync.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
                let mut child = child.unwrap();
                std::thread::sleep(Duration::from_micros(self.rng.next_u64() % 200_000));
                self.server.kill_and_restart();
                self.kills += 1;
                drop(child.wait());
            }
            _ => drop(self.run(sync, u32::MAX)),
        }
    }

    /// Somebody travels: a bundle to the server, which takes it beside serving, and to the other phone, and
    /// the answer back.
    fn travel(&mut self, phone: usize) {
        self.files += 1;
        let [bag, reply] = ["bag", "reply"].map(|name| {
            let file = format!("{name}-{}", self.files);
            self.dir.path().join(file).to_str().unwrap().to_owned()
        });
        let export = self.phones[phone].command(&["bundle", "export", &bag]);
        if !self.run(export, 4) {
            return;
        }
        let import = ["bundle", "import", &bag, "--reply", &reply];
        let server = server_command(&self.server.data, &import);
        if self.run(server, 4) {
            let home = self.phones[phone].command(&["bundle", "import", &reply]);
            self.run(home, 4);
        }
        let neighbour = self.phones[1 - phone].command(&["bundle", "import", &bag]);
        self.run(neighbour, 4);
    }

    /// Everybody exchanges in peace; then nothing that was saved is missing anywhere.
    fn check(&mut self) {
        for _ in 0..2 {
            self.phones.iter().for_each(|phone| drop(phone.sync()));
        }
        let verified = self.server.run(&["verify"]).json();
        assert_eq!(
            (&verified["different"], &verified["forks"]),
            (&json!(0), &json!(0)),
            "{verified}"
        );
        let cells = self.server.run(&["verify-cells"]).json();
        assert_eq!(cells["different"], 0, "{cells}");
        for phone in &self.phones {
            for id in &self.ids {
                let history = phone.ok(&["history", id]);
                let written: Vec<&Value> = history
                    .as_array()
                    .into_iter()
                    .flatten()
                    .filter(|event| event["key"] == "household.household_no")
                    .map(|event| &event["value"])
                    .collect();
                for (_, value) in self.saved.iter().filter(|(record, _)| record == id) {
                    assert!(
                        written.contains(&&json!(value.to_string())),
                        "{value} is lost"
                    );
                }
            }
            assert_eq!(phone.ok(&["status"])["unsent"], 0);
        }
        let shown = |phone: &Phone| {
            let shown = self.ids.iter().map(|id| phone.ok(&["show", id]));
            shown
                .map(|shown| shown["fields"].clone())
                .collect::<Vec<_>>()
        };
        assert_eq!(shown(&self.phones[0]), shown(&self.phones[1]));
    }
}

#[test]
fn killing_server_and_phones_at_random_moments_of_50_exchanges_loses_no_saved_edit() {
    let mut chaos = Chaos::new(20_261_124, &["--sample"]);
    for round in 0..EXCHANGES {
        let phone = chaos.below(2) as usize;
        chaos.edit(phone, 1000 + round);
        chaos.exchange(phone);
    }
    chaos.check();
}

/// With couriers, a backup after a third and a restore after two thirds; without a journal the phones bring
/// back what the backup lacks.
fn kills_with_couriers_and_a_restore(seed: u64, journal: bool) {
    // By hand: ORTOO_KILLS=200.
    let kills = std::env::var("ORTOO_KILLS").ok();
    let kills = kills.and_then(|kills| kills.parse().ok()).unwrap_or(KILLS);
    let elsewhere = tempfile::tempdir().unwrap();
    let path = |name: &str| elsewhere.path().join(name).to_str().unwrap().to_owned();
    let (first, second, backup) = (path("first"), path("second"), path("backup"));
    let options = |journal_dir| match journal {
        true => vec!["--sample", "--journal", journal_dir],
        false => vec!["--sample"],
    };
    let mut chaos = Chaos::new(seed, &options(first.as_str()));
    let (mut backed_up, mut restored) = (false, false);
    let mut value = 1000;
    while chaos.kills < kills {
        let phone = chaos.below(2) as usize;
        value += 1;
        chaos.edit(phone, value);
        match chaos.below(3) {
            0 => chaos.travel(phone),
            _ => chaos.exchange(phone),
        }
        if !backed_up && chaos.kills >= kills / 3 {
            chaos.server.run(&["backup", &backup]).json();
            backed_up = true;
        }
        if !restored && chaos.kills >= 2 * kills / 3 {
            restored = true;
            let data = chaos.dir.path().join("restored");
            let mut args = vec!["restore", &backup];
            if journal {
                args.extend(["--journal", &first]);
            }
            let said = run_server(&data, &args).json();
            assert_eq!(said["recovery"], !journal, "{said}");
            let other = Server::sample(&chaos.dir.path().join("other"));
            let lost = std::mem::replace(&mut chaos.server, other);
            chaos.server = replace(lost, &data, &options(second.as_str()));
            if !journal {
                chaos.phones.iter().for_each(|phone| drop(phone.sync()));
                chaos.server.run(&["recovery", "confirm"]).json();
            }
        }
    }
    assert!(backed_up && restored);
    chaos.check();
}

#[test]
fn killing_processes_at_random_with_couriers_and_a_restore_from_a_journal_loses_no_saved_edit() {
    kills_with_couriers_and_a_restore(61, true);
}

#[test]
fn killing_processes_at_random_with_couriers_and_a_restore_without_a_journal_loses_no_saved_edit() {
    kills_with_couriers_and_a_restore(62, false);
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
