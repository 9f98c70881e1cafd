//! Calendar dates, without a clock or a time zone.

use std::fmt;

/// A day of the Gregorian calendar, years 1 to 9999.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Date {
    year: i64,
    month: i64,
    day: i64,
}

/// The years that are written with four digits.
const YEARS: std::ops::RangeInclusive<i64> = 1..=9999;

impl Date {
    /// Reads `YYYY-MM-DD`, or `YYYY-MM` as the first of that month.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        let number = |from: usize, to: usize| {
            let digits = bytes.get(from..to)?;
            let mut number = 0;
            for digit in digits {
                number = number * 10 + i64::from(digit.checked_sub(b'0').filter(|d| *d < 10)?);
            }
            Some(number)
        };
        let dashed = |at: usize| bytes.get(at) == Some(&b'-');
        let day = match bytes.len() {
            7 if dashed(4) => 1,
            10 if dashed(4) && dashed(7) => number(8, 10)?,
            _ => return None,
        };
        let (year, month) = (number(0, 4)?, number(5, 7)?);
        let real = YEARS.contains(&year) && (1..=12).contains(&month);
        (real && (1..=days(year, month)).contains(&day)).then_some(Self { year, month, day })
    }

    /// The same day so many calendar months later, or the last day of that month if it has no such
    /// day. None outside the years 1 to 9999.
    pub(super) fn plus_months(self, months: i64) -> Option<Self> {
        let month = (self.year * 12 + self.month - 1).checked_add(months)?;
        let (year, month) = (month.div_euclid(12), month.rem_euclid(12) + 1);
        let day = self.day.min(days(year, month));
        YEARS.contains(&year).then_some(Self { year, month, day })
    }

    /// Full years from `self` to `on`: one more on the anniversary itself; for who was born on
    /// 29 February, on 1 March of common years. Negative before `self`.
    pub(super) fn years_until(self, on: Self) -> i64 {
        on.year - self.year - i64::from((on.month, on.day) < (self.month, self.day))
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

fn days(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_real_days_and_months_are_dates() {
        for good in [
            "2024-02-29",
            "2000-02-29",
            "1900-12-31",
            "0001-01-01",
            "2024-02",
        ] {
            assert!(Date::parse(good).is_some(), "{good}");
        }
        let bad = [
            "",
            "2023-02-29",
            "1900-02-29",
            "2024-13-01",
            "2024-00-01",
            "2024-01-00",
            "2024-01-32",
            "0000-01-01",
            "2024-1-1",
            "2024/01/01",
            "2024-01-01T00",
            "20240101",
            "２０２４-01",
            "+024-01-01",
        ];
        for bad in bad {
            assert!(Date::parse(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn months_are_added_by_the_calendar_and_clamped_to_the_end_of_the_month() {
        let plus = |date: &str, months| {
            Date::parse(date)
                .and_then(|date| date.plus_months(months))
                .map(|date| date.to_string())
        };
        let table = [
            ("2024-01-31", 1, Some("2024-02-29")),
            ("2023-01-31", 1, Some("2023-02-28")),
            ("2024-03-31", -1, Some("2024-02-29")),
            ("2024-01-15", -1, Some("2023-12-15")),
            ("2024-12-15", 1, Some("2025-01-15")),
            ("2024-05", 36, Some("2027-05-01")),
            ("2024-05-10", 0, Some("2024-05-10")),
            ("9999-12-01", 1, None),
            ("0001-01-01", -1, None),
            ("2024-05-10", i64::MAX, None),
            ("2024-05-10", i64::MIN, None),
        ];
        for (date, months, expected) in table {
            assert_eq!(
                plus(date, months).as_deref(),
                expected,
                "{date} and {months} months"
            );
        }
    }
}
