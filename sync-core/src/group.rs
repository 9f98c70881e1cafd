//! Groups: records that are one person, by their values and never by a key.
//!
//! Records of one unit with the same valid ID number, and records of which somebody said that they
//! are the same ([`crate::link`]), form a group, shown and counted as one; records of which somebody
//! said that they are not never stand in one. Correcting a number or taking a statement back parts
//! or joins them again, and no value is lost. The function is symmetric and free of order: every
//! device that holds the same values shows the same groups (R34, R35).
//!
//! Ties may contradict each other: A is said not to be C, and both share numbers with B. What people
//! said goes before what numbers say, the smaller records before the greater ones, and a tie that
//! would bring a parted pair together is *cut*: it ties nothing, and somebody is asked to look at it.

use std::collections::{BTreeMap, BTreeSet};

use crate::id::RecordId;
use crate::link::{Link, Statement};

pub use crate::link::IDENTITY;

/// The key whose value links records of persons.
pub const ID_NUMBER_KEY: &str = "identity.id_no";

/// What speaks for and against a record being the same person as others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ties<N> {
    /// The valid ID numbers that it shows, or what stands for them.
    pub numbers: Vec<N>,
    /// What was said of it and records with greater ids.
    pub links: Vec<Link>,
}

impl<N> Default for Ties<N> {
    fn default() -> Self {
        Self {
            numbers: Vec::new(),
            links: Vec::new(),
        }
    }
}

/// Two records, the smaller one first.
type Pair = (RecordId, RecordId);

/// One person, household or organisation as it is shown: the records that are it, ascending. The
/// first is the group's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    id: RecordId,
    members: BTreeSet<RecordId>,
    /// Pairs of members that are one person in spite of what differs in this field.
    despite: BTreeSet<(&'static str, Pair)>,
    /// Records of other groups that are said not to be one of these.
    parted: BTreeSet<RecordId>,
    /// Ties to records of other groups that are cut, by their smaller records.
    cut: BTreeSet<Pair>,
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

    /// Whether a record is one of the group's.
    pub fn has(&self, record: RecordId) -> bool {
        self.members.contains(&record)
    }

    /// The records beside `record`.
    pub fn linked(&self, record: RecordId) -> Vec<RecordId> {
        self.members().filter(|member| *member != record).collect()
    }

    /// The records of which somebody said that they are not one of these.
    pub fn parted(&self) -> impl Iterator<Item = RecordId> {
        self.parted.iter().copied()
    }

    /// Pairs, one of this group, that are tied and can't be one person, since others of their groups
    /// are said not to be: each stands with the group of its smaller record.
    pub fn cut(&self) -> impl Iterator<Item = (RecordId, RecordId)> {
        self.cut.iter().copied()
    }

    /// Whether the values that the records show of an identity field speak of several persons:
    /// different ones, unless somebody confirmed the pair in spite of that.
    pub fn differs<V: PartialEq>(
        &self,
        field: &str,
        values: impl IntoIterator<Item = (RecordId, V)>,
    ) -> bool {
        let mut different: Vec<V> = Vec::new();
        let mut shown: BTreeMap<RecordId, usize> = BTreeMap::new();
        for (record, value) in values {
            let known = different.iter().position(|other| *other == value);
            shown.insert(record, known.unwrap_or(different.len()));
            if known.is_none() {
                different.push(value);
            }
        }
        // Each value's place, or that of one with which it was confirmed.
        let mut one_with: Vec<usize> = (0..different.len()).collect();
        for (_, (a, b)) in self.despite.iter().filter(|(of, _)| *of == field) {
            let places = shown.get(a).zip(shown.get(b));
            let ends = places.and_then(|(a, b)| Some((*one_with.get(*a)?, *one_with.get(*b)?)));
            if let Some((a, b)) = ends {
                let joined = one_with.iter_mut().filter(|place| **place == b);
                joined.for_each(|place| *place = a);
            }
        }
        one_with.windows(2).any(|pair| pair[0] != pair[1])
    }
}

/// Groups records by what ties and parts them. The numbers may be blind: only their being equal
/// counts. A record in conflict over its number belongs with each of its values' records: parting
/// them is a person's decision.
pub fn groups_by<N: Ord>(records: impl IntoIterator<Item = (RecordId, Ties<N>)>) -> Vec<Group> {
    let mut numbers: BTreeMap<RecordId, BTreeSet<N>> = BTreeMap::new();
    let mut links: BTreeMap<Pair, Link> = BTreeMap::new();
    for (record, ties) in records {
        let shown = numbers.entry(record).or_default();
        shown.extend(ties.numbers);
        let pairs = ties
            .links
            .into_iter()
            .map(|link| ((record, link.other), link));
        links.extend(pairs);
    }
    links.retain(|(_, other), _| numbers.contains_key(other));
    let of = |statement| {
        let pairs = links
            .iter()
            .filter(move |(_, link)| link.statement == Some(statement));
        pairs.map(|(pair, _)| *pair).collect::<BTreeSet<Pair>>()
    };
    let (same, parted) = (of(Statement::Same), of(Statement::NotSame));
    let gathered = gather(&numbers, &same, &parted);

    let mut groups: Vec<Group> = gathered.into_iter().filter_map(Group::of).collect();
    if links.is_empty() {
        return groups;
    }
    let places: BTreeMap<RecordId, usize> = { groups.iter().enumerate() }
        .flat_map(|(at, group)| group.members.iter().map(move |member| (*member, at)))
        .collect();
    for ((a, b), link) in &links {
        let (Some(&at), Some(&to)) = (places.get(a), places.get(b)) else {
            continue;
        };
        if at == to
            && let Some(group) = groups.get_mut(at)
        {
            let confirmed = link.despite.iter().map(|field| (*field, (*a, *b)));
            group.despite.extend(confirmed);
        }
        if link.statement == Some(Statement::NotSame) {
            for (at, other) in [(at, b), (to, a)] {
                groups.get_mut(at).map(|group| group.parted.insert(*other));
            }
        }
    }
    for (a, b) in cut(&numbers, &same, &parted, &places) {
        if let Some(group) = places.get(&a).and_then(|at| groups.get_mut(*at)) {
            group.cut.insert((a, b));
        }
    }
    groups
}

impl Group {
    fn of(members: BTreeSet<RecordId>) -> Option<Self> {
        Some(Self {
            id: *members.first()?,
            members,
            despite: BTreeSet::new(),
            parted: BTreeSet::new(),
            cut: BTreeSet::new(),
        })
    }
}

/// The ties between records of different groups that nobody parted: pairs that are said to be the
/// same, and of groups in which the same number is shown one pair.
fn cut<N: Ord>(
    numbers: &BTreeMap<RecordId, BTreeSet<N>>,
    same: &BTreeSet<Pair>,
    parted: &BTreeSet<Pair>,
    places: &BTreeMap<RecordId, usize>,
) -> BTreeSet<Pair> {
    let mut holders: BTreeMap<&N, BTreeMap<usize, Vec<RecordId>>> = BTreeMap::new();
    // Without a parted pair everything that is tied is together.
    for (record, shown) in numbers.iter().filter(|_| !parted.is_empty()) {
        let Some(place) = places.get(record) else {
            continue;
        };
        for number in shown {
            let of_number = holders.entry(number).or_default();
            of_number.entry(*place).or_default().push(*record);
        }
    }
    let apart = |(a, b): &&Pair| places.get(a) != places.get(b);
    let mut cut: BTreeSet<Pair> = same.iter().filter(apart).copied().collect();
    for groups in holders.values() {
        for (place, of_group) in groups {
            for (_, of_other) in groups.range(place + 1..) {
                let pairs = of_group
                    .iter()
                    .flat_map(|a| of_other.iter().map(|b| (*a.min(b), *a.max(b))));
                cut.extend({ pairs }.find(|pair| !parted.contains(pair)));
            }
        }
    }
    cut
}

/// Gathers what belongs together: what is said to be the same, then what shows a number in common,
/// the smaller first, but never so that a parted pair comes together. Each lot is named by its
/// first; they come ascending.
pub fn gather<K: Ord + Clone, N: Ord>(
    numbers: &BTreeMap<K, BTreeSet<N>>,
    same: &BTreeSet<(K, K)>,
    parted: &BTreeSet<(K, K)>,
) -> Vec<BTreeSet<K>> {
    let mut gathering = Gathering::of(numbers.keys(), parted);
    for (a, b) in same {
        gathering.join(a, b);
    }
    // Of each number one bearer of every lot so far.
    let mut bearers: BTreeMap<&N, BTreeSet<K>> = BTreeMap::new();
    for (each, shown) in numbers {
        let bear = |number| bearers.get(number).into_iter().flatten();
        let mut before = BTreeSet::new();
        for bearer in shown.iter().flat_map(bear) {
            before.extend(gathering.first(bearer).cloned());
        }
        for lot in &before {
            gathering.join(lot, each);
        }
        for number in shown {
            let of_number = bearers.entry(number).or_default();
            of_number.insert(each.clone());
            let firsts = of_number
                .iter()
                .filter_map(|bearer| gathering.first(bearer));
            *of_number = firsts.cloned().collect();
        }
    }
    gathering.lots.into_values().collect()
}

/// Lots on their way to be whole.
struct Gathering<K> {
    /// By their first.
    lots: BTreeMap<K, BTreeSet<K>>,
    first: BTreeMap<K, K>,
    /// Of whom a lot is parted, by its first; lots of nobody are left out.
    parted: BTreeMap<K, BTreeSet<K>>,
}

impl<K: Ord + Clone> Gathering<K> {
    fn of<'k>(all: impl Iterator<Item = &'k K>, pairs: &BTreeSet<(K, K)>) -> Self
    where
        K: 'k,
    {
        let mut gathering = Self {
            lots: BTreeMap::new(),
            first: BTreeMap::new(),
            parted: BTreeMap::new(),
        };
        for each in all {
            let alone = BTreeSet::from([each.clone()]);
            gathering.lots.insert(each.clone(), alone);
            gathering.first.insert(each.clone(), each.clone());
        }
        for (a, b) in pairs {
            for (one, other) in [(a, b), (b, a)] {
                let parted = gathering.parted.entry(one.clone()).or_default();
                parted.insert(other.clone());
            }
        }
        gathering
    }

    fn first(&self, each: &K) -> Option<&K> {
        self.first.get(each)
    }

    /// Makes one lot of two, unless a pair of them is parted.
    fn join(&mut self, a: &K, b: &K) {
        let (Some(a), Some(b)) = (self.first(a).cloned(), self.first(b).cloned()) else {
            return;
        };
        let (first, second) = if a < b { (a, b) } else { (b, a) };
        if first == second || self.are_parted(&first, &second) {
            return;
        }
        let moved = self.lots.remove(&second).unwrap_or_default();
        for each in &moved {
            self.first.insert(each.clone(), first.clone());
        }
        self.lots.entry(first.clone()).or_default().extend(moved);
        if let Some(parted) = self.parted.remove(&second) {
            self.parted.entry(first).or_default().extend(parted);
        }
    }

    fn are_parted(&self, a: &K, b: &K) -> bool {
        let parted = self.parted.get(a).zip(self.lots.get(b));
        parted.is_some_and(|(parted, lot)| !parted.is_disjoint(lot))
    }
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
mod tests;
