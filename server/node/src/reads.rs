//! Dependencies of the indicators: the fields and sections whose edits can change a figure.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use plan::Package;
use plan::expression::HOME;
use plan::indicator::Indicator;
use store::figure::Generation;
use sync_core::control::Control;
use sync_core::id::{EntryHash, Subject};
use sync_core::record::BEGUN;

/// What the indicators of a package depend on.
#[derive(Debug, Default)]
pub(crate) struct Reads(Vec<Read>);

/// The parts of a record that one indicator depends on, as [`Package::reads_parts`] names them.
#[derive(Debug)]
struct Read {
    /// The indicator's place in the package.
    indicator: u16,
    of: String,
    parts: BTreeSet<String>,
}

impl Reads {
    fn of(package: &Package) -> Self {
        let read = |(at, indicator): (u16, &Indicator)| {
            let of = indicator.count.of.clone();
            let sources = indicator.count.expressions();
            let parts = sources.flat_map(|source| package.reads_parts(&of, source));
            Read {
                indicator: at,
                parts: parts.collect(),
                of,
            }
        };
        Self(package.counted().map(read).collect())
    }

    /// The indicators to which a group may add something else when these parts of a record of it
    /// change.
    pub(crate) fn indicators(&self, subject: Subject, parts: &BTreeSet<String>) -> BTreeSet<u16> {
        let of = self.0.iter().filter(|read| read.of == subject.key());
        // What a record adds by being there may depend on no part of it.
        let concerned = of.filter(|read| parts.contains(BEGUN) || read.any(parts));
        concerned.map(|read| read.indicator).collect()
    }

    /// Whether a change of these parts of a household may change what its people add.
    pub(crate) fn home(&self, parts: &BTreeSet<String>) -> bool {
        let begun = parts.contains(BEGUN);
        let mut of_persons = (self.0.iter()).filter(|read| read.of == Subject::Person.key());
        // Section keys are unique over all subjects.
        of_persons.any(|read| read.any(parts) || (begun && read.parts.contains(HOME)))
    }
}

impl Read {
    /// Whether it depends on any of these parts.
    fn any(&self, parts: &BTreeSet<String>) -> bool {
        parts.iter().any(|part| {
            let section = part.split_once('.').map(|(section, _)| section);
            self.parts.contains(part) || section.is_some_and(|section| self.parts.contains(section))
        })
    }
}

/// What was worked out of packages before; a server has one or two.
#[derive(Debug, Default)]
pub(crate) struct KnownReads(Mutex<BTreeMap<EntryHash, Arc<Reads>>>);

impl KnownReads {
    /// The reads of the packages of these generations, by package.
    pub(crate) fn of(
        &self,
        control: &Control,
        generations: &[Generation],
    ) -> BTreeMap<EntryHash, Arc<Reads>> {
        // Whole at any time, whoever panicked while holding it.
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let of = |generation: &Generation| {
            let package = control.package_of(generation.package)?;
            let fresh = || Arc::new(Reads::of(package));
            let reads = known.entry(generation.package).or_insert_with(fresh);
            Some((generation.package, Arc::clone(reads)))
        };
        generations.iter().filter_map(of).collect()
    }
}
