//! The catalogue: every target of the plan, counted from the registers or not.
//!
//! It is the office's document and beside the package, which phones hold: most targets are figures and
//! reports of departments, of which a phone knows nothing. It has a version and bytes of its own, is
//! loaded by the server alone, and never sent to phones.

use minicbor::{Decode, Encode};
use sha2::{Digest, Sha256};

use crate::dictionary::Text;
use crate::indicator::{Amount, Bound, Direction, Measure, Period, Responsible, Trend};

/// All targets of the plan, checked. In CBOR an array, new fields at the end.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Catalogue {
    /// Goes up with every change.
    #[n(0)]
    pub version: u32,
    /// The targets, in the order of the plan.
    #[n(1)]
    pub targets: Vec<Target>,
}

/// A target of the plan: a part of one of its sentences that can be judged by itself.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Target {
    /// The key, such as `law.legal-aid`; kept for good. An indicator that counts the target has the
    /// same.
    #[n(0)]
    pub key: String,
    /// What people call it.
    #[n(1)]
    pub title: Text,
    /// The domain of the plan that it belongs to.
    #[n(2)]
    pub domain: String,
    /// The goal item's number in its domain.
    #[n(3)]
    pub item: u32,
    /// The plan's sentence, word for word.
    #[n(4)]
    pub quote: String,
    /// The part of the sentence that is this target.
    #[n(5)]
    pub clause: String,
    /// Where its figures come from.
    #[n(6)]
    pub kind: Kind,
    /// Which way is better.
    #[n(7)]
    pub direction: Direction,
    /// What a figure of it is measured in; none of what is told in words, or where the plan leaves it
    /// open.
    #[n(8)]
    pub unit: Option<Measure>,
    /// What a year of it is.
    #[n(9)]
    pub period: Period,
    /// The amount that the plan wants by `year`.
    #[n(10)]
    pub bound: Option<Bound>,
    /// By when.
    #[n(11)]
    pub year: u16,
    /// What counts as reaching a target without an amount.
    #[n(12)]
    pub trend: Option<Trend>,
    /// The plan's own words for it, where they are no number.
    #[n(13)]
    pub wording: Option<String>,
    /// Who answers for it.
    #[n(14)]
    pub responsible: Responsible,
    /// What is to be reached in the years before, by year.
    #[n(15)]
    pub steps: Vec<Step>,
}

/// Where a target's figures come from.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Kind {
    /// This indicator of the package counts them from the registers.
    #[n(0)]
    Counted(#[n(0)] String),
    /// The responsible department reports numbers.
    #[n(1)]
    Reported,
    /// The responsible department reports in words.
    #[n(2)]
    Qualitative,
    /// They are put together from the figures of these targets.
    #[n(3)]
    Composed(#[n(0)] Vec<String>),
}

/// What is to be reached in a year on the way to a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Step {
    /// The year.
    #[n(0)]
    pub year: u16,
    /// The amount, on the side of the target's own.
    #[n(1)]
    pub amount: Amount,
}

impl Catalogue {
    /// Its bytes.
    pub fn to_cbor(&self) -> Vec<u8> {
        // Writing into a vector can't fail: its error type has no values.
        minicbor::to_vec(self).unwrap_or_default()
    }

    /// SHA-256 of the bytes: equal catalogues have equal hashes.
    pub fn hash(&self) -> [u8; 32] {
        Sha256::digest(self.to_cbor()).into()
    }

    /// The target with this key.
    pub fn target(&self, key: &str) -> Option<&Target> {
        self.targets.iter().find(|target| target.key == key)
    }
}
