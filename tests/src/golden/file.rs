//! What the server's files say: journal and backup.

use ortoo_server::files::{Next, Record, Records, Table, read_part};
use serde_json::{Value as Json, json};

use super::hex;
use super::says::{Said, shown};

pub(super) fn journal(bytes: &[u8]) -> Said {
    let journal = Records::open(bytes).map_err(shown)?;
    let mut journal = journal.ok_or("no journal")?;
    let mut records: Vec<Json> = Vec::new();
    let end = loop {
        match journal.read_next().map_err(shown)? {
            Next::Record(Record::Batch(bytes)) => records.push(json!({"batch": hex(&bytes)})),
            Next::Record(Record::Control(bytes)) => records.push(json!({"control": hex(&bytes)})),
            Next::Altered => records.push("altered".into()),
            Next::Lost => break "lost",
            Next::Torn => break "torn",
            Next::End => break "end",
        }
    };
    let head = journal.head;
    Ok(json!({
        "network": head.network.to_string(),
        "number": head.number,
        "begun": head.begun,
        "whole": head.whole,
        "records": records,
        "ends": end,
    }))
}

pub(super) fn backup(mut bytes: &[u8]) -> Said {
    let table = Table::read(&mut bytes).map_err(shown)?;
    let parts = table.parts.iter().map(|part| {
        let mut held = Vec::new();
        read_part(&mut bytes, part, &mut held).map_err(shown)?;
        Ok(json!({"name": part.name, "bytes": hex(&held)}))
    });
    let parts = parts.collect::<Result<Vec<Json>, String>>()?;
    Ok(json!({
        "network": table.network.to_string(),
        "incarnation": hex(&table.incarnation.0),
        "time": table.time,
        "parts": parts,
    }))
}
