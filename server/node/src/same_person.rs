//! Persons with one ID number in two units, and what the office says of them (R43).
//!
//! A number that somebody typed may be wrong, or written by a bad device to learn or to change something.
//! So the figures here count each person once, but nobody in either unit is told anything before the office
//! has said that it is one person.

use std::collections::{BTreeMap, BTreeSet};

use store::{Conn, StoreError, link, recovery};
use sync_core::control::{Control, ControlEntry, SamePerson, UnitRecord};
use sync_core::id::{RecordId, Subject};
use sync_core::show::{self, Source};

use crate::app::App;
use crate::error::CommandError;
use crate::named_record::NamedRecord;
use crate::transaction::{ReadTx, WriteTx};
use crate::unit_records::{UnitRecords, load};

/// Two persons' records of two units that show one ID number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Duplicate {
    /// The records, the lesser first: of a group of linked records the first.
    pub records: [UnitRecord; 2],
    /// What they show as names.
    pub names: [Option<String>; 2],
    /// Whether they are one person, if the office has said so.
    pub said: Option<bool>,
}

impl App {
    /// The persons who share an ID number with somebody in another unit, those first of whom the office has
    /// said nothing yet.
    pub async fn duplicates(&self) -> Result<Vec<Duplicate>, CommandError> {
        let ReadTx { mut conn, control } = self.context().read().await?;
        Ok(duplicates(&mut conn, &control).await?)
    }

    /// Says of two records in two units that they are one person, or that they are not. Gives them, the
    /// lesser first, and whether that is new.
    pub async fn say_same_person(
        &self,
        one: &NamedRecord,
        other: &NamedRecord,
        same: bool,
    ) -> Result<([UnitRecord; 2], bool), CommandError> {
        let (one, other) = (one.clone(), other.clone());
        let job = async move |tx: &mut WriteTx<'_>| say(tx, &one, &other, same).await;
        self.write(job).await
    }
}

async fn say(
    tx: &mut WriteTx<'_>,
    one: &NamedRecord,
    other: &NamedRecord,
    same: bool,
) -> Result<([UnitRecord; 2], bool), CommandError> {
    if recovery::is_on(&mut tx.conn).await? {
        return Err(CommandError::wrong("recovery_first", ""));
    }
    let one = one.find(&mut tx.conn).await?;
    let other = other.find(&mut tx.conn).await?;
    let before = tx.control.said_of(&one, &other);
    let number = before.map_or(0, |(_, number)| number).saturating_add(1);
    let name = format!("{}/{}", other.0, other.1);
    let said = SamePerson::of(one, other, same, number);
    let said = said.ok_or_else(|| CommandError::wrong("same_person_two_units", name))?;
    if before.is_none_or(|(said, _)| said != same) {
        let network = tx.control.network();
        tx.publish(|signer| ControlEntry::same_person(network, &said, signer))
            .await?;
    }
    Ok((said.records, before.is_none_or(|(said, _)| said != same)))
}

async fn duplicates(conn: &mut Conn, control: &Control) -> Result<Vec<Duplicate>, StoreError> {
    let mut units: BTreeMap<String, Unit<'_>> = BTreeMap::new();
    let mut showing: BTreeMap<link::Blind, BTreeSet<UnitRecord>> = BTreeMap::new();
    for (number, unit, record) in link::shared_numbers(conn).await? {
        if !units.contains_key(&unit) {
            let read = Unit::read(conn, control, &unit).await?;
            units.insert(unit.clone(), read);
        }
        let group = units
            .get(&unit)
            .map_or(record, |read| read.first_of(record));
        showing.entry(number).or_default().insert((unit, group));
    }
    let mut pairs: BTreeSet<[UnitRecord; 2]> = BTreeSet::new();
    for persons in showing.values() {
        for one in persons {
            let others = persons
                .iter()
                .filter(|other| one < other && one.0 != other.0);
            pairs.extend(others.map(|other| [one.clone(), other.clone()]));
        }
    }
    let name = |(unit, record): &UnitRecord| units.get(unit)?.name_of(*record);
    let pairs = pairs.into_iter().map(|records| Duplicate {
        names: [name(&records[0]), name(&records[1])],
        said: control
            .said_of(&records[0], &records[1])
            .map(|(same, _)| same),
        records,
    });
    let mut pairs: Vec<Duplicate> = pairs.collect();
    pairs.sort_by_key(|pair| pair.said.is_some());
    Ok(pairs)
}

/// What is read of a unit to name its persons.
struct Unit<'a> {
    code: String,
    records: UnitRecords<'a>,
    groups: BTreeMap<RecordId, RecordId>,
}

impl<'a> Unit<'a> {
    async fn read(conn: &mut Conn, control: &'a Control, code: &str) -> Result<Self, StoreError> {
        let records = load(conn, control.package(), code).await?;
        let groups = show::groups(&records, code, Subject::Person);
        let members = groups.iter().flat_map(|group| {
            let members = group.members();
            members.map(move |member| (member, group.id()))
        });
        Ok(Self {
            code: code.to_owned(),
            groups: members.collect(),
            records,
        })
    }

    fn first_of(&self, record: RecordId) -> RecordId {
        self.groups.get(&record).copied().unwrap_or(record)
    }

    fn name_of(&self, record: RecordId) -> Option<String> {
        let shown = self.records.view(&self.code, record);
        let mut shown = shown.iter();
        let (_, slot) = shown.find(|(key, _)| key.as_str() == "identity.name")?;
        slot.winner().as_text().map(str::to_owned)
    }
}
