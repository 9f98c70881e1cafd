//! Carrying over: first everything that travels, later each edit of the old record by somebody who
//! had not heard of the move.

use std::collections::BTreeSet;

use plan::Package;
use store::StoreError;
use sync_core::control::{Control, Moved};
use sync_core::id::{ChangeHash, Class, DeviceId, RecordId, Subject};
use sync_core::record::{Event, RecordState, View};
use sync_core::value::{Key, Value};

use super::write::{RecordInSpace, write};
use super::{MOVED_AWAY, RESIDENCE};
use crate::context::NodeContext;
use crate::transaction::WriteTx;

/// Places of one person that are told apart in the order in which they are carried on.
const PLACES_MAX: usize = 64;

/// Carries on what was touched of records that have moved and the moves that were `told` just now, and
/// notes what that touches.
pub(crate) async fn carry(tx: &mut WriteTx<'_>, told: Vec<Moved>) -> Result<(), StoreError> {
    let control = tx.control.clone();
    let mut due: Vec<(String, RecordId)> = tx.changed().records().collect();
    due.extend(told.into_iter().map(|moved| (moved.from, moved.record)));
    // From the first place of everybody on: what comes to the second goes on from there.
    due.sort_by_key(|(unit, record)| places_after(&control, unit, *record));
    // Each once: who moved on carries on, and nobody comes back to a record that was left.
    let mut done = BTreeSet::new();
    while let Some((unit, record)) = due.pop() {
        let Some(moved) = control.moved(&unit, record) else {
            continue;
        };
        if !done.insert((unit, record)) {
            continue;
        }
        if [moved.record, moved.new]
            .into_iter()
            .any(|of| control.is_erased(of))
        {
            continue;
        }
        let before = tx.take_changed();
        carry_one(tx, &control, moved).await?;
        due.extend(tx.changed().records());
        tx.note(before);
    }
    Ok(())
}

/// How many places somebody went on to from a record.
fn places_after(control: &Control, unit: &str, record: RecordId) -> usize {
    let next = |moved: &&Moved| control.moved(&moved.to, moved.new);
    let places = std::iter::successors(control.moved(unit, record), next);
    places.take(PLACES_MAX).count()
}

/// Brings a new record to what the old one says, and both to say where she lives from that day on.
async fn carry_one(
    tx: &mut WriteTx<'_>,
    control: &Control,
    moved: &Moved,
) -> Result<(), StoreError> {
    let Some(package) = control.package() else {
        return Ok(());
    };
    let mut is_held = false;
    for class in Class::ALL {
        let old = RecordInSpace::new(&moved.from, class, moved.record)?;
        let said = old.state(tx).await?;
        is_held |= !said.view().is_empty();
        let puts = travelling(package, class, moved, &said);
        if puts.is_empty() {
            continue;
        }
        let new = RecordInSpace::new(&moved.to, class, moved.new)?;
        let seen = carried(&new.state(tx).await?, tx.node);
        write(tx, &new, Some(seen), puts).await?;
    }
    // Of a restored server that has only heard of the move, until the phones bring the record.
    if !is_held {
        return Ok(());
    }
    let old = RecordInSpace::new(&moved.from, Class::General, moved.record)?;
    let new = RecordInSpace::new(&moved.to, Class::General, moved.new)?;
    let status = status_of(old.state(tx).await?.view(), &moved.item());
    let away = Some(Value::from(MOVED_AWAY));
    lives(tx, moved, &old, away).await?;
    lives(tx, moved, &new, status).await
}

/// Writes in one of the two records since when and how she lives where, unless it says so already.
async fn lives(
    tx: &mut WriteTx<'_>,
    moved: &Moved,
    place: &RecordInSpace,
    status: Option<Value>,
) -> Result<(), StoreError> {
    let [section, since, how] = RESIDENCE;
    let item = moved.item();
    let key = |field| Key::item_field(section, &item, field).ok();
    let (Some(since), Some(how)) = (key(since), key(how)) else {
        return Ok(());
    };
    let state = place.state(tx).await?;
    if state.view().get(&since).is_some() {
        return Ok(());
    }
    let day = Value::from(moved.on.as_str());
    let puts = [Some((since, day)), status.map(|status| (how, status))];
    let puts = puts.into_iter().flatten().collect();
    write(tx, place, None, puts).await
}

/// How she lives where she moves away from: the status of the newest residence but the one that the move
/// itself has written.
fn status_of(shown: &View, own: &str) -> Option<Value> {
    let [section, since, status] = RESIDENCE;
    let value = |item: &str, field: &str| {
        let key = Key::item_field(section, item, field).ok()?;
        let value = shown.get(&key)?.winner();
        (!value.is_null()).then(|| value.clone())
    };
    let keys = shown.iter().map(|(key, _)| key);
    let keys = keys.filter(|key| key.section() == section);
    let items: BTreeSet<&str> = keys.filter_map(Key::item).collect();
    let counts = |item: &&str| {
        let key = Key::void(section, item).ok();
        let slot = key.and_then(|key| shown.get(&key).map(|slot| slot.winner().clone()));
        slot != Some(Value::Bool(true)) && *item != own
    };
    let newest = items
        .into_iter()
        .filter(counts)
        .max_by_key(|item| value(item, since).and_then(|day| day.as_text().map(str::to_owned)));
    newest.and_then(|item| value(item, status))
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
fn carried(new: &RecordState, node: &NodeContext) -> Vec<ChangeHash> {
    let node = DeviceId::of_key(&node.node.public().bytes);
    // A document that can't be read has no history: what is carried then stands beside what was.
    let events = new.history().unwrap_or_default();
    let own = |event: &Event| event.is_of(node);
    let last = events.into_iter().rfind(own);
    last.map(|event| event.change).into_iter().collect()
}
