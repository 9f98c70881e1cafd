//! One indicator of an org unit in a year: what the plan says, how it is counted, the figure by
//! unit, by group of people and by year, and at a 嘎查 the records that make it.

mod behind;
mod chart;
mod rule;

use std::collections::BTreeMap;

use askama::Template;
use axum::extract::State;
use axum::response::Html;
use node::{FigureReader, ReadTx};
use plan::Package;
use plan::indicator::{Coverage, Indicator};
use plan::unit::OrgUnit;
use sync_core::figure::{Tally, UnitFacts};
use sync_core::id::RecordId;
use words::Language;

use self::behind::{Behind, Chosen};
use self::chart::Chart;
use self::rule::Rule;
use super::address::{Address, Part};
use super::figure::Figure;
use super::layout::{Layout, Link};
use super::overview::{sums, year, years};
use super::page_error::PageError;
use super::query::PageQuery;
use super::state::ConsoleState;
use super::value::Formatter;
use super::{org, records};

#[derive(Template)]
#[template(path = "indicator.html")]
struct IndicatorPage<'a> {
    frame: Layout<'a>,
    way: Vec<Link>,
    years: Vec<Link>,
    year: u16,
    /// The plan's sentence: before the clause that is measured, the clause, after it.
    quote: (String, String, String),
    note: String,
    responsible: String,
    inferred: bool,
    partial: bool,
    figure: Figure,
    rule: Rule,
    below: Vec<Line>,
    breakdowns: Vec<(String, Vec<Line>)>,
    by_year: Vec<Line>,
    chart: Option<Chart>,
    behind: Option<Behind>,
}

/// A figure of a part.
struct Line {
    title: String,
    href: Option<String>,
    figure: Figure,
}

/// What is read from the database for one page.
struct Numbers {
    /// Of every unit below.
    cells: BTreeMap<(String, String), Tally>,
    by_year: BTreeMap<u16, Tally>,
    breakdown: Vec<(String, String, Tally)>,
}

/// `GET /zh/indicator/KEY?org&year&part&page`.
pub(super) async fn show(
    State(state): State<ConsoleState>,
    query: PageQuery,
) -> Result<Html<String>, PageError> {
    let context = state.app.context();
    let ReadTx { mut conn, control } = context.read().await?;
    let shown = FigureReader::current(&mut conn, &control).await?;
    let shown = shown.ok_or(PageError::NotCounted)?;
    let package = shown.package();
    let indicator = package.indicator(&query.name).ok_or(PageError::NotFound)?;
    let unit = org::chosen(package, query.org())?.ok_or(PageError::NotFound)?;
    let year = year(package, query.year()?, context.clock.now())?;

    let (key, code) = (indicator.key.as_str(), unit.code.as_str());
    let numbers = Numbers {
        cells: shown.by_unit(&mut conn, code, year).await?,
        by_year: shown.by_year(&mut conn, key, code).await?,
        breakdown: shown.breakdown(&mut conn, key, code, year).await?,
    };
    let behind = match org::keeps_registers(unit) {
        true => {
            let behind = shown.behind(&mut conn, key, code, year).await?;
            let chosen = Chosen::of(&behind, query.part()?, query.page()?)?;
            let held = records::load_some(&mut conn, package, code, chosen.ids()).await?;
            Some((chosen, UnitFacts::read(&held, package, code)))
        }
        false => None,
    };
    drop(conn);
    let view = View {
        state: &state,
        query: &query,
        package,
        indicator,
        unit,
        year,
    };
    Ok(Html(view.of(&numbers, behind.as_ref())?.render()?))
}

struct View<'a> {
    state: &'a ConsoleState,
    query: &'a PageQuery,
    package: &'a Package,
    indicator: &'a Indicator,
    unit: &'a OrgUnit,
    year: u16,
}

impl<'a> View<'a> {
    fn of(
        &self,
        numbers: &Numbers,
        behind: Option<&(Chosen, UnitFacts)>,
    ) -> Result<IndicatorPage<'a>, PageError> {
        let (indicator, language) = (self.indicator, self.query.language);
        let span = indicator.period.of(self.year).ok_or(PageError::NotFound)?;
        let formatter = self.formatter();
        let total = self.sum(numbers, &self.unit.code);
        let heading = formatter.title(&indicator.title).to_owned();
        let here = self.address(&self.unit.code, self.year, self.query.part()?, 1);
        let frame = Layout::new(self.state, language, heading, &here).of(&self.unit.name);
        let now = self.state.app.context().clock.now();
        let years = years(self.package, now, self.year);
        let note = indicator.note.as_ref();
        let lead = std::iter::once(&indicator.responsible.lead);
        let departments = lead.chain(&indicator.responsible.others);
        Ok(IndicatorPage {
            way: org::way_to(self.package, &self.unit.code, language, |unit| {
                self.address(&unit.code, self.year, None, 1)
            }),
            years: years.iter().map(|year| self.year_link(*year)).collect(),
            year: self.year,
            quote: marked(&indicator.quote, &indicator.clause),
            note: note
                .map(|note| formatter.title(note).to_owned())
                .unwrap_or_default(),
            responsible: departments.cloned().collect::<Vec<_>>().join("、"),
            inferred: indicator.responsible.inferred,
            partial: indicator.count.coverage != Coverage::Full,
            figure: self.figure(&total),
            rule: Rule::of(formatter, indicator, &span),
            below: self.below(numbers),
            breakdowns: self.breakdowns(&numbers.breakdown),
            by_year: self.by_year(numbers, &years),
            chart: Chart::of(indicator, &numbers.by_year, &years),
            behind: behind.map(|(chosen, facts)| self.behind(chosen, facts)),
            frame,
        })
    }

    fn sum(&self, numbers: &Numbers, code: &str) -> Tally {
        let sums = sums(&numbers.cells, std::iter::once(code));
        let of = sums.get(self.indicator.key.as_str());
        of.and_then(|units| units.get(code))
            .copied()
            .unwrap_or_default()
    }

    fn below(&self, numbers: &Numbers) -> Vec<Line> {
        let line = |unit: &OrgUnit| Line {
            title: unit.name.clone(),
            href: Some(self.href(&unit.code, self.year, None, 1)),
            figure: self.figure(&self.sum(numbers, &unit.code)),
        };
        let units = org::children(self.package, &self.unit.code).into_iter();
        units.map(line).collect()
    }

    /// The figure by each status that the plan breaks it down by, what is not known last.
    fn breakdowns(&self, parts: &[(String, String, Tally)]) -> Vec<(String, Vec<Line>)> {
        let formatter = self.formatter();
        let count = &self.indicator.count;
        let statuses = count
            .by
            .iter()
            .filter_map(|by| self.package.status(&count.of, by));
        let broken_down = statuses.map(|status| {
            let mut of_status: Vec<_> = parts.iter().filter(|part| part.0 == status.key).collect();
            of_status.sort_by_key(|(_, value, _)| (value.is_empty(), value.clone()));
            let line = |(_, value, tally): &(String, String, Tally)| Line {
                title: formatter.broken_down(status, value),
                href: None,
                figure: self.figure(tally),
            };
            let lines = of_status.into_iter().map(line).collect();
            (formatter.title(&status.title).to_owned(), lines)
        });
        broken_down
            .filter(|(_, lines): &(_, Vec<Line>)| !lines.is_empty())
            .collect()
    }

    fn by_year(&self, numbers: &Numbers, years: &[u16]) -> Vec<Line> {
        let line = |year: &u16| Line {
            title: year.to_string(),
            href: Some(self.href(&self.unit.code, *year, None, 1)),
            figure: self.figure(&numbers.by_year.get(year).copied().unwrap_or_default()),
        };
        years.iter().map(line).collect()
    }

    fn behind(&self, chosen: &Chosen, facts: &UnitFacts) -> Behind {
        let turned = |part, page| self.href(&self.unit.code, self.year, Some(part), page);
        let record = |record: RecordId| {
            let address = self.state.record(&self.unit.code, record);
            address.in_language(self.query.language)
        };
        Behind::of(self.formatter(), chosen, facts, &turned, &record)
    }

    fn formatter(&self) -> Formatter<'a> {
        Formatter {
            package: self.package,
            words: self.state.words(self.query.language),
        }
    }

    fn figure(&self, tally: &Tally) -> Figure {
        Figure::of(self.formatter().words, self.indicator, tally)
    }

    fn year_link(&self, year: u16) -> Link {
        Link {
            href: self.href(&self.unit.code, year, None, 1),
            title: year.to_string(),
            here: year == self.year,
        }
    }

    fn href(&self, org: &str, year: u16, part: Option<Part>, page: usize) -> String {
        let language: Language = self.query.language;
        self.address(org, year, part, page).in_language(language)
    }

    fn address(&self, org: &str, year: u16, part: Option<Part>, page: usize) -> Address {
        Address::Indicator {
            key: self.indicator.key.clone(),
            org: Some(org.to_owned()),
            year: Some(year),
            part,
            page,
        }
    }
}

/// A sentence split at the clause that is measured; all of it stands before a clause that it lacks.
fn marked(quote: &str, clause: &str) -> (String, String, String) {
    match quote.split_once(clause) {
        Some((before, after)) if !clause.is_empty() => {
            (before.to_owned(), clause.to_owned(), after.to_owned())
        }
        _ => (quote.to_owned(), String::new(), String::new()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clause_is_marked_in_its_sentence() {
        let parts = marked("甲达到70％以上，乙逐步提高。", "乙逐步提高");
        assert_eq!(
            parts,
            ("甲达到70％以上，".into(), "乙逐步提高".into(), "。".into())
        );
        assert_eq!(
            marked("甲。", "丙"),
            ("甲。".into(), String::new(), String::new())
        );
        assert_eq!(
            marked("甲。", ""),
            ("甲。".into(), String::new(), String::new())
        );
    }
}
