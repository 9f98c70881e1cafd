//! Readings of bundles, and of messages that refer to what their receiver holds.

use serde_json::{Value as Json, json};
use sync_core::bundle::{Claims, Content, Receipt, envelopes};
use sync_core::control::Control;
use sync_core::feed::{Tip, Vector};
use sync_core::id::DeviceId;
use sync_core::wire::Request;

use super::says::{Said, founded, hexes, names, short, shown, strings, tips};
use super::{hex, of};
use crate::fuzz::{find, referring_parts};
use crate::sim::village::{network, opening_keys};

/// A file, with the private keys of everybody whom it may be for: nobody else's secret.
pub(super) fn bundle(bytes: &[u8]) -> Said {
    let keys = opening_keys();
    let envelopes = envelopes(bytes).map_err(shown)?;
    let opened = envelopes.iter().map(|one| {
        let message = one.open(network(), &keys).map_err(shown)?;
        Ok(Json::from(hex(&message)))
    });
    Ok(json!({
        "opened_by": hexes(keys.iter().map(|key| key.to_bytes())),
        "readers": envelopes.iter().map(|one| one.names().count()).collect::<Vec<_>>(),
        "opens_to": opened.collect::<Result<Vec<Json>, String>>()?,
    }))
}

pub(super) fn content(bytes: &[u8]) -> Said {
    let content = Content::decode(network(), bytes).map_err(shown)?;
    Ok(json!({
        "batches": names(network(), &content.batches),
        "control": hexes(&content.control),
        "claims": content.claims.map(|claims| hex(&claims)),
        "receipts": hexes(&content.receipts),
    }))
}

/// The roster that the golden entries make.
fn enrolled() -> Result<Control, String> {
    let mut control = founded()?;
    for entry in of("control") {
        let entry = control.check(&entry.recorded.bytes).map_err(shown)?;
        entry.into_iter().for_each(|entry| control.apply(entry));
    }
    Ok(control)
}

fn vector(vector: &Vector) -> Json {
    let feeds = vector.devices().map(|device| {
        let held: Vec<Tip> = vector.tips(device).copied().collect();
        (device, held)
    });
    tips(&feeds.collect::<Vec<(DeviceId, Vec<Tip>)>>())
}

pub(super) fn claims(bytes: &[u8]) -> Said {
    let claims = Claims::check(&enrolled()?, bytes).ok_or("nobody signed them")?;
    let spaces = claims.spaces.iter();
    let spaces = spaces.map(|(space, held)| json!([space.to_string(), vector(held)]));
    Ok(json!({
        "device": claims.device.to_string(),
        "control_count": claims.control.count,
        "control_digest": claims.control.digest.map(short),
        "spaces": spaces.collect::<Vec<_>>(),
    }))
}

pub(super) fn receipt(bytes: &[u8]) -> Said {
    let receipt = Receipt::check(&founded()?, bytes).ok_or("no node signed it")?;
    Ok(json!({
        "node": receipt.node.to_string(),
        "incarnation": receipt.incarnation.to_string(),
        "space": receipt.space.to_string(),
        "counter": receipt.counter,
        "vector": vector(&receipt.vector),
    }))
}

pub(super) fn referring(bytes: &[u8]) -> Said {
    let (request, held) = referring_parts(bytes).ok_or("no request with what is held")?;
    let mut references = Vec::new();
    let mut look = |reference: &sync_core::batch::Reference| {
        let feed = hex(&reference.feed);
        references.push(format!("{} {feed} {}", reference.space, reference.seq));
        find(network(), &held, reference)
    };
    let read = Request::decode_with(network(), &request, &mut look);
    let (request, _) = read.map_err(shown)?;
    Ok(json!({
        "refers_to": strings(references),
        "batches": hexes(&request.batches),
    }))
}
