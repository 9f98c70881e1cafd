//! The rounds of cancer screening: who is on a list, who comes, who is asked why not.

use crate::day::Day;
use crate::diary::Diary;
use crate::draw::{Draw, Matter};
use crate::entry::{At, Puts};
use crate::family::{Household, Person};

/// Ages that are invited.
const AGES: std::ops::RangeInclusive<i64> = 35..=64;
/// The first round.
const FIRST_ROUND: i64 = 2021;
/// Years after which a breast screening is due again.
const BREAST_YEARS: i64 = 2;
/// Where the programme screens.
const PLACES: [&str; 3] = ["旗妇幼保健所", "苏木镇卫生院", "流动筛查车"];
/// Where people go by themselves.
const ELSEWHERE: [&str; 3] = ["旗医院", "盟中心医院", "外地医院"];

/// Writes the rounds of a household's women.
pub(crate) fn write(diary: &mut Diary<'_>, household: &Household) {
    let mut draw = diary.draw(Matter::Screening, household);
    for person in household.recorded().filter(|person| person.female) {
        let mut known = Known::default();
        for round in FIRST_ROUND..=diary.until().year() {
            Round {
                household,
                person,
                round,
            }
            .write(diary, &mut draw, &mut known);
        }
    }
}

/// When what was found is out of date, by year.
#[derive(Default)]
struct Known {
    cervix_due: i64,
    breast_due: i64,
}

/// One woman's round.
struct Round<'a> {
    household: &'a Household,
    person: &'a Person,
    round: i64,
}

impl Round<'_> {
    fn write(&self, diary: &mut Diary<'_>, draw: &mut Draw, known: &mut Known) {
        let pastoral = diary.place.pastoral();
        let (round, person) = (self.round, self.person);
        let told = draw
            .day_of(round, 4, 5)
            .max(self.household.visited.plus(draw.within(3, 20)));
        let came = told.plus(draw.within(15, 95));
        let listed = draw.percent(if pastoral { 48 } else { 34 });
        let comes = draw.percent(coming(round, pastoral));
        let alone = draw.percent(4);
        let invited = AGES.contains(&person.born.age(Day::of(round, 12, 31)));
        let here = person.resident(told) && person.resident(came);
        let breast = known.breast_due <= round;
        let cervix = known.cervix_due <= round;
        if !invited || !here || told <= person.registered || !(breast || cervix) {
            return;
        }
        let cancers = [("B", breast), ("C", cervix)];
        let due = || cancers.iter().filter(|(_, due)| *due).map(|(of, _)| *of);
        let method = match alone && !listed {
            true => "UNK",
            false => self.cervical_method(draw),
        };
        if listed {
            let mut puts = Puts::default();
            for cancer in due() {
                self.begin(&mut puts, cancer, true).set("notified_on", told);
            }
            diary.visit(draw, self.household, told, person.record, puts);
        }
        if listed && !comes {
            self.ask(diary, draw, told, cancers[usize::from(!breast)].0);
            return;
        }
        if !listed && !alone {
            return;
        }
        let mut puts = Puts::default();
        for cancer in due() {
            self.screened(draw, &mut puts, cancer, (came, listed, method));
        }
        let heard = came.plus(draw.within(0, 25));
        diary.visit(draw, self.household, heard, person.record, puts);
        if breast {
            known.breast_due = round + BREAST_YEARS;
        }
        if cervix {
            known.cervix_due = round
                + if method == "HPV" || method == "HPV_TCT" {
                    5
                } else {
                    3
                };
        }
    }

    fn item(&self, cancer: &str) -> String {
        format!("{cancer}-{}", self.round)
    }

    fn begin<'p>(&self, puts: &'p mut Puts, cancer: &'static str, listed: bool) -> At<'p> {
        let source = if listed { "03" } else { "02" };
        puts.new_item("screening", &self.item(cancer), source)
            .set("cancer", cancer)
            .set("round", self.round.to_string().as_str())
            .set("on_target_list", listed)
    }

    /// The test for the virus takes over from cytology.
    fn cervical_method(&self, draw: &mut Draw) -> &'static str {
        let newer = (20 + 14 * (self.round - FIRST_ROUND)).min(85);
        draw.code(&[("HPV", newer), ("TCT", 95 - newer), ("HPV_TCT", 5)])
    }

    fn screened(
        &self,
        draw: &mut Draw,
        puts: &mut Puts,
        cancer: &'static str,
        (came, listed, method): (Day, bool, &'static str),
    ) {
        let breast = draw.code(&[("CBE_US", 70), ("US", 25), ("MG", 5)]);
        let breast = if method == "UNK" { "UNK" } else { breast };
        let payer = draw.code(&[("3", 50), ("2", 30), ("4", 20)]);
        let place = draw.pick(if listed { &PLACES } else { &ELSEWHERE });
        let proof = match method {
            "UNK" => "3",
            _ => draw.code(&[("1", 85), ("2", 15)]),
        };
        let at = match listed {
            true => puts.at_item("screening", &self.item(cancer)),
            false => self.begin(puts, cancer, false),
        };
        let at = at
            .set("screened_on", came)
            .set_if("place", place)
            .set("payer", if listed { "1" } else { payer })
            .set("proof", proof);
        match cancer {
            "C" => at.set("cervical_method", method),
            _ => at.set("breast_method", breast),
        };
    }

    /// Some who did not come are asked why.
    fn ask(&self, diary: &mut Diary<'_>, draw: &mut Draw, told: Day, cancer: &str) {
        let asked = draw.percent(35);
        let day = told.plus(draw.within(100, 160));
        let state = draw.code(&[("2", 55), ("1", 8), ("3", 12), ("6", 10), ("7", 15)]);
        let next = day.plus(draw.within(30, 120));
        if !asked || !self.person.resident(day) {
            return;
        }
        let follows = matches!(state, "1" | "2" | "3");
        let mut puts = Puts::default();
        puts.new_item("screening_contact", &draw.item(), "02")
            .set("contact_on", day)
            .set("cancer", cancer)
            .set("round", self.round.to_string().as_str())
            .set("follow_up_state", state)
            .set_if("next_due", follows.then_some(next))
            .set_if(
                "lost_reason",
                (state == "6").then_some("电话停机，邻居不知去向"),
            );
        diary.visit(draw, self.household, day, self.person.record, puts);
    }
}

/// How many in 100 come when they are called.
fn coming(round: i64, pastoral: bool) -> i64 {
    let begin = if pastoral { 46 } else { 40 };
    (begin + 6 * (round - FIRST_ROUND)).min(90)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use plan::Package;
    use sync_core::value::Value;

    use super::*;
    use crate::diary;
    use crate::family::households;
    use crate::life;
    use crate::names::Names;
    use crate::recording_unit::places;

    /// Women in 100 of the ages that are invited who live in 20 嘎查 at the end of a year, and whose
    /// last cervical screening still counts by the rules of the plan.
    fn screened(year: i64) -> usize {
        let package = Package::builtin();
        let names = Names::new();
        let until = Day::of(year, 12, 31);
        let (mut women, mut count) = (0, 0);
        let places = places(&package, 45_000, 1);
        for place in places.iter().filter(|place| place.pastoral()).take(20) {
            let mut last = BTreeMap::new();
            for entry in diary::write(1, place, &names, until).entries {
                for (key, value) in entry.puts.0 {
                    if let (true, Value::Text(text)) = (key.starts_with("screening#C"), value)
                        && key.ends_with(".cervical_method")
                    {
                        let round: i64 = key[12..16].parse().unwrap();
                        let years = if text.starts_with("HPV") { 5 } else { 3 };
                        last.insert(entry.record, round + years);
                    }
                }
            }
            let mut households = households(1, place, &names);
            for household in &mut households {
                life::live(1, place, household, year);
                let invited = |of: &&Person| of.female && AGES.contains(&of.born.age(until));
                for woman in household.recorded().filter(invited) {
                    let here = woman.resident(until);
                    women += usize::from(here);
                    let counts = last.get(&woman.record).is_some_and(|due| *due > year);
                    count += usize::from(here && counts);
                }
            }
        }
        count * 100 / women
    }

    #[test]
    fn more_women_are_screened_in_time_over_the_years_up_to_about_seven_in_ten() {
        let rates: Vec<usize> = (2021..=2026).map(screened).collect();
        // Cytology of the first round is out of date after three years: a small step back.
        assert!(
            rates[0] < rates[1] && rates[1] < rates[3] && rates[3] < rates[5],
            "{rates:?}"
        );
        assert!((15..35).contains(&rates[0]), "{rates:?}");
        assert!((60..78).contains(&rates[5]), "{rates:?}");
    }
}
