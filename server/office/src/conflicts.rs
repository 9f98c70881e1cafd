//! Conflicts that wait for a decision: values written apart, and linked records whose identities
//! differ. A cadre settles them on a phone; the office sees where somebody should be called.

use std::collections::{BTreeMap, BTreeSet};

use askama::Template;
use axum::extract::State;
use axum::response::Html;
use node::ReadTx;
use node::UnitRecords as Held;
use plan::Package;
use store::link;
use sync_core::date::date_in_china;
use sync_core::id::{RecordId, Subject};
use sync_core::show::{self, ShownConflict};
use sync_core::value::Key;

use super::address::Address;
use super::layout::{Layout, Link};
use super::page_error::PageError;
use super::paging::Paging;
use super::query::PageQuery;
use super::state::ConsoleState;
use super::value::{Formatter, is_shown};
use super::{org, records};

#[derive(Template)]
#[template(path = "conflicts.html")]
struct ConflictsPage<'a> {
    frame: Layout<'a>,
    way: Vec<Link>,
    /// The 苏木 or 嘎查 below, with how much waits there.
    below: Vec<Link>,
    /// The groups of this page by unit.
    units: Vec<(String, Vec<Waiting>)>,
    paging: Paging,
    previous: Option<String>,
    next: Option<String>,
}

/// A group with what somebody must settle of it.
struct Waiting {
    record: Link,
    subject: String,
    /// Empty where all of it is in classes that are not shown here.
    apart: Vec<Conflict>,
}

/// Values written apart under one key, the one that shows first.
pub(super) struct Conflict {
    pub(super) key: String,
    pub(super) values: Vec<String>,
}

/// The conflicts that are shown here, in words.
pub(super) fn apart(formatter: Formatter<'_>, conflicts: &[ShownConflict]) -> Vec<Conflict> {
    let told = conflicts.iter().filter_map(|conflict| {
        let key = Key::parse(&conflict.key).ok()?;
        is_shown(formatter.package, &key).then(|| Conflict {
            key: format!("{} · {}", formatter.section(&key), formatter.key(&key)),
            values: conflict
                .values
                .iter()
                .map(|value| formatter.under(&key, value))
                .collect(),
        })
    });
    told.collect()
}

/// `GET /zh/conflicts?org&page`.
pub(super) async fn show(
    State(state): State<ConsoleState>,
    query: PageQuery,
) -> Result<Html<String>, PageError> {
    let context = state.app.context();
    let ReadTx { mut conn, control } = context.read().await?;
    let package = control.package().ok_or(PageError::NotFound)?;
    let org = org::chosen(package, query.org())?.map_or("", |unit| unit.code.as_str());
    let mut open = link::open_all(&mut conn).await?;
    open.retain(|(unit, _)| unit.starts_with(org));
    let paging = Paging::of(query.page()?, open.len())?;
    let mut on_page: BTreeMap<&str, Vec<RecordId>> = BTreeMap::new();
    for (unit, record) in paging.rows(&open) {
        on_page.entry(unit).or_default().push(*record);
    }
    let mut held = BTreeMap::new();
    for (unit, ids) in on_page {
        let loaded = records::load_some(&mut conn, package, unit, ids).await?;
        held.insert(unit, loaded);
    }
    drop(conn);
    let view = View {
        state: &state,
        query: &query,
        package,
        org,
    };
    Ok(Html(view.of(&open, paging, &held).render()?))
}

struct View<'a> {
    state: &'a ConsoleState,
    query: &'a PageQuery,
    package: &'a Package,
    org: &'a str,
}

impl<'a> View<'a> {
    fn of(
        &self,
        open: &[(String, RecordId)],
        paging: Paging,
        held: &BTreeMap<&str, Held<'_>>,
    ) -> ConflictsPage<'a> {
        let language = self.query.language;
        let here = self.address(self.org, paging.page);
        let frame = Layout::new(self.state, language, String::new(), &here);
        let heading = frame.say("conflicts-title");
        let mut units: Vec<(String, Vec<Waiting>)> = Vec::new();
        for (unit, held) in held {
            let of_unit = paging.rows(open).iter().filter(|(of, _)| of == unit);
            let ids: BTreeSet<RecordId> = of_unit.map(|(_, record)| *record).collect();
            let name = self
                .package
                .unit(unit)
                .map_or(*unit, |unit| unit.name.as_str());
            units.push((name.to_owned(), self.waiting(unit, held, &ids)));
        }
        let turned = |page| self.address(self.org, page).in_language(language);
        ConflictsPage {
            way: org::way_to(self.package, self.org, language, |unit| {
                self.address(&unit.code, 1)
            }),
            below: self.below(open),
            units,
            previous: paging.previous().map(turned),
            next: paging.next().map(turned),
            paging,
            frame: frame.headed(heading),
        }
    }

    /// The groups of a unit that are on this page. One that is settled since its row was read from
    /// elsewhere can't be: page and rows are of one snapshot.
    fn waiting(&self, unit: &str, held: &Held<'_>, ids: &BTreeSet<RecordId>) -> Vec<Waiting> {
        let formatter = Formatter {
            package: self.package,
            words: self.state.words(self.query.language),
        };
        let today = date_in_china(self.state.app.context().clock.now());
        let mut waiting = Vec::new();
        for subject in Subject::ALL {
            for group in show::groups(held, unit, subject) {
                if !ids.contains(&group.id()) {
                    continue;
                }
                let row = show::row(held, unit, &group, &today);
                let address = self.state.record(unit, group.id());
                let of = self.package.subject(subject.key());
                waiting.push(Waiting {
                    record: Link {
                        href: address.in_language(self.query.language),
                        title: formatter.label(&row),
                        here: false,
                    },
                    subject: of
                        .map(|of| formatter.title(&of.title).to_owned())
                        .unwrap_or_default(),
                    apart: apart(formatter, &row.conflicts),
                });
            }
        }
        waiting
    }

    /// Where something waits, with its number.
    fn below(&self, open: &[(String, RecordId)]) -> Vec<Link> {
        let units = org::children(self.package, self.org).into_iter();
        let counted = units.filter_map(|unit| {
            let of_unit = open
                .iter()
                .filter(|(of, _)| of.starts_with(&unit.code))
                .count();
            (of_unit > 0).then(|| Link {
                href: self.address(&unit.code, 1).in_language(self.query.language),
                title: format!("{} {of_unit}", unit.name),
                here: false,
            })
        });
        counted.collect()
    }

    fn address(&self, org: &str, page: usize) -> Address {
        let is_all = org::banner(self.package).is_none_or(|banner| banner.code == org);
        Address::Conflicts {
            org: (!is_all).then(|| org.to_owned()),
            page,
        }
    }
}
