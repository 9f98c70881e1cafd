//! Playback of a unit's years on its phones.

use sync_core::enrol::EnrolmentLink;
use sync_core::value::{Key, Value};

use crate::day::Day;
use crate::diary::{self, Written};
use crate::entry::Entry;
use crate::family::FIRST_VISITS;
use crate::names::Names;
use crate::oddities::APART_DAYS;
use crate::phone::{Enrolling, Phone, PhoneError};
use crate::recording_unit::RecordingUnit;
use crate::{Banner, Counts, SampleError, SampleOptions};

/// Days between two exchanges of a phone that has something to send.
const EXCHANGE_DAYS: i64 = 122;
/// Who wrote fewer edits than this waits longer: a journey to where there is signal should be worth
/// it.
const EDITS_WORTH: usize = 12;
/// At the latest after so many days everybody exchanges.
const EXCHANGE_DAYS_MAX: i64 = 300;
/// Days of the first exchange after the enrolment.
const FIRST_DAYS: i64 = 60;
/// Days between the exchanges of two phones of a unit.
const TURN_DAYS: i64 = 3;
/// Seconds between two edits of a day on one phone.
const EDIT_SECONDS: i64 = 240;
/// A day's work begins so many seconds before noon.
const MORNING_SECONDS: i64 = 3 * 3600;

/// Records a unit: enrols its phones, writes its diary on them, and exchanges a few times a year.
/// `step` hears how many of how many entries are done.
pub(crate) fn unit<B: Banner>(
    banner: &B,
    options: &SampleOptions,
    place: &RecordingUnit<'_>,
    names: &Names,
    step: &mut dyn FnMut(usize, usize),
) -> Result<Counts, SampleError<B::Error>> {
    let until = Day::at(options.until);
    let Written {
        entries,
        people,
        households,
        records,
    } = diary::write(options.seed, place, names, until);
    let mut desk = Playback {
        banner,
        until,
        phones: Vec::new(),
        counts: Counts {
            people,
            households,
            phones: place.phones,
            records,
            ..Counts::default()
        },
    };
    for number in 0..place.phones {
        desk.enrol(options, place, number)?;
    }
    let total = entries.len();
    for (done, entry) in entries.into_iter().enumerate() {
        desk.exchanges_before(entry.day)?;
        desk.write(entry)?;
        step(done + 1, total);
    }
    desk.settle()?;
    Ok(desk.counts)
}

/// The phones of a unit.
struct Playback<'a, B: Banner> {
    banner: &'a B,
    until: Day,
    phones: Vec<PlayedPhone>,
    counts: Counts,
}

/// A phone, and when it exchanges.
struct PlayedPhone {
    phone: Phone,
    /// The day after which it may exchange again.
    rests_until: Day,
    /// Edits since the last exchange.
    unsent: usize,
    /// The moment of its last step, Unix seconds.
    clock: i64,
}

impl PlayedPhone {
    /// The day of the next exchange, as far as that is known.
    fn due(&self) -> Day {
        match self.unsent {
            EDITS_WORTH.. => self.rests_until,
            _ => self.rests_until.plus(EXCHANGE_DAYS_MAX - EXCHANGE_DAYS),
        }
    }

    /// The time of the next step: in the morning of `day`, or `seconds` after the step before.
    fn pass(&mut self, day: Day, seconds: i64) -> i64 {
        self.clock = (self.clock + seconds).max(day.noon() - MORNING_SECONDS);
        self.clock
    }
}

impl<B: Banner> Playback<'_, B> {
    fn enrol(
        &mut self,
        options: &SampleOptions,
        place: &RecordingUnit<'_>,
        number: usize,
    ) -> Result<(), SampleError<B::Error>> {
        let day = FIRST_VISITS.0.plus(-7).min(self.until);
        let banner = |error| SampleError::Banner(error);
        let name = format!("{} 手机{}", place.unit.name, number + 1);
        let link: EnrolmentLink = self.banner.code(place.unit, &name).map_err(banner)?;
        // Devices of two seeds are different ones, so a server may hold both.
        let device = options.seed.wrapping_mul(1 << 20) + place.number * 16 + number as u64;
        let enrolling = Enrolling::new(&link, device);
        let answer = self.banner.enrol(enrolling.request()).map_err(banner)?;
        let phone = enrolling.finish(day.noon(), &answer)?;
        let turn = i64::try_from(number).unwrap_or_default() * TURN_DAYS;
        self.phones.push(PlayedPhone {
            phone,
            rests_until: day.plus(FIRST_DAYS + turn),
            unsent: 0,
            clock: day.noon(),
        });
        Ok(())
    }

    /// The exchanges that are due before a day's edits. In the last weeks nobody exchanges before
    /// all do ([`Self::settle`]).
    fn exchanges_before(&mut self, day: Day) -> Result<(), SampleError<B::Error>> {
        let last = self.until.plus(-3 * APART_DAYS);
        for at in 0..self.phones.len() {
            while let Some(due) = self.phones.get(at).map(PlayedPhone::due)
                && due < day.min(last)
            {
                self.exchange(at, due)?;
            }
        }
        Ok(())
    }

    fn write(&mut self, entry: Entry) -> Result<(), SampleError<B::Error>> {
        let Some(kept) = self.phones.get_mut(entry.phone) else {
            return Ok(());
        };
        let puts: Result<Vec<(Key, Value)>, _> = entry
            .puts
            .0
            .into_iter()
            .map(|(key, value)| match Key::parse(&key) {
                Ok(key) => Ok((key, value)),
                Err(_) => Err(SampleError::Key(key)),
            })
            .collect();
        let now = kept.pass(entry.day, EDIT_SECONDS);
        let changes = kept.phone.save(now, entry.record, puts?)?;
        kept.unsent += changes;
        self.counts.edits += usize::from(changes > 0);
        Ok(())
    }

    /// Everybody exchanges, and all but the last once more, until all hold the same.
    fn settle(&mut self) -> Result<(), SampleError<B::Error>> {
        for _ in 0..2 {
            for at in 0..self.phones.len() {
                self.exchange(at, self.until)?;
            }
        }
        Ok(())
    }

    fn exchange(&mut self, at: usize, day: Day) -> Result<(), SampleError<B::Error>> {
        let banner = self.banner;
        let post = &mut |body: &[u8]| banner.exchange(body).map_err(SampleError::Banner);
        if let Some(kept) = self.phones.get_mut(at) {
            let now = kept.pass(day, 0);
            self.counts.batches += kept.phone.sync(now, post)?;
            kept.unsent = 0;
            kept.rests_until = day.plus(EXCHANGE_DAYS);
        }
        Ok(())
    }
}

impl<E> From<PhoneError> for SampleError<E> {
    fn from(error: PhoneError) -> Self {
        Self::Phone(error)
    }
}
