//! Households and women made up at random: the days at the borders of months, some things unknown.

use std::collections::BTreeMap;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use super::{Day, Household, Screening, Toilet, Water, Woman, after};

/// Draws from a seed.
pub(super) struct Dice(ChaCha8Rng);

impl Dice {
    pub(super) fn of(seed: u64) -> Self {
        Self(ChaCha8Rng::seed_from_u64(seed))
    }

    pub(super) fn below(&mut self, limit: usize) -> usize {
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

    pub(super) fn household(&mut self) -> Household {
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

    pub(super) fn woman(&mut self, households: usize) -> Woman {
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
