//! Tasks: for each register those that are due.
//!
//! Only tasks know today; figures don't (R44).

use plan::Package;
use plan::expression::{Datum, ExpressionError, Scope};
use plan::register::{Register, Task};

use crate::figure::UnitFacts;
use crate::id::RecordId;
use crate::register::{label, takes};

/// Something to be done for a person or a household.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Due<'a> {
    /// For whom: the first record of the group.
    pub record: RecordId,
    /// What a list calls her; empty where that is not recorded.
    pub label: String,
    /// The org unit.
    pub unit: String,
    /// The register that asks for it.
    pub register: &'a Register,
    /// What.
    pub task: &'a Task,
    /// The day from which on it is due, `YYYY-MM-DD`.
    pub due: String,
}

/// A task with its day, however far off that is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Planned {
    record: RecordId,
    label: String,
    /// The places of the register in its package and of the task in the register.
    place: (usize, usize),
    pub(crate) due: String,
}

/// All tasks of a unit, of which `said` is recorded, the earliest first. `today` is the date that the registers
/// are asked as of.
///
/// # Errors
/// An expression of the plan that this program can't compile: the plan is newer.
pub(crate) fn planned(
    said: &UnitFacts,
    package: &Package,
    today: &str,
) -> Result<Vec<Planned>, ExpressionError> {
    let mut found = Vec::new();
    for (id, (_, facts)) in &said.groups {
        let home = said.home(package, facts, today);
        let registers = package
            .registers
            .iter()
            .enumerate()
            .filter(|(_, of)| of.of == id.subject.key() && !of.tasks.is_empty());
        for (at, register) in registers {
            let scope = Scope::new(package, &register.of, facts, home, today)?;
            if !takes(&scope, register)? {
                continue;
            }
            let days = register.tasks.iter().map(|task| day(&scope, task));
            for (task, due) in days.enumerate() {
                found.extend(due.map(|due| Planned {
                    record: *id,
                    label: label(package, id, facts),
                    place: (at, task),
                    due,
                }));
            }
        }
    }
    found.sort_by(|a, b| (&a.due, a.record).cmp(&(&b.due, b.record)));
    Ok(found)
}

impl Planned {
    /// With what the package says of it.
    pub(crate) fn of<'a>(&self, package: &'a Package, unit: &str) -> Option<Due<'a>> {
        let (register, task) = self.place;
        let register = package.registers.get(register)?;
        Some(Due {
            record: self.record,
            label: self.label.clone(),
            unit: unit.to_owned(),
            register,
            task: register.tasks.get(task)?,
            due: self.due.clone(),
        })
    }
}

/// The day on which a task is due; `YYYY-MM` is the first of that month.
fn day(scope: &Scope<'_>, task: &Task) -> Option<String> {
    match scope.computed(&task.due) {
        Ok(Datum::Text(day)) if day.len() == 7 => Some(format!("{day}-01")),
        Ok(Datum::Text(day)) => Some(day),
        _ => None,
    }
}
