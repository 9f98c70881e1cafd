//! What goes along: at first everything that travels, afterwards what was written to the old record by
//! somebody who had not heard of the move.

use std::collections::BTreeSet;

use plan::Package;
use sqlx::SqliteConnection;
use sync_core::control::{Control, Moved};
use sync_core::id::{ChangeHash, Class, DeviceId, RecordId, Subject};
use sync_core::record::{Event, RecordState};
use sync_core::value::{Key, Value};

use super::RESIDENCE;
use super::write::{Place, write};
use crate::app::Shared;
use crate::figures::Touched;
use crate::store::StoreError;

/// Carries on what was touched of records that have moved, and notes what that touches.
pub(crate) async fn carry(
    conn: &mut SqliteConnection,
    shared: &Shared,
    control: &Control,
    touched: &mut Touched,
) -> Result<(), StoreError> {
    if !control.has_moves() {
        return Ok(());
    }
    let mut due: Vec<(String, RecordId)> = touched.records().collect();
    // Each once: who moved on carries on, and nobody comes back to a record that was left.
    let mut done = BTreeSet::new();
    while let Some((unit, record)) = due.pop() {
        let Some(moved) = control.moved(&unit, record) else {
            continue;
        };
        if !done.insert((unit, record)) {
            continue;
        }
        let brought = carry_one(conn, shared, control, moved).await?;
        due.extend(brought.records());
        touched.join(brought);
    }
    Ok(())
}

/// Brings a new record to what the old one says.
pub(super) async fn carry_one(
    conn: &mut SqliteConnection,
    shared: &Shared,
    control: &Control,
    moved: &Moved,
) -> Result<Touched, StoreError> {
    let mut touched = Touched::default();
    let Some(package) = control.package() else {
        return Ok(touched);
    };
    for class in Class::ALL {
        let old = Place::new(&moved.from, class, moved.record)?;
        let said = old.state(conn, shared).await?;
        let puts = travelling(package, class, moved, &said);
        if puts.is_empty() {
            continue;
        }
        let new = Place::new(&moved.to, class, moved.new)?;
        let seen = carried(&new.state(conn, shared).await?, shared);
        let written = write(conn, shared, package, &new, Some(seen), puts);
        touched.join(written.await?);
    }
    Ok(touched)
}

/// The values of a class that travel.
fn travelling(
    package: &Package,
    class: Class,
    moved: &Moved,
    said: &RecordState,
) -> Vec<(Key, Value)> {
    let [residence, ..] = RESIDENCE;
    let own = moved.item();
    let goes = |key: &Key| {
        let Some((subject, section)) = package.section(key.section()) else {
            return false;
        };
        let marks_the_move = key.section() == residence && key.item() == Some(own.as_str());
        subject.key == Subject::Person.key()
            && section.class == class.key()
            && section.takes_along(key.field())
            && !marks_the_move
    };
    let values = said.view().iter().filter(|(key, _)| goes(key));
    values
        .map(|(key, slot)| (key.clone(), slot.winner().clone()))
        .collect()
}

/// What was carried last: this node's last change of the record, on which its next one follows.
fn carried(new: &RecordState, shared: &Shared) -> Vec<ChangeHash> {
    let node = DeviceId::of_key(&shared.node.public().bytes);
    // A document that can't be read has no history: what is carried then stands beside what was.
    let events = new.history().unwrap_or_default();
    let own = |event: &Event| event.actor.is_of(node);
    let last = events.into_iter().rfind(own);
    last.map(|event| event.change).into_iter().collect()
}
