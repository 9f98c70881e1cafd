//! Days and ID numbers, and what shared numbers tie together.

use std::collections::{BTreeMap, BTreeSet};

/// Year, month and day: days compare as they follow each other.
pub(super) type Day = (u16, u8, u8);

/// The day that a text names, `YYYY-MM-DD`; `YYYY-MM` is the first of that month. None if the
/// calendar does not have it.
pub(super) fn day(text: &str) -> Option<Day> {
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

/// For each of several bearers of numbers, the first one that it is tied to: by a number that both
/// have, or through others. Whoever is tied to nobody before is its own first.
pub(super) fn firsts(numbers: &[&BTreeSet<String>]) -> Vec<usize> {
    let mut firsts: Vec<usize> = (0..numbers.len()).collect();
    loop {
        let mut of_number: BTreeMap<&str, usize> = BTreeMap::new();
        for (first, shown) in firsts.iter().zip(numbers) {
            for number in *shown {
                let lowest = of_number.entry(number).or_insert(*first);
                *lowest = (*lowest).min(*first);
            }
        }
        let mut settled = true;
        for (first, shown) in firsts.iter_mut().zip(numbers) {
            for number in *shown {
                if let Some(lower) = of_number.get(number.as_str()).filter(|of| **of < *first) {
                    *first = *lower;
                    settled = false;
                }
            }
        }
        if settled {
            return firsts;
        }
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
        assert_eq!(firsts(&[&c, &none, &ab, &bc]), [0, 1, 0, 0]);
        assert_eq!(firsts(&[&ab, &c, &none]), [0, 1, 2]);
        assert_eq!(firsts(&[]), [0; 0]);
    }
}
