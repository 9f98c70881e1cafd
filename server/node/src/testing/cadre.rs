//! Cadre who writes about women and households.

use std::collections::BTreeMap;

use sync_core::batch::{Batch, Entry};
use sync_core::group::IdNumber;
use sync_core::id::{RecordId, Subject};
use sync_core::record::RecordState;
use sync_core::value::{Key, Value};

use super::{NOON, Phone, TestServer};

/// A device that writes into one space and sees nothing of what others write there.
pub struct Cadre {
    /// Her device.
    pub phone: Phone,
    states: BTreeMap<RecordId, RecordState>,
    last: Option<Batch>,
}

impl Cadre {
    /// A cadre of a space, on the device of this seed.
    pub async fn of(station: &TestServer, seed: u8, space: &str) -> Self {
        Self {
            phone: Phone::enrolled(station, seed, space).await,
            states: BTreeMap::new(),
            last: None,
        }
    }

    /// Writes into a record and exchanges.
    pub async fn writes(&mut self, station: &TestServer, record: RecordId, puts: &[(&str, Value)]) {
        let puts: Vec<(Key, Value)> = puts
            .iter()
            .map(|(key, value)| (Key::parse(key).unwrap(), value.clone()))
            .collect();
        let before = self.states.remove(&record).unwrap_or_default();
        let device = self.phone.device();
        let written = before.write(device, before.heads(), &puts, NOON).unwrap();
        let Some((change, state)) = written else {
            self.states.insert(record, before);
            return;
        };
        self.states.insert(record, state);
        let seq = self.last.as_ref().map_or(1, |last| last.header.seq + 1);
        let prev: Vec<&Batch> = self.last.iter().collect();
        let batch = self.phone.batch(seq, &prev, vec![Entry { record, change }]);
        self.phone.exchange(station, &[&batch]).await;
        self.last = Some(batch);
    }
}

/// A person's record by a number.
pub fn person(name: u8) -> RecordId {
    RecordId::draw(Subject::Person, 1, [name; 10])
}

/// A household's record by a number.
pub fn household(name: u8) -> RecordId {
    RecordId::draw(Subject::Household, 1, [name; 10])
}

/// A valid ID number that nobody has.
pub fn id_number(serial: u8) -> String {
    let stem = format!("99999919850520{serial:02}2");
    let numbers = "0123456789X".chars().map(|check| format!("{stem}{check}"));
    let mut valid = numbers.filter(|number| IdNumber::parse(number).is_some());
    valid.next().unwrap()
}

/// What makes a woman of screening age count in a unit since a day.
pub fn woman(number: &str, since: &str, household: RecordId) -> Vec<(&'static str, Value)> {
    vec![
        ("identity.name", text("其其格")),
        ("identity.sex", text("2")),
        ("identity.birth_date", text("1985-05-20")),
        ("identity.id_no", text(number)),
        ("residence#home.since", text(since)),
        ("residence#home.status", text("1")),
        ("residence#home.household", text(&household.to_string())),
    ]
}

fn text(text: &str) -> Value {
    Value::from(text)
}
