//! What waits for a decision: values written apart, and linked records that differ in who they are.

use sync_core::show::ShownConflict;
use sync_core::value::Key;

use super::value::{Teller, is_shown};

/// Values written apart under one key, the one that shows first.
pub(super) struct Apart {
    pub(super) key: String,
    pub(super) values: Vec<String>,
}

/// The conflicts that are shown here, in words.
pub(super) fn apart(teller: Teller<'_>, conflicts: &[ShownConflict]) -> Vec<Apart> {
    let told = conflicts.iter().filter_map(|conflict| {
        let key = Key::parse(&conflict.key).ok()?;
        let section = teller.package.section(key.section())?.1;
        is_shown(teller.package, &key).then(|| Apart {
            key: format!("{} · {}", teller.title(&section.title), teller.key(&key)),
            values: conflict
                .values
                .iter()
                .map(|value| teller.under(&key, value))
                .collect(),
        })
    });
    told.collect()
}
