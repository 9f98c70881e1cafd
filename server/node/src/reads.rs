//! Dependencies of the indicators: the fields and sections whose edits can change a figure.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use plan::Package;
use plan::expression::HOME;
use store::figure::Generation;
use sync_core::control::Control;
use sync_core::id::{EntryHash, Subject};
use sync_core::record::BEGUN;

/// The parts of a record that the figures of a package depend on, as
/// [`Package::reads_parts`] names them.
#[derive(Debug, Default)]
pub(crate) struct Reads {
    of_subject: BTreeMap<Subject, BTreeSet<String>>,
}

impl Reads {
    fn of(package: &Package) -> Self {
        let of_subject = |subject: Subject| {
            let indicators = package.counted().map(|(_, indicator)| indicator);
            let of = indicators.filter(|indicator| indicator.count.of == subject.key());
            let sources = of.flat_map(|indicator| indicator.count.expressions());
            let parts = sources.flat_map(|source| package.reads_parts(subject.key(), source));
            (subject, parts.collect())
        };
        Self {
            of_subject: Subject::ALL.into_iter().map(of_subject).collect(),
        }
    }

    /// Whether a change of these parts of a record may change what its group adds.
    pub(crate) fn subject(&self, subject: Subject, parts: &BTreeSet<String>) -> bool {
        let Some(read) = self.of_subject.get(&subject) else {
            return false;
        };
        parts.iter().any(|part| {
            let section = part.split_once('.').map(|(section, _)| section);
            read.contains(part) || section.is_some_and(|section| read.contains(section))
        })
    }

    /// Whether a change of these parts of a household may change what its people add.
    pub(crate) fn home(&self, parts: &BTreeSet<String>) -> bool {
        let of_persons = self.of_subject.get(&Subject::Person);
        let asks_for_home = of_persons.is_some_and(|read| read.contains(HOME));
        // Section keys are unique over all subjects.
        self.subject(Subject::Person, parts) || (asks_for_home && parts.contains(BEGUN))
    }
}

/// What was worked out of packages before; a server has one or two.
#[derive(Debug, Default)]
pub(crate) struct KnownReads(Mutex<BTreeMap<EntryHash, Arc<Reads>>>);

impl KnownReads {
    /// The reads of the packages of these generations.
    pub(crate) fn of(&self, control: &Control, generations: &[Generation]) -> Vec<Arc<Reads>> {
        // Whole at any time, whoever panicked while holding it.
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let of = |generation: &Generation| {
            let package = control.package_of(generation.package)?;
            let fresh = || Arc::new(Reads::of(package));
            let reads = known.entry(generation.package).or_insert_with(fresh);
            Some(Arc::clone(reads))
        };
        generations.iter().filter_map(of).collect()
    }
}
