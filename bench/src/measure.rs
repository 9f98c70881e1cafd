//! Clocks of processes, and tables.

use std::fmt::Write as _;
use std::time::Duration;

/// Ticks of /proc: 100 a second on every Linux that this runs on.
const TICKS_PER_SECOND: f64 = 100.0;

/// The processor time that a process has used so far, user and system; zero where there is no
/// /proc.
pub(crate) fn cpu_of(pid: u32) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // The command's name is in brackets and may hold spaces.
    let fields: Vec<&str> = stat
        .rsplit(')')
        .next()
        .unwrap_or_default()
        .split_whitespace()
        .collect();
    let ticks = |at: usize| {
        fields
            .get(at)
            .and_then(|text| text.parse::<f64>().ok())
            .unwrap_or(0.0)
    };
    Duration::from_secs_f64((ticks(11) + ticks(12)) / TICKS_PER_SECOND)
}

/// A figure of /proc/PID/status in MiB, such as `VmRSS` (now) or `VmHWM` (at most so far).
pub(crate) fn memory_mib(pid: u32, name: &str) -> f64 {
    harness::memory_kib(pid, name) as f64 / 1024.0
}

/// The middle value.
pub(crate) fn median<T: Copy + PartialOrd>(mut values: Vec<T>) -> Option<T> {
    values.sort_by(|a, b| a.partial_cmp(b).unwrap_or(std::cmp::Ordering::Equal));
    values.get(values.len() / 2).copied()
}

/// Seconds over a 2G link as the peers' table models it: 64 kbit/s, 600 ms for each round trip.
pub(crate) fn modelled_2g(bytes: u64, round_trips: u64) -> f64 {
    bytes as f64 * 8.0 / 64_000.0 + round_trips as f64 * 0.6
}

/// A table in Markdown.
pub(crate) struct Table {
    text: String,
}

impl Table {
    /// A table with these columns.
    pub(crate) fn new(columns: &[&str]) -> Self {
        let mut table = Self {
            text: String::new(),
        };
        table.row(&columns.iter().map(ToString::to_string).collect::<Vec<_>>());
        table.row(&columns.iter().map(|_| "---".to_owned()).collect::<Vec<_>>());
        table
    }

    /// Adds a row.
    pub(crate) fn row(&mut self, cells: &[String]) {
        // Writing into a string can't fail.
        let _ = writeln!(self.text, "| {} |", cells.join(" | "));
    }

    /// The table.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }
}

/// A number with its thousands apart.
pub(crate) fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}
