//! The device's clock and randomness, read in one place: the core has neither.

use std::time::{SystemTime, UNIX_EPOCH};

use getrandom::SysRng;
use rand_core::UnwrapErr;

/// China has one civil time, UTC+8, in all seasons: a date typed in the morning is today's.
const BEIJING_SECONDS_AHEAD: i64 = 8 * 3600;
const DAY_SECONDS: i64 = 86_400;
/// The last second of 9999 in China, in Unix seconds.
const LAST_SECOND: i64 = 253_402_271_999;

/// Unix seconds by the device's clock; 0 for one that is set before 1970.
pub(crate) fn now() -> i64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

/// The operating system's randomness. It fails only where there is no safe way to go on.
pub(crate) fn rng() -> UnwrapErr<SysRng> {
    UnwrapErr(SysRng)
}

/// The date in China at a time in Unix seconds, `YYYY-MM-DD`. Days to civil by the Gregorian
/// calendar's cycle of 400 years, counted from 1 March so that a leap day ends its year.
///
/// Times outside 1970–9999 give the nearest day of those.
pub(crate) fn date_in_china(now: i64) -> String {
    let now = now.clamp(0, LAST_SECOND);
    let days = now.saturating_add(BEIJING_SECONDS_AHEAD) / DAY_SECONDS + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let date = day - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year + era * 400 + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{date:02}")
}

#[cfg(test)]
mod tests {
    use super::date_in_china;

    #[test]
    fn the_day_changes_at_midnight_in_china() {
        // 2026-07-01 00:00 in Beijing is 16:00 UTC of the day before.
        assert_eq!(date_in_china(1_782_835_199), "2026-06-30");
        assert_eq!(date_in_china(1_782_835_200), "2026-07-01");
        assert_eq!(date_in_china(951_782_400), "2000-02-29");
        assert_eq!(date_in_china(i64::MIN), "1970-01-01");
        assert_eq!(date_in_china(i64::MAX), "9999-12-31");
    }
}
