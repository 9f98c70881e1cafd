//! Events of the years: young people leave and come back, husbands work elsewhere, people die,
//! households move away.

use crate::day::Day;
use crate::draw::{Draw, Matter};
use crate::family::{Household, Spell};
use crate::recording_unit::RecordingUnit;

/// Absences begin between these days.
const SPELLS: (Day, Day) = (Day::of(2019, 6, 1), Day::of(2026, 9, 30));
/// From so many days on an absence is a residence of its own (CL-RESID 3, half a year).
const AWAY_DAYS: i64 = 183;

/// Lives through the years up to the end of `last_year`. A year's events follow from the draws up to
/// it, so they are the same however long the life goes on.
pub(crate) fn live(
    seed: u64,
    place: &RecordingUnit<'_>,
    household: &mut Household,
    last_year: i64,
) {
    let mut draw = Draw::of(seed, Matter::Life, place.number, household.index);
    absences(&mut draw, place, household);
    for year in household.visited.year()..=last_year {
        let begin = Day::of(year, 1, 10).max(household.visited.plus(30));
        let end = Day::of(year, 12, 20);
        for at in 0..household.members.len() {
            death(&mut draw, household, at, (begin, end));
            leave_or_return(&mut draw, household, at, year);
        }
        // Who is still to be born here keeps the others from moving.
        let all_born = household.members.iter().all(|of| of.registered < begin);
        if draw.permille(8) && all_born && year > household.visited.year() {
            move_away(&mut draw, household, (begin, end));
            return;
        }
    }
}

fn absences(draw: &mut Draw, place: &RecordingUnit<'_>, household: &mut Household) {
    let [head, spouse, ..] = &household.members[..] else {
        return;
    };
    let young = head.born.age(household.visited) < 60;
    let married = spouse.relation == "1";
    let often = if place.pastoral() { 26 } else { 7 };
    if !(married && young && draw.percent(often)) {
        return;
    }
    let (wife, husband) = if head.female { (0, 1) } else { (1, 0) };
    let mut since = draw.day(SPELLS.0, SPELLS.1);
    loop {
        let (shortest, longest) =
            draw.code(&[((50, 170), 20), ((190, 400), 40), ((400, 1500), 40)]);
        let days = draw.within(shortest, longest);
        let ended = since.plus(days);
        household.spells.push(Spell { wife, since, ended });
        if days >= AWAY_DAYS {
            let status = household.status;
            household.members[husband].stay(draw, since, "3");
            household.members[husband].stay(draw, ended, status);
        }
        since = ended.plus(draw.within(90, 600));
        if since > SPELLS.1 || !draw.percent(45) {
            return;
        }
    }
}

fn death(draw: &mut Draw, household: &mut Household, at: usize, (begin, end): (Day, Day)) {
    let alone = household.members.len() == 1;
    let person = &mut household.members[at];
    let often = match person.born.age(end) {
        0..=39 => 1,
        40..=59 => 3,
        60..=74 => 14,
        _ => 60,
    };
    let day = draw.day(begin, end);
    let dies = draw.permille(often) && !alone;
    if !dies || person.died.is_some() || !person.resident(day) || day <= person.registered {
        return;
    }
    person.died = Some(day);
    person.stay(draw, day, "6");
}

fn leave_or_return(draw: &mut Draw, household: &mut Household, at: usize, year: i64) {
    let status = household.status;
    let person = &mut household.members[at];
    let day = draw.day_of(year, 8, 10);
    let (leaves, returns) = (draw.percent(24), draw.percent(9));
    let child = matches!(person.relation, "2" | "3");
    if !child || person.died.is_some() || day <= person.registered {
        return;
    }
    let age = person.born.age(day);
    let here = person.resident(day);
    if here && leaves && (18..=24).contains(&age) {
        person.stay(draw, day, "3");
    } else if !here && returns && (22..=38).contains(&age) {
        person.stay(draw, day, status);
    }
}

fn move_away(draw: &mut Draw, household: &mut Household, (begin, end): (Day, Day)) {
    let day = draw.day(begin, end);
    household.gone = Some(day);
    household.spells.retain(|spell| spell.since < day);
    for person in &mut household.members {
        person.stays.retain(|stay| stay.since < day);
        person.died = person.died.filter(|died| *died < day);
        if person.died.is_none() && person.registered < day {
            person.stay(draw, day, "5");
        }
    }
}
