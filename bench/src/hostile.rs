//! What the dearest requests cost that somebody hostile was found to make, and what they cost others.
//!
//! Each stands beside an honest upload of at least as many bytes. Then sixteen of a kind are sent at once, every
//! second, while twenty honest phones of another village exchange.

mod dear;

use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use harness::{Server, forget_peak, memory_kib, processor_time};
use ortoo_tests::hostile_device::{HostileDevice, Reply, post};

use self::dear::{Dear, Who};
use crate::measure::{Table, median, thousands};
use crate::phone::MemoryPhone;
use crate::workload::{Kind, Workload};

const UNIT: &str = "152522100200";
/// Where the honest phones are beside which hostile requests come in.
const OTHER_UNIT: &str = "152522100201";
/// Each request is sent so often; the middle counts.
const TIMES: usize = 3;
/// Edits of the honest uploads that stand beside the hostile requests.
const LADDER: [usize; 5] = [1, 20, 200, 2000, 10_000];
/// Honest phones that exchange while hostile requests come in.
const PHONES: usize = 20;
/// Edits of an exchange of theirs.
const EDITS: usize = 5;
/// How often each of them exchanges.
const ROUNDS: usize = 6;
/// Hostile requests that are under way at the same time.
const AT_ONCE: usize = 16;

/// Runs the family.
pub(crate) fn run() -> String {
    let dir = tempfile::tempdir().unwrap_or_else(|error| panic!("{error}"));
    let server = plain(dir.path());
    let ladder = Ladder::climb(&server);
    let mut costs = Table::new(&[
        "who",
        "request",
        "bytes",
        "status",
        "CPU ms",
        "MiB",
        "honest: bytes",
        "CPU ms",
        "ratio",
    ]);
    for dear in dear::all() {
        let mut device = HostileDevice::enrolled(&server, UNIT, dear.seed());
        let cost = Cost::of(&server, &dear, &mut device);
        let honest = ladder.step(cost.bytes);
        let ms = |time: Duration| time.as_secs_f64() * 1000.0;
        costs.row(&[
            dear.who.word().to_owned(),
            dear.what.to_owned(),
            thousands(cost.bytes as u64),
            cost.status.to_string(),
            format!("{:.1}", ms(cost.processor)),
            format!("{:.1}", cost.mib),
            thousands(honest.bytes as u64),
            format!("{:.1}", ms(honest.processor)),
            format!("{:.2}", ms(cost.processor) / ms(honest.processor).max(0.1)),
        ]);
    }
    format!(
        "## Hostile requests, one after the other\n\n{}",
        costs.text()
    )
}

/// Runs the family in which honest phones exchange beside hostile requests.
pub(crate) fn beside() -> String {
    let mut table = Table::new(&[
        "beside sixteen at once of",
        "exchanges",
        "p50 ms",
        "p99 ms",
        "ratio",
        "of them served",
    ]);
    let alone = crowd(None);
    let mut row = |what: &str, seen: &Crowd| {
        let ratio = seen.at(99).as_secs_f64() / alone.at(99).as_secs_f64();
        table.row(&[
            what.to_owned(),
            seen.waits.len().to_string(),
            seen.at(50).as_millis().to_string(),
            seen.at(99).as_millis().to_string(),
            format!("{ratio:.2}"),
            seen.served.to_string(),
        ]);
    };
    row("nothing", &alone);
    let of_hostile = dear::all().into_iter();
    for dear in of_hostile.filter(|dear| dear.who != Who::Beside) {
        row(dear.what, &crowd(Some(&dear)));
    }
    format!(
        "## {PHONES} honest phones with {EDITS} edits an exchange, beside hostile requests\n\n{}",
        table.text()
    )
}

/// A server that speaks plain HTTP, so that what is measured is not TLS.
fn plain(dir: &Path) -> Server {
    // What it says of hostile requests would stand among the figures.
    let quiet = Stdio::null();
    let options = ["--sample", "--http"];
    Server::start_saying(&dir.join("server"), &options, "127.0.0.1:0", quiet)
}

/// What one request has cost the server.
struct Cost {
    bytes: usize,
    status: u16,
    processor: Duration,
    mib: f64,
}

impl Cost {
    fn of(server: &Server, dear: &Dear, device: &mut HostileDevice) -> Self {
        let mut another;
        let device = match dear.who {
            Who::Beside => {
                for body in (dear.before)(device) {
                    exchange(server.address(), &body);
                }
                another = HostileDevice::enrolled(server, UNIT, 100 + dear.seed());
                &mut another
            }
            Who::Stranger | Who::Enrolled => device,
        };
        let mut costs: Vec<Self> = (0..TIMES)
            .map(|_| {
                let body = (dear.make)(device);
                Self::measured(server, dear.path, &body).0
            })
            .collect();
        costs.sort_by_key(|cost| cost.processor);
        costs.swap_remove(TIMES / 2)
    }

    fn measured(server: &Server, path: &str, body: &[u8]) -> (Self, Reply) {
        let pid = server.pid();
        forget_peak(pid);
        let (before, had) = (processor_time(pid), memory_kib(pid, "VmRSS"));
        let reply = post(server.address(), path, body, body.len());
        let cost = Self {
            bytes: body.len(),
            status: reply.status,
            processor: processor_time(pid).saturating_sub(before),
            mib: memory_kib(pid, "VmHWM").saturating_sub(had) as f64 / 1024.0,
        };
        (cost, reply)
    }
}

/// Honest uploads of growing size.
struct Ladder(Vec<Cost>);

impl Ladder {
    fn climb(server: &Server) -> Self {
        let mut phone = honest(server, UNIT, 900);
        let mut draw = Workload::of_village(7);
        let steps = LADDER.map(|edits| {
            let mut costs: Vec<Cost> = (0..TIMES)
                .map(|_| {
                    (0..edits).for_each(|_| write(&mut phone, &mut draw));
                    let outgoing = phone.request();
                    let (cost, reply) = Cost::measured(server, "/v1/exchange", &outgoing.bytes);
                    assert_eq!(reply.status, 200, "{}", reply.code());
                    phone.take(&outgoing, &reply.body);
                    phone.sync(&mut |body| exchange(server.address(), body));
                    cost
                })
                .collect();
            costs.sort_by_key(|cost| cost.processor);
            costs.swap_remove(TIMES / 2)
        });
        Self(steps.into())
    }

    /// The least upload that has so many bytes, or the largest.
    fn step(&self, bytes: usize) -> &Cost {
        let fits = self.0.iter().find(|step| step.bytes >= bytes);
        fits.or(self.0.last())
            .unwrap_or_else(|| panic!("an empty ladder"))
    }
}

fn honest(server: &Server, unit: &str, seed: u64) -> MemoryPhone {
    let link = server.link(unit);
    let link = link.parse().unwrap_or_else(|_| panic!("no link: {link}"));
    MemoryPhone::enrol(&link, seed, |request| {
        let reply = post(server.address(), "/v1/enrol", request, request.len());
        assert_eq!(reply.status, 200, "{}", reply.code());
        reply.body
    })
}

/// A new household.
fn write(phone: &mut MemoryPhone, draw: &mut Workload) {
    let record = phone.draw(Kind::Household);
    phone.save(record, &draw.record(Kind::Household));
}

/// An exchange of somebody who tries again when he is told to.
fn exchange(address: SocketAddr, body: &[u8]) -> Vec<u8> {
    loop {
        let reply = post(address, "/v1/exchange", body, body.len());
        match reply.status {
            200 => return reply.body,
            503 => std::thread::sleep(Duration::from_millis(100)),
            status => panic!("exchange: {status} {}", reply.code()),
        }
    }
}

/// How long honest exchanges took beside something.
struct Crowd {
    waits: Vec<Duration>,
    served: u64,
}

impl Crowd {
    fn at(&self, percent: usize) -> Duration {
        let mut waits = self.waits.clone();
        waits.sort();
        let at = (waits.len() * percent).div_ceil(100).saturating_sub(1);
        waits.get(at).copied().or(median(waits)).unwrap_or_default()
    }
}

/// Twenty phones exchange, a second apart each, while somebody sends a request sixteen times at once, every second.
fn crowd(hostile: Option<&Dear>) -> Crowd {
    let dir = tempfile::tempdir().unwrap_or_else(|error| panic!("{error}"));
    let server = plain(dir.path());
    let phones: Vec<MemoryPhone> = (0..PHONES as u64)
        .map(|n| honest(&server, OTHER_UNIT, 100 + n))
        .collect();
    let address = server.address();
    let bodies: Vec<Vec<u8>> = hostile.map_or_else(Vec::new, |dear| {
        let mut device = HostileDevice::enrolled(&server, UNIT, dear.seed());
        (0..AT_ONCE).map(|_| (dear.make)(&mut device)).collect()
    });
    let path = hostile.map_or("", |dear| dear.path);
    let (over, served) = (AtomicBool::new(false), AtomicU64::new(0));
    let mut waits = Vec::new();
    std::thread::scope(|scope| {
        for body in &bodies {
            let (over, served) = (&over, &served);
            scope.spawn(move || {
                let began = Instant::now();
                for second in 0.. {
                    let next = began + Duration::from_secs(second);
                    std::thread::sleep(next.saturating_duration_since(Instant::now()));
                    if over.load(Ordering::Relaxed) {
                        break;
                    }
                    let reply = post(address, path, body, body.len());
                    served.fetch_add(u64::from(reply.status != 503), Ordering::Relaxed);
                }
            });
        }
        // The sixteen come at full seconds, and phones at any time.
        let exchanging: Vec<_> = (phones.into_iter().zip(0..))
            .map(|(phone, number)| scope.spawn(move || exchanges(phone, number, address)))
            .collect();
        for phone in exchanging {
            waits.extend(phone.join().unwrap_or_else(|_| panic!("a phone stopped")));
        }
        over.store(true, Ordering::Relaxed);
    });
    Crowd {
        waits,
        served: served.into_inner(),
    }
}

/// One phone's day: it edits, and exchanges once a second.
fn exchanges(mut phone: MemoryPhone, number: u64, address: SocketAddr) -> Vec<Duration> {
    let mut draw = Workload::of_village(40 + number);
    std::thread::sleep(Duration::from_millis(50 * number));
    let one = |_| {
        (0..EDITS).for_each(|_| write(&mut phone, &mut draw));
        let outgoing = phone.request();
        let began = Instant::now();
        let answer = exchange(address, &outgoing.bytes);
        let waited = began.elapsed();
        phone.take(&outgoing, &answer);
        std::thread::sleep(Duration::from_secs(1).saturating_sub(waited));
        waited
    };
    (0..ROUNDS).map(one).collect()
}
