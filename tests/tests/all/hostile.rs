//! A hostile device and plain garbage against a real server: refused or set aside, no panic, cheap,
//! and nothing broken for honest edits.

use std::time::Duration;

use ed25519_dalek::SigningKey;
use harness::{Phone, Server, memory_kib, processor_time};
use ortoo_tests::hostile_device::{HostileDevice, Reply, claim, post};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use sync_core::admit::BESIDE_MAX;
use sync_core::change::{Change, OpId, Put};
use sync_core::feed::BRANCHES_MAX;
use sync_core::id::{ActorId, ChangeHash, Class, DeviceId, Space};
use sync_core::value::{Key, Value as Scalar};
use sync_core::wire::{Answer, MESSAGE_BYTES_MAX, pack, unpack};

const GACHA: &str = "152522100200";
/// What one hostile message may cost the server, in processor time and memory.
const COST_MAX: Duration = Duration::from_millis(10);
const MEMORY_KIB_MAX: u64 = 10 * 1024;
/// Each is sent this often and the middle counts: a thread that ends takes its time with it, and a
/// busy machine makes all work dearer.
const TIMES: usize = 5;

/// A change of `device` on nothing.
fn change(device: DeviceId, start_op: u32) -> Vec<u8> {
    let put = Put {
        key: Key::parse("identity.name").unwrap(),
        value: Scalar::from("敌"),
        preds: Vec::new(),
    };
    Change::make(Vec::new(), device, start_op, 0, vec![put]).1
}

/// Changes of `device` on `deps` that stand side by side, each with another value under the key.
fn side_by_side(
    device: DeviceId,
    deps: &[ChangeHash],
    start_op: u32,
    key: &str,
    count: usize,
) -> Vec<(Change, Vec<u8>)> {
    let one = |number: usize| {
        let put = Put {
            key: Key::parse(key).unwrap(),
            value: Scalar::Text(format!("敌{number}")),
            preds: Vec::new(),
        };
        Change::make(deps.to_vec(), device, start_op, 0, vec![put])
    };
    (0..count).map(one).collect()
}

fn leb(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// A change chunk whose columns claim ten million operations in a few bytes of run lengths.
fn ten_million_operations(actor: ActorId) -> Vec<u8> {
    let mut run = Vec::new();
    // Signed LEB128: the last group keeps its sign bit clear.
    leb(&mut run, 10_000_000);
    if run.last().is_some_and(|byte| byte & 0x40 != 0) {
        let last = run.pop().unwrap_or_default();
        run.extend([last | 0x80, 0]);
    }
    let mut insert = Vec::new();
    leb(&mut insert, 10_000_000);
    let column = |tail: &[u8]| [run.as_slice(), tail].concat();
    let columns = [
        (0x15, column(&[3, b'a', b'.', b'b'])),
        (0x34, insert),
        (0x42, column(&[1])),
        (0x56, column(&[0])),
        (0x70, column(&[0])),
    ];
    let mut body = vec![0];
    leb(&mut body, ActorId::LEN as u64);
    body.extend_from_slice(&actor.0);
    body.extend_from_slice(&[1, 1, 0, 0, 0]);
    leb(&mut body, columns.len() as u64);
    for (number, data) in &columns {
        leb(&mut body, *number);
        leb(&mut body, data.len() as u64);
    }
    columns
        .iter()
        .for_each(|(_, data)| body.extend_from_slice(data));
    let mut hashed = vec![1];
    leb(&mut hashed, body.len() as u64);
    hashed.extend_from_slice(&body);
    let hash = Sha256::digest(&hashed);
    [&[0x85, 0x6f, 0x4a, 0x83], &hash[..4], hashed.as_slice()].concat()
}

struct Village {
    server: Server,
    honest: Phone,
    device: HostileDevice,
    household: String,
    _dir: tempfile::TempDir,
}

impl Village {
    /// With another node of the same installation, for whoever speaks TLS.
    fn with_tls() -> (Self, Server) {
        let village = Self::new();
        let office = Server::sample(&village.server.data);
        village.honest.ok(&["server", &office.url]);
        (village, office)
    }

    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        // Plain HTTP, so that garbage reaches the routes and is not stopped by TLS; the honest phone
        // takes the other door.
        let server = Server::start(
            &dir.path().join("server"),
            &["--sample", "--http"],
            "127.0.0.1:0",
        );
        let device = HostileDevice::enrolled(&server, GACHA, 0x66);
        drop(server);
        let server = Server::sample(&dir.path().join("server"));
        let honest = Phone::enrolled(dir.path().join("honest"), &server, GACHA);
        let household = honest.add("household", &["household.head_name=巴特尔"]);
        honest.sync();
        drop(server);
        let server = Server::start(
            &dir.path().join("server"),
            &["--sample", "--http"],
            "127.0.0.1:0",
        );
        Self {
            server,
            honest,
            device,
            household,
            _dir: dir,
        }
    }

    /// Sends a message several times; its reply, and that none of it was dear.
    fn send(&self, what: &str, body: &[u8]) -> Reply {
        self.send_claiming(what, body, body.len())
    }

    fn send_claiming(&self, what: &str, body: &[u8], claimed: usize) -> Reply {
        let pid = self.server.pid();
        let reply = || {
            let (peak, time) = (memory_kib(pid, "VmHWM"), processor_time(pid));
            let reply = post(self.server.address(), "/v1/exchange", body, claimed);
            let grown = memory_kib(pid, "VmHWM").saturating_sub(peak);
            assert!(grown < MEMORY_KIB_MAX, "{what}: {grown} KiB");
            (processor_time(pid).saturating_sub(time), reply)
        };
        let mut replies: Vec<_> = (0..TIMES).map(|_| reply()).collect();
        replies.sort_by_key(|(cost, _)| *cost);
        let (cost, reply) = replies.swap_remove(TIMES / 2);
        assert!(cost < COST_MAX, "{what}: {cost:?}");
        reply
    }

    /// Sends batches that are held or refused one by one; the codes of those refused.
    fn upload(&self, what: &str, batches: Vec<Vec<u8>>) -> Vec<String> {
        let reply = self.send(what, &self.device.request(batches));
        assert_eq!(reply.status, 200, "{what}: {}", reply.code());
        let answer = Answer::decode(self.device.network, &reply.body).unwrap();
        answer
            .refused
            .into_iter()
            .map(|refused| refused.code)
            .collect()
    }

    fn verified(&self) -> Value {
        self.server.run(&["verify"]).json()
    }

    /// The honest phone goes on: its edits reach the server and nothing of it has changed.
    fn honest_edits_stand(mut self) {
        let data = self.server.data.clone();
        drop(self.server);
        self.server = Server::sample(&data);
        self.honest.ok(&["server", &self.server.url]);
        self.honest
            .edit(&self.household, &["household.resident_population=6"]);
        self.honest.sync();
        let shown = self.server.run(&["show", &self.household]).json();
        assert_eq!(shown["fields"]["household.resident_population"], 6);
        assert_eq!(shown["fields"]["household.head_name"], "巴特尔");
        assert_eq!(self.honest.ok(&["status"])["unsent"], 0);
        assert_eq!(self.verified()["different"], 0);
    }
}

#[test]
fn what_is_no_message_is_refused_with_its_code() {
    let mut village = Village::new();
    let good = village.device.request(Vec::new());

    let reply = village.send("garbage", &[0x5a; 3000]);
    assert_eq!(
        (reply.status, reply.code().as_str()),
        (400, "message_packing")
    );
    let reply = village.send("nothing", &[]);
    assert_eq!(
        (reply.status, reply.code().as_str()),
        (400, "message_packing")
    );
    let stored = [&[0u8], unpack(&good).unwrap().as_slice()].concat();
    let reply = village.send("half a message", &stored[..stored.len() / 2]);
    assert_eq!(
        (reply.status, reply.code().as_str()),
        (400, "message_shape")
    );

    let reply = village.send_claiming("a large length", &[0; 100], 2 * MESSAGE_BYTES_MAX);
    assert_eq!(
        (reply.status, reply.code().as_str()),
        (413, "body_too_large")
    );
    let bomb = pack(&vec![0; MESSAGE_BYTES_MAX + 1]);
    assert!(bomb.len() < 10_000);
    let reply = village.send("a bomb", &bomb);
    assert_eq!(
        (reply.status, reply.code().as_str()),
        (413, "message_too_large")
    );

    let mut other = stored.clone();
    // Array of body and signature, the body's head, its array head, then the version.
    let at = other
        .windows(2)
        .position(|pair| pair == [0x89, 0x01])
        .unwrap();
    other[at + 1] = 0x02;
    let reply = village.send("another version", &other);
    assert_eq!(
        (reply.status, reply.code().as_str()),
        (400, "message_version")
    );

    let mut forged = stored.clone();
    let last = forged.len() - 1;
    forged[last] ^= 1;
    let reply = village.send("a bad signature", &forged);
    assert_eq!(reply.code(), "request_signature");
    assert!((400..500).contains(&reply.status));

    let key = std::mem::replace(&mut village.device.key, SigningKey::from_bytes(&[0x67; 32]));
    let reply = village.send("a stranger", &village.device.request(Vec::new()));
    assert_eq!(reply.code(), "device_unknown");
    assert!((400..500).contains(&reply.status));
    village.device.key = key;

    let health = claim(&Space::new(GACHA, Class::Health).unwrap());
    let reply = village.send(
        "a space not granted",
        &village.device.request_of(vec![health], vec![]),
    );
    assert_eq!(reply.code(), "space_not_granted");
    assert!((400..500).contains(&reply.status));
    village.honest_edits_stand();
}

#[test]
fn hostile_batches_are_refused_one_by_one_or_held_and_set_aside() {
    let mut village = Village::new();
    let own = village.device.id();

    let mut bad = village
        .device
        .batch_at(1, Vec::new(), change(own, 1))
        .bytes()
        .to_vec();
    let at = bad.len() - 1;
    bad[at] ^= 1;
    assert_eq!(
        village.upload("a batch's bad signature", vec![bad]),
        ["batch_signature"]
    );
    assert_eq!(
        village.upload("no batch", vec![vec![7; 500]]),
        ["batch_envelope"]
    );
    assert_eq!(
        village.upload("a large batch", vec![vec![0; 40_000]]),
        ["batch_too_large"]
    );
    let wrong = village
        .device
        .batch_at(7, Vec::new(), change(own, 1))
        .bytes()
        .to_vec();
    assert_eq!(
        village.upload("a wrong number", vec![wrong]),
        ["batch_parents"]
    );

    let before = village.verified();
    assert_eq!(before["aside"], 0, "{before}");
    let none: [&str; 0] = [];
    let batches = [
        ("another's change", change(DeviceId([0xaa; 8]), 1)),
        (
            "ten million operations",
            ten_million_operations(ActorId([1; ActorId::LEN])),
        ),
        ("a counter at its end", change(own, u32::MAX - 1)),
        ("no change at all", vec![0x5a; 200]),
    ];
    let count = batches.len();
    for (what, change) in batches {
        let batch = village.device.batch(change);
        assert_eq!(village.upload(what, vec![batch]), none, "{what}");
    }
    let verified = village.verified();
    assert_eq!(verified["different"], 0, "{verified}");
    let held = |verified: &Value| verified["batches"].as_u64().unwrap_or_default();
    assert_eq!(
        held(&verified) - held(&before),
        count as u64,
        "held once each, however often sent"
    );
    assert_eq!(verified["aside"], json!(count), "{verified}");
    let shown = village.server.run(&["records"]).out;
    assert!(!shown.contains('敌'), "what is set aside does not show");
    assert_eq!(village.server.run(&["parked"]).json(), json!([]));
    let unpark = village.server.run(&["unpark", &village.household]);
    assert_eq!(unpark.error(1)["code"], "not_parked");

    // A good change, then the same request again and again: once held, the answer is the same.
    let good = village.device.batch(change(own, 1));
    assert_eq!(village.upload("a replay", vec![good.clone(), good]), none);
    let after = village.verified();
    assert_eq!(held(&after) - held(&verified), 1);
    assert_eq!(after["different"], 0);
    village.honest_edits_stand();
}

/// What an enrolled device signs where it wrote before takes nothing away that others built on that.
#[test]
fn a_second_change_in_the_place_of_one_that_others_built_on_hides_nothing() {
    let (mut village, office) = Village::with_tls();
    let own = village.device.id();
    let record = village.device.record();
    let id = record.to_string();
    let none: [&str; 0] = [];
    let [(_, first)] = <[_; 1]>::try_from(side_by_side(own, &[], 1, "identity.name", 1)).unwrap();
    let batch = village.device.batch_of(record, vec![first]);
    assert_eq!(village.upload("a record", vec![batch]), none);
    village.honest.sync();
    village
        .honest
        .edit(&id, &["identity.name=其其格", "identity.sex=2"]);
    village.honest.sync();

    // The same place again, thirty times: one of these has a smaller hash.
    let again = side_by_side(own, &[], 1, "identity.aliases", 30);
    let again = again.into_iter().map(|(_, change)| change);
    let batch = village.device.batch_of(record, again.collect());
    assert_eq!(village.upload("the same place again", vec![batch]), none);
    for _ in 0..2 {
        village.honest.sync();
        let shown = [
            village.server.run(&["show", &id]).json(),
            village.honest.ok(&["show", &id]),
        ];
        for shown in shown {
            assert_eq!(shown["fields"]["identity.name"], "其其格", "{shown}");
            assert_eq!(shown["fields"]["identity.sex"], "2", "{shown}");
        }
    }
    assert_eq!(village.verified()["different"], 0);
    drop(office);
    village.honest_edits_stand();
}

#[test]
fn a_device_that_heaps_up_changes_and_branches_keeps_nobody_from_writing() {
    let (mut village, office) = Village::with_tls();
    let own = village.device.id();
    let record = village.device.record();
    let id = record.to_string();
    let none: [&str; 0] = [];
    for heap in side_by_side(own, &[], 1, "identity.name", 240).chunks(60) {
        let heap = heap.iter().map(|(_, change)| change.clone());
        let batch = village.device.batch_of(record, heap.collect());
        assert_eq!(village.upload("side by side", vec![batch]), none);
    }
    assert_eq!(village.verified()["aside"], 240 - BESIDE_MAX);
    village.honest.sync();
    village.honest.edit(&id, &["identity.name=其其格"]);
    village.honest.sync();
    let shown = village.server.run(&["show", &id]).json();
    assert_eq!(shown["fields"]["identity.name"], "其其格", "{shown}");
    assert_eq!(shown["conflicts"], json!([]), "{shown}");

    let (seq, prev) = village.device.feed.next();
    let branches = (0..40).map(|_| {
        let batch = village.device.batch_at(seq, prev.clone(), change(own, 1));
        batch.bytes().to_vec()
    });
    let branches: Vec<_> = branches.collect();
    let refused = village.upload("branches", branches);
    assert_eq!(refused, vec!["batch_branches"; 40 - BRANCHES_MAX]);
    let events = village.server.run(&["events"]).json();
    let stopped = events.as_array().unwrap().iter();
    let stopped = stopped.filter(|event| event["event"] == "feed_stopped");
    assert_eq!(stopped.count(), 1, "{events}");
    drop(office);
    village.honest_edits_stand();
}

/// A run of predecessors takes few bytes, and would take many in a message that tells each of them.
#[test]
fn a_batch_of_long_runs_keeps_no_phone_from_exchanging() {
    let (mut village, office) = Village::with_tls();
    let own = village.device.id();
    let record = village.device.record();
    let run = |n: u32| {
        let pred = |counter: u32| OpId {
            counter: (1 << 30) + counter,
            actor: ActorId([7; ActorId::LEN]),
        };
        let put = Put {
            key: Key::parse("identity.name").unwrap(),
            value: Scalar::Null,
            preds: (0..4096).map(pred).collect(),
        };
        Change::make(Vec::new(), own, (1 << 31) - 64 - n, 0, vec![put]).1
    };
    let runs: Vec<Vec<u8>> = (0..200).map(run).collect();
    assert!(runs.iter().all(|run| run.len() < 120));
    let batch = village.device.batch_of(record, runs);
    let none: [&str; 0] = [];
    assert_eq!(village.upload("runs", vec![batch]), none);
    assert_eq!(village.verified()["aside"], 200);
    village.honest.sync();
    let status = village.honest.ok(&["status"]);
    assert_eq!(status["waiting"], 200, "it has them, set aside: {status}");
    drop(office);
    village.honest_edits_stand();
}

#[test]
fn a_space_that_is_claimed_again_and_again_is_refused() {
    let village = Village::new();
    let claims = vec![claim(&village.device.space); 512];
    let reply = village.send(
        "one space 512 times",
        &village.device.request_of(claims, vec![]),
    );
    assert_eq!(reply.code(), "message_shape");
    village.honest_edits_stand();
}
