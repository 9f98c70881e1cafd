//! Dependencies of an expression: the fields whose change can change its value.

use std::collections::BTreeSet;

use cel::common::ast::{CallExpr, EntryExpr, Expr, LiteralValue, operators};
use cel::parser::Expression;

use super::HOME;
use crate::dictionary::{Repeating, Subject};
use crate::package::Package;

impl Package {
    /// The sections that an expression over the subject `of` reads, by way of computed statuses too:
    /// while none of them changes, neither does the answer. The name of a status is an expression.
    ///
    /// Of `home` these are the household's sections that are named, or all of them where `home` is
    /// used as a whole; to ask whether there is one reads none. Which household is a person's home
    /// is for the caller to know, and no part of this. An expression that can't be compiled never
    /// has an answer and reads nothing.
    pub fn reads(&self, of: &str, source: &str) -> BTreeSet<String> {
        let parts = self.reads_parts(of, source).into_iter();
        let section = |part: String| match part.split_once('.') {
            Some((section, _)) => section.to_owned(),
            None => part,
        };
        parts.filter(|part| part != HOME).map(section).collect()
    }

    /// The same, finer: `section` of a repeating section, whose items may be any, and of a single
    /// one that is used as a whole; else `section.field`; and `home` where it matters whether there
    /// is one.
    pub fn reads_parts(&self, of: &str, source: &str) -> BTreeSet<String> {
        let Some(subject) = self.subject(of) else {
            return BTreeSet::new();
        };
        let (mut parts, mut seen, mut open) = (BTreeSet::new(), BTreeSet::new(), vec![source]);
        while let Some(source) = open.pop() {
            let Ok(program) = self.compile(source) else {
                continue;
            };
            for path in &program.named.paths {
                let (name, rest) = first_of(path);
                if name == HOME {
                    parts.insert(HOME.to_owned());
                    parts.extend(self.parts_of_home(rest));
                } else if let Some(status) = self.status(of, name) {
                    if seen.insert(status.key.as_str()) {
                        open.push(&status.is);
                    }
                } else {
                    parts.extend(part_of(subject, name, rest));
                }
            }
            if program.named.asks_for_home {
                parts.insert(HOME.to_owned());
            }
        }
        parts
    }

    /// What is read of the household by what stands behind `home`.
    fn parts_of_home(&self, path: &str) -> Vec<String> {
        let Some(household) = self.subject("household") else {
            return Vec::new();
        };
        if path.is_empty() {
            let sections = household.sections.iter();
            return sections.map(|section| section.key.clone()).collect();
        }
        let (section, rest) = first_of(path);
        part_of(household, section, rest).into_iter().collect()
    }
}

/// The part of a subject that a name, with what is selected on it, reads.
fn part_of(subject: &Subject, section: &str, selected: &str) -> Option<String> {
    let section = subject.section(section)?;
    Some(match (&section.repeating, first_of(selected).0) {
        (Repeating::No, field) if !field.is_empty() => format!("{}.{field}", section.key),
        _ => section.key.clone(),
    })
}

/// The first name of a path and the rest of it, either of which may be empty.
fn first_of(path: &str) -> (&str, &str) {
    path.split_once('.').unwrap_or((path, ""))
}

/// What one expression itself names.
#[derive(Debug, Default)]
pub(super) struct Named {
    /// Its names with what is selected on them: `identity.sex` of `identity.sex == '2'`, `screening`
    /// of a loop over it. Also those that a loop declares.
    pub(super) paths: BTreeSet<String>,
    /// It asks whether there is a home; of which that alone reads nothing.
    pub(super) asks_for_home: bool,
}

impl Named {
    pub(super) fn of(expression: &Expression) -> Self {
        let mut named = Self::default();
        let mut open = vec![expression];
        while let Some(expression) = open.pop() {
            if let Some(path) = path_of(expression) {
                named.paths.insert(path);
                continue;
            }
            match &expression.expr {
                Expr::Select(select) => open.push(&select.operand),
                Expr::Call(call) if asks_for_home(call) => named.asks_for_home = true,
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
        named
    }
}

/// A name with what is selected on it.
fn path_of(expression: &Expression) -> Option<String> {
    match &expression.expr {
        Expr::Ident(name) => Some(name.clone()),
        Expr::Select(select) => Some(format!("{}.{}", path_of(&select.operand)?, select.field)),
        _ => None,
    }
}

/// Whether it is `home == null` or `home != null`.
fn asks_for_home(call: &CallExpr) -> bool {
    let null = |part: &Expression| matches!(part.expr, Expr::Literal(LiteralValue::Null));
    let home = |part: &Expression| matches!(&part.expr, Expr::Ident(name) if name == HOME);
    let compares = matches!(
        call.func_name.as_str(),
        operators::EQUALS | operators::NOT_EQUALS
    );
    compares && call.args.iter().any(null) && call.args.iter().any(home)
}
