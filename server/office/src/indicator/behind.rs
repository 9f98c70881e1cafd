//! The records behind a figure of a 嘎查: their number is the figure.

use plan::dictionary::{Field, Repeating, Section};
use sync_core::figure::{Tally, UnitFacts};
use sync_core::id::RecordId;

use crate::address::Part;
use crate::layout::Link;
use crate::page_error::PageError;
use crate::paging::Paging;
use crate::value::{Formatter, shown};

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

/// How much of a tally stands in a part. More people than a household has may use its water.
fn weight(tally: &Tally, part: Part) -> i64 {
    match part {
        Part::Reached => tally.numerator,
        Part::Rest => tally.denominator.saturating_sub(tally.numerator).max(0),
        Part::Unknown => tally.unknown,
    }
}

/// The groups of one page of one part: what has to be read of all that count.
pub(super) struct Chosen {
    part: Part,
    sums: [(Part, i64); 3],
    weighted: bool,
    /// The groups of the page, each with what it counts for.
    groups: Vec<(RecordId, i64)>,
    paging: Paging,
}

impl Chosen {
    /// `part` is the part that is asked for; else it is the first that has anything.
    pub(super) fn of(
        behind: &[(RecordId, Tally)],
        part: Option<Part>,
        page: usize,
    ) -> Result<Self, PageError> {
        let sums = Part::ALL.map(|part| {
            let weights = behind.iter().map(|(_, tally)| weight(tally, part));
            (part, weights.sum())
        });
        let first = sums.iter().find(|(_, sum)| *sum > 0);
        let part = part
            .or(first.map(|(part, _)| *part))
            .unwrap_or(Part::Reached);
        let weighed = behind.iter().map(|(id, tally)| (*id, weight(tally, part)));
        let of_part: Vec<(RecordId, i64)> = weighed.filter(|(_, weight)| *weight > 0).collect();
        let paging = Paging::of(page, of_part.len())?;
        Ok(Self {
            part,
            sums,
            weighted: of_part.iter().any(|(_, weight)| *weight != 1),
            groups: paging.rows(&of_part).to_vec(),
            paging,
        })
    }

    /// The groups of the page, by their first records.
    pub(super) fn ids(&self) -> impl Iterator<Item = RecordId> + '_ {
        self.groups.iter().map(|(id, _)| *id)
    }
}

impl Behind {
    /// `turned` gives the address of a page of a part, `record` that of a record.
    pub(super) fn of(
        formatter: Formatter<'_>,
        chosen: &Chosen,
        facts: &UnitFacts,
        turned: &dyn Fn(Part, usize) -> String,
        record: &dyn Fn(RecordId) -> String,
    ) -> Self {
        let (part, paging) = (chosen.part, chosen.paging);
        let apart = chosen
            .ids()
            .next()
            .and_then(|id| tells_apart(formatter, id));
        let row = |(id, weight): &(RecordId, i64)| Row {
            label: formatter.label_of(facts, *id),
            apart: apart
                .map(|key| value(formatter, facts, *id, key))
                .unwrap_or_default(),
            href: record(*id),
            weight: *weight,
        };
        let link = |(of, sum): &(Part, i64)| Link {
            href: turned(*of, 1),
            title: formatter.words.sentence(
                &format!("console-part-{}", of.key()),
                &[("count", &sum.to_string())],
            ),
            here: *of == part,
        };
        let sum = chosen.sums.iter().find(|(of, _)| *of == part);
        Self {
            parts: chosen.sums.iter().map(link).collect(),
            part,
            sum: sum.map_or(0, |(_, sum)| *sum),
            weighted: chosen.weighted,
            apart: apart.map(|(_, field)| formatter.title(&field.title).to_owned()),
            rows: chosen.groups.iter().map(row).collect(),
            previous: paging.previous().map(|page| turned(part, page)),
            next: paging.next().map(|page| turned(part, page)),
            paging,
        }
    }
}

/// The first value of a single section that a register of the subject shows beside the label: a
/// date of birth, the number of a household.
fn tells_apart(formatter: Formatter<'_>, id: RecordId) -> Option<(&Section, &Field)> {
    let of = id.subject.key();
    let label = &formatter.package.subject(of)?.label;
    let registers = formatter
        .package
        .registers
        .iter()
        .filter(|register| register.of == of);
    let mut columns = registers
        .flat_map(|register| &register.columns)
        .filter(|key| *key != label);
    columns.find_map(|key| {
        let (section, field) = key.split_once('.')?;
        let (_, section) = formatter.package.section(section)?;
        let is_single = section.repeating == Repeating::No;
        is_single
            .then(|| section.field(field))
            .flatten()
            .map(|field| (section, field))
    })
}

fn value(
    formatter: Formatter<'_>,
    facts: &UnitFacts,
    id: RecordId,
    (section, field): (&Section, &Field),
) -> String {
    let said = facts.groups.get(&id).map(|(_, said)| said);
    let fields = said.and_then(|said| said.single.get(&section.key));
    let value = fields.and_then(|fields| fields.get(&field.key));
    value
        .map(|value| formatter.field(field, &shown(value)))
        .unwrap_or_default()
}
