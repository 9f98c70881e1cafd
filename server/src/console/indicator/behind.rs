//! The records behind a figure of a 嘎查: their number is the figure.

use plan::dictionary::{Field, Repeating, Section};
use sync_core::figure::{Tally, UnitFacts};
use sync_core::id::RecordId;

use crate::console::address::Part;
use crate::console::frame::Link;
use crate::console::paging::Paging;
use crate::console::trouble::Trouble;
use crate::console::value::{Teller, shown};

/// One part of a figure with its groups.
pub(super) struct Behind {
    /// The parts with how much stands in each.
    pub(super) parts: Vec<Link>,
    pub(super) part: Part,
    /// How much the groups of this part make together.
    pub(super) sum: i64,
    /// Whether a group may stand for more than one.
    pub(super) weighted: bool,
    /// The title of what tells two of one name apart.
    pub(super) apart: Option<String>,
    pub(super) rows: Vec<Row>,
    pub(super) paging: Paging,
    pub(super) previous: Option<String>,
    pub(super) next: Option<String>,
}

/// A group that counts.
#[derive(Clone)]
pub(super) struct Row {
    pub(super) label: String,
    pub(super) href: String,
    /// What tells her apart from another of her name.
    pub(super) apart: String,
    pub(super) weight: i64,
}

/// How much of a tally stands in a part.
fn weight(tally: &Tally, part: Part) -> i64 {
    match part {
        Part::Reached => tally.numerator,
        Part::Rest => tally.denominator - tally.numerator,
        Part::Unknown => tally.unknown,
    }
}

impl Behind {
    /// `part` is the part that is asked for, or the first that has anything; `turned` gives the
    /// address of a page of a part, `record` that of a record.
    pub(super) fn of(
        teller: Teller<'_>,
        behind: &[(RecordId, Tally)],
        facts: &UnitFacts,
        part: Option<Part>,
        page: usize,
        turned: &dyn Fn(Part, usize) -> String,
        record: &dyn Fn(RecordId) -> String,
    ) -> Result<Self, Trouble> {
        let of_part = |part: Part| {
            let weighed = behind
                .iter()
                .map(move |(id, tally)| (*id, weight(tally, part)));
            weighed
                .filter(|(_, weight)| *weight > 0)
                .collect::<Vec<_>>()
        };
        let sum_of = |part: Part| of_part(part).iter().map(|(_, weight)| weight).sum::<i64>();
        let first = Part::ALL.into_iter().find(|part| sum_of(*part) > 0);
        let part = part.or(first).unwrap_or(Part::Reached);
        let groups = of_part(part);
        let paging = Paging::of(page, groups.len())?;
        let apart = groups.first().and_then(|(id, _)| tells_apart(teller, *id));
        let row = |(id, weight): &(RecordId, i64)| Row {
            apart: apart
                .map(|key| value(teller, facts, *id, key))
                .unwrap_or_default(),
            label: teller.label_of(facts, *id),
            href: record(*id),
            weight: *weight,
        };
        let link = |of: Part| {
            let count = sum_of(of).to_string();
            let name = format!("console-part-{}", of.key());
            Link {
                href: turned(of, 1),
                title: teller.words.sentence(&name, &[("count", &count)]),
                here: of == part,
            }
        };
        Ok(Self {
            parts: Part::ALL.into_iter().map(link).collect(),
            part,
            sum: sum_of(part),
            apart: apart.map(|(_, field)| teller.title(&field.title).to_owned()),
            weighted: groups.iter().any(|(_, weight)| *weight != 1),
            rows: paging.rows(&groups).iter().map(row).collect(),
            previous: paging.previous().map(|page| turned(part, page)),
            next: paging.next().map(|page| turned(part, page)),
            paging,
        })
    }
}

/// The first value of a single section that a register of the subject shows beside the label: a
/// date of birth, the number of a household.
fn tells_apart(teller: Teller<'_>, id: RecordId) -> Option<(&Section, &Field)> {
    let of = id.subject.key();
    let label = &teller.package.subject(of)?.label;
    let registers = teller
        .package
        .registers
        .iter()
        .filter(|register| register.of == of);
    let mut columns = registers
        .flat_map(|register| &register.columns)
        .filter(|key| *key != label);
    columns.find_map(|key| {
        let (section, field) = key.split_once('.')?;
        let (_, section) = teller.package.section(section)?;
        let is_single = section.repeating == Repeating::No;
        is_single
            .then(|| section.field(field))
            .flatten()
            .map(|field| (section, field))
    })
}

fn value(
    teller: Teller<'_>,
    facts: &UnitFacts,
    id: RecordId,
    (section, field): (&Section, &Field),
) -> String {
    let said = facts.groups.get(&id).map(|(_, said)| said);
    let fields = said.and_then(|said| said.single.get(&section.key));
    let value = fields.and_then(|fields| fields.get(&field.key));
    value
        .map(|value| teller.field(field, &shown(value)))
        .unwrap_or_default()
}
