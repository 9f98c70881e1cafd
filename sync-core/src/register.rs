//! Registers (台账): the groups in each, and their titles, the same on a phone and on the office's
//! pages.

use plan::Package;
use plan::expression::{Datum, ExpressionError, Facts, Scope};
use plan::register::Register;

use crate::id::RecordId;

/// Whether a group stands in a register as of the scope's date: not where that has no answer for
/// lack of something.
///
/// # Errors
/// A rule that this program can't compile: the plan is newer.
pub fn takes(scope: &Scope<'_>, register: &Register) -> Result<bool, ExpressionError> {
    match scope.holds(&register.rows) {
        Ok(holds) => Ok(holds),
        Err(error @ ExpressionError::Compile(_)) => Err(error),
        Err(_) => Ok(false),
    }
}

/// What a list calls a group; empty where that is not recorded.
pub fn label(package: &Package, id: &RecordId, facts: &Facts) -> String {
    let subject = package.subject(id.subject.key());
    let field = subject.and_then(|subject| subject.label.split_once('.'));
    let value = field.and_then(|(section, field)| facts.single.get(section)?.get(field));
    match value {
        Some(Datum::Text(text)) => text.clone(),
        _ => String::new(),
    }
}
