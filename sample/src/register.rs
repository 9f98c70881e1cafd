//! First visits, births, and every change of who lives where.

use sync_core::value::Value;

use crate::day::Day;
use crate::diary::Diary;
use crate::draw::{Draw, Matter};
use crate::entry::Puts;
use crate::family::{Household, Person, Stay};

/// People of at least this age have a background that is asked for.
const SCHOOL_AGE: i64 = 7;
/// At this age people sign for themselves.
const CONSENT_AGE: i64 = 14;

/// Writes down a household, its members, and what happens to them.
pub(crate) fn write(diary: &mut Diary<'_>, household: &Household) {
    let mut draw = diary.draw(Matter::Register, household);
    let puts = first_visit(diary, &mut draw, household);
    let record = household.record;
    diary.write(household.visited, household.keeper, record, puts);
    for person in household.recorded() {
        let puts = person_puts(&mut draw, household, person);
        let day = person.registered;
        diary.write(day, household.keeper, person.record, puts);
        if day > household.visited {
            write_numbers(diary, household, day);
        }
        for stay in person.stays.iter().filter(|stay| stay.since > day) {
            write_stay(diary, &mut draw, household, person, stay);
        }
    }
    if let Some(gone) = household.gone {
        let mut puts = Puts::default();
        puts.at("household")
            .set("residence_status", "5")
            .set("status_since", gone);
        let day = gone.plus(draw.within(3, 40));
        diary.write(day, household.keeper, record, puts);
    }
}

fn first_visit(diary: &Diary<'_>, draw: &mut Draw, household: &Household) -> Puts {
    let place = diary.place;
    let (all, female) = household.residents(household.visited);
    let registered = match household.status {
        "2" => 0,
        _ => household
            .members
            .iter()
            .filter(|person| person.born <= household.visited)
            .count(),
    };
    let phone = draw.percent(75).then(|| Value::Text(draw.phone()));
    let km = draw.within(0, 60);
    let mut puts = Puts::default();
    let at = puts
        .at("household")
        .set("household_no", household.number().as_str())
        .set("area_type", place.area())
        .set("residence_status", household.status)
        .set("resident_population", all)
        .set("resident_female", female)
        .set(
            "registered_population",
            i64::try_from(registered).unwrap_or(0),
        )
        .set("main_camp", place.camp())
        .set_if("distance_to_gacha_km", place.pastoral().then_some(km))
        .set_if("phone", phone);
    if let Some(head) = household.members.first() {
        at.set("head_name", head.name.as_str())
            .set("head_sex", sex(head));
    }
    puts
}

fn sex(person: &Person) -> &'static str {
    if person.female { "2" } else { "1" }
}

fn person_puts(draw: &mut Draw, household: &Household, person: &Person) -> Puts {
    let mut puts = Puts::default();
    let day = person.registered;
    let age = person.born.age(day);
    papers(draw, person, age, &mut puts);
    background(draw, person, age, &mut puts);
    for stay in person.stays.iter().filter(|stay| stay.since <= day) {
        residence(&mut puts, household, person, stay);
    }
    consent(draw, household, person, age, &mut puts);
    puts
}

fn papers(draw: &mut Draw, person: &Person, age: i64, puts: &mut Puts) {
    let at = puts
        .at("identity")
        .set("name", person.name.as_str())
        .set("sex", sex(person));
    // A few are written down before anybody has seen their papers.
    let (unseen, undated) = (draw.permille(4), draw.permille(4));
    let certificate = age < 3 && draw.percent(60);
    let phone = (age >= 16 && draw.percent(70)).then(|| Value::Text(draw.phone()));
    let at = match certificate {
        true => at.set("id_type", "03"),
        false => at.set("id_type", "01"),
    };
    let number = (!certificate && !unseen && !undated).then_some(person.id_no.as_str());
    at.set_if("id_no", number)
        .set_if("birth_date", (!undated).then_some(person.born))
        .set_if("phone", phone);
}

fn background(draw: &mut Draw, person: &Person, age: i64, puts: &mut Puts) {
    if age < SCHOOL_AGE {
        return;
    }
    let level = match age {
        0..=12 => "80",
        13..=15 => "70",
        16..=18 => draw.code(&[("60", 65), ("40", 35)]),
        19..=24 => draw.code(&[("70", 12), ("60", 20), ("40", 18), ("30", 25), ("20", 25)]),
        25..=39 => draw.code(&[
            ("80", 4),
            ("70", 36),
            ("60", 18),
            ("40", 12),
            ("30", 17),
            ("20", 12),
            ("10", 1),
        ]),
        40..=64 => draw.code(&[
            ("90", 4),
            ("80", 30),
            ("70", 42),
            ("60", 14),
            ("40", 6),
            ("30", 4),
        ]),
        _ => draw.code(&[("90", 38), ("80", 42), ("70", 16), ("60", 4)]),
    };
    let unschooled = level == "90";
    let literate = !unschooled || draw.percent(25);
    puts.at("background")
        .set("education_level", level)
        .set("never_schooled", unschooled)
        .set("marital_status", person.marital)
        .set("literate", literate);
}

fn residence(puts: &mut Puts, household: &Household, person: &Person, stay: &Stay) {
    puts.new_item("residence", &stay.item, "01")
        .set("since", stay.since)
        .set("status", stay.status)
        .set("household", household.record.to_string().as_str())
        .set("relation_to_head", person.relation);
}

fn consent(draw: &mut Draw, household: &Household, person: &Person, age: i64, puts: &mut Puts) {
    let adult = household
        .members
        .iter()
        .find(|other| other.born.age(person.registered) >= 18);
    let guardian = adult.filter(|_| age < CONSENT_AGE);
    let way = match guardian {
        Some(_) => "3",
        None => draw.code(&[("1", 70), ("2", 10), ("4", 20)]),
    };
    let purposes: &[&str] = match person.female && age >= CONSENT_AGE {
        true => &["1", "2", "3"],
        false => &["1"],
    };
    puts.new_item("consent", &draw.item(), "01")
        .set("given_on", person.registered)
        .tick("purpose", purposes.iter().copied())
        .set("way", way)
        .set_if("guardian", guardian.map(|adult| adult.name.as_str()));
}

/// Somebody left, came back, or died: the cadre hears of it some weeks later.
fn write_stay(
    diary: &mut Diary<'_>,
    draw: &mut Draw,
    household: &Household,
    person: &Person,
    stay: &Stay,
) {
    let day = stay.since.plus(draw.within(5, 45));
    let mut puts = Puts::default();
    residence(&mut puts, household, person, stay);
    if stay.status == "6" {
        puts.at("identity").set("deceased_on", stay.since);
    }
    diary.visit(draw, household, day, person.record, puts);
    write_numbers(diary, household, day);
    if stay.status == "6" {
        write_widowed(diary, household, person, day);
    }
}

/// Who lives in a household now, as numbers.
fn write_numbers(diary: &mut Diary<'_>, household: &Household, day: Day) {
    let (all, female) = household.residents(day);
    let mut puts = Puts::default();
    puts.at("household")
        .set("resident_population", all)
        .set("resident_female", female);
    // One hand keeps a household's numbers: two that count apart would leave them contradicting.
    diary.write(day, household.keeper, household.record, puts);
}

/// A couple's death makes a widow or widower, and a head's makes another head.
fn write_widowed(diary: &mut Diary<'_>, household: &Household, dead: &Person, day: Day) {
    let other = match dead.relation {
        "0" => "1",
        "1" => "0",
        _ => return,
    };
    let mut left = household
        .members
        .iter()
        .filter(|person| person.died.is_none_or(|died| died > day) && person.registered < day);
    let spouse = left.clone().find(|person| person.relation == other);
    if let Some(spouse) = spouse {
        let mut puts = Puts::default();
        puts.at("background").set("marital_status", "30");
        diary.write(day, household.keeper, spouse.record, puts);
    }
    let head = spouse.or_else(|| left.find(|person| person.born.age(day) >= 18));
    if let Some(head) = head.filter(|_| dead.relation == "0") {
        let mut puts = Puts::default();
        puts.at("household")
            .set("head_name", head.name.as_str())
            .set("head_sex", sex(head));
        diary.write(day, household.keeper, household.record, puts);
    }
}
