//! Users of the phones: forms on the sections of the plan.

use std::collections::BTreeMap;

use plan::Package;
use sample::people::id_number;
use sync_core::id::{Class, RecordId, Space, Subject};
use sync_core::link::{self, Statement};
use sync_core::replica::Replica;
use sync_core::value::{Key, Value};

use super::fault::Dice;
use super::phone::Form;

/// Women who are registered again and again, some of them on two phones: the last digits before the
/// check digit of their ID numbers.
const WOMEN: [u32; 3] = [124, 286, 442];
const NAMES: [&str; 4] = ["娜仁", "乌云", "其其格", "Сарнай"];
const DATES: [&str; 3] = ["2025-03-08", "2026-01-15", "2026-06-30"];

fn text(dice: &mut Dice, list: &[&str]) -> Value {
    Value::from(*dice.pick(list))
}

/// One value for a key of a subject, from few, so that two people sometimes write the same.
fn put(dice: &mut Dice, subject: Subject) -> Option<(Key, Value)> {
    let (key, value) = match subject {
        Subject::Person => match dice.below(9) {
            0 | 1 => ("identity.name".to_owned(), text(dice, &NAMES)),
            2 => ("identity.id_no".to_owned(), {
                Value::Text(id_number("19850607", *dice.pick(&WOMEN)))
            }),
            3 => ("identity.sex".to_owned(), Value::from("2")),
            4 => (
                "background.literate".to_owned(),
                Value::Bool(dice.chance(500)),
            ),
            5 => (
                "screening#C-2026.screened_on".to_owned(),
                text(dice, &DATES),
            ),
            6 => (
                "screening#C-2026.place".to_owned(),
                text(dice, &["旗医院", "苏木卫生院"]),
            ),
            7 => ("spouse_away#a1b2c3d4.since".to_owned(), text(dice, &DATES)),
            _ => (
                format!("care_needs#n1.needs/0{}", 1 + dice.below(3)),
                Value::Bool(dice.chance(700)),
            ),
        },
        Subject::Household => match dice.below(6) {
            0 => (
                "household.household_no".to_owned(),
                Value::Text(format!("{:04}", dice.below(3))),
            ),
            1 => ("household.head_name".to_owned(), text(dice, &NAMES)),
            2 => (
                "household.resident_population".to_owned(),
                Value::Int(dice.below(6) as i64),
            ),
            3 => ("household.area_type".to_owned(), text(dice, &["1", "2"])),
            4 => {
                let item = dice.pick(&["t1", "t2"]);
                (
                    format!("toilet#{item}.clean"),
                    Value::Bool(dice.chance(500)),
                )
            }
            _ => ("water#w1.void".to_owned(), Value::Bool(dice.chance(500))),
        },
        Subject::Organisation => return None,
    };
    let value = if dice.chance(60) && !key.contains(".void") {
        Value::Null
    } else {
        value
    };
    Key::parse(&key).ok().map(|key| (key, value))
}

/// A form that somebody opens: on a new record, one that the phone holds, or the same that others
/// open too.
pub(super) fn open_form(dice: &mut Dice, replica: &Replica, now: i64) -> Option<Form> {
    let units: Vec<String> = replica.units().into_iter().map(str::to_owned).collect();
    if units.is_empty() {
        return None;
    }
    let unit = dice.pick(&units).clone();
    let known: Vec<RecordId> = replica.records_of(&unit).into_iter().collect();
    let record = if known.is_empty() || (known.len() < 4 && dice.chance(300)) {
        let subject = if dice.chance(500) {
            Subject::Person
        } else {
            Subject::Household
        };
        RecordId::draw(subject, now.max(0).saturating_mul(1000), dice.bytes())
    } else {
        *dice.pick(&known)
    };
    let count = 1 + dice.below(3);
    let mut puts: BTreeMap<Key, Value> = (0..count)
        .filter_map(|_| put(dice, record.subject))
        .collect();
    if dice.chance(60) {
        puts.extend(long_texts(dice, record.subject));
    }
    if record.subject == Subject::Person && dice.chance(350) {
        puts.extend(counts(dice, &known));
    }
    (!puts.is_empty()).then(|| Form {
        record,
        unit,
        seen: None,
        puts: puts.into_iter().collect(),
        saved: 0,
    })
}

/// What makes a woman count in the figures: who she is, since when she lives in which household, and that
/// she was screened.
fn counts(dice: &mut Dice, known: &[RecordId]) -> Vec<(Key, Value)> {
    let households = known
        .iter()
        .filter(|record| record.subject == Subject::Household);
    let households: Vec<&RecordId> = households.collect();
    let mut puts = vec![
        ("identity.sex", Value::from("2")),
        ("identity.birth_date", Value::from("1985-06-07")),
        ("residence#home.since", text(dice, &["2015-03", "2024-05"])),
        ("residence#home.status", text(dice, &["1", "1", "5"])),
    ];
    if !households.is_empty() {
        let household = dice.pick(&households).to_string();
        puts.push(("residence#home.household", Value::Text(household)));
    }
    if dice.chance(500) {
        puts.push(("screening#C-2026.cancer", Value::from("C")));
        puts.push(("screening#C-2026.screened_on", text(dice, &DATES)));
        puts.push(("screening#C-2026.cervical_method", Value::from("HPV")));
    }
    let read = |(key, value)| Some((Key::parse(key).ok()?, value));
    puts.into_iter().filter_map(read).collect()
}

/// Remarks up to the size that a batch takes, and sometimes above it.
fn long_texts(dice: &mut Dice, subject: Subject) -> Vec<(Key, Value)> {
    let keys: &[&str] = match subject {
        Subject::Person => &["care_needs#n1.difficulty", "care_needs#n2.difficulty"],
        _ => &["household.head_name", "household.main_camp"],
    };
    let count = 1 + dice.below(keys.len());
    let texts = keys.iter().take(count).map(|key| {
        let length = 2000 + dice.below(2096);
        // Letters that don't compress: what is full is full on the wire too.
        let text: String = (0..length)
            .map(|_| char::from(b'a' + dice.below(26) as u8))
            .collect();
        Some((Key::parse(key).ok()?, Value::Text(text)))
    });
    texts.flatten().collect()
}

/// Whether a form may be over the size of a batch.
pub(super) fn is_long(form: &Form) -> bool {
    let texts = form.puts.iter().filter_map(|(_, value)| value.as_text());
    texts.map(str::len).sum::<usize>() > 7000
}

/// A form that settles a conflict which the phone shows, if there is one.
pub(super) fn settle(dice: &mut Dice, replica: &Replica) -> Option<Form> {
    let mut open = Vec::new();
    for unit in replica.units() {
        for record in replica.records_of(unit) {
            for (key, slot) in replica.view(unit, record) {
                if let Some(values) = slot.conflict() {
                    let value = values.last().map(|written| written.value.clone());
                    open.push((unit.to_owned(), record, key.clone(), value?));
                }
            }
        }
    }
    if open.is_empty() {
        return None;
    }
    let (unit, record, key, value) = dice.pick(&open).clone();
    Some(Form {
        record,
        unit,
        seen: None,
        puts: vec![(key, value)],
        saved: 0,
    })
}

/// A form on which somebody says that two persons of a unit are one, or are not, or takes it back.
pub(super) fn say(dice: &mut Dice, replica: &Replica) -> Option<Form> {
    let units: Vec<String> = replica.units().into_iter().map(str::to_owned).collect();
    if units.is_empty() {
        return None;
    }
    let unit = dice.pick(&units).clone();
    let persons = replica.records_of(&unit).into_iter();
    let persons: Vec<RecordId> = persons
        .filter(|record| record.subject == Subject::Person)
        .collect();
    if persons.len() < 2 {
        return None;
    }
    let (one, other) = (*dice.pick(&persons), *dice.pick(&persons));
    let (record, other) = link::pair(one, other);
    let said = match dice.below(5) {
        0 => Value::Null,
        1 | 2 => Value::from(Statement::NotSame.key()),
        _ => Value::from(Statement::Same.key()),
    };
    let mut puts = vec![(link::state_key(other)?, said)];
    if dice.chance(300) {
        puts.push((
            link::despite_key(other, "name")?,
            Value::Bool(dice.chance(700)),
        ));
    }
    (record != other).then_some(Form {
        record,
        unit,
        seen: None,
        puts,
        saved: 0,
    })
}

/// A form with a value that nobody has written yet, to make a device write to a space.
pub(super) fn touch(dice: &mut Dice, space: &Space) -> Option<Form> {
    let key = match space.class {
        Class::General => "identity.name",
        Class::Care => "care_needs#n9.difficulty",
        Class::Referral => "screening#C-2030.place",
        Class::Health | Class::Protected => return None,
    };
    let put = (Key::parse(key).ok()?, Value::from(NAMES[0]));
    let record = RecordId::draw(Subject::Person, 0, dice.bytes());
    Some(Form {
        record,
        unit: space.unit().to_owned(),
        seen: None,
        puts: vec![put],
        saved: 0,
    })
}

/// The plan that the simulated phones work with.
pub(super) fn package() -> Package {
    Package::builtin()
}
