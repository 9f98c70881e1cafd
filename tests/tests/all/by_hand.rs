//! The indicators of the built-in plan, counted by hand: made-up households and women are recorded on
//! two phones, and every figure of every year is held against plain Rust that was written from the
//! plan's sentences and knows nothing of its expressions.

use std::collections::{BTreeMap, BTreeSet};

use ortoo_tests::harness::{Phone, Server};
use ortoo_tests::people::id_number;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

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

struct Dice(ChaCha8Rng);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0.next_u32() as usize % limit
    }

    fn one_of<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }

    fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    /// Days of different years, ascending, at the borders of months as often as not.
    fn days(&mut self, most: usize) -> Vec<Day> {
        let mut years: BTreeMap<i32, Day> = BTreeMap::new();
        for _ in 0..self.below(most + 1) {
            let year = 2019 + self.below(7) as i32;
            let month = 1 + self.below(12) as i32;
            let last = after((year, month, 31), 0).2;
            let day = self.one_of(&[1, 15, last]);
            years.insert(year, (year, month, day));
        }
        years.into_values().collect()
    }

    fn household(&mut self) -> Household {
        let people = 1 + self.below(8) as i64;
        let water = self.days(3).into_iter().map(|on| Water {
            on,
            at_main_camp: !self.once_in(4),
            source: self.one_of(&["01", "02", "04", "06"]),
            users: self.below(people as usize + 1) as i64,
        });
        let water = water.collect();
        let toilet = self.days(3).into_iter().map(|on| Toilet {
            on,
            at_main_camp: !self.once_in(4),
            kind: self.one_of(&["01", "06", "08", "01", "09"]),
            standing: [(); 4].map(|()| match self.below(12) {
                0 => None,
                1 => Some(false),
                _ => Some(true),
            }),
        });
        let toilet = toilet.collect();
        Household {
            pastoral: !self.once_in(6),
            lived_in: !self.once_in(5),
            people,
            water,
            toilet,
        }
    }

    fn woman(&mut self, households: usize) -> Woman {
        let first = (2018, 1 + self.below(12) as i32, 1);
        let mut lives = vec![(
            first,
            self.one_of(&["1", "1", "2", "4"]),
            self.below(households),
        )];
        for since in self.days(2) {
            let status = self.one_of(&["1", "2", "3", "4", "5"]);
            lives.push((since, status, self.below(households)));
        }
        let mut screened = Vec::new();
        for cancer in ['C', 'B'] {
            screened.extend(self.days(4).into_iter().map(|on| Screening {
                cancer,
                // Some come late for their round.
                round: on.0 - i32::from(self.once_in(4)),
                on_list: !self.once_in(3),
                on,
                method: self.one_of(&[None, Some("TCT"), Some("HPV"), Some("HPV_TCT")]),
            }));
        }
        // One item for a round: two in one would be one screening.
        screened.sort_by_key(|s: &Screening| (s.cancer, s.round));
        screened.dedup_by_key(|s| (s.cancer, s.round));
        let alone = self.days(2).into_iter().map(|since| {
            let months = 1 + self.below(60) as i32;
            let until = Some(after(since, months)).filter(|until| until.0 < 2026);
            (since, until)
        });
        let alone = alone.collect();
        let needs = self.days(3).into_iter().map(|on| {
            let needs = [vec!["0"], vec!["02"], vec!["02", "03"]];
            (on, needs[self.below(3)].clone())
        });
        let needs = needs.collect();
        let mut services: Vec<_> = self.days(6).into_iter().map(|on| (on, "02")).collect();
        services.extend(self.days(6).into_iter().map(|on| (on, "03")));
        Woman {
            female: !self.once_in(8),
            born: (1955 + self.below(38) as i32, 1 + self.below(12) as i32, 15),
            died: self.days(1).first().copied().filter(|_| self.once_in(5)),
            lives,
            screened,
            alone,
            needs,
            services,
        }
    }
}

/// Somebody who records: on either phone, and of who is registered twice at either entry.
struct Cadres {
    phones: [Phone; 2],
    dice: Dice,
}

impl Cadres {
    fn item(&mut self, ids: &[String], section: &str, sets: &[(&str, String)]) {
        let phone = self.dice.below(2);
        let id = &ids[self.dice.below(ids.len())];
        let sets: Vec<String> = sets
            .iter()
            .map(|(key, value)| format!("{key}={value}"))
            .collect();
        let mut args = vec!["item", id, section];
        sets.iter().for_each(|set| args.extend(["--set", set]));
        self.phones[phone].ok(&args);
    }

    fn meet(&self) {
        for phone in self.phones.iter().chain(&self.phones) {
            phone.sync();
        }
    }

    /// A new household, empty of observations.
    fn add_household(&self, number: usize, of: &Household) -> String {
        let sets = [
            format!("household.household_no={number:04}"),
            format!("household.area_type={}", if of.pastoral { 1 } else { 2 }),
            format!(
                "household.residence_status={}",
                if of.lived_in { 1 } else { 3 }
            ),
            format!("household.resident_population={}", of.people),
            "household.main_camp=1".to_owned(),
        ];
        self.phones[0].add("household", &sets.each_ref().map(String::as_str))
    }

    fn observe(&mut self, id: &str, of: &Household) {
        let ids = [id.to_owned()];
        let camp = |main: bool| if main { "1" } else { "2" }.to_owned();
        for water in &of.water {
            let sets = [
                ("observed_on", text(water.on)),
                ("camp", camp(water.at_main_camp)),
                ("source", water.source.to_owned()),
                ("users", water.users.to_string()),
            ];
            self.item(&ids, "water", &sets);
        }
        for toilet in &of.toilet {
            let mut sets = vec![
                ("observed_on", text(toilet.on)),
                ("camp", camp(toilet.at_main_camp)),
                ("type", toilet.kind.to_owned()),
            ];
            let fields = ["walls_roof", "pit_tight", "clean", "emptied_treated"];
            let known = fields.into_iter().zip(toilet.standing);
            sets.extend(known.filter_map(|(field, is)| Some((field, is?.to_string()))));
            self.item(&ids, "toilet", &sets);
        }
    }

    /// A new person, registered at both phones if she has a number that tells.
    fn add_woman(&self, number: usize, of: &Woman) -> Vec<String> {
        let born = text(of.born);
        let mut sets = vec![
            "identity.name=其其格".to_owned(),
            format!("identity.sex={}", if of.female { 2 } else { 1 }),
            format!("identity.birth_date={born}"),
        ];
        let twice = of.female && number % 2 == 0;
        if twice {
            let number = id_number(&born.replace('-', ""), 100 + 2 * number as u32);
            sets.extend([
                "identity.id_type=01".to_owned(),
                format!("identity.id_no={number}"),
            ]);
        }
        sets.extend(
            of.died
                .map(|died| format!("identity.deceased_on={}", text(died))),
        );
        let sets: Vec<&str> = sets.iter().map(String::as_str).collect();
        let phones = self.phones.iter().take(if twice { 2 } else { 1 });
        phones.map(|phone| phone.add("person", &sets)).collect()
    }

    fn record(&mut self, ids: &[String], of: &Woman, homes: &[String]) {
        for (since, status, home) in &of.lives {
            let sets = [
                ("since", text(*since)),
                ("status", (*status).to_owned()),
                ("household", homes[*home].clone()),
            ];
            self.item(ids, "residence", &sets);
        }
        for screening in &of.screened {
            let mut sets = vec![
                ("cancer", screening.cancer.to_string()),
                ("round", screening.round.to_string()),
                ("on_target_list", screening.on_list.to_string()),
                ("screened_on", text(screening.on)),
            ];
            let method = screening.method.filter(|_| screening.cancer == 'C');
            sets.extend(method.map(|method| ("cervical_method", method.to_owned())));
            self.item(ids, "screening", &sets);
        }
        for (since, until) in &of.alone {
            let mut sets = vec![("since", text(*since)), ("reason", "1".to_owned())];
            sets.extend(until.map(|until| ("ended_on", text(until))));
            self.item(ids, "spouse_away", &sets);
        }
        for (on, needs) in &of.needs {
            let sets = [("assessed_on", text(*on)), ("needs", needs.join(","))];
            self.item(ids, "care_needs", &sets);
        }
        for (on, kind) in &of.services {
            let sets = [("given_on", text(*on)), ("type", (*kind).to_owned())];
            self.item(ids, "service", &sets);
        }
    }
}

#[test]
fn figures_of_made_up_people_equal_those_counted_by_hand() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::sample(&dir.path().join("banner"));
    let phone = |name: &str| Phone::enrolled(dir.path().join(name), &server, GACHA);
    // A seed by which every indicator is reached by some, and by some not or it is not known.
    let mut dice = Dice(ChaCha8Rng::seed_from_u64(2062));
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
