//! Links between two records: statements that they are, or are not, one person.
//!
//! It is written like everything else: into one of the two records, merged and exchanged, and the
//! last deliberate word of whoever has seen the others counts.

use sync_core::group::IDENTITY;
use sync_core::id::{RecordId, Subject};
use sync_core::link::{self, Statement, despite_key, pair, state_key};
use sync_core::show::{self, ShownConflict};
use sync_core::value::{Key, Value};

use crate::draft::edit_of;
use crate::error::{Issue, PhoneError};
use crate::phone::{Open, Phone};
use crate::records::find;

/// Where a record stands once something was said of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Linked {
    /// The record that was named first.
    pub id: RecordId,
    /// The others of its group.
    pub linked: Vec<RecordId>,
    /// What is open about who the two are, by record.
    pub conflicts: Vec<ShownConflict>,
}

impl Phone {
    /// Says that two records of persons are one person. If they were shown as one already, and it was
    /// open whether they are because name or birth date differ, this confirms them in spite of that.
    pub fn link(&mut self, one: &str, other: &str) -> Result<Linked, PhoneError> {
        self.say(one, other, Statement::Same)
    }

    /// Says that two records of persons are two people, whatever their ID numbers say.
    pub fn unlink(&mut self, one: &str, other: &str) -> Result<Linked, PhoneError> {
        self.say(one, other, Statement::NotSame)
    }

    fn say(&mut self, one: &str, other: &str, said: Statement) -> Result<Linked, PhoneError> {
        let open = self.opened()?;
        let ((one, unit), (other, _)) = two_persons(open, one, other)?;
        let (holder, named) = pair(one, other);
        let mut puts: Vec<(Key, Value)> = Vec::new();
        puts.extend(state_key(named).map(|key| (key, Value::from(said.key()))));
        for field in IDENTITY.1 {
            let confirmed = match said {
                Statement::Same if is_open(open, &unit, (one, other), field) => Value::Bool(true),
                Statement::Same => continue,
                // Should they be linked again, somebody has to look at what differs again.
                Statement::NotSame => Value::Null,
            };
            puts.extend(despite_key(named, field).map(|key| (key, confirmed)));
        }
        let edit = edit_of(open, holder, &unit, puts)?;
        self.save(&edit)?;
        let open = self.opened()?;
        let shown = show::record(&open.replica, &unit, one, &open.today());
        let conflicts = show::conflicts(&open.replica, &unit).into_iter();
        let about = |record| [one, other].contains(&record) || shown.linked.contains(&record);
        let is_identity = |key: &Key| [IDENTITY.0, link::SECTION].contains(&key.section());
        Ok(Linked {
            id: one,
            conflicts: conflicts
                .filter(|of| about(of.record))
                .filter(|of| Key::parse(&of.key).is_ok_and(|key| is_identity(&key)))
                .collect(),
            linked: shown.linked,
        })
    }
}

/// A record with the unit that holds it.
type NamedRecord = (RecordId, String);

/// Two records of persons that one unit holds.
fn two_persons(
    open: &Open,
    one: &str,
    other: &str,
) -> Result<(NamedRecord, NamedRecord), PhoneError> {
    let (a, b) = (find(open, one)?, find(open, other)?);
    let persons = [(&a, one), (&b, other)];
    for ((record, _), name) in persons {
        if record.subject != Subject::Person {
            return Err(PhoneError::wrong(Issue::about("not_a_person", name)));
        }
    }
    if a.0 == b.0 {
        return Err(PhoneError::wrong(Issue::about("same_record", one)));
    }
    if a.1 != b.1 {
        return Err(PhoneError::wrong(Issue::about("other_unit", other)));
    }
    Ok((a, b))
}

/// Whether two records are shown as one person, and differ in a field that makes this doubtful.
fn is_open(open: &Open, unit: &str, (one, other): (RecordId, RecordId), field: &str) -> bool {
    let shown = show::record(&open.replica, unit, one, "");
    let Ok(key) = Key::single(IDENTITY.0, field) else {
        return false;
    };
    let value = |record| {
        let shown = open.replica.view(unit, record);
        let value = shown.get(&key).map(|slot| slot.winner().clone());
        value.filter(|value| !value.is_null())
    };
    let both = value(one).zip(value(other));
    shown.linked.contains(&other) && both.is_some_and(|(one, other)| one != other)
}
