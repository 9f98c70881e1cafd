//! Cadres: made-up data on its way into phones.

use harness::Phone;
use sample::people::id_number;

use super::drawn::Dice;
use super::{Household, Woman, text};

/// Somebody who records: on either phone, and of who is registered twice at either entry.
pub(super) struct Cadres {
    pub(super) phones: [Phone; 2],
    pub(super) dice: Dice,
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

    pub(super) fn meet(&self) {
        for phone in self.phones.iter().chain(&self.phones) {
            phone.sync();
        }
    }

    /// A new household, empty of observations.
    pub(super) fn add_household(&self, number: usize, of: &Household) -> String {
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

    pub(super) fn observe(&mut self, id: &str, of: &Household) {
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
    pub(super) fn add_woman(&self, number: usize, of: &Woman) -> Vec<String> {
        let born = text(of.born);
        let mut sets = vec![
            "identity.name=其其格".to_owned(),
            format!("identity.sex={}", if of.female { 2 } else { 1 }),
            format!("identity.birth_date={born}"),
        ];
        let twice = of.female && number.is_multiple_of(2);
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

    pub(super) fn record(&mut self, ids: &[String], of: &Woman, homes: &[String]) {
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
