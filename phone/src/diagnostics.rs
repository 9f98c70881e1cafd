//! Diagnostics of a phone for support: sizes and states, nothing that names a person.

use std::fmt::Write as _;

use sync_core::id::Class;
use sync_core::row::Table;

use crate::error::PhoneError;
use crate::phone::Phone;

impl Phone {
    /// One `name: value` a line, with stable names in English: versions, sizes in bytes, numbers of
    /// rows and records by class, what waits, the clock's error in seconds. No key, value, unit,
    /// record id or address.
    pub fn diagnostics(&mut self) -> Result<String, PhoneError> {
        let open = self.opened()?;
        let (replica, hub) = (&open.replica, open.replica.hub());
        let mut text = String::new();
        let mut line = |name: &str, value: &dyn std::fmt::Display| {
            // Writing into a string can't fail.
            let _ = writeln!(text, "{name}: {value}");
        };
        line("version", &env!("CARGO_PKG_VERSION"));
        line("device", &replica.me().device);
        for (name, number) in open.store.measures() {
            line(name, &number);
        }
        for table in Table::ALL {
            line(&format!("rows_{}", table.name()), &open.store.count(table)?);
        }
        line("rows_unreadable", &open.report.unreadable_rows);
        line("records_rebuilt", &open.report.rebuilt);
        line(
            "plan_version",
            &replica.package().map_or(0, |plan| plan.version),
        );
        line("units", &replica.units().len());
        for class in Class::ALL {
            let spaces = replica.spaces().filter(|space| space.class == class);
            let records: usize = spaces.map(|space| replica.records(space).count()).sum();
            line(&format!("records_{}", class.key()), &records);
        }
        line("unsent", &replica.unsent());
        line("waiting", &replica.waiting());
        line("last_exchange", &hub.last_exchange.unwrap_or_default());
        line("clock_ahead", &hub.clock_ahead);
        Ok(text)
    }
}
