//! The records behind a figure of a 嘎查: their number is the figure.

use sync_core::figure::{Tally, UnitFacts};
use sync_core::id::RecordId;

use crate::console::address::Part;
use crate::console::frame::Link;
use crate::console::paging::Paging;
use crate::console::trouble::Trouble;
use crate::console::value::Teller;

/// One part of a figure with its groups.
pub(super) struct Behind {
    /// The parts with how much stands in each.
    pub(super) parts: Vec<Link>,
    pub(super) part: Part,
    /// How much the groups of this part make together.
    pub(super) sum: i64,
    /// Whether a group may stand for more than one.
    pub(super) weighted: bool,
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
        let row = |(id, weight): &(RecordId, i64)| Row {
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
            weighted: groups.iter().any(|(_, weight)| *weight != 1),
            rows: paging.rows(&groups).iter().map(row).collect(),
            previous: paging.previous().map(|page| turned(part, page)),
            next: paging.next().map(|page| turned(part, page)),
            paging,
        })
    }
}
