//! Round trips: what was read, written again to the same bytes, where there is one way to write it.

use ortoo_server::formats::Next;
use plan::Package;
use sync_core::batch::Batch;
use sync_core::change::Change;
use sync_core::control::RootStatement;
use sync_core::enrol::EnrolAnswer;
use sync_core::figure::Contribution;
use sync_core::record::RecordState;
use sync_core::seal::KeySlot;
use sync_core::wire::{Answer, Request, unpack};

use super::file;
use crate::cbor::Item;
use crate::fuzz::Journal;
use crate::sim::village::network;

/// The bytes of this kind, and what writing them again gives, without packing; `None` where they are
/// kept as received and never written again, or can be told in several ways.
pub fn again(kind: &str, bytes: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let network = network();
    let unpacked = |packed: &[u8]| unpack(packed).unwrap_or_default();
    let pair = |again: Vec<u8>| Some((bytes.to_vec(), again));
    match kind {
        "enrol_answer" => {
            let again = EnrolAnswer::decode(bytes).ok()?.encode();
            Some((unpacked(bytes), unpacked(&again)))
        }
        // A later form of the batches is another way to tell them.
        "request" => {
            let (request, signed) = Request::decode(network, bytes).ok()?;
            let again = request.encode(network, &|_| signed.signature);
            let same = request.batches.is_empty();
            same.then(|| (unpacked(bytes), unpacked(&again)))
        }
        "answer" => {
            let answer = Answer::decode(network, bytes).ok()?;
            let again = answer.encode(network);
            let same = answer.batches.is_empty();
            same.then(|| (unpacked(bytes), unpacked(&again)))
        }
        "batch" => pair(Batch::from_store(network, bytes).ok()?.bytes().to_vec()),
        "change" => {
            let change = Change::parse(bytes).ok()?;
            let (deps, puts) = (change.deps, change.puts);
            let (_, raw) = Change::forge(deps, change.actor, change.start_op, change.time, puts);
            pair(raw)
        }
        "network" => {
            let entry = Item::read(bytes)?;
            let statement = entry.field(0)?.field(3)?.bytes()?;
            let mut control = sync_core::control::Control::new(network);
            let entry = control.check(bytes).ok()??;
            control.apply(entry);
            let root: &RootStatement = control.root()?;
            Some((statement, root.encode()))
        }
        "package" => pair(Package::from_cbor(bytes).ok()?.to_cbor()),
        "record" => pair(RecordState::from_cbor(bytes).ok()?.to_cbor()),
        "contribution" => pair(Contribution::from_cbor(bytes).ok()?.to_cbor()),
        // What was cut off is not written again.
        "journal" => {
            let journal = Journal::read(bytes).ok()??;
            let whole = journal.end == Next::End;
            whole.then(|| (bytes.to_vec(), journal.write()))
        }
        "backup" => {
            let (table, parts) = file::parts(bytes)?;
            let mut again = Vec::new();
            table.write(&mut again).ok()?;
            parts.iter().for_each(|held| again.extend_from_slice(held));
            pair(again)
        }
        "slot" => pair(KeySlot::from_bytes(bytes).ok()?.to_bytes()),
        _ => None,
    }
}
