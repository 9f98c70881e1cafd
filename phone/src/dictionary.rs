//! Questions of this crate to the plan: the kind of a field, and membership of records in a
//! register.

use plan::Package;
use plan::dictionary::{Kind, Repeating, Section};
use plan::expression::{ExpressionError, Scope};
use plan::register::Register;
use sync_core::figure::UnitFacts;
use sync_core::id::{RecordId, Subject};
use sync_core::register;

use crate::error::{Issue, PhoneError};

pub(crate) fn section_of<'a>(package: &'a Package, key: &str) -> Option<&'a Section> {
    package.section(key).map(|(_, section)| section)
}

pub(crate) fn kind_of<'a>(package: &'a Package, section: &str, field: &str) -> Option<&'a Kind> {
    package.field(section, field).map(|field| &field.kind)
}

pub(crate) fn repeats(section: &Section) -> bool {
    section.repeating != Repeating::No
}

/// The register called `name` (its key, or its title in either language), which must be one of
/// `subject`.
pub(crate) fn register_of<'a>(
    package: &'a Package,
    name: &str,
    subject: Subject,
) -> Result<&'a Register, PhoneError> {
    let register = package
        .register(name)
        .filter(|register| register.of == subject.key());
    register.ok_or_else(|| PhoneError::wrong(Issue::about("unknown_register", name)))
}

/// Whether a group stands in a register as of a date. A rule that this program can't compile is an
/// error for whoever asked.
pub(crate) fn stands_in(
    package: &Package,
    register: &Register,
    unit: &UnitFacts,
    group: RecordId,
    today: &str,
) -> Result<bool, PhoneError> {
    let Some((_, facts)) = unit.groups.get(&group) else {
        return Ok(false);
    };
    let home = unit.home(package, facts, today);
    let scope = Scope::new(package, &register.of, facts, home, today);
    match scope.and_then(|scope| register::takes(&scope, register)) {
        Ok(takes) => Ok(takes),
        Err(ExpressionError::Compile(detail)) => {
            let issue = Issue::about("register_unreadable", &register.key);
            Err(PhoneError::wrong(issue.with("detail", detail)))
        }
        // Too much is recorded to say.
        Err(_) => Ok(false),
    }
}
