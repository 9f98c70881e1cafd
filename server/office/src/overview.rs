//! The overview: every indicator of an org unit in a year, and the same for the units below it.

use std::collections::BTreeMap;

use askama::Template;
use axum::extract::State;
use axum::response::Html;
use node::{FigureReader, ReadTx};
use plan::Package;
use plan::indicator::Indicator;
use plan::unit::OrgUnit;
use sync_core::date::date_in_china;
use sync_core::figure::Tally;
use words::Language;

use super::address::Address;
use super::figure::Figure;
use super::layout::{Layout, Link, title};
use super::org;
use super::page_error::PageError;
use super::query::PageQuery;
use super::state::ConsoleState;

#[derive(Template)]
#[template(path = "overview.html")]
struct OverviewPage<'a> {
    frame: Layout<'a>,
    way: Vec<Link>,
    years: Vec<Link>,
    year: u16,
    /// False before the figures were counted for the first time.
    counted: bool,
    domains: Vec<Domain>,
    below: Option<Matrix>,
}

/// The indicators of a domain of the plan.
struct Domain {
    title: String,
    rows: Vec<Row>,
}

struct Row {
    title: String,
    href: String,
    figure: Figure,
}

/// Every indicator by unit.
struct Matrix {
    units: Vec<Link>,
    rows: Vec<MatrixRow>,
}

struct MatrixRow {
    title: String,
    href: String,
    figures: Vec<Figure>,
}

/// Figures by indicator, one per unit that is shown.
type Sums<'a> = BTreeMap<&'a str, BTreeMap<&'a str, Tally>>;

/// `GET /zh/?org&year`.
pub(super) async fn show(
    State(state): State<ConsoleState>,
    query: PageQuery,
) -> Result<Html<String>, PageError> {
    let context = state.app.context();
    let ReadTx { mut conn, control } = context.read().await?;
    let shown = FigureReader::current(&mut conn, &control).await?;
    let newest = control.package();
    let Some(package) = shown.as_ref().map(FigureReader::package).or(newest) else {
        return Err(PageError::NotFound);
    };
    let unit = org::chosen(package, query.org())?;
    let year = year(package, query.year()?, context.clock.now())?;
    let cells = match (&shown, unit) {
        (Some(shown), Some(unit)) => shown.by_unit(&mut conn, &unit.code, year).await?,
        _ => BTreeMap::new(),
    };
    drop(conn);
    let below = unit.map(|unit| org::children(package, &unit.code));
    let page = View {
        state: &state,
        package,
        language: query.language,
        year,
    };
    Ok(Html(
        page.of(unit, below.unwrap_or_default(), &cells, shown.is_some())
            .render()?,
    ))
}

/// The year that is asked for, or the one that it is, or of another plan the nearest of its years.
/// One that the plan does not have is a page that is not there.
pub(super) fn year(package: &Package, query: Option<u16>, now: i64) -> Result<u16, PageError> {
    let (from, to) = (package.years.from, package.years.to);
    match query {
        Some(year) if package.years.iter().any(|known| known == year) => Ok(year),
        Some(_) => Err(PageError::NotFound),
        None => Ok(this_year(now).clamp(from, to.max(from))),
    }
}

/// The years to choose from: those that have begun, and the one that is shown.
pub(super) fn years(package: &Package, now: i64, shown: u16) -> Vec<u16> {
    let this = this_year(now);
    let begun = |year: &u16| *year <= this || *year == shown;
    package.years.iter().filter(begun).collect()
}

fn this_year(now: i64) -> u16 {
    let today = date_in_china(now);
    today
        .get(..4)
        .and_then(|year| year.parse().ok())
        .unwrap_or_default()
}

struct View<'a> {
    state: &'a ConsoleState,
    package: &'a Package,
    language: Language,
    year: u16,
}

impl<'a> View<'a> {
    fn of(
        &self,
        unit: Option<&OrgUnit>,
        below: Vec<&OrgUnit>,
        cells: &BTreeMap<(String, String), Tally>,
        counted: bool,
    ) -> OverviewPage<'a> {
        let org = unit.map(|unit| unit.code.as_str());
        let place = unit.map(|unit| unit.name.clone()).unwrap_or_default();
        let here = self.address(org, self.year);
        let frame = Layout::new(self.state, self.language, String::new(), &here);
        let heading = frame.say_with("overview-of", "place", &place);
        let totals = sums(cells, org.into_iter());
        let parts = sums(cells, below.iter().map(|unit| unit.code.as_str()));
        let now = self.state.app.context().clock.now();
        let years = years(self.package, now, self.year).into_iter();
        let years = years.map(|year| Link {
            href: self.address(org, year).in_language(self.language),
            title: year.to_string(),
            here: year == self.year,
        });
        let way = org.map(|org| {
            org::way_to(self.package, org, self.language, |unit| {
                self.address(Some(&unit.code), self.year)
            })
        });
        OverviewPage {
            way: way.unwrap_or_default(),
            years: years.collect(),
            year: self.year,
            counted,
            domains: self.domains(org, &totals, &frame),
            below: (!below.is_empty()).then(|| self.matrix(org, &below, &parts)),
            frame: frame.headed(heading),
        }
    }

    fn domains(&self, org: Option<&str>, totals: &Sums<'_>, frame: &Layout<'_>) -> Vec<Domain> {
        let mut domains: Vec<Domain> = Vec::new();
        let mut last = "";
        for (_, indicator) in self.package.counted() {
            if indicator.domain != last || domains.is_empty() {
                domains.push(Domain {
                    title: frame.say(&format!("domain-{}", indicator.domain)),
                    rows: Vec::new(),
                });
                last = &indicator.domain;
            }
            let tally = tally(totals, indicator, org.unwrap_or_default());
            let row = Row {
                title: title(self.language, &indicator.title).to_owned(),
                href: self.indicator(indicator, org),
                figure: self.figure(indicator, &tally),
            };
            if let Some(domain) = domains.last_mut() {
                domain.rows.push(row);
            }
        }
        domains
    }

    fn matrix(&self, org: Option<&str>, below: &[&OrgUnit], parts: &Sums<'_>) -> Matrix {
        let head = |unit: &&OrgUnit| Link {
            href: self
                .address(Some(&unit.code), self.year)
                .in_language(self.language),
            title: unit.name.clone(),
            here: false,
        };
        let row = |indicator: &Indicator| MatrixRow {
            title: title(self.language, &indicator.title).to_owned(),
            href: self.indicator(indicator, org),
            figures: below
                .iter()
                .map(|unit| self.figure(indicator, &tally(parts, indicator, &unit.code)))
                .collect(),
        };
        Matrix {
            units: below.iter().map(head).collect(),
            rows: self
                .package
                .counted()
                .map(|(_, indicator)| row(indicator))
                .collect(),
        }
    }

    fn figure(&self, indicator: &Indicator, tally: &Tally) -> Figure {
        Figure::of(self.state.words(self.language), indicator, tally)
    }

    fn address(&self, org: Option<&str>, year: u16) -> Address {
        Address::Overview {
            org: org.map(str::to_owned),
            year: Some(year),
        }
    }

    fn indicator(&self, indicator: &Indicator, org: Option<&str>) -> String {
        let address = Address::Indicator {
            key: indicator.key.clone(),
            org: org.map(str::to_owned),
            year: Some(self.year),
            part: None,
            page: 1,
        };
        address.in_language(self.language)
    }
}

/// The cells summed over the units whose codes begin with one of these.
pub(super) fn sums<'c>(
    cells: &'c BTreeMap<(String, String), Tally>,
    codes: impl Iterator<Item = &'c str>,
) -> Sums<'c> {
    let codes: Vec<&str> = codes.collect();
    let mut sums: Sums<'c> = BTreeMap::new();
    for ((indicator, unit), tally) in cells {
        for code in codes.iter().filter(|code| unit.starts_with(**code)) {
            let of_indicator = sums.entry(indicator).or_default();
            *of_indicator.entry(code).or_default() += *tally;
        }
    }
    sums
}

fn tally(sums: &Sums<'_>, indicator: &Indicator, code: &str) -> Tally {
    let of_indicator = sums.get(indicator.key.as_str());
    of_indicator
        .and_then(|units| units.get(code))
        .copied()
        .unwrap_or_default()
}
