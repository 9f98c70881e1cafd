//! Mutation of an input: as bytes, as numbers inside it, and as the tree of CBOR that it is.

use crate::cbor::{Item, NULL, head};
use crate::sim::fault::Dice;

use super::INPUT_MAX;

/// Numbers at which lengths, counters and types change their meaning.
const NUMBERS: [u64; 30] = [
    0,
    1,
    2,
    3,
    7,
    16,
    23,
    24,
    63,
    64,
    127,
    128,
    255,
    256,
    1024,
    4096,
    4097,
    65_535,
    65_536,
    1 << 20,
    (1 << 22) + 1,
    (1 << 31) - 1,
    1 << 31,
    u32::MAX as u64,
    1 << 32,
    1 << 53,
    i64::MAX as u64,
    1 << 63,
    u64::MAX - 1,
    u64::MAX,
];

/// Changes `input` a few times; `other` is another input of the same kind.
pub(super) fn mutate(dice: &mut Dice, input: &[u8], other: &[u8]) -> Vec<u8> {
    let mut bytes = input.to_vec();
    for _ in 0..1 + dice.below(3) {
        let as_tree = dice.chance(500);
        bytes = match as_tree.then(|| in_tree(dice, &bytes, other)).flatten() {
            Some(changed) => changed,
            None => in_bytes(dice, bytes, other),
        };
        bytes.truncate(INPUT_MAX);
    }
    bytes
}

/// A place in `bytes`, also the one behind the last.
fn place(dice: &mut Dice, bytes: &[u8]) -> usize {
    dice.below(bytes.len() + 1)
}

/// A piece of `bytes`, more often a short one.
fn piece(dice: &mut Dice, bytes: &[u8]) -> std::ops::Range<usize> {
    let from = place(dice, bytes);
    let most = if dice.chance(700) { 8 } else { bytes.len() };
    let length = dice.below(most.min(bytes.len() - from) + 1);
    from..from + length
}

fn in_bytes(dice: &mut Dice, mut bytes: Vec<u8>, other: &[u8]) -> Vec<u8> {
    match dice.below(11) {
        0 if !bytes.is_empty() => {
            let at = dice.below(bytes.len());
            bytes[at] ^= 1 << dice.below(8);
        }
        1 if !bytes.is_empty() => {
            let at = dice.below(bytes.len());
            bytes[at] = *dice.pick(&[0, 1, 0x7f, 0x80, 0xff, 0x1f, 0x9f, 0x5f, 0xfb]);
        }
        2 if !bytes.is_empty() => {
            let at = dice.below(bytes.len());
            bytes[at] = bytes[at].wrapping_add(*dice.pick(&[1, 0xff, 16, 0xf0]));
        }
        3 => bytes.truncate(place(dice, &bytes)),
        4 => {
            let piece = piece(dice, &bytes);
            bytes.drain(piece);
        }
        // A segment again, many times over.
        5 => {
            let at = place(dice, &bytes);
            let piece = piece(dice, &bytes);
            let times = *dice.pick(&[1, 1, 2, 3, 16, 300, 5_000]);
            let room = INPUT_MAX.saturating_sub(bytes.len());
            let times = times.min(room / piece.len().max(1));
            let again = bytes[piece].repeat(times);
            bytes.splice(at..at, again);
        }
        // The first part of one, the last of the other.
        6 => {
            bytes.truncate(place(dice, &bytes));
            bytes.extend_from_slice(&other[place(dice, other)..]);
        }
        7 => {
            let from = piece(dice, other);
            let to = piece(dice, &bytes);
            bytes.splice(to, other[from].iter().copied());
        }
        // Another number where one may stand: LEB128, or the head of a CBOR item.
        8 => {
            let at = place(dice, &bytes);
            let until = (at + dice.below(4)).min(bytes.len());
            let number = leb128(number(dice));
            bytes.splice(at..until, number);
        }
        9 => {
            let at = place(dice, &bytes);
            let until = (at + dice.below(4)).min(bytes.len());
            let mut number_bytes = Vec::new();
            head(&mut number_bytes, dice.below(8) as u8, number(dice));
            bytes.splice(at..until, number_bytes);
        }
        // Deeper than anybody nests.
        _ => {
            let at = place(dice, &bytes);
            let opening = *dice.pick(&[0x81, 0x82, 0xa1, 0xc1, 0x9f, 0xbf, 0x5f]);
            let deep = *dice.pick(&[2, 20, 500, 20_000]);
            bytes.splice(at..at, std::iter::repeat_n(opening, deep));
        }
    }
    bytes
}

fn number(dice: &mut Dice) -> u64 {
    match dice.below(3) {
        0 => dice.below(300) as u64,
        _ => *dice.pick(&NUMBERS),
    }
}

/// Seven bits a byte, the lowest first.
pub(super) fn leb128(mut number: u64) -> Vec<u8> {
    let mut out = Vec::new();
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
    out
}

/// The bytes in front of the CBOR, and the CBOR: messages have an algorithm byte there, rows the
/// number of their table.
fn tree(bytes: &[u8]) -> Option<(&[u8], Item)> {
    let composed = |item: &Item| item.count() > 1;
    let whole = Item::read(bytes)
        .filter(composed)
        .map(|item| (&bytes[..0], item));
    whole.or_else(|| {
        Some((
            bytes.get(..1)?,
            Item::read(bytes.get(1..)?).filter(composed)?,
        ))
    })
}

fn in_tree(dice: &mut Dice, bytes: &[u8], other: &[u8]) -> Option<Vec<u8>> {
    let (front, mut item) = tree(bytes)?;
    let at = dice.below(item.count());
    let chosen = item.nth_mut(at)?;
    change(dice, chosen, other);
    Some([front, item.write().as_slice()].concat())
}

fn change(dice: &mut Dice, item: &mut Item, other: &[u8]) {
    let what = dice.below(8);
    match item {
        Item::Unsigned(value) | Item::Negative(value) | Item::Tag(value, _) if what < 6 => {
            *value = match what {
                0 => value.wrapping_add(1),
                1 => value.wrapping_sub(1),
                _ => number(dice),
            };
        }
        Item::Bytes(bytes) | Item::Text(bytes) if what < 6 => {
            *bytes = in_bytes(dice, std::mem::take(bytes), other);
        }
        Item::Simple(value) if what < 6 => *value = *dice.pick(&[20, 21, 22, 23, 0, 255]),
        Item::Array(items) | Item::Map(items) if what < 6 => in_list(dice, items, what),
        item => *item = another(dice, other, item),
    }
}

fn in_list(dice: &mut Dice, items: &mut Vec<Item>, what: usize) {
    let at = dice.below(items.len() + 1);
    let there = items.get(at).cloned();
    match what {
        0 => items.truncate(at),
        1 => items.push(Item::Array(vec![Item::Unsigned(7)])),
        2 if there.is_some() => drop(items.remove(at)),
        3 => items.insert(at, NULL),
        4 if there.is_some() => {
            let with = dice.below(items.len());
            items.swap(at, with);
        }
        _ => {
            let again = there.unwrap_or(NULL);
            let times = *dice.pick(&[1, 2, 17, 300, 5_000]);
            items.splice(at..at, std::iter::repeat_n(again, times));
        }
    }
}

/// Something else in an item's place.
fn another(dice: &mut Dice, other: &[u8], item: &Item) -> Item {
    match dice.below(6) {
        0 => NULL,
        1 => Item::Unsigned(number(dice)),
        2 => Item::Negative(number(dice)),
        // Lengths that lie: of strings, arrays and maps, also of unknown length.
        3 => {
            let mut bytes = Vec::new();
            head(&mut bytes, 2 + dice.below(4) as u8, number(dice));
            Item::Raw(bytes)
        }
        4 => {
            let deep = *dice.pick(&[1, 3, 40, 4_000]);
            let mut bytes = vec![*dice.pick(&[0x81, 0xa1, 0xc1, 0x9f, 0xbf]); deep];
            bytes.extend(item.write());
            Item::Raw(bytes)
        }
        _ => {
            let found = tree(other).and_then(|(_, mut tree)| {
                let at = dice.below(tree.count());
                tree.nth_mut(at).cloned()
            });
            found.unwrap_or_else(|| Item::Bytes(other.to_vec()))
        }
    }
}
