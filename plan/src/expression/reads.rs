//! What an expression reads: the sections that a change has to touch before the answer can change.

use std::collections::BTreeSet;

use cel::common::ast::{CallExpr, EntryExpr, Expr, LiteralValue, operators};
use cel::parser::Expression;

use super::HOME;
use crate::dictionary::Repeating;
use crate::package::Package;

/// What one expression itself reads of `home`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct HomeReads {
    /// The entries of `home` that it names, sections as a rule.
    sections: BTreeSet<String>,
    /// It uses `home` as a whole, so that any section may matter.
    whole: bool,
}

impl Package {
    /// The sections that an expression over the subject `of` reads, by way of computed statuses too:
    /// while none of them changes, neither does the answer. The name of a status is an expression.
    ///
    /// Of `home` these are the household's sections that are named, or all of them where `home` is
    /// used as a whole; to ask whether there is one reads none. Which household is a person's home
    /// is for the caller to know, and no part of this. An expression that can't be compiled never
    /// has an answer and reads nothing.
    pub fn reads(&self, of: &str, source: &str) -> BTreeSet<String> {
        let mut sections = BTreeSet::new();
        let mut seen = BTreeSet::new();
        let mut open = vec![source];
        while let Some(source) = open.pop() {
            let Ok(program) = self.programs.compile(source) else {
                continue;
            };
            for name in &program.names {
                if name == HOME {
                    sections.extend(self.home_sections(&program.home));
                } else if let Some(computed) = self.status(of, name) {
                    if seen.insert(computed.key.as_str()) {
                        open.push(&computed.is);
                    }
                } else if self
                    .subject(of)
                    .is_some_and(|of| of.section(name).is_some())
                {
                    sections.insert(name.clone());
                }
            }
        }
        sections
    }

    /// What an expression over the subject `of` reads, finer than [`Self::reads`]: `section` of a
    /// repeating section, whose items may be any, and of a single one that is used as a whole;
    /// else `section.field`.
    pub fn reads_parts(&self, of: &str, source: &str) -> BTreeSet<String> {
        let sections = self.reads(of, source);
        let single = |key: &str| {
            let found = self.section(key).map(|(_, section)| &section.repeating);
            found.is_some_and(|repeating| *repeating == Repeating::No)
        };
        let (single, mut parts): (BTreeSet<String>, BTreeSet<String>) =
            sections.into_iter().partition(|key| single(key));
        let (mut seen, mut open) = (BTreeSet::new(), vec![source]);
        while let Some(source) = open.pop() {
            let Ok(program) = self.programs.compile(source) else {
                continue;
            };
            let statuses = program
                .names
                .iter()
                .filter_map(|name| self.status(of, name));
            let fresh = statuses.filter(|status| seen.insert(status.key.as_str()));
            open.extend(fresh.map(|status| status.is.as_str()));
            for path in &program.paths {
                let path = path.strip_prefix("home.").unwrap_or(path);
                let mut names = path.splitn(3, '.');
                match (names.next(), names.next()) {
                    (Some(section), Some(field)) if single.contains(section) => {
                        parts.insert(format!("{section}.{field}"));
                    }
                    (Some(section), None) if single.contains(section) => {
                        parts.insert(section.to_owned());
                    }
                    _ => {}
                }
            }
            if program.home.whole {
                parts.extend(self.home_sections(&program.home));
            }
        }
        parts
    }

    fn home_sections(&self, reads: &HomeReads) -> impl Iterator<Item = String> {
        let sections = self
            .subject("household")
            .map(|home| home.sections.as_slice());
        let read = |key: &&str| reads.whole || reads.sections.contains(*key);
        let keys = sections
            .unwrap_or_default()
            .iter()
            .map(|section| section.key.as_str());
        keys.filter(read).map(str::to_owned)
    }
}

/// The names that an expression uses, as far as they are selected on: `identity.sex` of
/// `identity.sex == '2'`, `screening` of a loop over it.
pub(super) fn paths(expression: &Expression) -> BTreeSet<String> {
    let mut paths = BTreeSet::new();
    let mut open = vec![expression];
    while let Some(expression) = open.pop() {
        if let Some(path) = path_of(expression) {
            paths.insert(path);
            continue;
        }
        match &expression.expr {
            Expr::Select(select) => open.push(&select.operand),
            Expr::Call(call) => {
                open.extend(call.target.iter().map(AsRef::as_ref).chain(&call.args));
            }
            Expr::List(list) => open.extend(&list.elements),
            Expr::Map(map) => {
                for entry in &map.entries {
                    match &entry.expr {
                        EntryExpr::StructField(field) => open.push(&field.value),
                        EntryExpr::MapEntry(entry) => open.extend([&entry.key, &entry.value]),
                    }
                }
            }
            Expr::Comprehension(each) => open.extend([
                &each.iter_range,
                &each.accu_init,
                &each.loop_cond,
                &each.loop_step,
                &each.result,
            ]),
            Expr::Ident(_) | Expr::Literal(_) | Expr::Struct(_) | Expr::Unspecified => {}
        }
    }
    paths
}

/// A name with what is selected on it.
fn path_of(expression: &Expression) -> Option<String> {
    match &expression.expr {
        Expr::Ident(name) => Some(name.clone()),
        Expr::Select(select) => {
            let path = path_of(&select.operand)?;
            Some(format!("{path}.{}", select.field))
        }
        _ => None,
    }
}

impl HomeReads {
    /// Walks an expression whose depth was bounded before.
    pub(super) fn of(expression: &Expression) -> Self {
        let mut reads = Self::default();
        reads.walk(expression);
        reads
    }

    fn walk(&mut self, expression: &Expression) {
        match &expression.expr {
            Expr::Ident(name) => self.whole |= name == HOME,
            Expr::Select(select) if is_home(&select.operand) => {
                self.sections.insert(select.field.clone());
            }
            Expr::Select(select) => self.walk(&select.operand),
            Expr::Call(call) if asks_for_null(call) => {}
            Expr::Call(call) => {
                let target = call.target.iter().map(AsRef::as_ref);
                target.chain(&call.args).for_each(|part| self.walk(part));
            }
            Expr::List(list) => list.elements.iter().for_each(|each| self.walk(each)),
            Expr::Map(map) => {
                for entry in &map.entries {
                    match &entry.expr {
                        EntryExpr::StructField(field) => self.walk(&field.value),
                        EntryExpr::MapEntry(entry) => {
                            self.walk(&entry.key);
                            self.walk(&entry.value);
                        }
                    }
                }
            }
            Expr::Comprehension(each) => {
                for part in [
                    &each.iter_range,
                    &each.accu_init,
                    &each.loop_cond,
                    &each.loop_step,
                    &each.result,
                ] {
                    self.walk(part);
                }
            }
            Expr::Literal(_) | Expr::Struct(_) | Expr::Unspecified => {}
        }
    }
}

fn is_home(expression: &Expression) -> bool {
    matches!(&expression.expr, Expr::Ident(name) if name == HOME)
}

/// Whether it is `home == null` or `home != null`.
fn asks_for_null(call: &CallExpr) -> bool {
    let null = |part: &Expression| matches!(part.expr, Expr::Literal(LiteralValue::Null));
    let compares = matches!(
        call.func_name.as_str(),
        operators::EQUALS | operators::NOT_EQUALS
    );
    compares
        && call.args.iter().any(null)
        && call.args.iter().all(|part| is_home(part) || null(part))
}
