//! Times as people in China read them.

use sync_core::date::date_in_china;

/// China has one civil time, UTC+8, in all seasons.
const AHEAD_SECONDS: i64 = 8 * 3600;
const DAY_SECONDS: i64 = 86_400;

/// A time in Unix seconds as date, hour and minute in China.
pub(super) fn in_china(seconds: i64) -> String {
    let of_day = seconds
        .saturating_add(AHEAD_SECONDS)
        .rem_euclid(DAY_SECONDS);
    let (hour, minute) = (of_day / 3600, of_day % 3600 / 60);
    format!("{} {hour:02}:{minute:02}", date_in_china(seconds))
}

/// Whole days between two times, none if the second is earlier.
pub(super) fn days_between(from: i64, to: i64) -> i64 {
    to.saturating_sub(from).max(0) / DAY_SECONDS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_told_by_the_clock_on_the_wall_in_china() {
        assert_eq!(in_china(1_782_835_200), "2026-07-01 00:00");
        assert_eq!(in_china(1_782_835_199), "2026-06-30 23:59");
        assert_eq!(in_china(0), "1970-01-01 08:00");
    }

    #[test]
    fn a_day_counts_once_it_is_over() {
        assert_eq!(days_between(0, DAY_SECONDS - 1), 0);
        assert_eq!(days_between(0, 15 * DAY_SECONDS), 15);
        assert_eq!(days_between(10, 0), 0);
    }
}
