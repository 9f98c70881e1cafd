//! Figures and tasks of a phone's own units, counted without a connection.
//!
//! The same code as the server's counts them; after an exchange both say the same of a unit.

use plan::Package;
use plan::indicator::Indicator;
use sync_core::figure::{self, Tally, YearSelection};
use sync_core::id::Class;

use crate::error::{Issue, PhoneError};
use crate::phone::{Open, Phone};

/// An indicator's figure of a unit in a year.
#[derive(Clone, Debug, PartialEq)]
pub struct Figure {
    /// The indicator.
    pub indicator: Indicator,
    /// The unit's code.
    pub unit: String,
    /// The year.
    pub year: u16,
    /// The figure, or the classes of data that this device lacks for it (R46).
    pub tally: Result<Tally, Vec<&'static str>>,
}

/// Something to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShownTask {
    /// The record that it is for.
    pub record: String,
    /// What a list calls it.
    pub label: String,
    /// The unit's code.
    pub unit: String,
    /// The register's key.
    pub register: String,
    /// The task's key.
    pub task: String,
    /// What people call the task.
    pub title: plan::dictionary::Text,
    /// The section to which doing it adds.
    pub adds: String,
    /// The day from which on it is due.
    pub due: String,
    /// Whether that day is before today.
    pub overdue: bool,
}

impl Phone {
    /// The figures of every unit held.
    pub fn indicators(&mut self, asked: YearSelection) -> Result<Vec<Figure>, PhoneError> {
        let open = self.opened()?;
        let package = open.package()?;
        let years = asked.years(package.years, &open.today());
        let years = years.map_err(|unknown| {
            let issue = Issue::about("unknown_year", &unknown.year.to_string());
            let issue = issue.with("from", unknown.years.from);
            PhoneError::wrong(issue.with("to", unknown.years.to))
        })?;
        let mut figures = Vec::new();
        for unit in open.replica.units() {
            let control = open.replica.control();
            let tallies = figure::of_unit(&open.replica.facts(unit), package, control, unit);
            for year in &years {
                for (at, indicator) in package.counted() {
                    let missing = missing_classes(open, indicator, unit);
                    let tally = tallies.get(&(at, *year)).copied().unwrap_or_default();
                    figures.push(Figure {
                        indicator: indicator.clone(),
                        unit: unit.to_owned(),
                        year: *year,
                        tally: if missing.is_empty() {
                            Ok(tally)
                        } else {
                            Err(missing)
                        },
                    });
                }
            }
        }
        Ok(figures)
    }

    /// What is due today, or within so many days from now.
    pub fn tasks(&mut self, days: u16) -> Result<Vec<ShownTask>, PhoneError> {
        let open = self.opened()?;
        let package = open.package()?;
        let today = open.today();
        let until = open.day_in(days);
        let mut tasks = Vec::new();
        for unit in open.replica.units() {
            let due = open.replica.due(unit, &today, &until);
            for due in due.map_err(|error| unreadable(package, &error))? {
                tasks.push(ShownTask {
                    record: due.record.to_string(),
                    label: due.label,
                    unit: due.unit,
                    register: due.register.key.clone(),
                    task: due.task.key.clone(),
                    title: due.task.title.clone(),
                    adds: due.task.adds.clone(),
                    overdue: due.due < today,
                    due: due.due,
                });
            }
        }
        tasks.sort_by(|a, b| (&a.due, &a.record).cmp(&(&b.due, &b.record)));
        Ok(tasks)
    }
}

/// The classes that an indicator reads and this device does not hold of a unit.
fn missing_classes(open: &Open, indicator: &Indicator, unit: &str) -> Vec<&'static str> {
    let held: Vec<Class> = open
        .replica
        .spaces()
        .filter(|space| space.unit() == unit)
        .map(|space| space.class)
        .collect();
    let needed = indicator.count.classes.iter();
    let needed = needed.filter_map(|class| Class::from_key(class));
    needed
        .filter(|class| !held.contains(class))
        .map(Class::key)
        .collect()
}

fn unreadable(package: &Package, error: &plan::expression::ExpressionError) -> PhoneError {
    let version = package.version.to_string();
    let issue = Issue::about("plan_unreadable", &version);
    PhoneError::wrong(issue.with("detail", error))
}
