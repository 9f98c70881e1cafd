//! The indicators of the built-in plan, counted by hand: made-up households and women are recorded on
//! two phones, and every figure of every year is held against plain Rust that was written from the
//! plan's sentences and knows nothing of its expressions.

mod cadres;
mod drawn;

use std::collections::BTreeSet;

use harness::{Phone, Server};

use self::cadres::Cadres;
use self::drawn::Dice;
use super::figures::{Figures, at_banner};

/// 阿日哈夏图嘎查 of 别力古台镇.
const GACHA: &str = "152522100200";

/// Year, month, day.
type Day = (i32, i32, i32);

fn text((year, month, day): Day) -> String {
    format!("{year:04}-{month:02}-{day:02}")
}

/// So many months later, or the last day of that month if it has no such day.
fn after((year, month, day): Day, months: i32) -> Day {
    let months = year * 12 + month - 1 + months;
    let (year, month) = (months.div_euclid(12), months.rem_euclid(12) + 1);
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let length = match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    (year, month, day.min(length))
}

/// Whether something of a day still counts: from that day on, for so many months.
fn counts(day: Day, months: i32, on: Day) -> bool {
    day <= on && on < after(day, months)
}

struct Household {
    pastoral: bool,
    lived_in: bool,
    people: i64,
    water: Vec<Water>,
    toilet: Vec<Toilet>,
}

struct Water {
    on: Day,
    at_main_camp: bool,
    source: &'static str,
    users: i64,
}

struct Toilet {
    on: Day,
    at_main_camp: bool,
    kind: &'static str,
    /// Walls and a roof, tight, clean, emptied and treated: yes, no, not asked.
    standing: [Option<bool>; 4],
}

struct Woman {
    female: bool,
    born: Day,
    died: Option<Day>,
    /// Since when, as what, in which household.
    lives: Vec<(Day, &'static str, usize)>,
    screened: Vec<Screening>,
    /// Since when, until when her husband is away.
    alone: Vec<(Day, Option<Day>)>,
    needs: Vec<(Day, Vec<&'static str>)>,
    services: Vec<(Day, &'static str)>,
}

struct Screening {
    cancer: char,
    round: i32,
    on_list: bool,
    on: Day,
    method: Option<&'static str>,
}

/// Numerator, denominator, unknown.
type Cell = [i64; 3];

const NOBODY: Cell = [0, 0, 0];

fn rate(reached: bool) -> Cell {
    [i64::from(reached), 1, 0]
}

impl Household {
    /// Whom it stands for in the figures of the pastoral area.
    fn counted(&self) -> bool {
        self.pastoral && self.lived_in
    }

    fn tap_water(&self, end: Day) -> Cell {
        let observed = self
            .water
            .iter()
            .filter(|w| w.at_main_camp && counts(w.on, 24, end));
        match observed.max_by_key(|w| w.on) {
            _ if !self.counted() => NOBODY,
            None => [0, 0, self.people],
            Some(water) if ["01", "02"].contains(&water.source) => [water.users, self.people, 0],
            Some(_) => [0, self.people, 0],
        }
    }

    fn sanitary_toilet(&self, end: Day) -> Cell {
        let observed = self
            .toilet
            .iter()
            .filter(|t| t.at_main_camp && counts(t.on, 24, end));
        let Some(toilet) = observed.max_by_key(|t| t.on).filter(|_| self.counted()) else {
            return [0, 0, i64::from(self.counted())];
        };
        let fit = ("01".."09").contains(&toilet.kind);
        // One "no" decides, whatever was not asked.
        if !fit || toilet.standing.contains(&Some(false)) {
            return rate(false);
        }
        match toilet.standing.contains(&None) {
            true => [0, 0, 1],
            false => rate(true),
        }
    }
}

impl Woman {
    fn residence(&self, end: Day) -> Option<&(Day, &'static str, usize)> {
        let begun = self.lives.iter().filter(|(since, ..)| *since <= end);
        begun.max_by_key(|(since, ..)| *since)
    }

    fn resident(&self, end: Day) -> bool {
        let living = self.died.is_none_or(|died| died > end);
        living
            && self
                .residence(end)
                .is_some_and(|(_, status, _)| ["1", "2", "4"].contains(status))
    }

    /// Where nothing had begun yet, by the latest that is known.
    fn pastoral(&self, end: Day, households: &[Household]) -> bool {
        let latest = self.lives.iter().max_by_key(|(since, ..)| *since);
        let residence = self.residence(end).or(latest);
        residence.is_some_and(|(_, _, home)| households[*home].pastoral)
    }

    fn of_screening_age(&self, end: Day) -> bool {
        let birthday_to_come = (end.1, end.2) < (self.born.1, self.born.2);
        let age = end.0 - self.born.0 - i32::from(birthday_to_come);
        self.female && self.resident(end) && (35..=64).contains(&age)
    }

    fn screening_rate(&self, cancer: char, end: Day) -> Cell {
        let months = |screening: &Screening| match (cancer, screening.method) {
            ('B', _) => 24,
            (_, Some("HPV" | "HPV_TCT")) => 60,
            _ => 36,
        };
        let of_cancer = self.screened.iter().filter(|s| s.cancer == cancer);
        let valid = of_cancer.filter(|s| counts(s.on, months(s), end)).count() > 0;
        match self.of_screening_age(end) {
            true => rate(valid),
            false => NOBODY,
        }
    }

    fn coverage(&self, cancer: char, end: Day, households: &[Household]) -> Cell {
        let listed = |s: &&Screening| s.cancer == cancer && s.on_list && s.round == end.0;
        let rounds: Vec<&Screening> = self.screened.iter().filter(listed).collect();
        match self.female && self.pastoral(end, households) && !rounds.is_empty() {
            true => rate(rounds.iter().any(|s| s.on <= end)),
            false => NOBODY,
        }
    }

    fn left_behind(&self, end: Day, households: &[Household]) -> bool {
        let alone = |(since, until): &(Day, Option<Day>)| {
            *since <= after(end, -6) && until.is_none_or(|until| until > end)
        };
        let here = self.female && self.resident(end) && self.pastoral(end, households);
        here && self.alone.iter().any(alone)
    }

    /// The needs of the latest assessment.
    fn assessed(&self, end: Day) -> Option<&Vec<&'static str>> {
        let made = self.needs.iter().filter(|(on, _)| *on <= end);
        made.max_by_key(|(on, _)| *on).map(|(_, needs)| needs)
    }

    fn in_need(&self, end: Day) -> Cell {
        match self.assessed(end) {
            None => [0, 0, 1],
            Some(needs) => rate(*needs != ["0"]),
        }
    }

    fn served(&self, end: Day) -> Cell {
        let in_year = |need: &str| {
            let mut services = self.services.iter().filter(|(on, _)| on.0 == end.0);
            services.any(|(_, kind)| *kind == need)
        };
        match self.assessed(end) {
            None => [0, 0, 1],
            Some(needs) if *needs == ["0"] => NOBODY,
            Some(needs) => rate(needs.iter().all(|need| in_year(need))),
        }
    }
}

/// Every figure of every year, zeros left out.
fn by_hand(households: &[Household], women: &[Woman]) -> Figures {
    let mut figures = Figures::new();
    for year in 2021..=2030 {
        let end = (year, 12, 31);
        let mut add = |indicator: &str, cell: Cell| {
            if cell != NOBODY {
                let sum = figures
                    .entry((indicator.to_owned(), year as u64))
                    .or_default();
                (0..3).for_each(|at| sum[at] += cell[at]);
            }
        };
        for household in households {
            add(
                "environment.pastoral-tap-water-rate",
                household.tap_water(end),
            );
            let toilet = household.sanitary_toilet(end);
            add("environment.pastoral-sanitary-toilet-rate", toilet);
        }
        for woman in women {
            add(
                "health.cervical-screening-rate",
                woman.screening_rate('C', end),
            );
            add(
                "health.breast-screening-rate",
                woman.screening_rate('B', end),
            );
            let coverage = woman.coverage('C', end, households);
            add("health.pastoral-cervical-screening-coverage", coverage);
            let coverage = woman.coverage('B', end, households);
            add("health.pastoral-breast-screening-coverage", coverage);
            if woman.left_behind(end, households) {
                add("social-security.left-behind-women", [1, 0, 0]);
                add(
                    "social-security.left-behind-women-in-need",
                    woman.in_need(end),
                );
                add("social-security.care-for-women-in-need", woman.served(end));
            }
        }
    }
    figures
}

#[test]
fn figures_of_made_up_people_equal_those_counted_by_hand() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::sample(&dir.path().join("banner"));
    let phone = |name: &str| Phone::enrolled(dir.path().join(name), &server, GACHA);
    // A seed by which every indicator is reached by some, and by some not or it is not known.
    let mut dice = Dice::of(2062);
    let households: Vec<Household> = (0..5).map(|_| dice.household()).collect();
    let women: Vec<Woman> = (0..8).map(|_| dice.woman(households.len())).collect();
    let phones = [phone("a"), phone("b")];
    let mut cadres = Cadres { phones, dice };

    let homes: Vec<String> = households
        .iter()
        .enumerate()
        .map(|(number, of)| cadres.add_household(number, of))
        .collect();
    let entries: Vec<Vec<String>> = women
        .iter()
        .enumerate()
        .map(|(number, of)| cadres.add_woman(number, of))
        .collect();
    cadres.meet();
    for (id, of) in homes.iter().zip(&households) {
        cadres.observe(id, of);
    }
    for (ids, of) in entries.iter().zip(&women) {
        cadres.record(ids, of, &homes);
    }
    cadres.meet();

    let expected = by_hand(&households, &women);
    assert_eq!(at_banner(&server, GACHA), expected);
    // Every indicator of the plan was put to the test, by somebody who reached it.
    let reached = expected.iter().filter(|(_, cell)| cell[0] > 0);
    let reached: BTreeSet<&String> = reached.map(|((indicator, _), _)| indicator).collect();
    let plan = plan::Package::builtin();
    let known: BTreeSet<&String> = plan.indicators.iter().map(|known| &known.key).collect();
    assert_eq!(reached, known);
    let verified = server.run(&["verify-cells"]).json();
    assert_eq!(verified["different"], 0, "{verified}");
}
