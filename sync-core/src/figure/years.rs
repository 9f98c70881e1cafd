//! Selection of the years of a figure.

use plan::indicator::Years;

/// The years that are asked for, by the year that the period ends in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum YearSelection {
    /// The one that today is in.
    #[default]
    ThisYear,
    /// This one.
    Year(u16),
    /// All years of the plan.
    EveryYear,
}

/// A year that the plan is not for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{year} is no year of the plan")]
pub struct UnknownYear {
    /// The year.
    pub year: u16,
    /// Those of the plan.
    pub years: Years,
}

impl YearSelection {
    /// Of what a command line was given.
    pub fn of(year: Option<u16>, every: bool) -> Self {
        match year {
            _ if every => Self::EveryYear,
            Some(year) => Self::Year(year),
            None => Self::ThisYear,
        }
    }

    /// The years, ascending. `today` is `YYYY-MM-DD`.
    ///
    /// # Errors
    /// A year that the plan is not for, which this one may be too.
    pub fn years(self, years: Years, today: &str) -> Result<Vec<u16>, UnknownYear> {
        let year = match self {
            Self::EveryYear => return Ok(years.iter().collect()),
            Self::Year(year) => year,
            Self::ThisYear => {
                let year = today.get(..4).and_then(|year| year.parse().ok());
                year.unwrap_or_default()
            }
        };
        match years.iter().any(|known| known == year) {
            true => Ok(vec![year]),
            false => Err(UnknownYear { year, years }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_year_one_year_and_every_year_are_found_and_others_refused() {
        let years = Years {
            from: 2021,
            to: 2030,
        };
        let today = "2026-11-25";
        assert_eq!(YearSelection::ThisYear.years(years, today), Ok(vec![2026]));
        assert_eq!(
            YearSelection::Year(2021).years(years, today),
            Ok(vec![2021])
        );
        assert_eq!(
            YearSelection::EveryYear.years(years, today).unwrap().len(),
            10
        );
        for year in [0, 2020, 2031] {
            let unknown = UnknownYear { year, years };
            assert_eq!(YearSelection::Year(year).years(years, today), Err(unknown));
        }
        assert!(YearSelection::ThisYear.years(years, "2031-01-01").is_err());
    }
}
