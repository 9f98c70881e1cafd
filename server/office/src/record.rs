//! A record's page: values by section, what follows from them, problems, and authors.

mod history;
mod sections;

use std::collections::BTreeMap;

use askama::Template;
use axum::extract::State;
use axum::response::Html;
use node::{ReadTx, UnitRecords};
use plan::Package;
use plan::expression::{ExpressionError, Scope};
use plan::register::ValueType;
use store::device::Device;
use sync_core::date::date_in_china;
use sync_core::facts::homes;
use sync_core::figure::UnitFacts;
use sync_core::history::ShownEvent;
use sync_core::id::{DeviceId, RecordId};
use sync_core::link::Statement;
use sync_core::show::{self, ShownRecord, Source};
use sync_core::value::Key;

use self::history::KeyHistory;
use self::sections::{Entry, Section};
use super::address::Address;
use super::conflicts::{Conflict, apart};
use super::layout::{Layout, Link};
use super::page_error::PageError;
use super::query::PageQuery;
use super::state::ConsoleState;
use super::value::{Formatter, is_shown};
use super::{mask, org, records};

#[derive(Template)]
#[template(path = "record.html")]
struct RecordPage<'a> {
    frame: Layout<'a>,
    way: Vec<Link>,
    /// A change could not be brought together with the others.
    parked: bool,
    conflicts: Vec<Conflict>,
    problems: Vec<String>,
    sections: Vec<Section>,
    computed: Vec<Entry>,
    /// The other records of the same person.
    linked: Vec<Linked>,
    /// Those that somebody said are somebody else's.
    parted: Vec<Linked>,
    /// Who lives in this household.
    people: Vec<Link>,
    history: Vec<KeyHistory>,
}

/// Another record, and what ties it to this one or parts it.
struct Linked {
    record: Link,
    why: String,
}

/// `GET /zh/record/TOKEN`.
pub(super) async fn show(
    State(state): State<ConsoleState>,
    query: PageQuery,
) -> Result<Html<String>, PageError> {
    let (unit, record) = state.seal.open(&query.name).ok_or(PageError::Stale)?;
    let context = state.app.context();
    let ReadTx { mut conn, control } = context.read().await?;
    let package = control.package().ok_or(PageError::NotFound)?;
    let held = records::load_family(&mut conn, package, &unit, record).await?;
    if !held.records_of(&unit).contains(&record) {
        return Err(PageError::Stale);
    }
    let events = history::events(&mut conn, state.app.network(), &held, &unit, record).await?;
    let devices = history::devices(&mut conn, &events).await?;
    drop(conn);
    let view = View {
        desk: &state,
        query: &query,
        package,
        held: &held,
        unit: &unit,
        record,
        today: date_in_china(context.clock.now()),
    };
    Ok(Html(view.of(&events, &devices)?.render()?))
}

struct View<'a> {
    desk: &'a ConsoleState,
    query: &'a PageQuery,
    package: &'a Package,
    held: &'a UnitRecords<'a>,
    unit: &'a str,
    record: RecordId,
    today: String,
}

impl<'a> View<'a> {
    fn of(
        &self,
        events: &[ShownEvent],
        devices: &BTreeMap<DeviceId, Device>,
    ) -> Result<RecordPage<'a>, PageError> {
        let language = self.query.language;
        let shown = show::record(self.held, self.unit, self.record, &self.today);
        let facts = UnitFacts::read(self.held, self.package, self.unit);
        let formatter = self.formatter();
        let link = |record: RecordId| self.link(&facts, record);
        let here = Address::Record(self.query.name.clone());
        let label = formatter.label_of(&facts, self.record);
        let frame = Layout::new(self.desk, language, label, &here);
        let kind = self.package.subject(self.record.subject.key());
        let kind = kind.map_or("", |kind| formatter.title(&kind.title));
        let place = self.package.unit(self.unit);
        let place = place.map_or(self.unit, |place| place.name.as_str());
        let frame = frame.of(&format!("{kind} · {place}")).naming_somebody();
        Ok(RecordPage {
            way: org::way_to(self.package, self.unit, language, |unit| {
                Address::Registers {
                    org: Some(unit.code.clone()),
                }
            }),
            parked: self
                .held
                .states(self.record)
                .any(|(_, state)| state.parked().is_some()),
            conflicts: apart(formatter, &shown.conflicts),
            problems: self.problems(&shown, formatter),
            sections: sections::of(formatter, &shown, &link),
            computed: self.computed(&facts, formatter)?,
            linked: self.linked(&facts, shown.linked.iter().copied()),
            parted: self.linked(&facts, self.parted(&facts)),
            people: self.people(&facts).filter_map(link).collect(),
            history: history::by_key(formatter, &shown, events, devices),
            frame,
        })
    }

    fn formatter(&self) -> Formatter<'a> {
        Formatter {
            package: self.package,
            words: self.desk.words(self.query.language),
        }
    }

    /// The link to a record of this unit; none to one that is not here.
    fn link(&self, facts: &UnitFacts, record: RecordId) -> Option<Link> {
        if !self.held.records_of(self.unit).contains(&record) {
            return None;
        }
        let address = self.desk.record(self.unit, record);
        Some(Link {
            href: address.in_language(self.query.language),
            title: self.formatter().label_of(facts, record),
            here: false,
        })
    }

    /// Other records with what ties or parts them.
    fn linked(&self, facts: &UnitFacts, others: impl IntoIterator<Item = RecordId>) -> Vec<Linked> {
        let linked = |other: RecordId| {
            Some(Linked {
                record: self.link(facts, other)?,
                why: self.why(other),
            })
        };
        others.into_iter().filter_map(linked).collect()
    }

    fn parted(&self, facts: &UnitFacts) -> Vec<RecordId> {
        let mut groups = facts.groups.values().map(|(group, _)| group);
        let own = groups.find(|group| group.members().any(|member| member == self.record));
        let others = own.into_iter().flat_map(|group| group.parted());
        let said = |other: &RecordId| {
            let why = show::why(self.held, self.unit, self.record, *other);
            why.said == Some(Statement::NotSame)
        };
        others.filter(said).collect()
    }

    /// Why another record is shown as the same person, or as another.
    fn why(&self, other: RecordId) -> String {
        let formatter = self.formatter();
        let say = |name: &str| formatter.words.sentence(&format!("console-{name}"), &[]);
        let why = show::why(self.held, self.unit, self.record, other);
        let mut reasons = Vec::new();
        match why.said {
            Some(Statement::Same) => reasons.push(say("link-same")),
            Some(Statement::NotSame) => reasons.push(say("link-not-same")),
            None => {}
        }
        if why.number {
            reasons.push(say("link-number"));
        }
        if reasons.is_empty() {
            reasons.push(say("link-through"));
        }
        if !why.despite.is_empty() {
            let fields = formatter.identity_fields(why.despite);
            reasons.push(format!("{}：{fields}", say("link-despite")));
        }
        reasons.join("；")
    }

    /// What is wrong or missing, in sentences that name the field and no value in full.
    fn problems(&self, shown: &ShownRecord, formatter: Formatter<'_>) -> Vec<String> {
        let problems = shown.problems.iter();
        let told = problems.filter(|problem| is_shown(self.package, &problem.key));
        told.map(|problem| {
            let args: Vec<(&str, String)> = problem
                .args
                .iter()
                .map(|(name, value)| (*name, mask::text(value)))
                .collect();
            formatter
                .words
                .say(problem.code, &formatter.key(&problem.key), &args)
        })
        .collect()
    }

    /// What follows from the record as of today; a yes or no without an answer is unknown.
    fn computed(
        &self,
        facts: &UnitFacts,
        formatter: Formatter<'_>,
    ) -> Result<Vec<Entry>, PageError> {
        let group = facts
            .groups
            .values()
            .find(|(group, _)| group.members().any(|member| member == self.record));
        let Some((_, said)) = group else {
            return Ok(Vec::new());
        };
        let of = self.record.subject.key();
        let home = facts.home(self.package, said, &self.today);
        let scope = match Scope::new(self.package, of, said, home, &self.today) {
            Ok(scope) => scope,
            Err(ExpressionError::TooLarge) => return Ok(Vec::new()),
            Err(error) => return Err(error.into()),
        };
        let mut entries = Vec::new();
        let statuses = self.package.computed.iter();
        for status in statuses.filter(|status| status.of == of && status.gives != ValueType::Item) {
            let text = match scope.computed(&status.key) {
                Ok(value) => formatter.computed(status, &value),
                Err(error @ ExpressionError::Compile(_)) => return Err(error.into()),
                Err(_) if status.gives == ValueType::Bool => formatter.broken_down(status, ""),
                Err(_) => String::new(),
            };
            if !text.is_empty() {
                let title = formatter.title(&status.title).to_owned();
                entries.push(Entry::text(title, text));
            }
        }
        Ok(entries)
    }

    /// The people who name this household.
    fn people<'f>(&self, facts: &'f UnitFacts) -> impl Iterator<Item = RecordId> + 'f {
        let household = self.record;
        let groups = facts.groups.iter();
        groups
            .filter(move |(_, (_, said))| homes(said).contains(&household))
            .map(|(id, _)| *id)
    }
}

/// Whether a key reads, and its section is shown.
fn shown_key(package: &Package, key: &str) -> Option<Key> {
    Key::parse(key).ok().filter(|key| is_shown(package, key))
}
