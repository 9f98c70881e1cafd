//! Relocation of a person as the office orders it: what is told, and where each of her records goes.

use std::collections::BTreeMap;

use store::clock::random;
use store::{Conn, StoreError, recovery};
use sync_core::control::{Control, ControlEntry, Moved};
use sync_core::date::date_in_china;
use sync_core::group::Group;
use sync_core::id::{Class, RecordId, Subject};
use sync_core::link::{self, Statement};
use sync_core::show::{self, Source};
use sync_core::value::{Key, Value};

use crate::app::App;
use crate::error::CommandError;
use crate::moves::{RecordInSpace, say};
use crate::named_record::NamedRecord;
use crate::transaction::WriteTx;
use crate::unit_records::{UnitRecords, load};

/// Where a person's records went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gone {
    /// The unit that they were in.
    pub from: String,
    /// The unit that they are in.
    pub to: String,
    /// Each record with the one that goes on in its place.
    pub records: Vec<(RecordId, RecordId)>,
}

impl App {
    /// Moves a person to another unit, from a day on; today if none is named. A second time changes
    /// nothing.
    pub async fn move_person(
        &self,
        record: impl Into<NamedRecord>,
        to: &str,
        on: Option<&str>,
    ) -> Result<Gone, CommandError> {
        let (record, to, on) = (record.into(), to.to_owned(), on.map(str::to_owned));
        let job =
            async move |tx: &mut WriteTx<'_>| move_person(tx, &record, &to, on.as_deref()).await;
        self.write(job).await
    }
}

/// Tells the move and what was said of the records among each other; with the commit they are carried.
async fn move_person(
    tx: &mut WriteTx<'_>,
    record: &NamedRecord,
    to: &str,
    on: Option<&str>,
) -> Result<Gone, CommandError> {
    if recovery::is_on(&mut tx.conn).await? {
        // The phones may still bring back what this node itself has written.
        return Err(CommandError::wrong("recovery_first", ""));
    }
    let now = tx.node.clock.now();
    let today = date_in_china(now);
    let on = on.unwrap_or(&today);
    let control = tx.control.clone();
    let order = Order::read(&mut tx.conn, &control, record, to, on).await?;
    let (gone, fresh) = order.records(now, &control)?;
    let network = control.network();
    for moved in &fresh {
        tx.publish(|signer| ControlEntry::moved(network, moved, signer))
            .await?;
    }
    for moved in &fresh {
        order.settle(tx, moved, &fresh).await?;
    }
    Ok(gone)
}

/// What is to be done.
struct Order<'a> {
    held: UnitRecords<'a>,
    group: Group,
    from: String,
    to: &'a str,
    on: &'a str,
}

impl<'a> Order<'a> {
    async fn read(
        conn: &mut Conn,
        control: &'a Control,
        named: &NamedRecord,
        to: &'a str,
        on: &'a str,
    ) -> Result<Self, CommandError> {
        if named.record.subject != Subject::Person {
            return Err(CommandError::wrong("move_not_person", named));
        }
        if !sync_core::date::is_date(on) {
            return Err(CommandError::wrong("bad_date", on));
        }
        let package = control.package();
        let package = package.ok_or_else(|| CommandError::wrong("package_unknown", ""))?;
        let unit = package.unit(to);
        let unit = unit.ok_or_else(|| CommandError::wrong("unknown_unit", to))?;
        if !unit.cadres {
            return Err(CommandError::wrong("unit_without_cadres", to));
        }
        let (from, record) = named.find(conn).await?;
        if from == to {
            return Err(CommandError::wrong("move_stays", to));
        }
        let held = load(conn, Some(package), &from).await?;
        let groups = show::groups(&held, &from, Subject::Person);
        let mut groups = groups.into_iter();
        let group = groups.find(|group| group.members().any(|member| member == record));
        let group = group.ok_or_else(|| CommandError::wrong("unknown_record", record))?;
        Ok(Self {
            held,
            group,
            from,
            to,
            on,
        })
    }

    /// Where each record goes, and of these what is not under way yet.
    fn records(&self, now: i64, control: &Control) -> Result<(Gone, Vec<Moved>), CommandError> {
        let mut records = Vec::new();
        let mut fresh = Vec::new();
        for record in self.group.members() {
            let before = control.moved(&self.from, record);
            if let Some(moved) = before.filter(|moved| moved.to == self.to) {
                records.push((record, moved.new));
                continue;
            }
            let drawn = random().map_err(anyhow::Error::from)?;
            let new = RecordId::draw(Subject::Person, after(now, record), drawn);
            records.push((record, new));
            fresh.push(Moved {
                record,
                from: self.from.clone(),
                to: self.to.to_owned(),
                new,
                on: self.on.to_owned(),
                number: before.map_or(0, |moved| moved.number).saturating_add(1),
            });
        }
        let gone = Gone {
            from: self.from.clone(),
            to: self.to.to_owned(),
            records,
        };
        Ok((gone, fresh))
    }

    /// Says of the new records what was said of the old ones.
    async fn settle(
        &self,
        tx: &mut WriteTx<'_>,
        moved: &Moved,
        all: &[Moved],
    ) -> Result<(), StoreError> {
        let renamed: BTreeMap<RecordId, RecordId> =
            all.iter().map(|moved| (moved.record, moved.new)).collect();
        for (key, value) in self.statements(moved.record) {
            let Some(other) = link::other_of(&key).and_then(|other| renamed.get(&other)) else {
                continue;
            };
            let (holder, named) = link::pair(moved.new, *other);
            let key = link::state_key(named);
            let puts = key.map(|key| (key, value)).into_iter().collect();
            let place = RecordInSpace::new(&moved.to, Class::General, holder)?;
            say(tx, &place, puts).await?;
        }
        Ok(())
    }

    /// What was said of this record and others.
    fn statements(&self, record: RecordId) -> Vec<(Key, Value)> {
        let shown = self.held.view(&self.from, record);
        let said = shown.iter().filter(|(key, _)| link::is_state(key));
        let said = said.map(|(key, slot)| ((*key).clone(), slot.winner().clone()));
        said.filter(|(_, value)| value.as_text().and_then(Statement::from_key).is_some())
            .collect()
    }
}

/// A time for a new record's id, in milliseconds: now, and after its predecessor's, whose clock may have
/// been ahead. Where nothing else decides the smaller id counts, and that is then the older one.
fn after(now: i64, record: RecordId) -> i64 {
    let bytes = record.to_bytes();
    let drawn = bytes.iter().skip(1).take(6);
    let drawn = drawn.fold(0, |millis, byte| millis << 8 | i64::from(*byte));
    now.saturating_mul(1000).max(drawn + 1)
}
