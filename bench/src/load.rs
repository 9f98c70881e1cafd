//! W4: 71 villages × 3 phones × 20 edits, all at once, over TLS against a server process.

use std::sync::Mutex;
use std::time::Instant;

use harness::Server;
use plan::Package;
use plan::unit::Level;

use crate::measure::{Table, cpu_of, memory_mib, thousands};
use crate::phone::MemoryPhone;
use crate::village::Way;
use crate::workload::{Kind, Workload};

/// Phones of a village.
const PHONES: usize = 3;
/// Edits of each phone.
const EDITS: usize = 20;
/// Phones that exchange at the same time.
const AT_ONCE: usize = 8;

/// Runs the family; returns its part of the results.
pub(crate) fn run() -> String {
    let dir = tempfile::tempdir().unwrap_or_else(|error| panic!("{error}"));
    let server = Server::sample(&dir.path().join("server"));
    let way = Way::to(&server);
    let package = Package::builtin();
    let gachas: Vec<&str> = package
        .units
        .iter()
        .filter(|unit| unit.level == Level::Gacha)
        .map(|unit| unit.code.as_str())
        .collect();
    let mut phones = Vec::new();
    for (village, unit) in gachas.iter().enumerate() {
        phones.extend(village_of(&server, &way, unit, village as u64));
    }
    let idle = memory_mib(server.pid(), "VmRSS");
    let cpu = cpu_of(server.pid());
    let mine = cpu_of(std::process::id());
    let waiting: Mutex<Vec<MemoryPhone>> = Mutex::new(phones);
    let bytes = Mutex::new((0u64, 0u64));
    let started = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                loop {
                    let next = waiting.lock().map(|mut list| list.pop());
                    let Ok(Some(mut phone)) = next else { return };
                    // A connection of its own, as every phone has.
                    let way = Way::to(&server);
                    let mut moved = (0, 0);
                    phone.sync(&mut |body| {
                        let answer = way.exchange(body);
                        moved = (moved.0 + body.len() as u64, moved.1 + answer.len() as u64);
                        answer
                    });
                    if let Ok(mut bytes) = bytes.lock() {
                        *bytes = (bytes.0 + moved.0, bytes.1 + moved.1);
                    }
                }
            });
        }
    });
    let wall = started.elapsed().as_secs_f64();
    let server_cpu = cpu_of(server.pid()).saturating_sub(cpu).as_secs_f64();
    let client_cpu = cpu_of(std::process::id())
        .saturating_sub(mine)
        .as_secs_f64();
    let devices = gachas.len() * PHONES;
    let edits = (devices * EDITS) as f64;
    let verified = server.run(&["verify"]).json();
    assert_eq!(verified["different"], 0, "{verified}");
    let (up, down) = bytes.into_inner().unwrap_or_default();

    let mut table = Table::new(&[
        "villages / devices / edits",
        "wall s",
        "edits/s",
        "server CPU s",
        "edits per server-CPU-s",
        "client CPU s",
        "server RSS MiB (idle)",
        "body B per device up / down",
    ]);
    table.row(&[
        format!("{} / {devices} / {}", gachas.len(), thousands(edits as u64)),
        format!("{wall:.2}"),
        thousands((edits / wall) as u64),
        format!("{server_cpu:.2}"),
        thousands((edits / server_cpu) as u64),
        format!("{client_cpu:.2}"),
        format!("{:.0} ({idle:.0})", memory_mib(server.pid(), "VmHWM")),
        format!(
            "{} / {}",
            thousands(up / devices as u64),
            thousands(down / devices as u64)
        ),
    ]);
    format!(
        "## The whole banner at once (W4)\n\nEach phone has a TLS connection of its own; everything \
         is durable before it is answered. `verify` afterwards: clean.\n\n{}",
        table.text()
    )
}

/// Three phones that hold their village's 60 records and have 20 edits each to push.
fn village_of(server: &Server, way: &Way, unit: &str, village: u64) -> Vec<MemoryPhone> {
    let mut draw = Workload::of_village(village);
    let seed = 1000 + village * 10;
    let mut phones: Vec<MemoryPhone> = (0..PHONES as u64)
        .map(|n| way.enrol(&server.link(unit), seed + n))
        .collect();
    let mut records = Vec::new();
    for _ in 0..PHONES * EDITS {
        let record = phones[0].draw(Kind::Household);
        phones[0].save(record, &draw.record(Kind::Household));
        records.push(record);
    }
    for phone in &mut phones {
        phone.sync(&mut |body| way.exchange(body));
    }
    for (n, record) in records.iter().enumerate() {
        phones[n / EDITS].save(*record, &draw.edit(Kind::Household));
    }
    phones
}
