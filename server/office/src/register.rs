//! A register of a 嘎查 as a table: who stands in it today, what is known, what is overdue.

mod rows;

use std::collections::BTreeSet;

use askama::Template;
use axum::body::Body;
use axum::extract::State;
use axum::response::Html;
use node::ReadTx;
use plan::Package;
use plan::register::Register;
use plan::unit::OrgUnit;
use store::link;
use sync_core::date::date_in_china;
use sync_core::figure::UnitFacts;
use sync_core::id::RecordId;

use self::rows::{Row, Table};
use super::address::Address;
use super::layout::{Layout, Link, title};
use super::page_error::PageError;
use super::paging::Paging;
use super::query::{PageQuery, Search};
use super::state::ConsoleState;
use super::value::Formatter;
use super::{org, records};

#[derive(Template)]
#[template(path = "registers.html")]
struct RegistersPage<'a> {
    frame: Layout<'a>,
    registers: Vec<Link>,
}

#[derive(Template)]
#[template(path = "units.html")]
struct UnitsPage<'a> {
    frame: Layout<'a>,
    way: Vec<Link>,
    /// The 嘎查 by their 苏木.
    groups: Vec<(String, Vec<Link>)>,
}

#[derive(Template)]
#[template(path = "register.html")]
struct RegisterPage<'a> {
    frame: Layout<'a>,
    way: Vec<Link>,
    /// The same unit in the other registers.
    registers: Vec<Link>,
    /// Where the search form posts to.
    here: String,
    filter: String,
    columns: Vec<String>,
    rows: Vec<Row>,
    paging: Paging,
    previous: Option<String>,
    next: Option<String>,
}

/// `GET /zh/registers?org`: the registers of the plan.
pub(super) async fn list(
    State(state): State<ConsoleState>,
    query: PageQuery,
) -> Result<Html<String>, PageError> {
    let context = state.app.context();
    let ReadTx { control, .. } = context.read().await?;
    let package = control.package().ok_or(PageError::NotFound)?;
    let org = org::chosen(package, query.org())?.map(|unit| unit.code.clone());
    let here = Address::Registers { org: org.clone() };
    let frame = Layout::new(&state, query.language, String::new(), &here);
    let heading = frame.say("registers");
    let page = RegistersPage {
        frame: frame.headed(heading),
        registers: registers(package, query.language, None, org.as_deref()),
    };
    Ok(Html(page.render()?))
}

/// `GET /zh/register/KEY?org&page`: a register of a 嘎查, or the 嘎查 to choose from.
pub(super) async fn show(
    State(state): State<ConsoleState>,
    query: PageQuery,
) -> Result<Html<String>, PageError> {
    let page = query.page()?;
    let everything = Search {
        text: String::new(),
        page,
    };
    made(&state, &query, everything).await
}

/// `POST /zh/register/KEY?org` with `filter` and `page`: what is looked for stands in no address.
pub(super) async fn search(
    State(state): State<ConsoleState>,
    query: PageQuery,
    body: Body,
) -> Result<Html<String>, PageError> {
    let search = Search::read(body).await?;
    made(&state, &query, search).await
}

async fn made(
    state: &ConsoleState,
    query: &PageQuery,
    search: Search,
) -> Result<Html<String>, PageError> {
    let context = state.app.context();
    let ReadTx { mut conn, control } = context.read().await?;
    let package = control.package().ok_or(PageError::NotFound)?;
    let by_key = |register: &&Register| register.key == query.name;
    let register = package.registers.iter().find(by_key);
    let register = register.ok_or(PageError::NotFound)?;
    let unit = org::chosen(package, query.org())?.ok_or(PageError::NotFound)?;
    let view = View {
        state,
        query,
        package,
        register,
        unit,
    };
    if !org::keeps_registers(unit) {
        return Ok(Html(view.units().render()?));
    }
    let facts = records::facts(&mut conn, package, &unit.code).await?;
    let ids: Vec<RecordId> = facts.groups.keys().copied().collect();
    let open = link::open_of(&mut conn, &unit.code, &ids).await?;
    drop(conn);
    Ok(Html(view.of(&facts, &open, search)?.render()?))
}

struct View<'a> {
    state: &'a ConsoleState,
    query: &'a PageQuery,
    package: &'a Package,
    register: &'a Register,
    unit: &'a OrgUnit,
}

impl<'a> View<'a> {
    /// The 嘎查 to choose from.
    fn units(&self) -> UnitsPage<'a> {
        let language = self.query.language;
        let sumus = match self.unit.code.len() {
            // A 苏木 has no 苏木 below it.
            9 => vec![self.unit],
            _ => org::children(self.package, &self.unit.code),
        };
        let group = |sumu: &&OrgUnit| {
            let units = org::leaves(self.package, &sumu.code).into_iter();
            let links = units.map(|unit| Link {
                href: self.address(&unit.code, 1).in_language(language),
                title: unit.name.clone(),
                here: false,
            });
            (sumu.name.clone(), links.collect())
        };
        UnitsPage {
            frame: self.frame(),
            way: self.breadcrumbs(),
            groups: sumus.iter().map(group).collect(),
        }
    }

    fn of(
        &self,
        facts: &UnitFacts,
        open: &BTreeSet<RecordId>,
        search: Search,
    ) -> Result<RegisterPage<'a>, PageError> {
        let language = self.query.language;
        let table = Table {
            formatter: Formatter {
                package: self.package,
                words: self.state.words(language),
            },
            register: self.register,
            today: &date_in_china(self.state.app.context().clock.now()),
            open,
        };
        let link = |record| {
            self.state
                .record(&self.unit.code, record)
                .in_language(language)
        };
        let found = table.rows(facts, &search.text, &link)?;
        let paging = Paging::of(search.page, found.len())?;
        let turned = |page| self.address(&self.unit.code, page).in_language(language);
        Ok(RegisterPage {
            frame: self.frame(),
            way: self.breadcrumbs(),
            registers: registers(
                self.package,
                language,
                Some(self.register),
                Some(&self.unit.code),
            ),
            here: self.address(&self.unit.code, 1).in_language(language),
            filter: search.text,
            columns: table.titles(),
            rows: paging.rows(&found).to_vec(),
            previous: paging.previous().map(turned),
            next: paging.next().map(turned),
            paging,
        })
    }

    fn frame(&self) -> Layout<'a> {
        let (language, code) = (self.query.language, &self.unit.code);
        let heading = title(language, &self.register.title).to_owned();
        let here = self.address(code, 1);
        Layout::new(self.state, language, heading, &here).of(&self.unit.name)
    }

    fn breadcrumbs(&self) -> Vec<Link> {
        org::way_to(self.package, &self.unit.code, self.query.language, |unit| {
            self.address(&unit.code, 1)
        })
    }

    fn address(&self, org: &str, page: usize) -> Address {
        Address::Register {
            key: self.register.key.clone(),
            org: Some(org.to_owned()),
            page,
        }
    }
}

/// All registers, of an org unit.
fn registers(
    package: &Package,
    language: words::Language,
    here: Option<&Register>,
    org: Option<&str>,
) -> Vec<Link> {
    let link = |register: &Register| {
        let address = Address::Register {
            key: register.key.clone(),
            org: org.map(str::to_owned),
            page: 1,
        };
        Link {
            href: address.in_language(language),
            title: title(language, &register.title).to_owned(),
            here: here.is_some_and(|here| here.key == register.key),
        }
    };
    package.registers.iter().map(link).collect()
}
