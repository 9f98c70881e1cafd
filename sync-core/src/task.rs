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

/// The tasks of a unit, of which `said` is recorded, that are due by `until`, the longest due first. `today` is the date that the
/// registers are asked as of.
///
/// # Errors
/// An expression of the plan that this program can't compile: the plan is newer.
pub fn due<'a>(
    said: &UnitFacts,
    package: &'a Package,
    unit: &str,
    today: &str,
    until: &str,
) -> Result<Vec<Due<'a>>, ExpressionError> {
    let mut found = Vec::new();
    for (id, (_, facts)) in &said.groups {
        let home = said.home(package, facts, today);
        let registers = package
            .registers
            .iter()
            .filter(|register| register.of == id.subject.key() && !register.tasks.is_empty());
        for register in registers {
            let scope = Scope::new(package, &register.of, facts, home, today)?;
            if !takes(&scope, register)? {
                continue;
            }
            for task in &register.tasks {
                let Some(due) = day(&scope, task).filter(|due| due.as_str() <= until) else {
                    continue;
                };
                found.push(Due {
                    record: *id,
                    label: label(package, id, facts),
                    unit: unit.to_owned(),
                    register,
                    task,
                    due,
                });
            }
        }
    }
    found.sort_by(|a, b| (&a.due, a.record).cmp(&(&b.due, b.record)));
    Ok(found)
}

/// The day on which a task is due; `YYYY-MM` is the first of that month.
fn day(scope: &Scope<'_>, task: &Task) -> Option<String> {
    match scope.computed(&task.due) {
        Ok(Datum::Text(day)) if day.len() == 7 => Some(format!("{day}-01")),
        Ok(Datum::Text(day)) => Some(day),
        _ => None,
    }
}
