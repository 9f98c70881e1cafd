//! What this crate asks of the plan: what a field is, and which records belong in a register.

use std::collections::BTreeMap;

use plan::Package;
use plan::dictionary::{Kind, Repeating, Section};
use plan::expression::Scope;
use plan::register::Register;
use sync_core::facts::{facts, home_of};
use sync_core::id::{RecordId, Subject};
use sync_core::replica::Shown;

use crate::error::{Complaint, PhoneError};

pub(crate) fn section_of<'a>(package: &'a Package, key: &str) -> Option<&'a Section> {
    package.section(key).map(|(_, section)| section)
}

pub(crate) fn kind_of<'a>(package: &'a Package, section: &str, field: &str) -> Option<&'a Kind> {
    package.field(section, field).map(|field| &field.kind)
}

pub(crate) fn repeats(section: &Section) -> bool {
    section.repeating != Repeating::No
}

/// A register's rule for its rows, as of a date.
pub(crate) struct Filter<'a> {
    package: &'a Package,
    register: &'a Register,
    today: &'a str,
}

impl<'a> Filter<'a> {
    /// The rule of the register called `name` (its key, or its title in either language), which
    /// must be one of `subject`.
    pub(crate) fn new(
        package: &'a Package,
        name: &str,
        subject: Subject,
        today: &'a str,
    ) -> Result<Self, PhoneError> {
        let register = package
            .register(name)
            .filter(|register| register.of == subject.key());
        let unknown = || PhoneError::wrong(Complaint::about("unknown_register", name));
        Ok(Self {
            package,
            register: register.ok_or_else(unknown)?,
            today,
        })
    }

    /// Whether a record belongs in the register. Where the rule has no answer because something is
    /// not recorded it doesn't; a rule that this program can't compile is an error for whoever
    /// asked.
    pub(crate) fn takes(
        &self,
        record: RecordId,
        views: &BTreeMap<RecordId, Shown<'_>>,
    ) -> Result<bool, PhoneError> {
        let facts_of = |record: RecordId| {
            let slots = views.get(&record)?.iter();
            Some(facts(
                self.package,
                slots.map(|(key, slot)| (*key, slot.winner())),
            ))
        };
        let Some(own) = facts_of(record) else {
            return Ok(false);
        };
        let home = home_of(self.package, &own, self.today).and_then(facts_of);
        let held = Scope::new(
            self.package,
            &self.register.of,
            &own,
            home.as_ref(),
            self.today,
        )
        .and_then(|scope| scope.holds(&self.register.rows));
        match held {
            Ok(holds) => Ok(holds),
            Err(plan::expression::ExpressionError::Compile(detail)) => {
                let complaint = Complaint::about("register_unreadable", &self.register.key);
                Err(PhoneError::wrong(complaint.with("detail", detail)))
            }
            Err(_) => Ok(false),
        }
    }
}
