//! A village on a running server: three devices that write its history.

use client::cancel::Cancel;
use client::transport::Transport;
use harness::Server;
use sync_core::enrol::EnrolmentLink;
use sync_core::id::RecordId;

use crate::phone::MemoryPhone;
use crate::workload::{EDITS_PER_RECORD, HOUSEHOLDS, WOMEN, Workload, kind_at};

/// Edits that a device saves before it exchanges, while a history is made.
const EDITS_PER_EXCHANGE: usize = 20;

/// A way to a server for phones in memory.
pub(crate) struct Way(Transport);

impl Way {
    /// To the server that `link` names.
    pub(crate) fn to(server: &Server) -> Self {
        let (_, key) = Transport::first_contact(&server.url, "/v1/network", &Cancel::new())
            .unwrap_or_else(|error| panic!("{}: {error}", server.url));
        Self(Transport::pinned(&server.url, &[key]).unwrap_or_else(|error| panic!("{error}")))
    }

    /// One exchange.
    pub(crate) fn exchange(&self, body: &[u8]) -> Vec<u8> {
        self.0
            .post("/v1/exchange", body, &Cancel::new())
            .unwrap_or_else(|error| panic!("exchange: {error}"))
    }

    /// A new phone in memory, enrolled by a link.
    pub(crate) fn enrol(&self, link: &str, seed: u64) -> MemoryPhone {
        let link: EnrolmentLink = link.parse().unwrap_or_else(|_| panic!("no link: {link}"));
        MemoryPhone::enrol(&link, seed, |request| {
            let answer = self.0.post("/v1/enrol", request, &Cancel::new());
            answer.unwrap_or_else(|error| panic!("enrolment: {error}"))
        })
    }
}

/// Makes a village of `scale` × 600 records with their history at `unit`; returns the records,
/// households first.
pub(crate) fn make(server: &Server, unit: &str, village: u64, scale: usize) -> Vec<RecordId> {
    with_history(server, unit, village, scale, EDITS_PER_RECORD)
}

/// The same with so many edits of each record after the first.
pub(crate) fn with_history(
    server: &Server,
    unit: &str,
    village: u64,
    scale: usize,
    edits: usize,
) -> Vec<RecordId> {
    let way = Way::to(server);
    // A register without a history needs nobody who sees what others wrote.
    let writers = if edits == 0 { 1 } else { 3 };
    let mut devices: Vec<MemoryPhone> = (0..writers)
        .map(|n| way.enrol(&server.link(unit), village * 10 + n))
        .collect();
    let mut draw = Workload::of_village(village);
    let mut records = Vec::new();
    let mut unsent = 0;
    let mut after_edit = |devices: &mut Vec<MemoryPhone>, at: usize| {
        unsent += 1;
        if unsent % EDITS_PER_EXCHANGE == 0 {
            devices[at].sync(&mut |body| way.exchange(body));
        }
    };
    for place in 0..(HOUSEHOLDS + WOMEN) * scale {
        let kind = kind_at(place / scale);
        let at = draw.below(writers as usize);
        let record = devices[at].draw(kind);
        let sets = draw.record(kind);
        devices[at].save(record, &sets);
        records.push(record);
        after_edit(&mut devices, at);
    }
    settle(&way, &mut devices);
    for _ in 0..edits {
        for (place, record) in records.iter().enumerate() {
            let at = draw.below(writers as usize);
            let sets = draw.edit(kind_at(place / scale));
            devices[at].save(*record, &sets);
            after_edit(&mut devices, at);
        }
        // Edits of one pass see those of the pass before: a history, not a heap of conflicts.
        settle(&way, &mut devices);
    }
    records
}

/// Everybody exchanges until everybody holds everything.
pub(crate) fn settle(way: &Way, devices: &mut [MemoryPhone]) {
    for _ in 0..2 {
        for device in devices.iter_mut() {
            device.sync(&mut |body| way.exchange(body));
        }
    }
}
