//! Days of a made-up life, by number.

use sync_core::date::date_in_china;
use sync_core::value::Value;

const DAY_SECONDS: i64 = 86_400;
/// Noon in China, in seconds after midnight UTC.
const NOON_SECONDS: i64 = 4 * 3600;

/// A day of the Gregorian calendar, counted from 1970-01-01; days before that are negative.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Day(i64);

impl Day {
    /// The day of a date that exists; counted by the calendar's cycle of 400 years from 1 March, so
    /// that a leap day ends its year.
    pub(crate) const fn of(year: i64, month: i64, day: i64) -> Self {
        let year = if month < 3 { year - 1 } else { year };
        let era = year.div_euclid(400);
        let of_era = year.rem_euclid(400);
        let month = if month < 3 { month + 9 } else { month - 3 };
        let of_year = (153 * month + 2) / 5 + day - 1;
        let days = of_era * 365 + of_era / 4 - of_era / 100 + of_year;
        Self(era * 146_097 + days - 719_468)
    }

    /// The day in China at a moment, Unix seconds.
    pub(crate) const fn at(seconds: i64) -> Self {
        Self((seconds + 8 * 3600).div_euclid(DAY_SECONDS))
    }

    /// So many days later.
    pub(crate) const fn plus(self, days: i64) -> Self {
        Self(self.0 + days)
    }

    /// Days from `earlier` to this one.
    pub(crate) const fn since(self, earlier: Self) -> i64 {
        self.0 - earlier.0
    }

    /// Noon in China, Unix seconds.
    pub(crate) const fn noon(self) -> i64 {
        self.0 * DAY_SECONDS + NOON_SECONDS
    }

    /// `YYYY-MM-DD`. People born before 1970 have dates too, which the core's clock has not.
    pub(crate) fn text(self) -> String {
        let (years, day) = match self.0 {
            // The calendar repeats after 400 years.
            ..0 => (400, Self(self.0 + 146_097)),
            _ => (0, self),
        };
        let text = date_in_china(day.noon());
        match text[..4].parse::<i64>() {
            Ok(year) if years > 0 => format!("{:04}{}", year - years, &text[4..]),
            _ => text,
        }
    }

    /// `YYYYMMDD`, as it stands in an ID number.
    pub(crate) fn digits(self) -> String {
        self.text().replace('-', "")
    }

    /// The year.
    pub(crate) fn year(self) -> i64 {
        self.text()[..4].parse().unwrap_or_default()
    }

    /// Full years on `day` of who was born on this one.
    pub(crate) fn age(self, day: Self) -> i64 {
        let (born, on) = (self.text(), day.text());
        day.year() - self.year() - i64::from(on[5..] < born[5..])
    }
}

impl From<Day> for Value {
    fn from(day: Day) -> Self {
        Value::Text(day.text())
    }
}

#[cfg(test)]
mod tests {
    use super::Day;

    #[test]
    fn days_before_and_after_1970_have_their_dates() {
        for date in [
            "1931-02-28",
            "1968-02-29",
            "1969-12-31",
            "1970-01-01",
            "2024-02-29",
            "2026-12-31",
        ] {
            let part = |from: usize, to: usize| date[from..to].parse::<i64>().unwrap();
            let day = Day::of(part(0, 4), part(5, 7), part(8, 10));
            assert_eq!(day.text(), date);
            assert_eq!(Day::at(day.noon()), day);
        }
        assert_eq!(Day::of(2021, 3, 1).since(Day::of(2020, 3, 1)), 365);
    }

    #[test]
    fn an_age_goes_up_on_the_birthday_itself() {
        let born = Day::of(1985, 6, 7);
        assert_eq!(born.age(Day::of(2026, 6, 6)), 40);
        assert_eq!(born.age(Day::of(2026, 6, 7)), 41);
    }
}
