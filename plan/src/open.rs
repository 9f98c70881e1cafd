//! Numbers of newer plans: how an enum of the package takes one that this program does not know.
//!
//! A phone that lags behind would lose its whole dictionary to one new unit or kind of field. So every
//! enum that travels as a number has a variant `Other`, which keeps what was read and is written again
//! as it was. What an `Other` means where it is used is said at each of them.

use minicbor::bytes::ByteVec;
use minicbor::decode::{Decode, Decoder, Error};
use minicbor::encode::{self, Encoder, Write};

/// A variant with its content, of a newer plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unknown {
    /// The variant's number.
    pub number: u32,
    /// Its content, one item of CBOR.
    content: ByteVec,
}

impl Unknown {
    /// Writes the variant as it was read.
    pub(crate) fn write<W: Write>(
        &self,
        encoder: &mut Encoder<W>,
    ) -> Result<(), encode::Error<W::Error>> {
        encoder.array(2)?.u32(self.number)?;
        let content = encoder.writer_mut().write_all(&self.content);
        content.map_err(encode::Error::write)
    }
}

/// Reads the head of a variant with content: its number. The content is next.
pub(crate) fn number(decoder: &mut Decoder<'_>) -> Result<u32, Error> {
    match decoder.array()? {
        Some(2) => decoder.u32(),
        _ => Err(Error::message("a variant is a number and its content")),
    }
}

/// Reads the content of a variant that this program does not know.
pub(crate) fn unknown(decoder: &mut Decoder<'_>, number: u32) -> Result<Unknown, Error> {
    let from = decoder.position();
    decoder.skip()?;
    let content = decoder.input().get(from..decoder.position());
    let content = content.unwrap_or_default().to_vec().into();
    Ok(Unknown { number, content })
}

const TOO_SHORT: &str = "the content of a variant is too short";

/// The content of a known variant: an array, to which newer plans may add.
pub(crate) struct Content {
    left: u64,
}

impl Content {
    pub(crate) fn of(decoder: &mut Decoder<'_>) -> Result<Self, Error> {
        let left = decoder.array()?;
        let left = left.ok_or_else(|| Error::message("an array without a length"))?;
        Ok(Self { left })
    }

    /// The next item; none where an older plan ends or says null.
    pub(crate) fn next<'b, C, T: Decode<'b, C>>(
        &mut self,
        decoder: &mut Decoder<'b>,
        context: &mut C,
    ) -> Result<Option<T>, Error> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        Option::decode(decoder, context)
    }

    /// The next item, which has to be there.
    pub(crate) fn need<'b, C, T: Decode<'b, C>>(
        &mut self,
        decoder: &mut Decoder<'b>,
        context: &mut C,
    ) -> Result<T, Error> {
        let next = self.next(decoder, context)?;
        next.ok_or_else(|| Error::message(TOO_SHORT))
    }

    /// The next item, which has to be there, as `read` reads it.
    pub(crate) fn with<T>(
        &mut self,
        decoder: &mut Decoder<'_>,
        read: impl FnOnce(&mut Decoder<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let left = self.left.checked_sub(1);
        self.left = left.ok_or_else(|| Error::message(TOO_SHORT))?;
        read(decoder)
    }

    /// The next item, which has to be a list, each of it as `read` reads it.
    pub(crate) fn list<T>(
        &mut self,
        decoder: &mut Decoder<'_>,
        mut read: impl FnMut(&mut Decoder<'_>) -> Result<T, Error>,
    ) -> Result<Vec<T>, Error> {
        self.with(decoder, |decoder| {
            let Content { left } = Content::of(decoder)?;
            (0..left).map(|_| read(decoder)).collect()
        })
    }

    /// Passes over what a newer plan has added.
    pub(crate) fn end(self, decoder: &mut Decoder<'_>) -> Result<(), Error> {
        (0..self.left).try_for_each(|_| decoder.skip())
    }
}

/// An enum that travels as its number alone, with `Other` for the numbers of newer plans.
macro_rules! numbered {
    (
        $(#[$meta:meta])*
        pub enum $name:ident {
            $($(#[$of_variant:meta])* $number:literal => $variant:ident,)+
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum $name {
            $($(#[$of_variant])* $variant,)+
            /// One of a newer plan, by its number.
            Other(u32),
        }

        impl<C> minicbor::Encode<C> for $name {
            fn encode<W: minicbor::encode::Write>(
                &self,
                encoder: &mut minicbor::Encoder<W>,
                _: &mut C,
            ) -> Result<(), minicbor::encode::Error<W::Error>> {
                let number = match self {
                    $(Self::$variant => $number,)+
                    Self::Other(number) => *number,
                };
                encoder.u32(number)?;
                Ok(())
            }
        }

        impl<'b, C> minicbor::Decode<'b, C> for $name {
            fn decode(
                decoder: &mut minicbor::Decoder<'b>,
                _: &mut C,
            ) -> Result<Self, minicbor::decode::Error> {
                Ok(match decoder.u32()? {
                    $($number => Self::$variant,)+
                    other => Self::Other(other),
                })
            }
        }
    };
}

pub(crate) use numbered;
