//! Readings of bytes as JSON: by the core's own decoders, in the words of `docs/protocol.md`.

use plan::Package;
use serde_json::{Map, Value as Json, json};
use sync_core::batch::Batch;
use sync_core::change::{Change, OpId};
use sync_core::control::{Control, ControlEntry, Moved};
use sync_core::enrol::{EnrolAnswer, EnrolRequest};
use sync_core::feed::Tip;
use sync_core::figure::Contribution;
use sync_core::id::{ChangeHash, DeviceId, NetworkId, RecordId, Short, Space};
use sync_core::record::{RecordState, Written};
use sync_core::remote_wipe::WipeCommand;
use sync_core::row::Table;
use sync_core::seal::{KeySlot, open_with};
use sync_core::value::Value;
use sync_core::wire::{Answer, Request};

use super::{carried, file, hex};
use crate::cbor::Item;
use crate::sim::village::vault::{CONTEXT, DATA_KEY, Vault};
use crate::sim::village::{PHONES, UNIT, key, network, root_entry, sealing_key, second_root_entry};

pub(super) type Said = Result<Json, String>;

/// What bytes of this kind say; `Err` if they do not decode.
pub fn says(kind: &str, bytes: &[u8]) -> Said {
    match kind {
        "network" => control(&Control::new(network()), bytes),
        "control" => control(&founded()?, bytes),
        "decision" => control(&with_person()?, bytes),
        "enrol_request" => enrol_request(bytes),
        "enrol_answer" => enrol_answer(bytes),
        "request" => request(bytes),
        "answer" => answer(bytes),
        "compact" => compact(bytes),
        "batch" => batch(bytes),
        "change" => change(bytes),
        "package" => package(bytes),
        "row" => row(bytes),
        "record" => record(bytes),
        "contribution" => contribution(bytes),
        "slot" => slot(bytes),
        "sealed_row" => {
            let vault = Vault::new();
            let opened = vault.data.open(Table::Record, vault.row(), bytes);
            opened
                .map(|value| json!({"opens_to": hex(&value)}))
                .map_err(|e| e.to_string())
        }
        "wrapped_key" => {
            let opened = Vault::new().store.unwrap(DATA_KEY, bytes);
            let space = opened.map_err(|error| error.to_string())?.0;
            Ok(json!({"key_of": space.to_string()}))
        }
        "sealed_to" => {
            let opened = open_with(&sealing_key(&key(PHONES[0])), CONTEXT, bytes);
            opened
                .map(|value| json!({"opens_to": hex(&value)}))
                .map_err(|e| e.to_string())
        }
        "bundle" => carried::bundle(bytes),
        "content" => carried::content(bytes),
        "claims" => carried::claims(bytes),
        "receipt" => carried::receipt(bytes),
        "referring" => carried::referring(bytes),
        "journal" => file::journal(bytes),
        "backup" => file::backup(bytes),
        other => Err(format!("nothing reads {other}")),
    }
}

/// What somebody holds who knows the root statement.
pub(super) fn founded() -> Result<Control, String> {
    let mut control = Control::new(network());
    let entry = control.check(&root_entry()).map_err(shown)?;
    entry.into_iter().for_each(|entry| control.apply(entry));
    Ok(control)
}

/// The same of the statement after it, which lists a person who may order.
fn with_person() -> Result<Control, String> {
    let mut control = founded()?;
    let entry = control.check(&second_root_entry()).map_err(shown)?;
    entry.into_iter().for_each(|entry| control.apply(entry));
    Ok(control)
}

pub(super) fn shown(error: impl std::fmt::Display) -> String {
    error.to_string()
}

pub(super) fn strings(list: impl IntoIterator<Item = impl ToString>) -> Json {
    list.into_iter()
        .map(|thing| Json::from(thing.to_string()))
        .collect()
}

pub(super) fn hexes(list: impl IntoIterator<Item = impl AsRef<[u8]>>) -> Json {
    list.into_iter()
        .map(|bytes| Json::from(hex(bytes.as_ref())))
        .collect()
}

pub(super) fn short(digest: Short) -> String {
    hex(&digest.0)
}

pub(super) fn tips(feeds: &[(DeviceId, Vec<Tip>)]) -> Json {
    let tip = |tip: &Tip| Json::from(format!("{}:{}", tip.seq, short(tip.hash)));
    let feed = |(device, tips): &(DeviceId, Vec<Tip>)| {
        (device.to_string(), tips.iter().map(tip).collect())
    };
    Json::Object(feeds.iter().map(feed).collect())
}

/// The names of batches in their stored form.
pub(super) fn names(network: NetworkId, batches: &[Vec<u8>]) -> Json {
    let name = |bytes: &Vec<u8>| match Batch::from_store(network, bytes) {
        Ok(batch) => Json::from(batch.hash.to_string()),
        Err(unfit) => Json::from(unfit.code()),
    };
    batches.iter().map(name).collect()
}

fn control(before: &Control, bytes: &[u8]) -> Said {
    let entry = before.check(bytes).map_err(shown)?.ok_or("held already")?;
    let scope = entry.scope.as_ref().map(strings);
    let mut said = Map::new();
    said.insert("name".into(), entry.hash.to_string().into());
    said.insert("scope".into(), scope.into());
    let mut after = before.clone();
    after.apply(entry.clone());
    if before.root() != after.root()
        && let Some(root) = after.root()
    {
        let root = json!({
            "version": root.version,
            "root_keys": hexes(&root.root_keys),
            "threshold": root.threshold,
            "node_keys": hexes(&root.node_keys),
            "order_keys": hexes(&root.order_keys),
            "tls_keys": hexes(&root.tls_keys),
        });
        said.insert("root".into(), root);
    }
    for (device, enrolment) in after.devices() {
        let enrolment = json!({
            "device": device.to_string(),
            "signing_key": hex(&enrolment.signing_key),
            "sealing_key": hex(&enrolment.sealing_key),
            "spaces": strings(&enrolment.spaces),
            "authors": strings(&enrolment.authors),
        });
        said.insert("enrolment".into(), enrolment);
    }
    if let Some(package) = entry.as_package() {
        let package = json!({"version": package.version, "hash": hex(&package.hash())});
        said.insert("package".into(), package);
    }
    if let Some(key) = after
        .seal_key()
        .filter(|key| before.seal_key() != Some(*key))
    {
        let key = json!({"month": key.month, "key": hex(&key.key.to_bytes())});
        said.insert("seal_key".into(), key);
        return Ok(Json::Object(said));
    }
    if let Some(decision) = decision(before, &after, &entry) {
        said.extend(decision);
        return Ok(Json::Object(said));
    }
    if let Some(same) = entry.as_same_person() {
        let records = same.records.iter();
        let records: Vec<Json> = records
            .map(|(unit, record)| json!([unit, record.to_string()]))
            .collect();
        let same = json!({"records": records, "same": same.same, "number": same.number});
        said.insert("same_person".into(), same);
        return Ok(Json::Object(said));
    }
    if let Some(moved) = moved(&after, bytes) {
        let moved = json!({
            "record": moved.record.to_string(),
            "from": moved.from,
            "to": moved.to,
            "new": moved.new.to_string(),
            "on": moved.on,
            "number": moved.number,
        });
        said.insert("moved".into(), moved);
        return Ok(Json::Object(said));
    }
    if let Some(elsewhere) = elsewhere(&after, bytes) {
        said.insert("elsewhere".into(), elsewhere);
    }
    Ok(Json::Object(said))
}

/// What an entry takes away, orders or leaves out.
fn decision(before: &Control, after: &Control, entry: &ControlEntry) -> Option<Map<String, Json>> {
    let mut said = Map::new();
    if let Some((kind, order)) = entry.as_order() {
        let order = json!({
            "kind": format!("{kind:?}"),
            "issuer": hex(&order.issuer),
            "number": order.number,
            "names": hexes(&order.names),
            "content": hex(&order.content),
        });
        said.insert("order".into(), order);
        return Some(said);
    }
    if let Some((space, record)) = after.exclusions_since(before).next() {
        let excluded = json!({
            "record": record.to_string(),
            "space": space.to_string(),
            "changes": strings(after.excluded_changes(space, record)),
        });
        said.insert("left_out".into(), excluded);
        return Some(said);
    }
    let device = after.cut_devices().next()?;
    let cut = |space: &Space| {
        let tips = after.cut(device, space).into_iter().flatten();
        let tip = |tip: &Tip| Json::from(format!("{}:{}", tip.seq, short(tip.hash)));
        (space.to_string(), tips.map(tip).collect())
    };
    let cut = entry.scope.iter().flatten().map(cut);
    let revoked = json!({
        "device": device.to_string(),
        "whole": after.revoked(device).is_some(),
        "cut": Json::Object(cut.collect()),
    });
    said.insert("revoked".into(), revoked);
    Some(said)
}

/// Where the record goes on of which an entry says so.
fn moved<'a>(after: &'a Control, bytes: &[u8]) -> Option<&'a Moved> {
    let entry = Item::read(bytes)?;
    let record = entry.field(0)?.field(3)?.field(0)?.bytes()?;
    after.moved(UNIT, RecordId::from_slice(&record).ok()?)
}

/// What an entry that says where somebody counts has changed.
fn elsewhere(after: &Control, bytes: &[u8]) -> Option<Json> {
    let entry = Item::read(bytes)?;
    let body = entry.field(0)?;
    let record = body.field(3)?.field(0)?.bytes()?;
    let record = RecordId::from_slice(&record).ok()?;
    let (away, number) = after.elsewhere(UNIT, record);
    let away: Vec<Json> = away
        .spans()
        .iter()
        .map(|(from, to)| json!([from, to]))
        .collect();
    Some(json!({"record": record.to_string(), "number": number, "away": away}))
}

fn enrol_request(bytes: &[u8]) -> Said {
    let request = EnrolRequest::decode(network(), bytes).map_err(shown)?;
    Ok(json!({
        "code": request.code,
        "signing_key": hex(&request.signing_key),
        "sealing_key": hex(&request.sealing_key),
        "strong_secret": request.strong_secret,
    }))
}

fn enrol_answer(bytes: &[u8]) -> Said {
    let answer = EnrolAnswer::decode(bytes).map_err(shown)?;
    Ok(json!({
        "pending": answer.pending,
        "pin_only": answer.pin_only,
        "author": answer.author.to_string(),
        "incarnation": answer.incarnation.to_string(),
        "nonce": hex(&answer.nonce),
        "time": answer.time,
        "control": control_names(&answer.control)?,
    }))
}

/// The names of control entries, each after those before it.
fn control_names(entries: &[Vec<u8>]) -> Said {
    let mut control = founded()?;
    let mut names = Vec::new();
    for bytes in entries {
        match control.check(bytes).map_err(shown)? {
            Some(entry) => {
                names.push(Json::from(entry.hash.to_string()));
                control.apply(entry);
            }
            None => names.push(Json::from("held")),
        }
    }
    Ok(names.into())
}

fn request(bytes: &[u8]) -> Said {
    let network = network();
    let (request, signed) = Request::decode(network, bytes).map_err(shown)?;
    let claims = request.spaces.iter().map(|claim| {
        json!({
            "space": claim.space.to_string(),
            "counter": claim.counter,
            "changes": tips(&claim.changes),
            "ladders": tips(&claim.locators),
        })
    });
    let shown = control_names(&request.shown)?;
    let wipe_report = request.wipe_report.map(
        |wipe_report| json!({"bundle": hex(&wipe_report.bundle), "wiped": wipe_report.wiped, "shown": shown}),
    );
    let said = json!({
        "device": request.device.to_string(),
        "nonce": hex(&request.nonce),
        "control_count": request.control.count,
        "control_digest": request.control.digest.map(short),
        "base": short(request.base),
        "spaces": claims.collect::<Vec<_>>(),
        "batches": names(network, &request.batches),
        "budget": request.budget,
        "signature": hex(&signed.signature),
    });
    Ok(with(
        said,
        wipe_report.map(|wipe_report| ("parting", wipe_report)),
    ))
}

fn answer(bytes: &[u8]) -> Said {
    let network = network();
    let answer = Answer::decode(network, bytes).map_err(shown)?;
    let states = answer.spaces.iter().map(|state| {
        json!({
            "space": state.space.to_string(),
            "counter": state.counter,
            "changes": tips(&state.changes),
            "ladders_wanted": strings(&state.ladders_wanted),
        })
    });
    let refused = answer.refused.iter();
    let refused = refused.map(|refused| json!([refused.index, refused.code]));
    let wipe = answer.wipe.map(wipe_call).transpose()?;
    let said = json!({
        "time": answer.time,
        "nonce": answer.nonce.map(|nonce| hex(&nonce)),
        "stale_nonce": answer.stale_nonce,
        "control": control_names(&answer.control)?,
        "incarnation": answer.incarnation.map(|life| life.to_string()),
        "reset": answer.reset,
        "spaces": states.collect::<Vec<_>>(),
        "batches": names(network, &answer.batches),
        "more": answer.more,
        "refused": refused.collect::<Vec<_>>(),
    });
    Ok(with(said, wipe.map(|wipe| ("wipe", wipe))))
}

/// What is said beside the fields that every message of its kind has.
fn with(mut said: Json, more: Option<(&str, Json)>) -> Json {
    if let Some((field, value)) = more {
        said[field] = value;
    }
    said
}

fn wipe_call(call: WipeCommand) -> Said {
    let entries = call.roots.iter().chain([&call.order]).chain(&call.seal_key);
    let entries: Vec<_> = entries.cloned().collect();
    Ok(json!({"entries": control_names(&entries)?, "taken": call.taken}))
}

fn compact(bytes: &[u8]) -> Said {
    let mut fields = vec![Item::Unsigned(1), Item::Unsigned(0)];
    fields.extend(std::iter::repeat_n(crate::cbor::NULL, 5));
    fields.push(Item::Bytes(bytes.to_vec()));
    let message = [&[0], Item::Array(fields).write().as_slice()].concat();
    let answer = Answer::decode(network(), &message).map_err(shown)?;
    Ok(json!({"batches": hexes(&answer.batches)}))
}

fn batch(bytes: &[u8]) -> Said {
    let batch = Batch::from_store(network(), bytes).map_err(shown)?;
    let header = &batch.header;
    let entries = batch
        .entries
        .iter()
        .map(|entry| json!({"record": entry.record.to_string(), "change": hex(&entry.change)}));
    let mut said = json!({
        "name": batch.hash.to_string(),
        "space": header.space.to_string(),
        "device": header.device.to_string(),
        "author": header.author.to_string(),
        "seq": header.seq,
        "prev": strings(&header.prev),
        "dictionary": header.dictionary,
        "time": header.time,
        "entries": entries.collect::<Vec<_>>(),
    });
    if !batch.redacted.is_empty() {
        said["blotted"] = strings(&batch.redacted);
    }
    Ok(said)
}

fn scalar(value: &Value) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Bool(flag) => (*flag).into(),
        Value::Int(number) => (*number).into(),
        Value::Text(text) => text.as_str().into(),
    }
}

fn op(op: &OpId) -> String {
    format!("{}@{}", op.counter, op.actor)
}

fn change(bytes: &[u8]) -> Said {
    let change = match Change::parse(bytes) {
        Ok(change) => change,
        // What is no valid change is held all the same.
        Err(invalid) => return Ok(json!({"invalid": invalid.code()})),
    };
    let puts = change.puts.iter().map(|put| {
        let preds: Vec<String> = put.preds.iter().map(op).collect();
        json!({"key": put.key.as_str(), "value": scalar(&put.value), "preds": preds})
    });
    Ok(json!({
        "hash": change.hash.to_string(),
        "deps": strings(&change.deps),
        "actor": change.actor.to_string(),
        "start_op": change.start_op,
        "time": change.time,
        "puts": puts.collect::<Vec<_>>(),
    }))
}

fn package(bytes: &[u8]) -> Said {
    let package = Package::from_cbor(bytes).map_err(shown)?;
    let mut fields = Map::new();
    for subject in &package.subjects {
        for section in &subject.sections {
            let keys = strings(section.fields.iter().map(|field| &field.key));
            let class = section.class.as_str();
            let section = format!("{}/{}", subject.key, section.key);
            fields.insert(section, json!({"class": class, "fields": keys}));
        }
    }
    Ok(json!({
        "version": package.version,
        "hash": hex(&package.hash()),
        "sections": fields,
        "codes": strings(package.codes.iter().map(|list| &list.key)),
        "settings": strings(package.settings.iter().map(|setting| &setting.key)),
        "computed": strings(package.computed.iter().map(|computed| &computed.key)),
        "registers": strings(package.registers.iter().map(|register| &register.key)),
        "units": strings(package.units.iter().map(|unit| &unit.code)),
        "indicators": strings(package.indicators.iter().map(|indicator| &indicator.key)),
    }))
}

/// A row is read by opening the store that it is of, which is a test of its own; here stands what
/// its CBOR is.
fn row(bytes: &[u8]) -> Said {
    let (table, value) = bytes.split_first().ok_or("empty")?;
    let table = Table::ALL.into_iter().find(|known| *known as u8 == *table);
    let table = table.ok_or("no table")?.name();
    if table == Table::Outbox.name() {
        return Ok(json!({"table": table, "value": carried::bundle(value)?}));
    }
    let item = Item::read(value).ok_or("no CBOR")?;
    Ok(json!({"table": table, "value": tree(&item)}))
}

fn tree(item: &Item) -> Json {
    match item {
        Item::Unsigned(number) => (*number).into(),
        Item::Negative(number) => (-1 - *number as i64).into(),
        Item::Bytes(bytes) => format!("h'{}'", hex(bytes)).into(),
        Item::Inside(inside) => json!({"bytes_of": tree(inside)}),
        Item::Text(text) => String::from_utf8_lossy(text).into(),
        Item::Array(items) => items.iter().map(tree).collect(),
        Item::Map(items) => {
            let pairs = items.chunks(2);
            json!({"map": pairs.map(|pair| pair.iter().map(tree).collect()).collect::<Vec<Json>>()})
        }
        Item::Tag(number, item) => json!({"tag": number, "of": tree(item)}),
        Item::Simple(20) => false.into(),
        Item::Simple(21) => true.into(),
        Item::Simple(_) => Json::Null,
        Item::Raw(bytes) => format!("raw {}", hex(bytes)).into(),
    }
}

fn record(bytes: &[u8]) -> Said {
    let state = RecordState::from_cbor(bytes).map_err(shown)?;
    let written = |written: &Written| {
        let change: ChangeHash = written.change;
        json!({
            "value": scalar(&written.value),
            "op": op(&written.op),
            "change": change.to_string(),
        })
    };
    let view = state.view().iter().map(|(key, slot)| {
        let values: Vec<Json> = slot.values().map(written).collect();
        (key.as_str().to_owned(), values.into())
    });
    let aside = state.aside().iter().map(|aside| {
        json!({
            "change": aside.change.to_string(),
            "device": aside.device.to_string(),
            "why": format!("{:?}", aside.why),
        })
    });
    Ok(json!({
        "heads": strings(state.heads()),
        "view": Json::Object(view.collect()),
        "aside": aside.collect::<Vec<_>>(),
        "parked": state.parked().map(|reason| reason.to_string()),
    }))
}

fn contribution(bytes: &[u8]) -> Said {
    let contribution = Contribution::from_cbor(bytes).map_err(shown)?;
    let cells = contribution.cells().map(|(key, tally)| {
        json!([
            key.indicator,
            key.year,
            key.by,
            key.value,
            tally.numerator,
            tally.denominator,
            tally.unknown
        ])
    });
    Ok(json!({"cells": cells.collect::<Vec<_>>()}))
}

fn slot(bytes: &[u8]) -> Said {
    let slot = KeySlot::from_bytes(bytes).map_err(shown)?;
    let kdf = slot.kdf();
    Ok(json!({
        "kind": slot.kind() as u8,
        "memory_kib": kdf.memory_kib(),
        "passes": kdf.passes(),
        "lanes": kdf.lanes(),
    }))
}

/// A store as it opens: what its phone shows.
pub fn store(rows: &crate::sim::village::Rows) -> Said {
    let (replica, report) = rows.open().map_err(shown)?;
    let mut records = Map::new();
    for record in replica.records_of(UNIT) {
        let shown = replica.view(UNIT, record);
        let fields = shown.iter().map(|(key, slot)| {
            let values: Vec<Json> = slot
                .values()
                .map(|written| scalar(&written.value))
                .collect();
            (key.as_str().to_owned(), values.into())
        });
        records.insert(record.to_string(), Json::Object(fields.collect()));
    }
    let vector = |space: &Space| {
        let vector = replica.vector(space);
        let feeds: Vec<(DeviceId, Vec<Tip>)> = vector
            .devices()
            .map(|device| (device, vector.tips(device).copied().collect()))
            .collect();
        (space.to_string(), tips(&feeds))
    };
    Ok(json!({
        "unreadable_rows": report.unreadable_rows,
        "rebuilt": report.rebuilt,
        "vectors": Json::Object(replica.spaces().map(vector).collect()),
        "records": records,
        "unsent": replica.unsent(),
        "waiting": replica.waiting(),
    }))
}
