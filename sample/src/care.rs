//! Care of women whose husbands are away: needs, visits, and what is done.

use crate::day::Day;
use crate::diary::Diary;
use crate::draw::{Draw, Matter};
use crate::entry::Puts;
use crate::family::{Household, Person, Spell};

/// Writes what is recorded of the absences of a household's husband.
pub(crate) fn write(diary: &mut Diary<'_>, household: &Household) {
    let mut draw = diary.draw(Matter::Care, household);
    for spell in &household.spells {
        let Some(wife) = household.members.get(spell.wife) else {
            continue;
        };
        let known = spell.since.plus(draw.within(10, 60)).max(wife.registered);
        // What is over when she is first visited is not asked for.
        let over = spell.ended <= wife.registered || !wife.resident(known);
        let left = household.gone.into_iter().chain(wife.died).min();
        if over || left.is_some_and(|left| left <= known) {
            continue;
        }
        let ended = left.map_or(spell.ended, |left| left.min(spell.ended));
        let case = Case {
            household,
            wife,
            spell,
            known,
            ended,
            ends_with: match (left.is_some_and(|left| left <= spell.ended), wife.died) {
                (false, _) => "1",
                (true, Some(died)) if died == ended => "6",
                (true, _) => "5",
            },
            item: draw.item(),
        };
        case.begin(diary, &mut draw);
        case.years(diary, &mut draw);
        case.end(diary, &mut draw);
    }
}

/// One absence as the register follows it.
struct Case<'a> {
    household: &'a Household,
    wife: &'a Person,
    spell: &'a Spell,
    /// When the cadre hears of it.
    known: Day,
    ended: Day,
    /// Code of CL-CLOSE.
    ends_with: &'static str,
    /// The item of the absence.
    item: String,
}

impl Case<'_> {
    fn begin(&self, diary: &mut Diary<'_>, draw: &mut Draw) {
        let back = self.spell.since.plus(draw.within(240, 700));
        let disability = draw.code(&[("00", 94), ("64", 4), ("61", 1), ("62", 1)]);
        let mut puts = Puts::default();
        puts.new_item("spouse_away", &self.item, "01")
            .set("since", self.spell.since)
            .set("reason", draw.code(&[("1", 76), ("2", 20), ("9", 4)]))
            .set(
                "destination",
                draw.code(&[("1", 30), ("2", 30), ("3", 22), ("4", 16), ("5", 2)]),
            )
            .set("expected_back", back);
        puts.at("condition")
            .set("disability", disability)
            .set("serious_illness", draw.percent(5));
        diary.visit(draw, self.household, self.known, self.wife.record, puts);
    }

    /// An assessment each year, visits, and what is done about her needs.
    fn years(&self, diary: &mut Diary<'_>, draw: &mut Draw) {
        let last = self.ended.min(diary.until()).year();
        for year in self.known.year()..=last {
            let assessed = self.known.plus(7).max(draw.day_of(year, 2, 4));
            let needs = self.assess(diary, draw, assessed);
            self.serve(diary, draw, year, assessed, &needs);
            let mut visit = assessed.plus(draw.within(60, 120));
            while visit.year() == year {
                self.service(diary, draw, visit, "00");
                visit = visit.plus(draw.within(90, 230));
            }
        }
    }

    fn assess(&self, diary: &mut Diary<'_>, draw: &mut Draw, day: Day) -> Vec<&'static str> {
        let mut needs: Vec<&'static str> = Vec::new();
        if draw.percent(70) {
            for (code, percent) in [("01", 8), ("02", 38), ("03", 26), ("04", 34), ("05", 16)] {
                if draw.percent(percent) {
                    needs.push(code);
                }
            }
        }
        if day > self.ended {
            return Vec::new();
        }
        let living = || self.household.members.iter().filter(|of| of.resident(day));
        let children = |from: i64, to: i64| {
            let of_age = living().filter(|of| (from..=to).contains(&of.born.age(day)));
            i64::try_from(of_age.filter(|of| matches!(of.relation, "2" | "3")).count())
                .unwrap_or_default()
        };
        let old = living().filter(|of| of.relation == "5").count();
        let difficulty = draw
            .percent(30)
            .then(|| {
                draw.pick(&[
                    "牲畜接羔期人手不足",
                    "离苏木较远，看病不便",
                    "孩子在旗里上学需陪读",
                    "饲草料费用高",
                ])
            })
            .flatten();
        let takes_part = draw.code(&[("1", 25), ("2", 30), ("4", 35), ("5", 10)]);
        let none = needs.is_empty().then_some("0");
        let mut puts = Puts::default();
        puts.new_item("care_needs", &draw.item(), "01")
            .set("assessed_on", day)
            .set("children_under_6", children(0, 5))
            .set("children_6_15", children(6, 15))
            .set("elderly_cared", i64::try_from(old).unwrap_or_default())
            .set("disabled_cared", 0)
            .tick("needs", needs.iter().copied().chain(none))
            .set_if("difficulty", difficulty)
            .tick("participation", [takes_part])
            .set("responsible", diary.cadre(self.household));
        diary.visit(draw, self.household, day, self.wife.record, puts);
        needs
    }

    /// Needs that are served in the year: more from year to year.
    fn serve(
        &self,
        diary: &mut Diary<'_>,
        draw: &mut Draw,
        year: i64,
        assessed: Day,
        needs: &[&'static str],
    ) {
        for need in needs {
            let day = assessed.plus(draw.within(20, 180));
            if draw.percent((48 + 8 * (year - 2021)).min(90)) {
                self.service(diary, draw, day, need);
            }
        }
    }

    fn service(&self, diary: &mut Diary<'_>, draw: &mut Draw, day: Day, kind: &'static str) {
        let visit = kind == "00";
        let provider = match kind {
            "00" => "1",
            "01" => "4",
            "04" => draw.code(&[("7", 60), ("2", 40)]),
            "05" => draw.code(&[("6", 60), ("2", 40)]),
            _ => draw.code(&[("1", 30), ("2", 40), ("8", 30)]),
        };
        let outcome = draw.code(&[("1", 55), ("2", 30), ("3", 6), ("4", 4), ("5", 5)]);
        let next = day.plus(draw.within(80, 180));
        if day > self.ended {
            return;
        }
        let mut puts = Puts::default();
        puts.new_item("service", &draw.item(), "01")
            .set("given_on", day)
            .set("type", kind)
            .set("provider", provider)
            .set_if("outcome", (!visit).then_some(outcome))
            .set_if("referred_to", (!visit && outcome == "3").then_some("3"))
            .set_if("next_due", visit.then_some(next));
        diary.visit(draw, self.household, day, self.wife.record, puts);
    }

    fn end(&self, diary: &mut Diary<'_>, draw: &mut Draw) {
        let mut puts = Puts::default();
        puts.at_item("spouse_away", &self.item)
            .set("ended_on", self.ended)
            .set("end_reason", self.ends_with);
        let day = self.known.max(self.ended).plus(draw.within(3, 40));
        diary.visit(draw, self.household, day, self.wife.record, puts);
    }
}
