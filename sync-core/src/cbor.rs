//! Additions to minicbor: writing into memory, and lists that refuse to grow.

use minicbor::{Decode, Decoder, Encode, Encoder};

/// Encodes into a new vector.
pub(crate) fn encode<T: Encode<()>>(value: &T) -> Vec<u8> {
    // Writing into a vector can't fail: its error type has no values.
    minicbor::to_vec(value).unwrap_or_default()
}

/// Decodes all of `bytes`: what stands behind the value is no part of it, and makes them another thing.
pub(crate) fn decode<'b, T: Decode<'b, ()>>(bytes: &'b [u8]) -> Result<T, minicbor::decode::Error> {
    let mut decoder = Decoder::new(bytes);
    let value = decoder.decode()?;
    match decoder.position() == bytes.len() {
        true => Ok(value),
        false => Err(minicbor::decode::Error::end_of_input().at(decoder.position())),
    }
}

/// A list of at most `N` elements. A longer one is refused when its length is read, before
/// anything is allocated: 4 MiB of empty strings would otherwise become 100 MB.
#[derive(Clone, Debug)]
pub(crate) struct List<T, const N: usize>(pub(crate) Vec<T>);

impl<T, const N: usize> Default for List<T, N> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T, const N: usize> From<Vec<T>> for List<T, N> {
    fn from(list: Vec<T>) -> Self {
        Self(list)
    }
}

impl<T, const N: usize> FromIterator<T> for List<T, N> {
    fn from_iter<I: IntoIterator<Item = T>>(iter: I) -> Self {
        Self(iter.into_iter().collect())
    }
}

impl<T, const N: usize> IntoIterator for List<T, N> {
    type Item = T;
    type IntoIter = std::vec::IntoIter<T>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<C, T: Encode<C>, const N: usize> Encode<C> for List<T, N> {
    fn encode<W: minicbor::encode::Write>(
        &self,
        e: &mut Encoder<W>,
        ctx: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        self.0.encode(e, ctx)
    }
}

impl<'b, C, T: Decode<'b, C>, const N: usize> Decode<'b, C> for List<T, N> {
    fn decode(d: &mut Decoder<'b>, ctx: &mut C) -> Result<Self, minicbor::decode::Error> {
        let too_long = || minicbor::decode::Error::message("list over its limit");
        let length = d.array()?.ok_or_else(too_long)?;
        let length = usize::try_from(length)
            .ok()
            .filter(|length| *length <= N)
            .ok_or_else(too_long)?;
        let mut list = Vec::new();
        for _ in 0..length {
            list.push(T::decode(d, ctx)?);
        }
        Ok(Self(list))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_behind_a_value_makes_it_no_value() {
        let one = encode(&7u32);
        assert_eq!(decode::<u32>(&one).ok(), Some(7));
        assert!(decode::<u32>(&[one.as_slice(), &[0]].concat()).is_err());
        // A list of numbers is no list that is too long.
        let error = decode::<u32>(&[one.as_slice(), &one].concat()).unwrap_err();
        assert!(!error.is_message());
    }
}
