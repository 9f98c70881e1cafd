//! JSON output of the verbs. A public contract.

use node::{
    CellDifference, Difference, Figure, Gone, ParkedRecord, PendingDevice, Recounted, Verified,
};
use serde_json::{Value, json};
use sync_core::figure::{self, Tally};
use sync_core::id::{ChangeHash, Space};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// `{"from","to","records":{OLD: NEW}}`.
pub(super) fn gone(gone: &Gone) -> Value {
    let records = gone.records.iter();
    let records = records.map(|(old, new)| (old.to_string(), Value::from(new.to_string())));
    json!({
        "from": gone.from,
        "to": gone.to,
        "records": Value::Object(records.collect()),
    })
}

/// `{"record","space","reason","change","device"}`.
pub(super) fn parked(parked: &ParkedRecord) -> Value {
    json!({
        "record": parked.record.to_string(),
        "space": parked.space.to_string(),
        "reason": parked.reason.code(),
        "change": parked.change.map(|(change, _)| change.to_string()),
        "device": parked.change.map(|(_, device)| device.to_string()),
    })
}

/// `{"space","change"}`.
pub(super) fn left_out_row((space, change): &(Space, ChangeHash)) -> Value {
    json!({ "space": space.to_string(), "change": change.to_string() })
}

pub(super) fn figure_row(figure: &Figure) -> Value {
    figure::json::figure(&figure.indicator, &figure.org, figure.year, &figure.tally)
}

pub(super) fn pending(device: &PendingDevice) -> Value {
    json!({
        "device": device.device.to_string(),
        "digits": device.digits,
        "since": time(device.since),
        "name": device.name,
        "redeemers": device.redeemers,
    })
}

pub(super) fn verified(found: &Verified) -> Value {
    let mut shape = json!({
        "records": found.records,
        "batches": found.batches,
        "different": found.differences.len(),
        "forks": found.forks,
        "waiting": found.waiting,
        "aside": found.aside,
    });
    if !found.differences.is_empty() {
        shape["details"] = found.differences.iter().map(difference).collect();
    }
    shape
}

fn difference(found: &Difference) -> Value {
    json!({
        "what": found.what,
        "space": found.space.to_string(),
        "which": found.which,
        "how": found.how,
    })
}

pub(super) fn recounted(found: &Recounted) -> Value {
    let mut shape = json!({ "cells": found.cells, "different": found.differences.len() });
    if !found.differences.is_empty() {
        shape["details"] = found.differences.iter().map(cell_difference).collect();
    }
    shape
}

fn cell_difference(found: &CellDifference) -> Value {
    json!({
        "indicator": found.cell.indicator,
        "year": found.cell.year,
        "breakdown": found.cell.breakdown,
        "value": found.cell.value,
        "unit": found.cell.unit,
        "stored": tally(&found.stored),
        "recounted": tally(&found.recounted),
    })
}

fn tally(tally: &Tally) -> Value {
    json!({
        "numerator": tally.numerator,
        "denominator": tally.denominator,
        "unknown": tally.unknown,
    })
}

/// Unix seconds as ISO 8601 in UTC.
pub(super) fn time(seconds: i64) -> String {
    let moment = OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    moment
        .format(&Rfc3339)
        .unwrap_or_else(|_| "1970-01-01T00:00:00Z".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verify_prints_details_only_where_something_differs() {
        let keys = |shape: Value| {
            shape
                .as_object()
                .unwrap()
                .keys()
                .cloned()
                .collect::<Vec<_>>()
        };
        let contract = [
            "records",
            "batches",
            "different",
            "forks",
            "waiting",
            "aside",
        ];
        assert_eq!(keys(verified(&Verified::default())), contract);
    }

    #[test]
    fn verify_cells_prints_the_cells_that_differ_by_their_keys() {
        let clean = Recounted {
            cells: 9,
            differences: Vec::new(),
        };
        let text = r#"{"cells":9,"different":0}"#;
        assert_eq!(recounted(&clean).to_string(), text);
        let cell = crate::Cell {
            indicator: "health.cervical-screening-rate".into(),
            year: 2027,
            breakdown: "migrant".into(),
            value: "true".into(),
            unit: "152522100200".into(),
        };
        let different = CellDifference {
            cell,
            stored: Tally::default(),
            recounted: Tally {
                numerator: 1,
                denominator: 2,
                unknown: 3,
            },
        };
        let found = Recounted {
            cells: 9,
            differences: vec![different],
        };
        let text = r#"{"cells":9,"different":1,"details":[{"indicator":"health.cervical-screening-rate","year":2027,"breakdown":"migrant","value":"true","unit":"152522100200","stored":{"numerator":0,"denominator":0,"unknown":0},"recounted":{"numerator":1,"denominator":2,"unknown":3}}]}"#;
        assert_eq!(recounted(&found).to_string(), text);
    }
}
