//! Freshness of each 嘎查's data: its phones, their last exchange, the last arrival, the number of
//! records. Who is late is called before a figure is believed.

use std::collections::BTreeMap;

use askama::Template;
use axum::extract::State;
use axum::response::Html;
use node::ReadTx;
use plan::Package;
use plan::unit::OrgUnit;
use store::contact::{self, Phone};
use sync_core::control::Control;
use sync_core::id::{Class, DeviceId, Space};
use words::Words;

use super::address::Address;
use super::layout::{Layout, Link};
use super::org;
use super::page_error::PageError;
use super::query::PageQuery;
use super::state::ConsoleState;
use super::{ids, mask, when};

/// A 嘎查 none of whose phones was heard of for longer is marked.
const LATE_DAYS: i64 = 14;

#[derive(Template)]
#[template(path = "freshness.html")]
struct FreshnessPage<'a> {
    frame: Layout<'a>,
    /// The units by their 苏木.
    groups: Vec<(String, Vec<Line>)>,
    summary: String,
}

/// A unit.
struct Line {
    unit: Link,
    phones: Vec<PhoneLine>,
    /// When the phone that was heard of last was; empty if none ever.
    seen: String,
    /// When something last came in.
    moved: String,
    records: u64,
    late: Late,
}

struct PhoneLine {
    name: String,
    seen: String,
}

/// What is to be said of a unit's phones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Late {
    No,
    /// Nobody has one.
    NoPhone,
    /// None was ever heard of.
    Never,
    /// None was heard of for so many days.
    Days(i64),
}

/// What is read from the database.
struct Found {
    phones: BTreeMap<DeviceId, Phone>,
    moved: BTreeMap<Space, i64>,
    records: BTreeMap<Space, u64>,
}

/// `GET /zh/freshness`.
pub(super) async fn show(
    State(state): State<ConsoleState>,
    query: PageQuery,
) -> Result<Html<String>, PageError> {
    let context = state.app.context();
    let ReadTx { mut conn, control } = context.read().await?;
    let package = control.package().ok_or(PageError::NotFound)?;
    let found = Found {
        phones: contact::phones(&mut conn).await?,
        moved: contact::moved(&mut conn).await?,
        records: contact::records(&mut conn).await?,
    };
    drop(conn);
    let view = View {
        words: state.words(query.language),
        package,
        control: &control,
        found: &found,
        now: context.clock.now(),
    };
    let groups = view.groups();
    let frame = Layout::new(&state, query.language, String::new(), &Address::Freshness);
    let heading = frame.say("freshness-title");
    let page = FreshnessPage {
        frame: frame.headed(heading),
        summary: view.summary(&groups),
        groups,
    };
    Ok(Html(page.render()?))
}

struct View<'a> {
    words: &'a Words,
    package: &'a Package,
    control: &'a Control,
    found: &'a Found,
    now: i64,
}

impl View<'_> {
    fn groups(&self) -> Vec<(String, Vec<Line>)> {
        let Some(banner) = org::banner(self.package) else {
            return Vec::new();
        };
        let group = |sumu: &OrgUnit| {
            let units = org::leaves(self.package, &sumu.code).into_iter();
            (
                sumu.name.clone(),
                units.map(|unit| self.line(unit)).collect(),
            )
        };
        let sumus = org::children(self.package, &banner.code).into_iter();
        sumus.map(group).collect()
    }

    fn summary(&self, groups: &[(String, Vec<Line>)]) -> String {
        let lines = || groups.iter().flat_map(|(_, lines)| lines);
        let late = lines().filter(|line| line.late != Late::No).count();
        let (units, late) = (lines().count().to_string(), late.to_string());
        let days = LATE_DAYS.to_string();
        let args = [("units", units.as_str()), ("late", &late), ("days", &days)];
        self.words.sentence("console-freshness-summary", &args)
    }

    fn line(&self, unit: &OrgUnit) -> Line {
        let is_of_unit = |space: &Space| space.unit() == unit.code;
        let devices = self.control.devices();
        let phones: Vec<(DeviceId, Option<&Phone>)> = devices
            .filter(|(_, enrolment)| enrolment.spaces.iter().any(is_of_unit))
            .map(|(device, _)| (device, self.found.phones.get(&device)))
            .collect();
        let seen = phones
            .iter()
            .filter_map(|(_, phone)| phone.and_then(|phone| phone.at))
            .max();
        let moved = self
            .found
            .moved
            .iter()
            .filter(|(space, _)| is_of_unit(space));
        // Every record has something of the class that everybody holds.
        let of_all = Space::new(&unit.code, Class::General).ok();
        let records = of_all.and_then(|space| self.found.records.get(&space));
        let registers = Address::Registers {
            org: Some(unit.code.clone()),
        };
        Line {
            unit: Link {
                href: registers.in_language(self.words.language()),
                title: unit.name.clone(),
                here: false,
            },
            late: late(phones.len(), seen, self.now),
            phones: phones
                .iter()
                .map(|(id, phone)| self.phone(*id, *phone))
                .collect(),
            seen: seen.map(when::in_china).unwrap_or_default(),
            moved: moved
                .map(|(_, at)| *at)
                .max()
                .map(when::in_china)
                .unwrap_or_default(),
            records: records.copied().unwrap_or_default(),
        }
    }

    fn phone(&self, id: DeviceId, phone: Option<&Phone>) -> PhoneLine {
        let name = phone.and_then(|phone| phone.name.as_deref());
        let at = phone.and_then(|phone| phone.at);
        PhoneLine {
            name: name.map_or_else(|| ids::short(&id.to_string()), mask::text),
            seen: at.map_or_else(|| self.words.sentence("console-never", &[]), when::in_china),
        }
    }
}

fn late(phones: usize, seen: Option<i64>, now: i64) -> Late {
    match seen {
        _ if phones == 0 => Late::NoPhone,
        None => Late::Never,
        Some(seen) => match when::days_between(seen, now) {
            days if days > LATE_DAYS => Late::Days(days),
            _ => Late::No,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_is_late_after_more_than_fourteen_days() {
        let day = 86_400;
        assert_eq!(late(0, None, 0), Late::NoPhone);
        assert_eq!(late(2, None, 0), Late::Never);
        assert_eq!(late(1, Some(0), 15 * day - 1), Late::No);
        assert_eq!(late(1, Some(0), 15 * day), Late::Days(15));
    }
}
