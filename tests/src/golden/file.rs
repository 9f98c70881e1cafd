//! Readings of the server's files: journal and backup.

use ortoo_server::formats::{Next, Record, Table, read_part};
use serde_json::{Value as Json, json};

use super::hex;
use super::says::{Said, shown};
use crate::fuzz::Journal;

pub(super) fn journal(bytes: &[u8]) -> Said {
    let journal = Journal::read(bytes).map_err(shown)?.ok_or("no journal")?;
    let records = journal.records.iter().map(|record| match record {
        Record::Batch(bytes) => json!({"batch": hex(bytes)}),
        Record::Control(bytes) => json!({"control": hex(bytes)}),
    });
    let end = match journal.end {
        Next::Torn => "torn",
        Next::End => "end",
        _ => "lost",
    };
    let head = journal.head;
    Ok(json!({
        "network": head.network.to_string(),
        "number": head.number,
        "begun": head.begun,
        "whole": head.whole,
        "records": records.collect::<Vec<Json>>(),
        "ends": end,
    }))
}

pub(super) fn backup(bytes: &[u8]) -> Said {
    let (table, parts) = parts(bytes).ok_or("no whole backup")?;
    let parts = table
        .parts
        .iter()
        .zip(parts)
        .map(|(part, held)| json!({"name": part.name, "bytes": hex(&held)}));
    Ok(json!({
        "network": table.network.to_string(),
        "incarnation": hex(&table.incarnation.0),
        "time": table.time,
        "parts": parts.collect::<Vec<Json>>(),
    }))
}

/// The table of a whole backup, and what each of its parts holds.
pub(super) fn parts(mut bytes: &[u8]) -> Option<(Table, Vec<Vec<u8>>)> {
    let table = Table::read(&mut bytes).ok()?;
    let parts = table.parts.iter().map(|part| {
        let mut held = Vec::new();
        read_part(&mut bytes, part, &mut held).ok()?;
        Some(held)
    });
    let parts = parts.collect::<Option<_>>()?;
    Some((table, parts))
}
