//! Irregularities of every register, a few of each: double registrations, conflicts, a withdrawn
//! observation, a corrected ID number.

use sync_core::id::Subject;

use crate::day::Day;
use crate::diary::Diary;
use crate::draw::{Draw, Matter};
use crate::entry::Puts;
use crate::family::{Household, Person};
use crate::names::Custom;
use crate::numbers::Numbers;
use crate::people::id_number;

/// So long before the last day two phones write the same field: nobody exchanges in between.
pub(crate) const APART_DAYS: i64 = 6;
/// A household of every so many units is written to on two phones at once.
const EVERY_CONFLICT: u64 = 4;
/// A woman in every so many units is registered twice.
const EVERY_TWICE: u64 = 6;
/// A woman of every so many units moves to the next one.
const EVERY_MOVE: u64 = 8;

/// Writes a unit's oddities.
pub(crate) fn write(diary: &mut Diary<'_>, households: &[Household]) {
    let number = diary.place.number;
    let mut draw = Draw::of(diary.seed, Matter::Oddities, number, 0);
    let stays = |household: &&Household| household.gone.is_none() && household.status == "1";
    let staying: Vec<&Household> = households.iter().filter(stays).collect();
    let Some(home) = draw.pick(&staying) else {
        return;
    };
    if diary.place.phones > 1 && number.is_multiple_of(EVERY_CONFLICT) {
        written_apart(diary, &mut draw, home);
    }
    if diary.place.phones > 1 && number.is_multiple_of(EVERY_TWICE) {
        registered_twice(diary, &mut draw, households);
    }
    // Both units draw the same woman: from the number of the one that she leaves.
    if number.is_multiple_of(EVERY_MOVE) {
        Mover::of(diary, number).leave(diary, &mut draw, home);
    }
    if number % EVERY_MOVE == 1 {
        Mover::of(diary, number - 1).arrive(diary, &mut draw, home);
    }
    if number.is_multiple_of(3) {
        withdrawn(diary, &mut draw, home);
    }
    if number % 3 == 1 {
        corrected(diary, &mut draw, home);
    }
}

/// Two phones give a household different numbers; nobody has settled it yet.
fn written_apart(diary: &mut Diary<'_>, draw: &mut Draw, home: &Household) {
    let day = diary.until().plus(-APART_DAYS);
    for phone in [0, 1] {
        let mut puts = Puts::default();
        puts.at("household").set("phone", draw.phone().as_str());
        diary.write(day, phone, home.record, puts);
    }
}

/// Two cadres register one woman on one day, and spell her name in two ways.
fn registered_twice(diary: &mut Diary<'_>, draw: &mut Draw, households: &[Household]) {
    let women = households.iter().flat_map(|of| {
        let grown = |person: &&Person| person.female && person.born.age(of.visited) >= 30;
        of.members
            .iter()
            .filter(grown)
            .map(move |woman| (of, woman))
    });
    let women: Vec<_> = women
        .filter(|(of, woman)| woman.registered == of.visited && of.gone.is_none())
        .collect();
    // One whose name has two spellings, if there is one.
    let two = |woman: &Person| diary.names.variant(&woman.name) != woman.name;
    let spelt = women.iter().find(|(_, woman)| two(woman)).copied();
    let Some((home, woman)) = spelt.or_else(|| draw.pick(&women)) else {
        return;
    };
    let mut puts = Puts::default();
    let name = diary.names.variant(&woman.name);
    identify(&mut puts, &name, woman.born, &woman.id_no);
    lives(
        &mut puts,
        &draw.item(),
        home,
        (
            woman.stays.first().map_or(woman.born, |stay| stay.since),
            "1",
        ),
    );
    let other = (home.keeper + 1) % diary.place.phones;
    let record = draw.record(Subject::Person, home.visited);
    diary.write(home.visited, other, record, puts);
}

fn identify(puts: &mut Puts, name: &str, born: Day, id_no: &str) {
    puts.at("identity")
        .set("name", name)
        .set("sex", "2")
        .set("id_type", "01")
        .set("id_no", id_no)
        .set("birth_date", born);
}

fn lives(puts: &mut Puts, item: &str, home: &Household, (since, status): (Day, &str)) {
    puts.new_item("residence", item, "02")
        .set("since", since)
        .set("status", status)
        .set("household", home.record.to_string().as_str())
        .set("relation_to_head", "8");
}

/// A woman who lives with relatives and moves to another unit, which registers her anew.
struct Mover {
    name: String,
    born: Day,
    id_no: String,
    moved: Day,
}

impl Mover {
    fn of(diary: &Diary<'_>, from: u64) -> Self {
        let mut draw = Draw::of(diary.seed, Matter::Oddities, from, u64::MAX);
        let born = draw.day(Day::of(1970, 1, 1), Day::of(1988, 12, 28));
        // The last sequence number of a day is in no unit's share.
        let sequence = 998;
        Self {
            name: diary.names.name(&mut draw, Custom::Mongol, true),
            born,
            id_no: id_number(&born.digits(), sequence),
            moved: draw.day(Day::of(2023, 4, 1), Day::of(2025, 9, 30)),
        }
    }

    fn leave(&self, diary: &mut Diary<'_>, draw: &mut Draw, home: &Household) {
        let mut puts = Puts::default();
        identify(&mut puts, &self.name, self.born, &self.id_no);
        let since = draw.day(Day::of(2010, 1, 1), Day::of(2019, 12, 28));
        lives(&mut puts, &draw.item(), home, (since, "1"));
        let record = draw.record(Subject::Person, home.visited);
        diary.write(home.visited, home.keeper, record, puts);
        let mut puts = Puts::default();
        lives(&mut puts, &draw.item(), home, (self.moved, "5"));
        let day = self.moved.plus(draw.within(10, 60));
        diary.write(day, home.keeper, record, puts);
    }

    fn arrive(&self, diary: &mut Diary<'_>, draw: &mut Draw, home: &Household) {
        let mut puts = Puts::default();
        identify(&mut puts, &self.name, self.born, &self.id_no);
        lives(&mut puts, &draw.item(), home, (self.moved, "1"));
        let day = self.moved.plus(draw.within(20, 90));
        let record = draw.record(Subject::Person, day);
        diary.write(day, home.keeper, record, puts);
    }
}

/// An observation of the neighbours' well is withdrawn the day after.
fn withdrawn(diary: &mut Diary<'_>, draw: &mut Draw, home: &Household) {
    let day = draw.day_of(2024, 5, 9);
    let item = draw.item();
    let mut puts = Puts::default();
    puts.new_item("water", &item, "02")
        .set("observed_on", day)
        .set("camp", diary.place.camp())
        .set("source", "06")
        .set("users", home.residents(day).0)
        .tick("treatment", ["0"])
        .set("quality", "4");
    diary.write(day, home.keeper, home.record, puts);
    let mut puts = Puts::default();
    puts.at_item("water", &item).set("void", true);
    diary.write(day.plus(1), home.keeper, home.record, puts);
}

/// An ID number was mistyped at the first visit, and is corrected when somebody sees her card.
fn corrected(diary: &mut Diary<'_>, draw: &mut Draw, home: &Household) {
    let Some(person) = home.members.first() else {
        return;
    };
    let mistyped = Numbers::of(diary.place.number).mistyped(person.born, person.female);
    let first = diary.first_of(person.record);
    let Some(number) = first.and_then(|entry| entry.value_mut("identity.id_no")) else {
        return;
    };
    *number = mistyped.as_str().into();
    let mut puts = Puts::default();
    puts.at("identity").set("id_no", person.id_no.as_str());
    let day = person.registered.plus(draw.within(150, 500));
    diary.write(day, home.keeper, person.record, puts);
}
