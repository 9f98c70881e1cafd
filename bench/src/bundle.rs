//! Bundle sizes: the whole village, one day, and the largest day that fits a short message.

use client::phone::Phone;
use sync_core::bundle_exchange::{Bundle, BundleOptions, SHORT_BYTES};
use sync_core::id::RecordId;

use crate::exchange::{Bench, DELTA, UNIT, edit};
use crate::measure::{Table, thousands};
use crate::village;
use crate::workload::{Kind, Workload};

const WHOLE: BundleOptions = BundleOptions {
    bytes_max: None,
    short: false,
    everything: false,
};
const SHORT: BundleOptions = BundleOptions {
    bytes_max: None,
    short: true,
    everything: false,
};

fn export(phone: &mut Phone, options: BundleOptions) -> Bundle {
    let bundle = phone.export_bundle(options);
    bundle.unwrap_or_else(|error| panic!("bundle: {error}"))
}

/// Runs the family; returns its part of the results.
pub(crate) fn run() -> String {
    let bench = Bench::new();
    let records = village::make(&bench.server, UNIT, 0, 1);
    let mut table = Table::new(&["what is carried", "bytes", "batches"]);
    let mut row = |name: &str, bundle: &Bundle| {
        table.row(&[
            name.to_owned(),
            thousands(bundle.bytes.len() as u64),
            bundle.batches.to_string(),
        ]);
    };
    let mut phone = bench.phone_of("a", &format!("{UNIT}.general"));
    bench.sync(&mut phone);
    let everything = BundleOptions {
        everything: true,
        ..WHOLE
    };
    row(
        "W1: all of one space, 600 records, for a phone that has seen nothing",
        &export(&mut phone, everything),
    );
    let mut draw = Workload::of_village(6);
    day(&mut phone, &records, &mut draw, 3);
    row("20 edits of 1–3 fields", &export(&mut phone, WHOLE));
    row("the same, --short", &export(&mut phone, SHORT));
    bench.sync(&mut phone);
    day(&mut phone, &records, &mut draw, 1);
    row("20 edits of one field, --short", &export(&mut phone, SHORT));
    bench.sync(&mut phone);
    let (edits, bytes) = largest_day(&bench, &mut phone, &records, &mut draw);
    format!(
        "## Bundles\n\n{}\nThe largest day that fits one short message of {} bytes: {edits} edits of \
         1–3 fields ({} bytes).\n",
        table.text(),
        thousands(SHORT_BYTES as u64),
        thousands(bytes as u64)
    )
}

fn day(phone: &mut Phone, records: &[RecordId], draw: &mut Workload, fields: usize) {
    edits(phone, records, DELTA, &mut || {
        draw.edit_of(Kind::Household, fields)
    });
}

/// So many edits, each of another household.
fn edits(
    phone: &mut Phone,
    records: &[RecordId],
    count: usize,
    draw: &mut dyn FnMut() -> Vec<String>,
) {
    for n in 0..count {
        edit(phone, records[(n * 37) % 250], draw);
    }
}

/// Days of ever more edits until one fits no more: how many did, and what they took. A bundle closes
/// what is saved into a batch, so every day is exported once.
fn largest_day(
    bench: &Bench,
    phone: &mut Phone,
    records: &[RecordId],
    draw: &mut Workload,
) -> (usize, usize) {
    let room = BundleOptions {
        bytes_max: Some(1 << 20),
        ..SHORT
    };
    let mut fits = (0, 0);
    for count in 1..250 {
        edits(phone, records, count, &mut || draw.edit(Kind::Household));
        let bytes = export(phone, room).bytes.len();
        if bytes > SHORT_BYTES {
            return fits;
        }
        fits = (count, bytes);
        bench.sync(phone);
    }
    fits
}
