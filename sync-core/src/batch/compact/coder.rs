//! A range coder with adaptive models: what is likely takes a fraction of a bit.
//!
//! A daily message is a few hundred bytes, too few for DEFLATE to learn from. Here every number has
//! a model that learns as it goes, and both ends learn the same. [`Stream`] is one end: the writer
//! writes what it is given, the reader gives what it finds, so that the code above it describes a
//! message once, for both directions.
//!
//! The arithmetic is that of LZMA's coder with a carry into what was written: an interval of 32 bits
//! is divided in the ratio of a bit's probabilities, and its leading byte is written (or read) when
//! the interval is smaller than 2^24. At the end the one byte is written that is still open; the
//! reader takes as many zeros as it needs, which are always three.

use std::collections::BTreeMap;

use super::BadCompact;

/// Probabilities are told in 1/4096.
const SHARE_BITS: u32 = 12;
/// No bit is surer than this: bounds what few bytes can grow to.
const SHARE_MIN: u32 = 64;
/// A model goes on learning as if it had seen at most so many bits.
const SEEN_MAX: u8 = 30;
/// Bytes that a reader holds ahead of what was written.
const READ_AHEAD: usize = 3;

/// The probability of one bit.
#[derive(Clone, Copy)]
pub(super) struct Bit {
    /// That it is 0, in 1/65536.
    zero: u16,
    seen: u8,
}

impl Default for Bit {
    fn default() -> Self {
        Self {
            zero: 1 << 15,
            seen: 0,
        }
    }
}

impl Bit {
    /// A bit that is mostly 0.
    const RARE: Bit = Bit {
        zero: 60_000,
        seen: 2,
    };

    fn share(self) -> u32 {
        let share = u32::from(self.zero) >> (16 - SHARE_BITS);
        share.clamp(SHARE_MIN, (1 << SHARE_BITS) - SHARE_MIN)
    }

    /// Moves towards what was seen, by 2/3, 2/5, 2/7, … of the way.
    fn learn(&mut self, bit: bool) {
        let zero = i32::from(self.zero);
        let target = if bit { 0 } else { i32::from(u16::MAX) };
        let moved = zero + (target - zero) * 2 / (2 * i32::from(self.seen) + 3);
        self.zero = u16::try_from(moved).unwrap_or(self.zero);
        self.seen = (self.seen + 1).min(SEEN_MAX);
    }
}

/// A symbol below `N`, a power of two: its bits from the highest, each with a model of its own.
#[derive(Clone)]
pub(super) struct Tree<const N: usize>([Bit; N]);

impl<const N: usize> Default for Tree<N> {
    fn default() -> Self {
        Self([Bit::default(); N])
    }
}

/// Numbers of up to this many bits have a class of their own; those above share the last class.
const CLASS_LAST: u32 = 31;

/// A number: how many bits it has, the highest two of them, the rest as it is. Small ones are the
/// rule.
#[derive(Clone)]
pub(super) struct Number {
    class: Tree<32>,
    second: [Bit; 32],
}

impl Default for Number {
    fn default() -> Self {
        let mut class = Tree::default();
        // 16 bits and more; 8 bits and more.
        class.0[1] = Bit::RARE;
        class.0[2] = Bit::RARE;
        Self {
            class,
            second: [Bit::default(); 32],
        }
    }
}

/// Texts, byte by byte: a character's first byte by what stood before it, the others by those before
/// them in the character.
#[derive(Default)]
pub(super) struct Text {
    first: [Tree<256>; 4],
    second: BTreeMap<u8, Tree<64>>,
    later: BTreeMap<(u8, u8), Tree<64>>,
}

/// What stands before a character.
fn kind_before(before: Option<u8>) -> usize {
    match before {
        None => 0,
        Some(byte) if byte.is_ascii_digit() => 1,
        Some(byte) if byte.is_ascii() => 2,
        Some(_) => 3,
    }
}

/// One end of a stream. Every method takes what the writer writes, gives what stands there, and is
/// given anything by a reader.
pub(super) trait Stream {
    /// A bit.
    fn bit(&mut self, model: &mut Bit, bit: bool) -> Result<bool, BadCompact>;

    /// A bit of which nothing is known.
    fn even(&mut self, bit: bool) -> Result<bool, BadCompact>;

    /// A symbol.
    fn symbol<const N: usize>(
        &mut self,
        tree: &mut Tree<N>,
        symbol: usize,
    ) -> Result<usize, BadCompact> {
        // The highest bit is a sentinel, so `node` stays below N until the last level.
        let mut node = 1;
        for level in (0..N.ilog2()).rev() {
            let bit = self.bit(&mut tree.0[node], symbol >> level & 1 == 1)?;
            node = node << 1 | usize::from(bit);
        }
        Ok(node - N)
    }

    /// A number.
    fn number(&mut self, model: &mut Number, number: u64) -> Result<u64, BadCompact> {
        let bits = u64::BITS - number.leading_zeros();
        let class = self.symbol(&mut model.class, bits.min(CLASS_LAST) as usize)?;
        let mut bits = class as u32;
        if bits == CLASS_LAST {
            let above = (u64::BITS - number.leading_zeros()).saturating_sub(CLASS_LAST);
            bits += self.plain(6, u64::from(above))? as u32;
            if bits > u64::BITS {
                return Err(BadCompact::Shape);
            }
        }
        if bits < 2 {
            return Ok(u64::from(bits));
        }
        let second = number >> (bits - 2) & 1 == 1;
        let second = self.bit(&mut model.second[class], second)?;
        let rest = self.plain(bits - 2, number)?;
        Ok((2 | u64::from(second)) << (bits - 2) | rest)
    }

    /// A number that may be negative: 0, -1, 1, -2, …
    fn signed(&mut self, model: &mut Number, number: i64) -> Result<i64, BadCompact> {
        let folded = (number << 1 ^ number >> 63) as u64;
        let folded = self.number(model, folded)?;
        Ok((folded >> 1) as i64 ^ -((folded & 1) as i64))
    }

    /// The low `bits` bits of a number, as they are.
    fn plain(&mut self, bits: u32, number: u64) -> Result<u64, BadCompact> {
        let mut read = 0;
        for level in (0..bits).rev() {
            read = read << 1 | u64::from(self.even(number >> level & 1 == 1)?);
        }
        Ok(read)
    }

    /// Bytes that look random, as they are.
    fn raw(&mut self, bytes: &mut [u8]) -> Result<(), BadCompact> {
        for byte in bytes {
            *byte = self.plain(8, u64::from(*byte))? as u8;
        }
        Ok(())
    }

    /// A text of `length` bytes.
    fn text(&mut self, model: &mut Text, length: usize, text: &str) -> Result<String, BadCompact> {
        let given = text.as_bytes();
        let mut read: Vec<u8> = Vec::new();
        while read.len() < length {
            let at = |place: usize| given.get(place).copied().unwrap_or(0);
            let tree = &mut model.first[kind_before(read.last().copied())];
            let first = self.symbol(tree, usize::from(at(read.len())))? as u8;
            let more = match first {
                0x00..=0x7f => 0,
                0xc2..=0xdf => 1,
                0xe0..=0xef => 2,
                0xf0..=0xf4 => 3,
                _ => return Err(BadCompact::Shape),
            };
            if more >= length - read.len() {
                return Err(BadCompact::Shape);
            }
            read.push(first);
            let mut before = first;
            for place in 0..more {
                let tree = match place {
                    0 => model.second.entry(first).or_default(),
                    _ => model.later.entry((first, before)).or_default(),
                };
                let next = self.symbol(tree, usize::from(at(read.len()) & 0x3f))? as u8 | 0x80;
                read.push(next);
                before = next;
            }
        }
        String::from_utf8(read).map_err(|_| BadCompact::Shape)
    }
}

/// The writing end. It never fails.
pub(super) struct Writer {
    low: u32,
    range: u32,
    out: Vec<u8>,
}

impl Writer {
    /// A stream that follows what is in `out`.
    pub(super) fn after(out: Vec<u8>) -> Self {
        Self {
            low: 0,
            range: u32::MAX,
            out,
        }
    }

    /// What was written.
    pub(super) fn finish(mut self) -> Vec<u8> {
        // The interval is at least 2^24 wide, so one byte names a number in it, zeros following.
        self.add(0x00ff_ffff);
        self.out.push((self.low >> 24) as u8);
        self.out
    }

    fn add(&mut self, start: u32) {
        let (low, carry) = self.low.overflowing_add(start);
        self.low = low;
        if carry {
            for byte in self.out.iter_mut().rev() {
                *byte = byte.wrapping_add(1);
                if *byte != 0 {
                    break;
                }
            }
        }
    }

    fn narrow(&mut self, bound: u32, bit: bool) {
        if bit {
            self.add(bound);
            self.range -= bound;
        } else {
            self.range = bound;
        }
        while self.range < 1 << 24 {
            self.out.push((self.low >> 24) as u8);
            self.low <<= 8;
            self.range <<= 8;
        }
    }
}

impl Stream for Writer {
    fn bit(&mut self, model: &mut Bit, bit: bool) -> Result<bool, BadCompact> {
        self.narrow((self.range >> SHARE_BITS) * model.share(), bit);
        model.learn(bit);
        Ok(bit)
    }

    fn even(&mut self, bit: bool) -> Result<bool, BadCompact> {
        self.narrow(self.range >> 1, bit);
        Ok(bit)
    }
}

/// The reading end. It fails as soon as it is asked for more than was written.
pub(super) struct Reader<'a> {
    code: u32,
    range: u32,
    rest: &'a [u8],
    /// Bytes taken after the end.
    beyond: usize,
}

impl<'a> Reader<'a> {
    /// Reads what a [`Writer`] wrote.
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        let mut reader = Self {
            code: 0,
            range: u32::MAX,
            rest: bytes,
            beyond: 0,
        };
        (0..4).for_each(|_| reader.shift());
        reader
    }

    /// Whether everything was read and nothing else, and the last byte is the lowest that says so, as
    /// a [`Writer`] gives it.
    pub(super) fn is_at_end(&self) -> bool {
        self.rest.is_empty() && self.beyond == READ_AHEAD && self.code < 1 << 24
    }

    fn shift(&mut self) {
        let byte = match self.rest.split_first() {
            Some((byte, rest)) => {
                self.rest = rest;
                *byte
            }
            None => {
                self.beyond += 1;
                0
            }
        };
        self.code = self.code << 8 | u32::from(byte);
    }

    fn narrow(&mut self, bound: u32) -> Result<bool, BadCompact> {
        let bit = self.code >= bound;
        if bit {
            self.code -= bound;
            self.range -= bound;
        } else {
            self.range = bound;
        }
        while self.range < 1 << 24 {
            self.range <<= 8;
            self.shift();
        }
        if self.beyond > READ_AHEAD {
            return Err(BadCompact::Shape);
        }
        Ok(bit)
    }
}

impl Stream for Reader<'_> {
    fn bit(&mut self, model: &mut Bit, _: bool) -> Result<bool, BadCompact> {
        let bit = self.narrow((self.range >> SHARE_BITS) * model.share())?;
        model.learn(bit);
        Ok(bit)
    }

    fn even(&mut self, _: bool) -> Result<bool, BadCompact> {
        self.narrow(self.range >> 1)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What a stream of these things gives.
    fn walk<S: Stream>(
        stream: &mut S,
        things: &[(u64, i64, String)],
    ) -> Result<Vec<(u64, i64, String)>, BadCompact> {
        let (mut number, mut signed, mut text) =
            (Number::default(), Number::default(), Text::default());
        let mut walked = Vec::new();
        for (n, s, t) in things {
            let n = stream.number(&mut number, *n)?;
            let s = stream.signed(&mut signed, *s)?;
            let length = stream.number(&mut number, t.len() as u64)? as usize;
            if length > 1000 {
                return Err(BadCompact::TooLarge);
            }
            walked.push((n, s, stream.text(&mut text, length, t)?));
            stream.raw(&mut [7; 3])?;
        }
        Ok(walked)
    }

    fn written(things: &[(u64, i64, String)]) -> Vec<u8> {
        let mut writer = Writer::after(Vec::new());
        assert_eq!(walk(&mut writer, things).as_deref(), Ok(things));
        writer.finish()
    }

    #[test]
    fn nothing_is_a_byte_and_what_repeats_is_next_to_nothing() {
        assert_eq!(written(&[]).len(), 1);
        let same = vec![(3, -1, "其其格".to_owned()); 100];
        // 300 bytes of it are raw.
        assert!(written(&same).len() < 300 + 200, "{}", written(&same).len());
    }

    #[test]
    fn a_cut_stream_is_never_read_to_its_end() {
        let things = vec![(77, 5, "12 格日勒".to_owned()); 5];
        let bytes = written(&things);
        for end in 0..bytes.len() {
            let mut reader = Reader::new(&bytes[..end]);
            let read = walk(&mut reader, &things);
            assert!(read.is_err() || !reader.is_at_end(), "{end}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..Default::default() })]

        #[test]
        fn whatever_is_written_is_read(
            things in proptest::collection::vec((any::<u64>(), any::<i64>(), "[ -~其格ᠴᠡ😀]{0,9}"), 0..30),
        ) {
            let bytes = written(&things);
            let mut reader = Reader::new(&bytes);
            let shape: Vec<_> = things.iter().map(|_| (0, 0, String::new())).collect();
            prop_assert_eq!(walk(&mut reader, &shape), Ok(things));
            prop_assert!(reader.is_at_end());
        }

        #[test]
        fn no_bytes_make_a_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let shape = vec![(0, 0, String::new()); 40];
            let _ = walk(&mut Reader::new(&bytes), &shape);
        }
    }
}
