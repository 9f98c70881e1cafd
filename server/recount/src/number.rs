//! Days and ID numbers, and the records that shared numbers tie together.

use std::collections::{BTreeMap, BTreeSet};

/// Year, month and day: days compare as they follow each other.
pub(super) type CalendarDay = (u16, u8, u8);

/// The day that a text names, `YYYY-MM-DD`; `YYYY-MM` is the first of that month. None if the
/// calendar does not have it.
pub(super) fn day(text: &str) -> Option<CalendarDay> {
    let parts: Vec<&str> = text.split('-').collect();
    let (year, month, day) = match parts[..] {
        [year, month, day] => (year, month, day),
        [year, month] => (year, month, "01"),
        _ => return None,
    };
    let digits =
        |part: &str, count| part.len() == count && part.bytes().all(|b| b.is_ascii_digit());
    if !digits(year, 4) || !digits(month, 2) || !digits(day, 2) {
        return None;
    }
    let year: u16 = year.parse().ok()?;
    let (month, day): (u8, u8) = (month.parse().ok()?, day.parse().ok()?);
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let february = if leap { 29 } else { 28 };
    let lengths = [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let length = *lengths.get(usize::from(month).checked_sub(1)?)?;
    (year > 0 && day > 0 && day <= length).then_some((year, month, day))
}

/// The one spelling of a valid ID number (GB 11643-1999): 17 digits with a real date of birth, and a
/// last character, X for ten, with which the sum of all characters, each times two to the power of
/// its place from the right, leaves 1 when divided by 11.
pub(super) fn id_number(text: &str) -> Option<String> {
    let number = text.trim().to_ascii_uppercase();
    if number.len() != 18 || !number.is_ascii() {
        return None;
    }
    let born = format!("{}-{}-{}", &number[6..10], &number[10..12], &number[12..14]);
    day(&born)?;
    let mut rest = 0;
    for (at, character) in number.chars().enumerate() {
        let value = match character {
            'X' if at == 17 => 10,
            _ => character.to_digit(10)?,
        };
        // Horner's scheme: everything before doubles with each place.
        rest = (rest * 2 + value) % 11;
    }
    (rest == 1).then_some(number)
}

/// Bearers of numbers by their places, the smaller one first.
pub(super) type Pairs = BTreeSet<(usize, usize)>;

/// For each of several bearers of numbers, the first one that it is one with: because they are said
/// to be the same, then because both have a number, or through others. Those that are said not to be
/// the same are never one, nor is anybody with both: whoever came first has them. Whoever is one with
/// nobody before is its own first.
pub(super) fn firsts(numbers: &[&BTreeSet<String>], same: &Pairs, parted: &Pairs) -> Vec<usize> {
    let mut firsts: Vec<usize> = (0..numbers.len()).collect();
    for (one, other) in same {
        unite(&mut firsts, *one, *other, parted);
    }
    let mut bearers: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (at, shown) in numbers.iter().enumerate() {
        let before = shown
            .iter()
            .filter_map(|number| bearers.get(number.as_str()));
        let before: BTreeSet<usize> = before.flatten().map(|bearer| firsts[*bearer]).collect();
        for first in before {
            unite(&mut firsts, first, at, parted);
        }
        for number in *shown {
            bearers.entry(number).or_default().push(at);
        }
    }
    firsts
}

/// Lets all that are one with either be one, unless two of them are said not to be.
fn unite(firsts: &mut [usize], one: usize, other: usize, parted: &Pairs) {
    let (low, high) = (
        firsts[one].min(firsts[other]),
        firsts[one].max(firsts[other]),
    );
    let between = |(a, b): &(usize, usize)| {
        let ends = (firsts[*a], firsts[*b]);
        ends == (low, high) || ends == (high, low)
    };
    if low != high && !parted.iter().any(between) {
        let all = firsts.iter_mut().filter(|first| **first == high);
        all.for_each(|first| *first = low);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_month_is_its_first_day_and_no_other_text_is_a_day() {
        assert_eq!(day("2024-02-29"), Some((2024, 2, 29)));
        assert_eq!(day("2026-12"), Some((2026, 12, 1)));
        for bad in [
            "2023-02-29",
            "1900-02-29",
            "2023-13-01",
            "2023-00-01",
            "2023-04-31",
            "2023-04-00",
            "0000-01-01",
            "2023-4-1",
            "2023",
            "+023-01-01",
            "2023-01-01-01",
            "",
        ] {
            assert_eq!(day(bad), None, "{bad}");
        }
    }

    #[test]
    fn the_standards_own_examples_are_valid_and_a_changed_character_is_not() {
        let valid = Some("11010519491231002X".to_owned());
        assert_eq!(id_number("11010519491231002X"), valid);
        assert_eq!(id_number(" 11010519491231002x "), valid);
        assert!(id_number("440524188001010014").is_some());
        for bad in [
            "110105194912310021",
            "11010519491331002X",
            "1101051949123100X2",
            "1101051949123100",
            "嘎查嘎查嘎查",
        ] {
            assert_eq!(id_number(bad), None, "{bad}");
        }
    }

    #[test]
    fn ties_reach_through_others_whatever_the_order() {
        let set = |numbers: &[&str]| -> BTreeSet<String> {
            numbers.iter().map(|number| (*number).to_owned()).collect()
        };
        let (ab, bc, c, none) = (set(&["a", "b"]), set(&["b", "c"]), set(&["c"]), set(&[]));
        let nothing = Pairs::new();
        let tied = |numbers: &[_]| firsts(numbers, &nothing, &nothing);
        assert_eq!(tied(&[&c, &none, &ab, &bc]), [0, 1, 0, 0]);
        assert_eq!(tied(&[&ab, &c, &none]), [0, 1, 2]);
        assert_eq!(tied(&[]), [0; 0]);
    }

    #[test]
    fn what_is_said_goes_before_numbers_and_those_who_are_parted_are_never_one() {
        let a = BTreeSet::from(["a".to_owned()]);
        let none = BTreeSet::new();
        let pairs = |pairs: &[(usize, usize)]| pairs.iter().copied().collect::<Pairs>();
        let all = [&a, &a, &a, &none];
        assert_eq!(firsts(&all, &pairs(&[(2, 3)]), &pairs(&[])), [0, 0, 0, 0]);
        assert_eq!(
            firsts(&all, &pairs(&[(2, 3)]), &pairs(&[(0, 3)])),
            [0, 0, 2, 2]
        );
        assert_eq!(
            firsts(&all, &pairs(&[(1, 2)]), &pairs(&[(0, 1)])),
            [0, 1, 1, 3]
        );
        assert_eq!(
            firsts(&all, &pairs(&[]), &pairs(&[(0, 1), (0, 2)])),
            [0, 1, 1, 3]
        );
    }
}
