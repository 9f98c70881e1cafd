//! CBOR as a tree, by code that shares nothing with the core: what the fuzzer changes a message by,
//! and what tests take envelopes apart with.

/// Deeper trees are left as bytes.
const DEPTH_MAX: usize = 24;

/// One item. A byte string that holds CBOR itself is opened, so that a change far inside keeps all
/// lengths around it right.
#[derive(Clone, Debug, PartialEq)]
pub enum Item {
    /// A number from 0.
    Unsigned(u64),
    /// A number below 0: -1 - n.
    Negative(u64),
    /// A byte string.
    Bytes(Vec<u8>),
    /// A byte string that holds an array or a map.
    Inside(Box<Item>),
    /// A text; need not be UTF-8 after a change.
    Text(Vec<u8>),
    /// An array.
    Array(Vec<Item>),
    /// A map: keys and values in turns.
    Map(Vec<Item>),
    /// A tag and what it stands on.
    Tag(u64, Box<Item>),
    /// `false`, `true`, `null` and others without content.
    Simple(u8),
    /// Bytes as they are: floats, indefinite lengths, nonsense.
    Raw(Vec<u8>),
}

/// `null`.
pub const NULL: Item = Item::Simple(22);

impl Item {
    /// The item that these bytes are, all of them.
    pub fn read(bytes: &[u8]) -> Option<Item> {
        let mut rest = bytes;
        let item = read(&mut rest, 0)?;
        rest.is_empty().then_some(item)
    }

    /// The bytes.
    pub fn write(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.write_to(&mut out);
        out
    }

    fn write_to(&self, out: &mut Vec<u8>) {
        match self {
            Item::Unsigned(number) => head(out, 0, *number),
            Item::Negative(number) => head(out, 1, *number),
            Item::Bytes(bytes) => {
                head(out, 2, bytes.len() as u64);
                out.extend_from_slice(bytes);
            }
            Item::Inside(item) => {
                let bytes = item.write();
                head(out, 2, bytes.len() as u64);
                out.extend_from_slice(&bytes);
            }
            Item::Text(bytes) => {
                head(out, 3, bytes.len() as u64);
                out.extend_from_slice(bytes);
            }
            Item::Array(items) => {
                head(out, 4, items.len() as u64);
                items.iter().for_each(|item| item.write_to(out));
            }
            Item::Map(items) => {
                head(out, 5, items.len() as u64 / 2);
                items.iter().for_each(|item| item.write_to(out));
            }
            Item::Tag(number, item) => {
                head(out, 6, *number);
                item.write_to(out);
            }
            Item::Simple(number) => head(out, 7, u64::from(*number)),
            Item::Raw(bytes) => out.extend_from_slice(bytes),
        }
    }

    /// The items directly inside.
    pub fn children_mut(&mut self) -> Vec<&mut Item> {
        match self {
            Item::Array(items) | Item::Map(items) => items.iter_mut().collect(),
            Item::Inside(item) | Item::Tag(_, item) => vec![item],
            _ => Vec::new(),
        }
    }

    /// How many items there are, this one included.
    pub fn count(&self) -> usize {
        1 + match self {
            Item::Array(items) | Item::Map(items) => items.iter().map(Item::count).sum(),
            Item::Inside(item) | Item::Tag(_, item) => item.count(),
            _ => 0,
        }
    }

    /// The item with this number, counted from the root in the order of the bytes.
    pub fn nth_mut(&mut self, number: usize) -> Option<&mut Item> {
        if number == 0 {
            return Some(self);
        }
        let mut left = number - 1;
        for child in self.children_mut() {
            let count = child.count();
            if left < count {
                return child.nth_mut(left);
            }
            left -= count;
        }
        None
    }

    /// A field of a message: the place in an array.
    pub fn field(&self, place: usize) -> Option<&Item> {
        match self {
            Item::Array(items) => items.get(place),
            Item::Inside(item) => item.field(place),
            _ => None,
        }
    }

    /// The content of a byte string.
    pub fn bytes(&self) -> Option<Vec<u8>> {
        match self {
            Item::Bytes(bytes) => Some(bytes.clone()),
            Item::Inside(item) => Some(item.write()),
            _ => None,
        }
    }
}

fn read(rest: &mut &[u8], depth: usize) -> Option<Item> {
    let (first, after) = rest.split_first()?;
    if depth > DEPTH_MAX {
        return None;
    }
    let (major, short) = (first >> 5, first & 0x1f);
    let wide = match short {
        0..24 => 0,
        24 => 1,
        25 => 2,
        26 => 4,
        27 => 8,
        _ => return None,
    };
    // Floats keep their bytes.
    if major == 7 && short >= 25 {
        let bytes = rest.get(..1 + wide)?.to_vec();
        *rest = rest.get(1 + wide..)?;
        return Some(Item::Raw(bytes));
    }
    let (number, after) = match wide {
        0 => (u64::from(short), after),
        wide => {
            let (bytes, after) = after.split_at_checked(wide)?;
            let number = bytes.iter().fold(0, |n, byte| n << 8 | u64::from(*byte));
            (number, after)
        }
    };
    *rest = after;
    let item = match major {
        0 => Item::Unsigned(number),
        1 => Item::Negative(number),
        2 => {
            let bytes = take(rest, number)?;
            let opened = Item::read(bytes).filter(|item| item.write() == bytes);
            match opened {
                Some(item @ (Item::Array(_) | Item::Map(_))) => Item::Inside(Box::new(item)),
                _ => Item::Bytes(bytes.to_vec()),
            }
        }
        3 => Item::Text(take(rest, number)?.to_vec()),
        4 => Item::Array(items(rest, number, depth)?),
        5 => Item::Map(items(rest, number.checked_mul(2)?, depth)?),
        6 => Item::Tag(number, Box::new(read(rest, depth + 1)?)),
        _ => Item::Simple(u8::try_from(number).ok()?),
    };
    Some(item)
}

fn items(rest: &mut &[u8], count: u64, depth: usize) -> Option<Vec<Item>> {
    let mut items = Vec::new();
    for _ in 0..count {
        items.push(read(rest, depth + 1)?);
    }
    Some(items)
}

fn take<'a>(rest: &mut &'a [u8], count: u64) -> Option<&'a [u8]> {
    let (taken, after) = rest.split_at_checked(usize::try_from(count).ok()?)?;
    *rest = after;
    Some(taken)
}

/// The first bytes of an item: its type and its number, in the shortest form.
pub fn head(out: &mut Vec<u8>, major: u8, number: u64) {
    let major = major << 5;
    match number {
        0..24 => out.push(major | number as u8),
        24..0x100 => out.extend([major | 24, number as u8]),
        0x100..0x1_0000 => {
            out.push(major | 25);
            out.extend((number as u16).to_be_bytes());
        }
        0x1_0000..0x1_0000_0000 => {
            out.push(major | 26);
            out.extend((number as u32).to_be_bytes());
        }
        _ => {
            out.push(major | 27);
            out.extend(number.to_be_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_is_written_again_byte_for_byte() {
        let inner = Item::Array(vec![Item::Unsigned(300), NULL, Item::Text(b"abc".to_vec())]);
        let outer = Item::Array(vec![
            Item::Inside(Box::new(inner)),
            Item::Negative(70_000),
            Item::Map(vec![Item::Unsigned(1), Item::Bytes(vec![0xff; 30])]),
            Item::Tag(4, Box::new(Item::Simple(20))),
        ]);
        let bytes = outer.write();
        let read = Item::read(&bytes).unwrap();
        assert_eq!(read, outer);
        assert_eq!(read.write(), bytes);
        assert_eq!(read.count(), 12);
        assert_eq!(Item::read(&bytes[1..]), None);
    }

    #[test]
    fn an_item_far_inside_is_found_and_lengths_around_it_follow() {
        let inner = Item::Array(vec![Item::Unsigned(1)]);
        let mut outer = Item::Array(vec![Item::Inside(Box::new(inner))]);
        assert_eq!(outer.write(), [0x81, 0x42, 0x81, 0x01]);
        *outer.nth_mut(3).unwrap() = Item::Unsigned(500);
        assert_eq!(outer.write(), [0x81, 0x44, 0x81, 0x19, 0x01, 0xf4]);
        assert!(outer.nth_mut(4).is_none());
    }
}
