//! The package: the checked whole of the plan, one versioned set of data.

use minicbor::{Decode, Encode};
use sha2::{Digest, Sha256};

use crate::dictionary::{CodeList, Field, Section, Subject};
use crate::expression::{Parsed, Programs};
use crate::indicator::{Indicator, Years};
use crate::register::{Computed, Register, Setting};
use crate::unit::OrgUnit;

/// Years that a plan can be for.
const YEARS_MAX: u16 = 200;

/// Everything the plan says, checked. On the wire a CBOR array, new fields at the end.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub struct Package {
    /// Goes up with every change; a device uses the newest it holds.
    #[n(0)]
    pub version: u32,
    /// The subjects.
    #[n(1)]
    pub subjects: Vec<Subject>,
    /// The code lists.
    #[n(2)]
    pub codes: Vec<CodeList>,
    /// The dated settings.
    #[n(3)]
    pub settings: Vec<Setting>,
    /// The computed statuses, each after those that it uses.
    #[n(4)]
    pub computed: Vec<Computed>,
    /// The registers.
    #[n(5)]
    pub registers: Vec<Register>,
    /// The org units, by code.
    #[n(6)]
    pub units: Vec<OrgUnit>,
    /// The years of the plan.
    #[cbor(n(7), default)]
    pub years: Years,
    /// The indicators, in the order of the plan.
    #[cbor(n(8), default)]
    pub indicators: Vec<Indicator>,
    /// The trees of the expressions that the package has, so that nobody who evaluates them has to
    /// parse. One that is missing or of a newer plan has no answer where there is no parser.
    #[cbor(n(9), default, skip_if = "Vec::is_empty")]
    pub expressions: Vec<Parsed>,
    /// Expressions that were compiled already; no part of what the package says.
    #[cbor(skip)]
    pub(crate) programs: Programs,
}

/// Bytes that are no package, or one of a shape that this program does not know.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the plan package does not decode: {0}")]
pub struct BadPackage(String);

impl Package {
    /// The bytes that are signed and sent.
    pub fn to_cbor(&self) -> Vec<u8> {
        // Writing into a vector can't fail: its error type has no values.
        minicbor::to_vec(self).unwrap_or_default()
    }

    /// Reads what [`Self::to_cbor`] wrote. What a package says was checked by the loader before
    /// somebody signed it; an expression that this program can't evaluate is an error where it is
    /// used, not here.
    pub fn from_cbor(bytes: &[u8]) -> Result<Self, BadPackage> {
        let read: Result<Self, _> = minicbor::decode(bytes);
        let package = read.map_err(|error| BadPackage(error.to_string()))?;
        // Figures are counted for each of them, whatever they are.
        let years = package.years.to.saturating_sub(package.years.from);
        if years >= YEARS_MAX {
            return Err(BadPackage(format!("it is for {years} years")));
        }
        Ok(package)
    }

    /// Every expression of the package by its source, one as often as it is there.
    pub fn sources(&self) -> impl Iterator<Item = &str> {
        let sections = self.subjects.iter().flat_map(|subject| &subject.sections);
        let fields = sections.clone().flat_map(|section| &section.fields);
        let asked = fields.filter_map(|field| field.ask_if.as_deref());
        let checks = sections.flat_map(|section| &section.checks);
        let checks = checks.map(|check| check.rule.as_str());
        let computed = self.computed.iter().map(|computed| computed.is.as_str());
        let rows = self.registers.iter().map(|register| register.rows.as_str());
        let counts = self.indicators.iter().map(|indicator| &indicator.count);
        let counts = counts.flat_map(|count| count.expressions());
        asked
            .chain(checks)
            .chain(computed)
            .chain(rows)
            .chain(counts)
    }

    /// SHA-256 of the bytes: equal packages have equal hashes.
    pub fn hash(&self) -> [u8; 32] {
        Sha256::digest(self.to_cbor()).into()
    }

    /// The subject with this key.
    pub fn subject(&self, key: &str) -> Option<&Subject> {
        self.subjects.iter().find(|subject| subject.key == key)
    }

    /// The section with this key, and its subject.
    pub fn section(&self, key: &str) -> Option<(&Subject, &Section)> {
        let of = |subject| Some((subject, Subject::section(subject, key)?));
        self.subjects.iter().find_map(of)
    }

    /// A field of a section.
    pub fn field(&self, section: &str, field: &str) -> Option<&Field> {
        self.section(section)?.1.field(field)
    }

    /// The code list with this key.
    pub fn code_list(&self, key: &str) -> Option<&CodeList> {
        self.codes.iter().find(|list| list.key == key)
    }

    /// The register with this key, or with this title in either language.
    pub fn register(&self, name: &str) -> Option<&Register> {
        let named = |register: &&Register| {
            [&register.key, &register.title.zh, &register.title.en]
                .iter()
                .any(|known| *known == name)
        };
        self.registers.iter().find(named)
    }

    /// The computed status of a subject with this name.
    pub fn status(&self, of: &str, name: &str) -> Option<&Computed> {
        let named = |computed: &&Computed| computed.key == name && computed.of == of;
        self.computed.iter().find(named)
    }

    /// The indicators that this program can count, with their places in the package.
    pub fn counted(&self) -> impl Iterator<Item = (u16, &Indicator)> {
        let placed = (0u16..).zip(&self.indicators);
        placed.filter(|(_, indicator)| indicator.is_known())
    }

    /// The indicator with this key, if this program can count it.
    pub fn indicator(&self, key: &str) -> Option<&Indicator> {
        let mut known = self.counted().map(|(_, indicator)| indicator);
        known.find(|indicator| indicator.key == key)
    }

    /// Whether a pattern of the dictionary matches the whole text. A pattern that is no regular
    /// expression, which the loader refuses, matches everything: a mistake in the plan costs nobody
    /// a record.
    pub fn pattern_matches(&self, pattern: &str, text: &str) -> bool {
        self.programs.pattern_matches(pattern, text)
    }

    /// The org unit with this code.
    pub fn unit(&self, code: &str) -> Option<&OrgUnit> {
        self.units.iter().find(|unit| unit.code == code)
    }
}
