//! Registers, the statuses computed for them, and the dated settings they rest on.

use minicbor::decode::{self, Decoder};
use minicbor::encode::{self, Encoder, Write};
use minicbor::{Decode, Encode};

use crate::dictionary::Text;
use crate::open::{self, Content, Unknown, numbered};

/// A register (台账): which records it shows, what is filled in and what follows. It holds no data
/// of its own: one entry serves every register.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Register {
    /// The register's key, such as `left_behind`.
    #[n(0)]
    pub key: String,
    /// What people call it.
    #[n(1)]
    pub title: Text,
    /// The subject whose records it shows.
    #[n(2)]
    pub of: String,
    /// Which of them: an expression over the record as of today.
    #[n(3)]
    pub rows: String,
    /// The sections that are filled in for it, in order.
    #[n(4)]
    pub fill: Vec<String>,
    /// The columns: `section.field`, or the name of a computed status.
    #[n(5)]
    pub columns: Vec<String>,
    /// The column that orders the rows.
    #[n(6)]
    pub sort: String,
    /// What there is to do.
    #[n(7)]
    pub tasks: Vec<Task>,
}

/// Something that has to be done for a row of a register.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Task {
    /// The task's key.
    #[n(0)]
    pub key: String,
    /// What people call it.
    #[n(1)]
    pub title: Text,
    /// The computed date when it is due; none means that there is nothing to do.
    #[n(2)]
    pub due: String,
    /// The section to which doing it adds.
    #[n(3)]
    pub adds: String,
}

/// A status or a date worked out from what is recorded; named once, never typed in.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Computed {
    /// The name: a variable of every other expression over the same subject.
    #[n(0)]
    pub key: String,
    /// The subject.
    #[n(1)]
    pub of: String,
    /// What people call it.
    #[n(2)]
    pub title: Text,
    /// What it gives.
    #[n(3)]
    pub gives: ValueType,
    /// The expression.
    #[n(4)]
    pub is: String,
    /// The list by whose titles a text is shown.
    #[n(5)]
    pub codes: Option<String>,
}

numbered! {
    /// What a computed status is.
    pub enum ValueType {
        /// Yes or no.
        0 => Bool,
        /// A date, or null.
        1 => Date,
        /// A whole number.
        2 => Integer,
        /// A code or another text.
        3 => Text,
        /// An item of a repeating section, or null.
        4 => Item,
    }
}

/// A threshold of the plan that depends on the date.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Setting {
    /// The name: `settings.NAME` in expressions.
    #[n(0)]
    pub key: String,
    /// What people call it.
    #[n(1)]
    pub title: Text,
    /// The values, by the date from which each holds, ascending.
    #[n(2)]
    pub values: Vec<Dated>,
}

/// A setting's value from a date on.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Dated {
    /// `YYYY-MM-DD`.
    #[n(0)]
    pub from: String,
    /// The value.
    #[n(1)]
    pub value: Constant,
    /// The standard that says so.
    #[n(2)]
    pub standard: String,
}

/// How deep the values of a setting may be nested: reading them must not overflow a phone's stack.
pub(crate) const CONSTANT_DEPTH_MAX: usize = 8;

/// A value of a setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Constant {
    /// A whole number.
    Integer(i64),
    /// A text or code.
    Text(String),
    /// Yes or no.
    Bool(bool),
    /// Several values.
    List(Vec<Constant>),
    /// Named values, ascending by name.
    Map(Vec<(String, Constant)>),
    /// One of a newer plan: expressions that name the setting have no answer.
    Other(Unknown),
}

impl Constant {
    /// How deep its values are nested.
    #[cfg(feature = "load")]
    pub(crate) fn depth(&self) -> usize {
        let deepest = match self {
            Self::List(values) => values.iter().map(Self::depth).max(),
            Self::Map(values) => values.iter().map(|(_, value)| value.depth()).max(),
            _ => None,
        };
        deepest.map_or(0, |deepest| deepest + 1)
    }

    /// Whether this program knows all of it.
    pub fn is_known(&self) -> bool {
        match self {
            Self::Integer(_) | Self::Text(_) | Self::Bool(_) => true,
            Self::List(values) => values.iter().all(Self::is_known),
            Self::Map(values) => values.iter().all(|(_, value)| value.is_known()),
            Self::Other(_) => false,
        }
    }
}

impl<C> Encode<C> for Constant {
    fn encode<W: Write>(
        &self,
        encoder: &mut Encoder<W>,
        context: &mut C,
    ) -> Result<(), encode::Error<W::Error>> {
        let number = match self {
            Self::Integer(_) => 0,
            Self::Text(_) => 1,
            Self::Bool(_) => 2,
            Self::List(_) => 3,
            Self::Map(_) => 4,
            Self::Other(unknown) => return unknown.write(encoder),
        };
        encoder.array(2)?.u32(number)?.array(1)?;
        match self {
            Self::Integer(value) => value.encode(encoder, context),
            Self::Text(text) => text.encode(encoder, context),
            Self::Bool(value) => value.encode(encoder, context),
            Self::List(values) => values.encode(encoder, context),
            Self::Map(values) => values.encode(encoder, context),
            Self::Other(_) => Ok(()),
        }
    }
}

impl<'b, C> Decode<'b, C> for Constant {
    fn decode(decoder: &mut Decoder<'b>, context: &mut C) -> Result<Self, decode::Error> {
        Self::read(decoder, context, 0)
    }
}

impl Constant {
    fn read<C>(
        decoder: &mut Decoder<'_>,
        context: &mut C,
        depth: usize,
    ) -> Result<Self, decode::Error> {
        if depth > CONSTANT_DEPTH_MAX {
            return Err(decode::Error::message("a setting is nested too deeply"));
        }
        let number = open::number(decoder)?;
        if number > 4 {
            return open::unknown(decoder, number).map(Self::Other);
        }
        let mut content = Content::of(decoder)?;
        let known = match number {
            0 => Self::Integer(content.need(decoder, context)?),
            1 => Self::Text(content.need(decoder, context)?),
            2 => Self::Bool(content.need(decoder, context)?),
            3 => Self::List(
                content.list(decoder, |decoder| Self::read(decoder, context, depth + 1))?,
            ),
            _ => Self::Map(content.list(decoder, |decoder| {
                let mut entry = Content::of(decoder)?;
                let name = entry.need(decoder, context)?;
                let value = entry.with(decoder, |decoder| Self::read(decoder, context, depth + 1));
                let value = value?;
                entry.end(decoder)?;
                Ok((name, value))
            })?),
        };
        content.end(decoder)?;
        Ok(known)
    }
}
