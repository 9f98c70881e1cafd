//! Masking of identifying numbers: enough digits to compare with a paper in hand, not enough to
//! copy.
//!
//! Everything that a page shows of a record goes through here. People type numbers where a form did
//! not ask for one, so every text is looked through, not only the fields that are for numbers.
//!
//! Characters that turn the direction of what follows are left out as well: a value would otherwise
//! rearrange the page around it. Those that Mongolian needs stay.

/// From so many digits on a number may be somebody's; a telephone number has 7 at least.
const DIGITS_MIN: usize = 7;
/// From so many digits on a number is taken for one even with blanks or dashes inside.
const SPACED_DIGITS_MIN: usize = 11;
/// How many characters at the end stay.
const SHOWN_END: usize = 2;
/// The three digits that tell a network stay of a mobile number, as is usual.
const MOBILE_DIGITS: usize = 11;
const MOBILE_START: usize = 3;
const HIDDEN: char = '*';

/// The text with every number that may be somebody's masked.
pub(super) fn text(text: &str) -> String {
    let chars: Vec<char> = text.chars().filter(|char| !is_turn(*char)).collect();
    let mut masked = String::with_capacity(text.len());
    let mut at = 0;
    while at < chars.len() {
        let run = run(&chars[at..]);
        if run.chars == 0 {
            masked.push(chars[at]);
            at += 1;
            continue;
        }
        let part = &chars[at..at + run.chars];
        let long = if run.spaced {
            SPACED_DIGITS_MIN
        } else {
            DIGITS_MIN
        };
        match run.digits >= long {
            true => masked.extend(hidden(part, run.digits)),
            false => masked.extend(part),
        }
        at += run.chars;
    }
    masked
}

/// A whole value that is a number of somebody, masked whatever it looks like.
pub(super) fn number(value: &str) -> String {
    let chars: Vec<char> = value.chars().filter(|char| !is_turn(*char)).collect();
    hidden(&chars, chars.len()).collect()
}

/// Digits, with single blanks or dashes between them, from the beginning of a text.
struct Run {
    chars: usize,
    digits: usize,
    spaced: bool,
}

fn run(chars: &[char]) -> Run {
    let mut run = Run {
        chars: 0,
        digits: 0,
        spaced: false,
    };
    for (at, char) in chars.iter().enumerate() {
        let follows = chars.get(at + 1).is_some_and(|next| is_digit(*next));
        if is_digit(*char) {
            run.digits += 1;
        } else if run.digits > 0 && matches!(char, ' ' | '-') && follows {
            run.spaced = true;
            continue;
        } else if run.digits > 0 && matches!(char, 'x' | 'X') {
            // The check character of an ID number ends it.
            run.digits += 1;
            run.chars = at + 1;
            break;
        } else {
            break;
        }
        run.chars = at + 1;
    }
    run
}

/// The bidirectional controls of Unicode (UAX 9).
fn is_turn(char: char) -> bool {
    matches!(char, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Digits of ASCII and the full-width ones of a Chinese keyboard.
fn is_digit(char: char) -> bool {
    char.is_ascii_digit() || ('０'..='９').contains(&char)
}

fn hidden(part: &[char], digits: usize) -> impl Iterator<Item = char> {
    let start = match digits {
        MOBILE_DIGITS => MOBILE_START,
        _ => 0,
    };
    let end = part.len().saturating_sub(SHOWN_END).max(start);
    part.iter().enumerate().map(move |(at, char)| {
        if at < start || at >= end {
            *char
        } else {
            HIDDEN
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_number_and_a_telephone_number_are_masked_wherever_they_stand() {
        assert_eq!(number("99999919800101002X"), "****************2X");
        assert_eq!(text("10012345678"), "100******78");
        assert_eq!(
            text("身份证99999919800101002x，电话100 1234 5678。"),
            "身份证****************2x，电话100********78。"
        );
        assert_eq!(text("１００１２３４５６７８"), "１００******７８");
        assert_eq!(text("座机 0479-1234567"), "座机 047*******67");
    }

    #[test]
    fn dates_and_short_numbers_stay() {
        for plain in ["2026-11-25", "0101", "户 12 人", "", "35-64", "x", "9-"] {
            assert_eq!(text(plain), plain);
        }
    }

    #[test]
    fn characters_that_turn_the_direction_are_left_out_and_mongolian_stays() {
        assert_eq!(text("a\u{202e}b\u{2067}c\u{200f}"), "abc");
        assert_eq!(number("1\u{202e}0012345678"), "100******78");
        // Letters with a free variation selector and a vowel separator.
        let mongolian = "ᠮᠣᠩᠭᠣᠯ\u{180b}\u{180e}";
        assert_eq!(text(mongolian), mongolian);
    }

    #[test]
    fn a_short_value_of_a_number_field_is_masked_too() {
        assert_eq!(number("12345"), "***45");
        assert_eq!(number("1"), "1");
        assert_eq!(number(""), "");
    }
}
