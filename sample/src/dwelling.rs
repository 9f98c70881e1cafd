//! Water and toilets, observed about once a year, better from year to year.

use crate::day::Day;
use crate::diary::Diary;
use crate::draw::{Draw, Matter};
use crate::entry::Puts;
use crate::family::Household;

/// Households in 100 that nobody looks at again after this year: their observations grow too old
/// to count, and the figures show them as unknown.
const FORGOTTEN: (i64, i64) = (4, 2023);

/// Writes the observations of a household.
pub(crate) fn write(diary: &mut Diary<'_>, household: &Household) {
    let mut draw = diary.draw(Matter::Dwelling, household);
    let forgotten = draw.percent(FORGOTTEN.0);
    let mut dwelling = Dwelling::found(&mut draw, diary.place.pastoral());
    for year in household.visited.year()..=diary.until().year() {
        let first = year == household.visited.year();
        let day = match first {
            true => household.visited,
            false => draw.day_of(year, 4, 10),
        };
        if !first {
            dwelling.improve(&mut draw, diary.place.pastoral(), day);
        }
        let looked_at = first || (draw.percent(80) && !(forgotten && year > FORGOTTEN.1));
        if household.gone.is_some_and(|gone| gone <= day) || !looked_at {
            continue;
        }
        let mut puts = Puts::default();
        let (users, _) = household.residents(day);
        dwelling.water(&mut draw, diary.place.camp(), day, users, &mut puts);
        // Toilets are looked at every other year.
        if first || (year + i64::try_from(household.index).unwrap_or_default()) % 2 == 0 {
            dwelling.toilet(&mut draw, diary.place.camp(), day, &mut puts);
        }
        diary.visit(&mut draw, household, day, household.record, puts);
    }
}

/// How a household lives.
struct Dwelling {
    /// Code of CL-WATER.
    water: &'static str,
    /// When that source came into use, if it is a better one than at first.
    water_improved: Option<Day>,
    /// Code of CL-TOILET.
    toilet: &'static str,
    toilet_built: Option<Day>,
    /// How far the water is, where it is not in the house.
    km: i64,
}

impl Dwelling {
    fn found(draw: &mut Draw, pastoral: bool) -> Self {
        let (water, toilet) = match pastoral {
            true => (
                draw.code(&[
                    ("02", 18),
                    ("03", 6),
                    ("04", 24),
                    ("05", 18),
                    ("06", 14),
                    ("07", 3),
                    ("08", 16),
                    ("09", 1),
                ]),
                draw.code(&[
                    ("01", 8),
                    ("06", 3),
                    ("07", 4),
                    ("08", 12),
                    ("09", 60),
                    ("00", 13),
                ]),
            ),
            false => (
                draw.code(&[("01", 90), ("03", 4), ("08", 6)]),
                draw.code(&[("06", 68), ("01", 5), ("10", 15), ("09", 12)]),
            ),
        };
        Self {
            water,
            water_improved: None,
            toilet,
            toilet_built: None,
            km: draw.within(1, 25),
        }
    }

    /// A year's works, done before `day`.
    fn improve(&mut self, draw: &mut Draw, pastoral: bool, day: Day) {
        let done = day.plus(-draw.within(20, 200));
        let (water, toilet) = (draw.permille(60), draw.permille(65));
        let tap = if pastoral { "02" } else { "01" };
        if water && !self.piped() {
            (self.water, self.water_improved) = (tap, Some(done));
        }
        if toilet && matches!(self.toilet, "00" | "09" | "10") {
            let built = if pastoral {
                &[("01", 45), ("08", 35), ("07", 20)]
            } else {
                &[("06", 90), ("01", 8), ("07", 2)]
            };
            (self.toilet, self.toilet_built) = (draw.code(built), Some(done));
        }
    }

    fn tapped(&self) -> bool {
        matches!(self.water, "01" | "02")
    }

    fn piped(&self) -> bool {
        self.tapped() || self.water == "04"
    }

    fn water(&self, draw: &mut Draw, camp: &str, day: Day, users: i64, puts: &mut Puts) {
        let far = !self.piped();
        let treatment = match self.piped() {
            true => draw.code(&[("0", 55), ("1", 35), ("4", 10)]),
            false => draw.code(&[("0", 75), ("1", 15), ("2", 10)]),
        };
        let works = draw.percent(88);
        let minutes = if far { self.km * 3 + 5 } else { 0 };
        let litres = match far {
            true => draw.within(15, 45),
            false => draw.within(35, 110),
        };
        let dry = match far {
            true => draw.within(0, 40),
            false => draw.within(0, 15),
        };
        let quality = draw.code(&[("1", 38), ("2", 5), ("3", 50), ("4", 7)]);
        let tested = day.plus(-draw.within(5, 300));
        let carrier = draw.code(&[("1", 70), ("2", 25), ("3", 5)]);
        puts.new_item("water", &draw.item(), "01")
            .set("observed_on", day)
            .set("camp", camp)
            .set("source", self.water)
            .set("users", users)
            .set_if("source_improved_on", self.water_improved)
            .set_if(
                "tap_connected_on",
                self.water_improved.filter(|_| self.tapped()),
            )
            .tick("treatment", [treatment])
            .set_if("treatment_working", (treatment != "0").then_some(works))
            .set("fetch_minutes", minutes)
            .set_if("one_way_km", far.then_some(self.km))
            .set_if("carrier", far.then_some(carrier))
            .set("litres_per_person_day", litres)
            .set("no_water_days", dry)
            .set("quality", quality)
            .set_if("tested_on", matches!(quality, "1" | "2").then_some(tested))
            .tick("quality_fail_items", (quality == "2").then_some("F"));
    }

    fn toilet(&self, draw: &mut Draw, camp: &str, day: Day, puts: &mut Puts) {
        let own = !matches!(self.toilet, "00" | "10");
        let good = own && self.toilet != "09";
        let mut well = |good_percent: i64, bad_percent: i64| {
            draw.percent(if good { good_percent } else { bad_percent })
        };
        let (walls, tight) = (well(99, 70), well(95, 12));
        let (clean, emptied) = (well(90, 30), well(91, 25));
        let used = draw.percent(if good { 93 } else { 99 });
        let why = draw.code(&[("1", 45), ("2", 20), ("3", 15), ("4", 15), ("9", 5)]);
        let shared = draw.percent(4);
        puts.new_item("toilet", &draw.item(), "01")
            .set("observed_on", day)
            .set("camp", camp)
            .set("type", self.toilet)
            .set_if("walls_roof", own.then_some(walls))
            .set_if("pit_tight", own.then_some(tight))
            .set_if("clean", own.then_some(clean))
            .set_if("emptied_treated", own.then_some(emptied))
            .set_if("in_use", (self.toilet != "00").then_some(used))
            .set_if(
                "not_in_use_reason",
                (self.toilet != "00" && !used).then_some(why),
            )
            .set_if("shared", own.then_some(shared))
            .set_if("built_on", self.toilet_built);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use plan::Package;
    use sync_core::value::Value;

    use crate::day::Day;
    use crate::diary;
    use crate::names::Names;
    use crate::recording_unit::places;

    /// People in 100 of the 嘎查 whose water is piped from works at the end of a year, and those of
    /// whom it is not known, by the rules of the plan: the latest observation of two years.
    fn tap_water(year: i64) -> (i64, i64) {
        let package = Package::builtin();
        let names = Names::new();
        let places = places(&package, 45_000, 1);
        let until = Day::of(year, 12, 31);
        let (mut tap, mut unknown, mut all) = (0, 0, 0);
        for place in places.iter().filter(|place| place.pastoral()).take(20) {
            let written = diary::write(1, place, &names, until);
            let mut latest = BTreeMap::new();
            for entry in &written.entries {
                let of = |field: &str| {
                    let named = |key: &str| key.starts_with("water#") && key.ends_with(field);
                    let mut puts = entry.puts.0.iter();
                    puts.find(|(key, _)| named(key)).map(|(_, value)| value)
                };
                let moved = ("household.residence_status".to_owned(), Value::from("5"));
                if entry.puts.0.contains(&moved) {
                    latest.remove(&entry.record);
                }
                let (source, users) = (of(".source"), of(".users"));
                if let (Some(Value::Text(source)), Some(Value::Int(users))) = (source, users) {
                    latest.insert(entry.record, (entry.day, source.clone(), *users));
                }
            }
            for (day, source, users) in latest.into_values() {
                all += users;
                match source.as_str() {
                    _ if until.since(day) > 730 => unknown += users,
                    "01" | "02" => tap += users,
                    _ => {}
                }
            }
        }
        (tap * 100 / (all - unknown), unknown * 100 / all)
    }

    #[test]
    fn tap_water_reaches_more_herders_every_year_and_of_a_few_it_is_not_known() {
        let first = tap_water(2021);
        let last = tap_water(2026);
        assert!((15..25).contains(&first.0) && first.1 == 0, "{first:?}");
        assert!(
            (35..46).contains(&last.0) && (1..8).contains(&last.1),
            "{last:?}"
        );
    }
}
