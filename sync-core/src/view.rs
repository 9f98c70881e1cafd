//! Views: what a record shows over its classes, each key in the space of its section's class.

use std::collections::BTreeMap;

use plan::Package;

use crate::id::Class;
use crate::link;
use crate::record::{MultiValue, RecordState};
use crate::value::Key;

/// The values of a record over its classes, by key.
pub type RecordValues<'a> = BTreeMap<&'a Key, &'a MultiValue>;

/// The class of the section that a key belongs to, which may be one of the engine's own.
pub fn class_of(package: &Package, key: &Key) -> Option<Class> {
    if key.section() == link::SECTION {
        return Some(Class::General);
    }
    Class::from_key(&package.section(key.section())?.1.class)
}

/// What a record shows in the space of one class. Keys of sections that the plan puts into another
/// class are left out: no honest device writes them here, and a hostile one must not stand in
/// another space's place. Keys that the plan does not know are kept.
pub fn values_of_class<'a>(
    package: Option<&'a Package>,
    class: Class,
    state: &'a RecordState,
) -> impl Iterator<Item = (&'a Key, &'a MultiValue)> {
    let belongs = move |key: &Key| {
        let of = package.and_then(|package| class_of(package, key));
        of.is_none_or(|of| of == class)
    };
    state.view().iter().filter(move |(key, _)| belongs(key))
}
