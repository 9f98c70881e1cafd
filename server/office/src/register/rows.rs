//! The rows of a register: which groups stand in it as of today, and their columns.

use std::collections::BTreeSet;
use std::sync::Arc;

use plan::dictionary::{Field, Section};
use plan::expression::{AsOf, Datum, ExpressionError, Facts, RecordFacts, Scope};
use plan::register::{Computed, Register, ValueType};
use sync_core::figure::UnitFacts;
use sync_core::id::{RecordId, Subject};
use sync_core::register;

use crate::mask;
use crate::page_error::PageError;
use crate::value::{Formatter, names_somebody, shown};

/// A register over the records of a unit.
pub(super) struct Table<'a> {
    pub(super) formatter: Formatter<'a>,
    pub(super) register: &'a Register,
    /// `YYYY-MM-DD`.
    pub(super) today: &'a str,
    /// The groups of which somebody must settle something.
    pub(super) open: &'a BTreeSet<RecordId>,
}

/// A group in a register.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) href: String,
    /// What a list calls her; empty where that is not recorded.
    pub(super) label: String,
    pub(super) open: bool,
    /// One for each column beside the label.
    pub(super) cells: Vec<Cell>,
    /// More is recorded than a rule may be worked out over: the columns are empty.
    pub(super) too_large: bool,
    sort: String,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Cell {
    pub(super) text: String,
    /// A date on which something was to be done that is not done.
    pub(super) overdue: bool,
}

/// What a column shows.
enum Column<'a> {
    Field(&'a Section, &'a Field),
    Computed(&'a Computed),
}

impl<'a> Table<'a> {
    /// The columns' titles, that of the label first.
    pub(super) fn titles(&self) -> Vec<String> {
        let title = |column: Column<'a>| {
            let words = match column {
                Column::Field(_, field) => &field.title,
                Column::Computed(computed) => &computed.title,
            };
            self.formatter.title(words).to_owned()
        };
        let label = self.column(self.label()).map(title).unwrap_or_default();
        let others = self.columns().map(|(_, column)| title(column));
        std::iter::once(label).chain(others).collect()
    }

    /// The groups that stand in the register, and of those the ones in which `search` is found, in
    /// the register's order; `link` gives a record's address.
    pub(super) fn rows(
        &self,
        facts: &UnitFacts,
        search: &str,
        link: &dyn Fn(RecordId) -> String,
    ) -> Result<Vec<Row>, PageError> {
        // What is in force today is worked out once for all.
        let day = Arc::new(AsOf::new(self.formatter.package, self.today)?);
        let mut rows = Vec::new();
        for (record, (_, said)) in &facts.groups {
            if record.subject.key() != self.register.of {
                continue;
            }
            let home = facts.home(self.formatter.package, said, self.today);
            let row = match self.scope(said, home, &day) {
                Ok(scope) if register::takes(&scope, self.register)? => {
                    self.row(*record, said, Some(&scope), link)?
                }
                Ok(_) => continue,
                Err(ExpressionError::TooLarge) => self.row(*record, said, None, link)?,
                Err(error) => return Err(error.into()),
            };
            if matches(search, &row, said, self.formatter) {
                rows.push(row);
            }
        }
        // Rows without the value come last: nothing is known to be done for them yet.
        rows.sort_by(|a, b| (a.sort.is_empty(), &a.sort).cmp(&(b.sort.is_empty(), &b.sort)));
        Ok(rows)
    }

    fn scope<'f>(
        &'f self,
        said: &'f Facts,
        home: Option<&'f Facts>,
        day: &Arc<AsOf<'f>>,
    ) -> Result<Scope<'f>, ExpressionError> {
        let package = self.formatter.package;
        let record = RecordFacts::new(package, &self.register.of, said)?;
        let home = home.map(|home| RecordFacts::new(package, Subject::Household.key(), home));
        let home = home.transpose()?.map(Arc::new);
        Ok(Scope::of(Arc::new(record), home, day.clone()))
    }

    fn row(
        &self,
        record: RecordId,
        said: &Facts,
        scope: Option<&Scope<'_>>,
        link: &dyn Fn(RecordId) -> String,
    ) -> Result<Row, PageError> {
        let label = mask::text(&register::label(self.formatter.package, &record, said));
        let mut row = Row {
            href: link(record),
            sort: match self.register.sort == self.label() {
                true => label.clone(),
                false => String::new(),
            },
            label,
            open: self.open.contains(&record),
            cells: Vec::new(),
            too_large: scope.is_none(),
        };
        for (key, column) in self.columns() {
            let cell = match scope {
                Some(scope) => self.cell(key, &column, said, scope)?,
                None => Cell::default(),
            };
            if key == self.register.sort {
                row.sort = cell.text.clone();
            }
            row.cells.push(cell);
        }
        Ok(row)
    }

    fn cell(
        &self,
        key: &str,
        column: &Column<'_>,
        said: &Facts,
        scope: &Scope<'_>,
    ) -> Result<Cell, PageError> {
        match column {
            Column::Field(section, field) => {
                let value = match section.repeating.date() {
                    None => said
                        .single
                        .get(&section.key)
                        .and_then(|fields| fields.get(&field.key))
                        .cloned(),
                    // The newest item that is reached; without one there is no answer.
                    Some(_) => scope
                        .value(&format!("last({}, as_of).{}", section.key, field.key))
                        .ok(),
                };
                let value = value.unwrap_or(Datum::Null);
                Ok(Cell {
                    text: self.formatter.field(field, &shown(&value)),
                    overdue: false,
                })
            }
            Column::Computed(computed) => match scope.computed(&computed.key) {
                Ok(value) => Ok(Cell {
                    text: self.formatter.computed(computed, &value),
                    overdue: self.is_overdue(key, &value),
                }),
                Err(error @ ExpressionError::Compile(_)) => Err(error.into()),
                // Unknown is not no: a yes or no that has no answer says so.
                Err(_) if computed.gives == ValueType::Bool => Ok(Cell {
                    text: self.formatter.broken_down(computed, ""),
                    overdue: false,
                }),
                Err(_) => Ok(Cell::default()),
            },
        }
    }

    /// Whether the column is the day of a task of this register, and that day has come.
    fn is_overdue(&self, key: &str, value: &Datum) -> bool {
        let is_due = self.register.tasks.iter().any(|task| task.due == key);
        // `YYYY-MM` is before every day of that month, so its first day is due.
        matches!(value, Datum::Text(day) if is_due && day.as_str() <= self.today)
    }

    /// The columns beside the label, with their keys; one that the plan does not have is left out.
    fn columns(&self) -> impl Iterator<Item = (&'a str, Column<'a>)> {
        let keys = self.register.columns.iter().map(String::as_str);
        let others = keys.filter(|key| *key != self.label());
        others.filter_map(|key| Some((key, self.column(key)?)))
    }

    fn column(&self, key: &str) -> Option<Column<'a>> {
        let package = self.formatter.package;
        match key.split_once('.') {
            Some((section, field)) => {
                let (_, section) = package.section(section)?;
                Some(Column::Field(section, section.field(field)?))
            }
            None => package.status(&self.register.of, key).map(Column::Computed),
        }
    }

    /// The key of the value by which a list calls a record.
    fn label(&self) -> &'a str {
        let subject = self.formatter.package.subject(&self.register.of);
        subject.map_or("", |subject| subject.label.as_str())
    }
}

/// Whether a row has what is looked for: some of the text that it shows, or a whole number that it
/// shows in part. A part of such a number finds nothing: it would be told digit by digit.
fn matches(search: &str, row: &Row, said: &Facts, formatter: Formatter<'_>) -> bool {
    if search.is_empty() {
        return true;
    }
    let wanted = search.to_lowercase();
    let has = |text: &str| text.to_lowercase().contains(&wanted);
    has(&row.label) || row.cells.iter().any(|cell| has(&cell.text)) || {
        let mut values = said.single.iter().flat_map(|(section, fields)| {
            let of = |(field, value)| (section.as_str(), field, value);
            fields.iter().map(move |(field, value)| of((field, value)))
        });
        values.any(|(section, field, value)| {
            let field = formatter.package.field(section, field);
            let is_number = field.is_some_and(names_somebody);
            matches!(value, Datum::Text(text) if is_number && text.eq_ignore_ascii_case(search))
        })
    }
}
