//! The diary of a unit: everything that is written there, day by day.

use std::collections::BTreeSet;

use sync_core::id::{RecordId, Subject};

use crate::day::Day;
use crate::draw::{Draw, Matter};
use crate::entry::{Entry, Puts};
use crate::family::{Household, households};
use crate::names::{Custom, Names};
use crate::recording_unit::RecordingUnit;
use crate::{care, dwelling, life, oddities, register, screening};

/// From so many days after the first visit on, every phone of the unit knows the household.
const KNOWN_DAYS: i64 = 200;

/// The entries of a unit, and what they are drawn from.
pub(crate) struct Diary<'a> {
    pub(crate) seed: u64,
    pub(crate) place: &'a RecordingUnit<'a>,
    pub(crate) names: &'a Names,
    /// Who visits, by phone.
    pub(crate) cadres: Vec<String>,
    until: Day,
    entries: Vec<Entry>,
}

/// What a unit's diary comes to.
pub(crate) struct Written {
    /// By day.
    pub(crate) entries: Vec<Entry>,
    pub(crate) people: usize,
    pub(crate) households: usize,
    pub(crate) records: usize,
}

/// Writes the diary of a unit up to and with the day `until`.
pub(crate) fn write(seed: u64, place: &RecordingUnit<'_>, names: &Names, until: Day) -> Written {
    let mut draw = Draw::of(seed, Matter::Cadres, place.number, 0);
    let mut diary = Diary {
        seed,
        place,
        names,
        cadres: (0..place.phones)
            .map(|_| names.name(&mut draw, Custom::Mongol, true))
            .collect(),
        until,
        entries: Vec::new(),
    };
    let mut households = households(seed, place, names);
    for household in &mut households {
        life::live(seed, place, household, until.year());
        register::write(&mut diary, household);
        dwelling::write(&mut diary, household);
        care::write(&mut diary, household);
        screening::write(&mut diary, household);
    }
    let known = records(&diary.entries);
    oddities::write(&mut diary, &households);
    let Diary { mut entries, .. } = diary;
    // Stable: what one day holds stays in the order in which it was thought of.
    entries.sort_by_key(|entry| entry.day);
    let of = |subject| known.iter().filter(move |id| id.subject == subject).count();
    Written {
        people: of(Subject::Person),
        households: of(Subject::Household),
        records: records(&entries).len(),
        entries,
    }
}

fn records(entries: &[Entry]) -> BTreeSet<RecordId> {
    entries.iter().map(|entry| entry.record).collect()
}

impl Diary<'_> {
    /// A stream of draws about one household.
    pub(crate) fn draw(&self, matter: Matter, household: &Household) -> Draw {
        Draw::of(self.seed, matter, self.place.number, household.index)
    }

    /// The last day.
    pub(crate) fn until(&self) -> Day {
        self.until
    }

    /// Writes an entry; what would be written after the last day is not there yet.
    pub(crate) fn write(&mut self, day: Day, phone: usize, record: RecordId, puts: Puts) {
        if day <= self.until && !puts.0.is_empty() {
            self.entries.push(Entry {
                day,
                phone,
                record,
                puts,
            });
        }
    }

    /// Writes an entry about a household or its members, as a rule on its keeper's phone.
    pub(crate) fn visit(
        &mut self,
        draw: &mut Draw,
        household: &Household,
        day: Day,
        record: RecordId,
        puts: Puts,
    ) {
        let stands_in = draw.percent(8) && day.since(household.visited) > KNOWN_DAYS;
        let phone = (household.keeper + usize::from(stands_in)) % self.place.phones;
        self.write(day, phone, record, puts);
    }

    /// The entry that a record began with.
    pub(crate) fn first_of(&mut self, record: RecordId) -> Option<&mut Entry> {
        self.entries.iter_mut().find(|entry| entry.record == record)
    }

    /// The name of the cadre who keeps a household.
    pub(crate) fn cadre(&self, household: &Household) -> &str {
        self.cadres.get(household.keeper).map_or("", String::as_str)
    }
}
