//! The recording of a story: every message, and in the end the rows of a phone.

use sync_core::batch::Batch;
use sync_core::exchange::{Outgoing, Received};
use sync_core::figure::{Counter, UnitFacts};
use sync_core::row::Table;
use sync_core::wire::unpack;

use super::phone::enrolment;
use super::*;
use crate::cbor::Item;

/// The field of a request that holds its batches.
const REQUEST_BATCHES: usize = 7;

impl Village {
    /// Lets the next phone in; its number.
    pub(super) fn enrol(&mut self, name: &str) -> usize {
        let number = self.phones.len();
        let key = key(PHONES[number]);
        // Codes are 26 characters of small letters and digits.
        let code = format!("{number}abcdefghijklmnopqrstuvwxy");
        self.hub.make_code(&code, spaces(), AUTHOR);
        let request = enrolment(self.network(), &key, &code);
        let answer = self.hub.enrol(&request, self.now);
        let answer = answer.expect("a new code lets a phone in");
        let phone = Phone::new(self.network(), key, self.now, &answer);
        self.phones.push(phone);
        self.keep("enrol_request", name, request);
        self.keep("enrol_answer", name, answer);
        number
    }

    /// One round trip of a phone, kept under `name`.
    pub(super) fn round(&mut self, phone: usize, name: &str) -> Received {
        let outgoing = self.phones[phone].request(self.now);
        let answer = self.serve(&outgoing.bytes);
        let received = self.phones[phone].take(self.now, &outgoing, &answer);
        self.keep("request", name, outgoing.bytes);
        self.keep("answer", name, answer);
        received
    }

    /// Round trips until both sides hold the same.
    pub(super) fn sync(&mut self, phone: usize, name: &str) {
        let mut round = 1;
        let mut title = name.to_owned();
        while self.round(phone, &title).again {
            round += 1;
            title = format!("{name}-{round}");
        }
    }

    /// What a phone would send now, kept under `name`; it goes nowhere.
    pub(super) fn ask(&mut self, phone: usize, name: &str) -> Outgoing {
        let outgoing = self.phones[phone].request(self.now);
        self.keep("request", name, outgoing.bytes.clone());
        outgoing
    }

    /// Serves a request and commits what it does.
    pub(super) fn serve(&mut self, request: &[u8]) -> Vec<u8> {
        let served = self.hub.serve(request, self.now, None);
        let served = served.unwrap_or_else(|code| panic!("{code}"));
        self.hub.state = served.state;
        served.answer
    }

    /// Keeps the batches of a request as the message tells them.
    pub(super) fn keep_compact(&mut self, name: &str, request: &[u8]) {
        let unpacked = unpack(request).expect("our own request unpacks");
        let message = Item::read(&unpacked).expect("our own request is CBOR");
        let body = message.field(0).expect("a request has a body");
        let batches = body.field(REQUEST_BATCHES).and_then(Item::bytes);
        self.keep("compact", name, batches.expect("a request has batches"));
    }

    /// Keeps the control entries of the server.
    pub(super) fn keep_control(&mut self, names: &[&str]) {
        for (arrival, name) in names
            .iter()
            .enumerate()
            .filter(|(_, name)| !name.is_empty())
        {
            let entry = self.control_entry(arrival);
            self.keep("control", *name, entry);
        }
    }

    /// Keeps a phone's rows, each with the number of its table in front, and what batches and
    /// records are made of.
    pub(super) fn keep_rows(&mut self, phone: usize) {
        let rows = self.phones[phone].rows.clone();
        for table in Table::ALL {
            for (number, value) in rows.of(table).enumerate() {
                let name = format!("{}-{number}", table.name());
                let row = [&[table as u8], value.as_slice()].concat();
                self.keep("row", &name, row);
                if table == Table::Batch {
                    self.keep_batch(&format!("{number}"), value);
                }
            }
        }
        let replica = &self.phones[phone].replica;
        let spaces = replica.spaces().cloned().collect::<Vec<_>>();
        let states: Vec<Vec<u8>> = (spaces.iter())
            .flat_map(|space| replica.records(space))
            .map(|(_, state)| state.to_cbor())
            .collect();
        for (number, state) in states.into_iter().enumerate() {
            self.keep("record", format!("{number}"), state);
        }
    }

    fn keep_batch(&mut self, name: &str, bytes: &[u8]) {
        self.keep("batch", name, bytes.to_vec());
        let batch = Batch::from_store(self.network(), bytes);
        let entries = batch.expect("our own batch reads").entries;
        for (number, entry) in entries.into_iter().enumerate() {
            self.keep("change", format!("{name}-{number}"), entry.change);
        }
    }

    /// Keeps what a phone's groups add to the figures.
    pub(super) fn keep_contributions(&mut self, phone: usize, package: &Package) {
        let replica = &self.phones[phone].replica;
        let counter = Counter::new(package);
        let said = UnitFacts::read(replica, package, UNIT);
        let contributions: Vec<Vec<u8>> = said
            .contributions(&counter, replica.control(), UNIT)
            .filter(|(_, contribution)| !contribution.is_empty())
            .map(|(_, contribution)| contribution.to_cbor())
            .collect();
        for (number, bytes) in contributions.into_iter().enumerate() {
            self.keep("contribution", format!("{number}"), bytes);
        }
    }
}
