//! Which records are one person: a statement about their values, never a key.
//!
//! Records of one space with the same valid ID number form a group, shown and counted as one.
//! Correcting a number parts them again, and no value is lost. The function is symmetric and free
//! of order: every device that holds the same values shows the same groups (R34, R35).

use std::collections::{BTreeMap, BTreeSet};

use crate::id::RecordId;

/// The key whose value links records of persons.
pub const ID_NUMBER_KEY: &str = "identity.id_no";

/// One person, household or organisation as it is shown: the records that are it, ascending. The
/// first is the group's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    id: RecordId,
    members: BTreeSet<RecordId>,
}

impl Group {
    /// The group's name: its smallest record id.
    pub fn id(&self) -> RecordId {
        self.id
    }

    /// All records of the group, ascending.
    pub fn members(&self) -> impl Iterator<Item = RecordId> {
        self.members.iter().copied()
    }

    /// The records beside `record`.
    pub fn linked(&self, record: RecordId) -> Vec<RecordId> {
        self.members().filter(|member| *member != record).collect()
    }
}

/// Groups records by the ID numbers that they show. A record in conflict over its number belongs
/// with each of its values' records: parting them is a person's decision.
pub fn groups<'a>(records: impl IntoIterator<Item = (RecordId, Vec<&'a str>)>) -> Vec<Group> {
    let numbers = |(record, texts): (RecordId, Vec<&str>)| {
        let numbers = texts.into_iter().filter_map(IdNumber::parse);
        (record, numbers.collect::<Vec<_>>())
    };
    groups_by(records.into_iter().map(numbers))
}

/// Groups records by whatever stands for their valid ID numbers: the server's index has them blind.
pub fn groups_by<N: Ord>(records: impl IntoIterator<Item = (RecordId, Vec<N>)>) -> Vec<Group> {
    let mut groups: BTreeMap<RecordId, BTreeSet<RecordId>> = BTreeMap::new();
    let mut name_of: BTreeMap<RecordId, RecordId> = BTreeMap::new();
    let mut holder: BTreeMap<N, RecordId> = BTreeMap::new();
    for (record, numbers) in records {
        groups.insert(record, BTreeSet::from([record]));
        name_of.insert(record, record);
        for number in numbers {
            if let Some(other) = holder.get(&number).copied() {
                join(&mut groups, &mut name_of, record, other);
            } else {
                holder.insert(number, record);
            }
        }
    }
    groups
        .into_iter()
        .map(|(id, members)| Group { id, members })
        .collect()
}

fn join(
    groups: &mut BTreeMap<RecordId, BTreeSet<RecordId>>,
    name_of: &mut BTreeMap<RecordId, RecordId>,
    a: RecordId,
    b: RecordId,
) {
    let (Some(a), Some(b)) = (name_of.get(&a).copied(), name_of.get(&b).copied()) else {
        return;
    };
    let (first, second) = (a.min(b), a.max(b));
    if first == second {
        return;
    }
    let moved = groups.remove(&second).unwrap_or_default();
    for member in &moved {
        name_of.insert(*member, first);
    }
    groups.entry(first).or_default().extend(moved);
}

/// A valid 18-character ID number (GB 11643-1999) in its one spelling: digits, a real date of
/// birth, the check character of ISO 7064 MOD 11-2. The address part is not looked at: it says
/// where the number was issued.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct IdNumber(String);

impl IdNumber {
    /// The number, 18 characters.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Reads a number; a lower-case x is taken for the check character X.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim().to_ascii_uppercase();
        let bytes = text.as_bytes();
        if bytes.len() != 18 || !bytes[..17].iter().all(u8::is_ascii_digit) {
            return None;
        }
        const WEIGHTS: [u32; 17] = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
        let digits = bytes.iter().map(|digit| u32::from(digit - b'0'));
        let sum: u32 = digits
            .zip(WEIGHTS)
            .map(|(digit, weight)| digit * weight)
            .sum();
        let check = b"10X98765432"[(sum % 11) as usize];
        let number = Self(text);
        (number.0.as_bytes()[17] == check && crate::date::is_date(&number.birth_date()))
            .then_some(number)
    }

    /// The date of birth, `YYYY-MM-DD`. All 18 characters are ASCII, so slicing can't split one.
    pub fn birth_date(&self) -> String {
        format!("{}-{}-{}", &self.0[6..10], &self.0[10..12], &self.0[12..14])
    }

    /// Whether the number was given to a woman: its 17th digit is even.
    pub fn is_female(&self) -> bool {
        self.0.as_bytes()[16].is_multiple_of(2)
    }
}

impl std::fmt::Debug for IdNumber {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Personal data stays out of logs and panics.
        f.write_str("IdNumber(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::Subject;

    fn person(n: u8) -> RecordId {
        RecordId::draw(Subject::Person, i64::from(n), [n; 10])
    }

    #[test]
    fn published_examples_are_valid_and_a_changed_digit_is_not() {
        for number in [
            "11010519491231002X",
            "440524188001010014",
            "34052419800101001X",
        ] {
            assert!(IdNumber::parse(number).is_some(), "{number}");
        }
        let number = IdNumber::parse("11010519491231002x").unwrap();
        assert_eq!(number, IdNumber::parse("11010519491231002X").unwrap());
        assert_eq!(
            (number.birth_date().as_str(), number.is_female()),
            ("1949-12-31", true)
        );
        assert!(IdNumber::parse("110105194912310021").is_none());
        assert!(IdNumber::parse("11010519491331002X").is_none());
        assert!(IdNumber::parse("1101051949123100").is_none());
        assert!(IdNumber::parse("嘎查嘎查嘎查").is_none());
    }

    #[test]
    fn equal_numbers_make_one_group_and_a_correction_parts_it() {
        let number = "11010519491231002X";
        let all = groups([
            (person(2), vec![number]),
            (person(1), vec!["11010519491231002x"]),
            (person(3), vec![]),
        ]);
        assert_eq!(all.len(), 2);
        assert_eq!(all[0].id(), person(1));
        assert_eq!(all[0].linked(person(1)), [person(2)]);
        let parted = groups([
            (person(2), vec!["440524188001010014"]),
            (person(1), vec![number]),
        ]);
        assert_eq!(parted.len(), 2);
    }

    #[test]
    fn groups_do_not_depend_on_the_order_of_records() {
        let a = "11010519491231002X";
        let b = "440524188001010014";
        let records = [
            (person(1), vec![a]),
            (person(2), vec![b]),
            (person(3), vec![a, b]),
        ];
        let mut reversed = records.clone();
        reversed.reverse();
        assert_eq!(groups(records), groups(reversed));
    }

    #[test]
    fn an_invalid_number_links_nothing() {
        assert_eq!(
            groups([(person(1), vec!["123"]), (person(2), vec!["123"])]).len(),
            2
        );
    }
}
