use super::*;
use crate::id::Subject;

fn person(n: u8) -> RecordId {
    RecordId::draw(Subject::Person, i64::from(n), [n; 10])
}

/// Persons, each with the numbers that it shows.
fn shown(records: &[(u8, &[&'static str])]) -> BTreeMap<u8, Ties<&'static str>> {
    let ties = |numbers: &&[&'static str]| Ties {
        numbers: numbers.to_vec(),
        links: Vec::new(),
    };
    records
        .iter()
        .map(|(n, numbers)| (*n, ties(numbers)))
        .collect()
}

/// The same, with something said of a pair.
fn say(
    records: &mut BTreeMap<u8, Ties<&'static str>>,
    (a, b): (u8, u8),
    statement: Option<Statement>,
    despite: &[&'static str],
) {
    records.get_mut(&a).unwrap().links.push(Link {
        other: person(b),
        statement,
        despite: despite.iter().copied().collect(),
    });
}

fn groups_of(records: &BTreeMap<u8, Ties<&'static str>>) -> Vec<Group> {
    groups_by(records.iter().map(|(n, ties)| (person(*n), ties.clone())))
}

/// Who is with whom, by the numbers of [`person`].
fn together(records: &BTreeMap<u8, Ties<&'static str>>) -> Vec<Vec<u8>> {
    let name = |record| *records.keys().find(|n| person(**n) == record).unwrap();
    let groups = groups_of(records).into_iter();
    groups
        .map(|group| group.members().map(name).collect())
        .collect()
}

const SAME: Option<Statement> = Some(Statement::Same);
const NOT_SAME: Option<Statement> = Some(Statement::NotSame);

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
    let all = groups_of(&shown(&[(2, &["n"]), (1, &["n"]), (3, &[])]));
    assert_eq!(all.len(), 2);
    assert_eq!(all[0].id(), person(1));
    assert_eq!(all[0].linked(person(1)), [person(2)]);
    assert_eq!(together(&shown(&[(2, &["m"]), (1, &["n"])])), [[1], [2]]);
}

#[test]
fn groups_do_not_depend_on_the_order_of_records() {
    let records = shown(&[(1, &["a"]), (2, &["b"]), (3, &["a", "b"])]);
    let all = || records.iter().map(|(n, ties)| (person(*n), ties.clone()));
    assert_eq!(groups_by(all()), groups_by(all().rev()));
    assert_eq!(together(&records), [[1, 2, 3]]);
}

#[test]
fn a_statement_links_and_parts_whatever_the_numbers_say() {
    let mut records = shown(&[(1, &["n"]), (2, &["n"]), (3, &[])]);
    say(&mut records, (1, 2), NOT_SAME, &[]);
    say(&mut records, (2, 3), SAME, &[]);
    assert_eq!(together(&records), [vec![1], vec![2, 3]]);
    let all = groups_of(&records);
    let parted: Vec<_> = all.iter().flat_map(Group::parted).collect();
    assert_eq!(parted, [person(2), person(1)]);
    assert_eq!(all[0].cut().count(), 0);
    // Taken back: as if nothing had been said.
    records.get_mut(&1).unwrap().links.clear();
    say(&mut records, (1, 2), None, &[]);
    assert_eq!(together(&records), [[1, 2, 3]]);
}

#[test]
fn a_statement_about_a_record_that_is_not_here_says_nothing() {
    let mut records = shown(&[(1, &[]), (2, &[])]);
    say(&mut records, (1, 9), SAME, &[]);
    assert_eq!(together(&records), [[1], [2]]);
}

#[test]
fn a_parted_pair_never_comes_together_and_what_would_bring_it_is_cut() {
    let mut records = shown(&[(1, &["n"]), (2, &["n"]), (3, &["n"])]);
    say(&mut records, (1, 3), NOT_SAME, &[]);
    assert_eq!(together(&records), [vec![1, 2], vec![3]]);
    let cut: Vec<_> = groups_of(&records).iter().flat_map(Group::cut).collect();
    assert_eq!(cut, [(person(2), person(3))]);
    // What people say goes before what numbers say.
    say(&mut records, (2, 3), SAME, &[]);
    assert_eq!(together(&records), [vec![1], vec![2, 3]]);
    let cut: Vec<_> = groups_of(&records).iter().flat_map(Group::cut).collect();
    assert_eq!(cut, [(person(1), person(2))]);
    // Parted from both: nothing is left to look at.
    say(&mut records, (1, 2), NOT_SAME, &[]);
    assert_eq!(groups_of(&records).iter().flat_map(Group::cut).count(), 0);
}

#[test]
fn records_that_are_parted_from_the_first_of_a_number_are_still_one_with_each_other() {
    let mut records = shown(&[(1, &["n"]), (2, &["n"]), (3, &["n"])]);
    say(&mut records, (1, 2), NOT_SAME, &[]);
    say(&mut records, (1, 3), NOT_SAME, &[]);
    assert_eq!(together(&records), [vec![1], vec![2, 3]]);
}

#[test]
fn different_names_speak_of_several_persons_until_the_pairs_are_confirmed() {
    let names = |group: &Group, names: [&'static str; 3]| {
        let shown = group.members().zip(names);
        group.differs("name", shown.filter(|(_, name)| !name.is_empty()))
    };
    let mut records = shown(&[(1, &["n"]), (2, &["n"]), (3, &["n"])]);
    let group = groups_of(&records).remove(0);
    assert!(names(&group, ["a", "b", "b"]) && !names(&group, ["a", "", "a"]));
    say(&mut records, (1, 2), None, &["name"]);
    let group = groups_of(&records).remove(0);
    assert!(!names(&group, ["a", "b", "b"]), "3 says what 2 says");
    assert!(names(&group, ["a", "b", "c"]), "3 says something new");
    assert!(
        names(&group, ["a", "", "c"]),
        "2 says nothing: 3 is not confirmed"
    );
    let born = group.members().zip(["1985", "1990", "1985"]);
    assert!(
        group.differs("birth_date", born),
        "only the name is confirmed"
    );
    say(&mut records, (1, 3), None, &["name"]);
    let group = groups_of(&records).remove(0);
    assert!(!names(&group, ["a", "b", "c"]));
}

/// Numbers from a seed (Knuth's MMIX generator).
fn below(state: &mut u64, limit: u64) -> u64 {
    *state = state
        .wrapping_mul(6_364_136_223_846_793_005)
        .wrapping_add(1_442_695_040_888_963_407);
    (*state >> 33) % limit
}

#[test]
fn whatever_is_said_no_parted_pair_is_together_and_every_tie_holds_or_is_cut() {
    const NUMBERS: [&str; 3] = ["a", "b", "c"];
    let (mut parted_pairs, mut cut_ties) = (0, 0);
    for seed in 0..2000u64 {
        let dice = &mut seed.clone();
        let mut records = BTreeMap::new();
        for n in 1..=6 {
            let numbers = NUMBERS.iter().filter(|_| below(dice, 4) == 0);
            let numbers = numbers.copied().collect();
            records.insert(
                n,
                Ties {
                    numbers,
                    links: Vec::new(),
                },
            );
        }
        for _ in 0..below(dice, 8) {
            let a = 1 + below(dice, 5) as u8;
            let b = a + 1 + below(dice, u64::from(6 - a)) as u8;
            let statement = [SAME, NOT_SAME][below(dice, 2) as usize];
            say(&mut records, (a, b), statement, &[]);
        }
        let all = || records.iter().map(|(n, ties)| (person(*n), ties.clone()));
        let groups = groups_by(all());
        assert_eq!(groups, groups_by(all().rev()), "seed {seed}");
        let group_of = |n: u8| {
            groups
                .iter()
                .position(|g| g.members().any(|m| m == person(n)))
        };
        // Of several statements about a pair the last one counts, as in a map of keys.
        let mut said = BTreeMap::new();
        for (a, ties) in &records {
            for link in &ties.links {
                said.insert((person(*a), link.other), link.statement);
            }
        }
        let cut: BTreeSet<_> = groups.iter().flat_map(Group::cut).collect();
        cut_ties += cut.len();
        for (a, of_a) in &records {
            for (b, of_b) in records.range(a + 1..) {
                let pair = (person(*a), person(*b));
                let together = group_of(*a) == group_of(*b);
                match said.get(&pair) {
                    Some(&NOT_SAME) => {
                        parted_pairs += 1;
                        assert!(!together, "seed {seed}: {a} {b}");
                        assert!(!cut.contains(&pair), "seed {seed}: {a} {b}");
                    }
                    Some(&SAME) => {
                        assert!(together != cut.contains(&pair), "seed {seed}: {a} {b}");
                    }
                    _ => {
                        let share = of_a.numbers.iter().any(|n| of_b.numbers.contains(n));
                        let said_apart = |x: &RecordId, y: &RecordId| {
                            let pair = (*x.min(y), *x.max(y));
                            said.get(&pair) == Some(&NOT_SAME)
                        };
                        let groups = (group_of(*a).unwrap(), group_of(*b).unwrap());
                        let (one, other) =
                            (&groups_by(all())[groups.0], &groups_by(all())[groups.1]);
                        let at_odds = one
                            .members()
                            .any(|x| other.members().any(|y| said_apart(&x, &y)));
                        assert!(!share || together || at_odds, "seed {seed}: {a} {b}");
                    }
                }
            }
        }
    }
    assert!(
        parted_pairs > 1000 && cut_ties > 200,
        "{parted_pairs} {cut_ties}"
    );
}
