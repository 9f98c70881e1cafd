//! Dates as people write them: `YYYY-MM-DD`, and which one a moment falls on.

/// China has one civil time, UTC+8, in all seasons: a date typed in the morning is today's.
const BEIJING_SECONDS_AHEAD: i64 = 8 * 3600;
const DAY_SECONDS: i64 = 86_400;
/// The last second of 9999 in China, in Unix seconds.
const LAST_SECOND: i64 = 253_402_271_999;

/// Whether a text is a real date, `YYYY-MM-DD`, in the Gregorian calendar.
pub fn is_date(text: &str) -> bool {
    let bytes = text.as_bytes();
    let shaped = bytes.len() == 10
        && bytes.iter().enumerate().all(|(at, byte)| match at {
            4 | 7 => *byte == b'-',
            _ => byte.is_ascii_digit(),
        });
    if !shaped {
        return false;
    }
    let number = |from: usize, to: usize| text[from..to].parse::<u32>().unwrap_or(0);
    let (year, month, day) = (number(0, 4), number(5, 7), number(8, 10));
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let days = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 => 28 + u32::from(leap),
        _ => 0,
    };
    year > 0 && (1..=days).contains(&day)
}

/// The date in China at a time in Unix seconds, `YYYY-MM-DD`. Days to civil by the Gregorian
/// calendar's cycle of 400 years, counted from 1 March so that a leap day ends its year.
///
/// Times outside 1970–9999 give the nearest day of those.
pub fn date_in_china(now: i64) -> String {
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
    use super::*;

    #[test]
    fn the_day_changes_at_midnight_in_china() {
        // 2026-07-01 00:00 in Beijing is 16:00 UTC of the day before.
        assert_eq!(date_in_china(1_782_835_199), "2026-06-30");
        assert_eq!(date_in_china(1_782_835_200), "2026-07-01");
        assert_eq!(date_in_china(951_782_400), "2000-02-29");
        assert_eq!(date_in_china(i64::MIN), "1970-01-01");
        assert_eq!(date_in_china(i64::MAX), "9999-12-31");
    }

    #[test]
    fn dates_are_those_of_the_calendar() {
        for good in ["2000-02-29", "2024-02-29", "1999-12-31", "0001-01-01"] {
            assert!(is_date(good), "{good}");
        }
        for bad in [
            "1900-02-29",
            "2023-02-29",
            "2023-13-01",
            "2023-04-31",
            "2023-4-1",
            "2023-00-10",
            "嘎查嘎查",
        ] {
            assert!(!is_date(bad), "{bad}");
        }
    }
}
