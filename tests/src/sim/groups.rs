//! Groups held against the rules themselves (R34), by code that finds none of its own but knows a
//! wrong one when it sees it.

use std::collections::{BTreeMap, BTreeSet};

use sync_core::group::Group;
use sync_core::id::{Class, RecordId, Space, Subject};
use sync_core::record::RecordState;
use sync_core::replica::Replica;
use sync_core::show;
use sync_core::value::{Key, Value};

use super::oracle::{Checked, require};

/// A record of a person as the server has it: the numbers that it shows, and what shows under its
/// keys about others.
struct Person {
    numbers: BTreeSet<String>,
    said: BTreeMap<RecordId, String>,
}

/// What ties two records, or parts them.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Tie {
    Tied,
    Parted,
    Nothing,
}

fn person(state: &RecordState) -> Person {
    let mut person = Person {
        numbers: BTreeSet::new(),
        said: BTreeMap::new(),
    };
    for (key, slot) in state.view().iter() {
        if key.as_str() == "identity.id_no" {
            let texts = slot.values().filter_map(|written| written.value.as_text());
            // Every number that the users type is a valid one.
            person.numbers.extend(texts.map(str::to_owned));
        }
        if let (Some(other), Value::Text(said)) = (other(key), slot.winner()) {
            person.said.insert(other, said.clone());
        }
    }
    person
}

fn other(key: &Key) -> Option<RecordId> {
    let text = key.as_str().strip_prefix("same#")?;
    text.strip_suffix(".state")?.parse().ok()
}

fn tie(persons: &BTreeMap<RecordId, Person>, a: RecordId, b: RecordId) -> Tie {
    // Something may be said of a record that shows nothing here yet, in other classes alone.
    let (first, second) = (persons.get(&a.min(b)), persons.get(&a.max(b)));
    let said = first.and_then(|first| first.said.get(&a.max(b)));
    let apart = |(one, other): (&Person, &Person)| one.numbers.is_disjoint(&other.numbers);
    match said.map(String::as_str) {
        Some("not_same") => Tie::Parted,
        Some("same") => Tie::Tied,
        _ if first.zip(second).is_none_or(apart) => Tie::Nothing,
        _ => Tie::Tied,
    }
}

/// Whether the groups that a phone shows of a unit are what the server's states of the space say.
pub(super) fn check(
    name: &str,
    replica: &Replica,
    space: &Space,
    states: &BTreeMap<RecordId, &RecordState>,
) -> Checked {
    if space.class != Class::General {
        return Ok(());
    }
    let persons = states.iter();
    let persons = persons.filter(|(record, _)| record.subject == Subject::Person);
    let persons: BTreeMap<RecordId, Person> = persons
        .map(|(record, state)| (*record, person(state)))
        .collect();
    let groups = show::groups(replica, space.unit(), Subject::Person);
    let say = |what: &str| format!("{name}, {}: {what}: {groups:#?}", space.unit());
    let mut seen = BTreeSet::new();
    for group in &groups {
        let fresh = group.members().all(|member| seen.insert(member));
        require("R34", fresh, || say("a record is in two groups"))?;
        let first = group.members().next();
        require("R35", first == Some(group.id()), || say("a group's name"))?;
        check_inside(&persons, group, &say)?;
    }
    let all = persons.keys().all(|record| seen.contains(record));
    require("R34", all, || say("a record is in no group"))?;
    for (at, one) in groups.iter().enumerate() {
        for other in groups.iter().skip(at + 1) {
            check_between(&persons, one, other, &say)?;
        }
    }
    Ok(())
}

/// Everybody in a group is tied to the first, at least through others, and nobody is parted.
fn check_inside(
    persons: &BTreeMap<RecordId, Person>,
    group: &Group,
    say: &dyn Fn(&str) -> String,
) -> Checked {
    let members: Vec<RecordId> = group.members().collect();
    for (at, one) in members.iter().enumerate() {
        let others = members.iter().skip(at + 1);
        let parted = others
            .into_iter()
            .any(|other| tie(persons, *one, *other) == Tie::Parted);
        require("R34", !parted, || say("two who were parted are one"))?;
    }
    let mut reached = vec![group.id()];
    let mut left: Vec<RecordId> = group.linked(group.id());
    while let Some(one) = reached.pop() {
        let (near, far): (Vec<_>, Vec<_>) = left
            .into_iter()
            .partition(|other| tie(persons, one, *other) == Tie::Tied);
        left = far;
        reached.extend(near);
    }
    require("R34", left.is_empty(), || {
        say("nothing ties these together")
    })
}

/// What ties two groups is cut, because somebody was parted; and then it is said to be.
fn check_between(
    persons: &BTreeMap<RecordId, Person>,
    one: &Group,
    other: &Group,
    say: &dyn Fn(&str) -> String,
) -> Checked {
    let pairs = || {
        one.members()
            .flat_map(|a| other.members().map(move |b| (a, b)))
    };
    let is = |wanted: Tie| pairs().any(|(a, b)| tie(persons, a, b) == wanted);
    let told = one
        .cut()
        .chain(other.cut())
        .any(|(a, b)| pairs().any(|pair| pair == (a, b) || pair == (b, a)));
    require("R34", !is(Tie::Tied) || is(Tie::Parted), || {
        say("two groups are tied and not one")
    })?;
    require("R36", is(Tie::Tied) == told, || {
        say("a tie is cut and nobody is told, or told for nothing")
    })
}
