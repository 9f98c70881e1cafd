//! The dictionary of recordable data: subjects, sections, fields and code lists (MODEL.md §2).
//!
//! These structs are also the package's form on the wire: CBOR arrays with numbered fields, new ones
//! at the end, so that an old phone reads a newer package.

use minicbor::decode::{self, Decoder};
use minicbor::encode::{self, Encoder, Write};
use minicbor::{Decode, Encode};

use crate::open::{self, Content, Unknown, numbered};

/// The section in which it stands that two records are one person, or are not. It is the programs' own:
/// no plan has a section of this name.
pub const STATEMENTS: &str = "same";

/// A text in both languages of the project.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct Text {
    /// Chinese; what the form shows first.
    #[n(0)]
    pub zh: String,
    /// English.
    #[n(1)]
    pub en: String,
}

/// What records are about: `person`, `household`, `organisation`.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Subject {
    /// The key in the plan.
    #[n(0)]
    pub key: String,
    /// What people call it.
    #[n(1)]
    pub title: Text,
    /// `section.field` of the value that names a record of it in a list.
    #[n(2)]
    pub label: String,
    /// The sections, in the order in which a form shows them.
    #[n(3)]
    pub sections: Vec<Section>,
}

/// A named group of fields of a subject.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Section {
    /// Unique over all subjects: the variable's name in expressions.
    #[n(0)]
    pub key: String,
    /// What people call it.
    #[n(1)]
    pub title: Text,
    /// How widely it may be held: `general`, `care`, `referral`, `health` or `protected`.
    #[n(2)]
    pub class: String,
    /// Whether it holds current values or dated items.
    #[n(3)]
    pub repeating: Repeating,
    /// The fields, in the order of the form.
    #[n(4)]
    pub fields: Vec<Field>,
    /// What must hold between fields.
    #[n(5)]
    pub checks: Vec<Check>,
    /// Whether it goes along when its person moves to another unit; references stay, since what they
    /// name stays.
    #[n(6)]
    pub travels: Option<bool>,
}

/// Whether a section repeats, and what its items are called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Repeating {
    /// One set of current values.
    No,
    /// Items with drawn ids, ordered by the date in this field.
    ByDate(String),
    /// Items named by the values of these fields, joined by `-`; so two people who open the same
    /// one edit one item. Such a section may be ordered by a date all the same.
    ByKey(Vec<String>, Option<String>),
    /// Items with drawn ids and no date of their own.
    Drawn,
    /// One of a newer plan: nobody fills the section in, and expressions do not know it.
    Other(Unknown),
}

impl<C> Encode<C> for Repeating {
    fn encode<W: Write>(
        &self,
        encoder: &mut Encoder<W>,
        context: &mut C,
    ) -> Result<(), encode::Error<W::Error>> {
        match self {
            Self::No => encoder.array(2)?.u32(0)?.array(0)?.ok(),
            Self::ByDate(field) => encoder.array(2)?.u32(1)?.array(1)?.str(field)?.ok(),
            Self::ByKey(fields, date) => {
                let length = if date.is_some() { 2 } else { 1 };
                encoder.array(2)?.u32(2)?.array(length)?;
                fields.encode(encoder, context)?;
                date.iter().try_for_each(|date| encoder.str(date)?.ok())
            }
            Self::Drawn => encoder.array(2)?.u32(3)?.array(0)?.ok(),
            Self::Other(unknown) => unknown.write(encoder),
        }
    }
}

impl<'b, C> Decode<'b, C> for Repeating {
    fn decode(decoder: &mut Decoder<'b>, context: &mut C) -> Result<Self, decode::Error> {
        let number = open::number(decoder)?;
        if number > 3 {
            return open::unknown(decoder, number).map(Self::Other);
        }
        let mut content = Content::of(decoder)?;
        let known = match number {
            1 => Self::ByDate(content.need(decoder, context)?),
            2 => Self::ByKey(
                content.need(decoder, context)?,
                content.next(decoder, context)?,
            ),
            3 => Self::Drawn,
            _ => Self::No,
        };
        content.end(decoder)?;
        Ok(known)
    }
}

impl Repeating {
    /// The field whose date orders the items.
    pub fn date(&self) -> Option<&str> {
        match self {
            Repeating::ByDate(field) => Some(field),
            Repeating::ByKey(_, date) => date.as_deref(),
            Repeating::No | Repeating::Drawn | Repeating::Other(_) => None,
        }
    }
}

/// One thing that is asked.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Field {
    /// The key inside its section.
    #[n(0)]
    pub key: String,
    /// What the form asks.
    #[n(1)]
    pub title: Text,
    /// What the value is.
    #[n(2)]
    pub kind: Kind,
    /// Whether a record that has the section is incomplete without it. An incomplete record is
    /// saved and flagged, never refused.
    #[n(3)]
    pub required: bool,
    /// Asked only where this expression holds; a field that is not asked is not required.
    #[n(4)]
    pub ask_if: Option<String>,
    /// Where the field comes from.
    #[n(5)]
    pub origin: Origin,
    /// A word for whoever fills it in.
    #[n(6)]
    pub hint: Option<Text>,
}

numbered! {
    /// Who asks for a field.
    pub enum Origin {
        /// The plan names it.
        0 => Plan,
        /// Standard practice, or needed to make the register work.
        1 => Practice,
        /// The plan names the matter, practice gives its form.
        2 => PlanAndPractice,
    }
}

/// What a value is and which values are allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Text.
    Text {
        /// Most characters (Unicode scalar values).
        max_chars: u32,
        /// A regular expression that the whole text must match.
        pattern: Option<String>,
        /// A form that a regular expression can't say.
        format: Option<Format>,
    },
    /// `YYYY-MM-DD`, not before 1900.
    Date {
        /// `YYYY-MM` is allowed too.
        month: bool,
        /// May lie in the future: what is due or expected.
        future: bool,
    },
    /// A whole number.
    Integer {
        /// Smallest.
        min: i64,
        /// Largest.
        max: i64,
    },
    /// Yes or no.
    Bool,
    /// One code of a list.
    Choice {
        /// The list's key.
        codes: String,
    },
    /// Any number of codes of a list; stored as one Boolean per code.
    Choices {
        /// The list's key.
        codes: String,
    },
    /// The id of a record of this subject.
    Reference {
        /// The subject's key.
        subject: String,
    },
    /// `latitude,longitude` in degrees, WGS-84, with one decimal at the most: a finer one would name
    /// the household.
    Point,
    /// One of a newer plan: what is recorded is shown as text, and nobody fills it in.
    Other(Unknown),
}

impl<C> Encode<C> for Kind {
    fn encode<W: Write>(
        &self,
        encoder: &mut Encoder<W>,
        context: &mut C,
    ) -> Result<(), encode::Error<W::Error>> {
        match self {
            Self::Text {
                max_chars,
                pattern,
                format,
            } => {
                let length = match (pattern, format) {
                    (_, Some(_)) => 3,
                    (Some(_), None) => 2,
                    (None, None) => 1,
                };
                encoder.array(2)?.u32(0)?.array(length)?.u32(*max_chars)?;
                if length > 1 {
                    pattern.encode(encoder, context)?;
                }
                let mut format = format.iter();
                format.try_for_each(|format| format.encode(encoder, context))
            }
            Self::Date { month, future } => {
                encoder.array(2)?.u32(1)?.array(2)?;
                encoder.bool(*month)?.bool(*future)?.ok()
            }
            Self::Integer { min, max } => {
                encoder.array(2)?.u32(2)?.array(2)?;
                encoder.i64(*min)?.i64(*max)?.ok()
            }
            Self::Bool => encoder.array(2)?.u32(3)?.array(0)?.ok(),
            Self::Choice { codes } => encoder.array(2)?.u32(4)?.array(1)?.str(codes)?.ok(),
            Self::Choices { codes } => encoder.array(2)?.u32(5)?.array(1)?.str(codes)?.ok(),
            Self::Reference { subject } => encoder.array(2)?.u32(6)?.array(1)?.str(subject)?.ok(),
            Self::Point => encoder.array(2)?.u32(7)?.array(0)?.ok(),
            Self::Other(unknown) => unknown.write(encoder),
        }
    }
}

impl<'b, C> Decode<'b, C> for Kind {
    fn decode(decoder: &mut Decoder<'b>, context: &mut C) -> Result<Self, decode::Error> {
        let number = open::number(decoder)?;
        if number > 7 {
            return open::unknown(decoder, number).map(Self::Other);
        }
        let mut content = Content::of(decoder)?;
        let known = match number {
            0 => Self::Text {
                max_chars: content.need(decoder, context)?,
                pattern: content.next(decoder, context)?,
                format: content.next(decoder, context)?,
            },
            1 => Self::Date {
                month: content.need(decoder, context)?,
                future: content.need(decoder, context)?,
            },
            2 => Self::Integer {
                min: content.need(decoder, context)?,
                max: content.need(decoder, context)?,
            },
            3 => Self::Bool,
            4 => Self::Choice {
                codes: content.need(decoder, context)?,
            },
            5 => Self::Choices {
                codes: content.need(decoder, context)?,
            },
            6 => Self::Reference {
                subject: content.need(decoder, context)?,
            },
            _ => Self::Point,
        };
        content.end(decoder)?;
        Ok(known)
    }
}

numbered! {
    /// Forms of text that need more than a regular expression.
    pub enum Format {
        /// An 18-character ID number (GB 11643-1999), where the document is an ID card.
        0 => IdNumber,
    }
}

/// A rule between the fields of a section.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Check {
    /// An expression that holds for good values; in a repeating section `item` is the item. One
    /// that can't be evaluated because a value is missing breaks nothing.
    #[n(0)]
    pub rule: String,
    /// What to tell whoever broke it.
    #[n(1)]
    pub says: Text,
    /// The field that is shown as wrong.
    #[n(2)]
    pub at: String,
}

/// A code list. Codes are stored, titles are shown; codes are retired, never used again.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct CodeList {
    /// The list's key, such as `CL-SEX`.
    #[n(0)]
    pub key: String,
    /// What people call it.
    #[n(1)]
    pub title: Text,
    /// The standard or practice that it comes from.
    #[n(2)]
    pub source: String,
    /// Whether codes that are not listed may be typed: the standard has more than is listed here.
    #[n(3)]
    pub open: bool,
    /// The codes, in the order of the form.
    #[n(4)]
    pub codes: Vec<Code>,
}

/// A code.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Code {
    /// What is stored.
    #[n(0)]
    pub code: String,
    /// What is shown.
    #[n(1)]
    pub title: Text,
    /// No longer offered; values that have it stay good.
    #[n(2)]
    pub retired: bool,
    /// Excludes every other code of a multi-choice.
    #[n(3)]
    pub alone: bool,
}

impl Subject {
    /// The section with this key.
    pub fn section(&self, key: &str) -> Option<&Section> {
        self.sections.iter().find(|section| section.key == key)
    }
}

impl Section {
    /// Whether this program knows how it repeats.
    pub fn is_known(&self) -> bool {
        !matches!(self.repeating, Repeating::Other(_))
    }

    /// Whether the value of a field goes along when a person moves to another unit. Of fields that only
    /// a newer plan knows it does, so that nothing is lost.
    pub fn takes_along(&self, field: &str) -> bool {
        let kind = self.field(field).map(|field| &field.kind);
        self.travels == Some(true) && !matches!(kind, Some(Kind::Reference { .. }))
    }

    /// The field with this key.
    pub fn field(&self, key: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.key == key)
    }
}

impl Field {
    /// Whether this program knows what its values are.
    pub fn is_known(&self) -> bool {
        !matches!(self.kind, Kind::Other(_))
    }
}

impl CodeList {
    /// The code with its titles.
    pub fn code(&self, code: &str) -> Option<&Code> {
        self.codes.iter().find(|listed| listed.code == code)
    }

    /// Whether the code may be stored.
    pub fn takes(&self, code: &str) -> bool {
        self.open || self.code(code).is_some()
    }
}
