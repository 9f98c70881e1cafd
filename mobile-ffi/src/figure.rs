//! Figures of the plan and tasks, as an app shows them.

use client::figures;
use sync_core::figure::YearSelection;

use crate::language::Title;

/// Which years' figures are asked for, by the year that the period ends in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, uniffi::Enum)]
pub enum Years {
    /// The one that today is in.
    This,
    /// One year.
    One {
        /// The year.
        year: i32,
    },
    /// Every year of the plan.
    Every,
}

impl From<Years> for YearSelection {
    fn from(years: Years) -> Self {
        match years {
            Years::This => Self::ThisYear,
            // No plan is for the year 65535, nor for one that is no such number.
            Years::One { year } => Self::Year(u16::try_from(year).unwrap_or(u16::MAX)),
            Years::Every => Self::EveryYear,
        }
    }
}

/// An indicator's figure of a unit in a year.
#[derive(Clone, Debug, PartialEq, uniffi::Record)]
pub struct Figure {
    /// The indicator's key; [`crate::plan::Indicator`] says what it is.
    pub indicator: String,
    /// The unit's code.
    pub unit: String,
    /// The year.
    pub year: i32,
    /// Who has reached it; `None` if this device can't count it.
    pub numerator: Option<i64>,
    /// Of whom it is known; `None` for a plain number too.
    pub denominator: Option<i64>,
    /// Of whom it is not known: part of neither.
    pub unknown: Option<i64>,
    /// The figure in its measure, rounded to show; `None` where nobody is counted.
    pub value: Option<f64>,
    /// The classes of data that this device lacks for it, which leaves everything else `None`.
    pub missing: Vec<String>,
}

impl From<figures::Figure> for Figure {
    fn from(figure: figures::Figure) -> Self {
        let tally = figure.tally.as_ref().ok();
        let whole = figure.indicator.count.denominator.is_none();
        let measure = figure.indicator.target.unit;
        let value = tally.and_then(|tally| tally.value(measure));
        Self {
            indicator: figure.indicator.key.clone(),
            unit: figure.unit.clone(),
            year: figure.year.into(),
            numerator: tally.map(|tally| tally.numerator),
            denominator: tally.filter(|_| !whole).map(|tally| tally.denominator),
            unknown: tally.map(|tally| tally.unknown),
            value: value.map(|value| value.rounded()),
            missing: match &figure.tally {
                Ok(_) => Vec::new(),
                Err(classes) => classes.iter().map(ToString::to_string).collect(),
            },
        }
    }
}

/// Something to do.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Record)]
pub struct Task {
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
    pub title: Title,
    /// The section to which doing it adds an item.
    pub adds: String,
    /// The day from which on it is due, `YYYY-MM-DD`.
    pub due: String,
    /// Whether that day is before today.
    pub overdue: bool,
}

impl From<figures::ShownTask> for Task {
    fn from(task: figures::ShownTask) -> Self {
        Self {
            title: (&task.title).into(),
            record: task.record,
            label: task.label,
            unit: task.unit,
            register: task.register,
            task: task.task,
            adds: task.adds,
            due: task.due,
            overdue: task.overdue,
        }
    }
}
