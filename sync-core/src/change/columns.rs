//! The encodings inside a change chunk: LEB128 numbers, run-length encoded columns, values.

use super::{BadChange, COUNTER_MAX};
use crate::id::ActorId;
use crate::value::{VALUE_BYTES_MAX, Value};

// Value types: the low four bits of a value's metadata, the rest is its length.
const TYPE_NULL: u64 = 0;
const TYPE_FALSE: u64 = 1;
const TYPE_TRUE: u64 = 2;
const TYPE_INT: u64 = 4;
const TYPE_TEXT: u64 = 6;

/// What is left to read.
pub(crate) struct Reader<'a>(pub(crate) &'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) fn take(&mut self, count: usize) -> Result<&'a [u8], BadChange> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(BadChange::Malformed)?;
        self.0 = rest;
        Ok(taken)
    }

    /// An unsigned LEB128 number of at most 64 bits.
    pub(crate) fn unsigned(&mut self) -> Result<u64, BadChange> {
        let mut number = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.take(1)?[0];
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                return Err(BadChange::Malformed);
            }
            number |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(BadChange::Malformed)
    }

    /// A signed LEB128 number of at most 64 bits.
    pub(crate) fn signed(&mut self) -> Result<i64, BadChange> {
        let mut number = 0i64;
        for shift in (0..64).step_by(7) {
            let byte = self.take(1)?[0];
            let bits = i64::from(byte & 0x7f);
            if shift == 63 && bits != 0 && bits != 0x7f {
                return Err(BadChange::Malformed);
            }
            number |= bits << shift;
            if byte & 0x80 == 0 {
                if shift < 57 && byte & 0x40 != 0 {
                    number |= -1 << (shift + 7);
                }
                return Ok(number);
            }
        }
        Err(BadChange::Malformed)
    }

    pub(crate) fn counter(&mut self) -> Result<u32, BadChange> {
        match u32::try_from(self.unsigned()?) {
            Ok(number) if (1..=COUNTER_MAX).contains(&number) => Ok(number),
            _ => Err(BadChange::Counter),
        }
    }

    pub(crate) fn actor(&mut self) -> Result<ActorId, BadChange> {
        if self.unsigned()? != ActorId::LEN as u64 {
            return Err(BadChange::Actor);
        }
        ActorId::from_slice(self.take(ActorId::LEN)?).map_err(|_| BadChange::Actor)
    }

    pub(crate) fn value(&mut self, meta: u64) -> Result<Value, BadChange> {
        let length = usize::try_from(meta >> 4).map_err(|_| BadChange::Value)?;
        let mut data = Reader(self.take(length).map_err(|_| BadChange::Value)?);
        let value = match meta & 0xf {
            TYPE_NULL => Value::Null,
            TYPE_FALSE => Value::Bool(false),
            TYPE_TRUE => Value::Bool(true),
            TYPE_INT => Value::Int(data.signed().map_err(|_| BadChange::Value)?),
            TYPE_TEXT if length <= VALUE_BYTES_MAX => {
                let text = std::str::from_utf8(data.take(length)?).map_err(|_| BadChange::Value)?;
                Value::Text(text.to_owned())
            }
            _ => return Err(BadChange::Value),
        };
        if data.0.is_empty() {
            Ok(value)
        } else {
            Err(BadChange::Value)
        }
    }
}

/// Decodes a run-length encoded column that must hold exactly `expected` values; runs are compared
/// with what is still expected before they are unrolled.
pub(crate) fn read_runs<'a, T: Clone>(
    column: &'a [u8],
    expected: usize,
    read: impl Fn(&mut Reader<'a>) -> Result<T, BadChange>,
) -> Result<Vec<T>, BadChange> {
    let mut input = Reader(column);
    let mut values = Vec::with_capacity(expected);
    while !input.0.is_empty() {
        let run = input.signed()?;
        let count = usize::try_from(run.unsigned_abs()).map_err(|_| BadChange::Malformed)?;
        // A run of length 0 announces nulls, which none of our columns has.
        if count == 0 || count > expected - values.len() {
            return Err(BadChange::Malformed);
        }
        if run > 0 {
            let value = read(&mut input)?;
            values.extend(std::iter::repeat_n(value, count));
        } else {
            for _ in 0..count {
                values.push(read(&mut input)?);
            }
        }
    }
    if values.len() == expected {
        Ok(values)
    } else {
        Err(BadChange::Malformed)
    }
}

/// Encodes a column: two or more equal values are a run, what stands between runs is literal.
pub(crate) fn runs_of<T: PartialEq>(values: &[T], write: impl Fn(&mut Vec<u8>, &T)) -> Vec<u8> {
    fn literal<T>(out: &mut Vec<u8>, values: &[T], write: impl Fn(&mut Vec<u8>, &T)) {
        if !values.is_empty() {
            put_signed(out, -(values.len() as i64));
            values.iter().for_each(|value| write(out, value));
        }
    }
    let mut out = Vec::new();
    let (mut start, mut at) = (0, 0);
    while at < values.len() {
        let same = values[at..]
            .iter()
            .take_while(|value| **value == values[at])
            .count();
        if same > 1 {
            literal(&mut out, &values[start..at], &write);
            put_signed(&mut out, same as i64);
            write(&mut out, &values[at]);
            start = at + same;
        }
        at += same;
    }
    literal(&mut out, &values[start..], &write);
    out
}

pub(crate) fn put_unsigned(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

pub(crate) fn put_signed(out: &mut Vec<u8>, mut number: i64) {
    loop {
        let byte = number as u8 & 0x7f;
        number >>= 7;
        let done = (number == 0 && byte & 0x40 == 0) || (number == -1 && byte & 0x40 != 0);
        if done {
            out.push(byte);
            return;
        }
        out.push(byte | 0x80);
    }
}

pub(crate) fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_unsigned(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Appends the value's bytes and returns its metadata.
pub(crate) fn put_value(out: &mut Vec<u8>, value: &Value) -> u64 {
    let start = out.len();
    let kind = match value {
        Value::Null => TYPE_NULL,
        Value::Bool(false) => TYPE_FALSE,
        Value::Bool(true) => TYPE_TRUE,
        Value::Int(number) => {
            put_signed(out, *number);
            TYPE_INT
        }
        Value::Text(text) => {
            out.extend_from_slice(text.as_bytes());
            TYPE_TEXT
        }
    };
    ((out.len() - start) as u64) << 4 | kind
}
