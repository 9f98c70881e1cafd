//! The rule of a figure, for verification: the expressions word for word, the meaning of their
//! names, and the settings in force with their source.

use std::collections::BTreeSet;

use plan::indicator::{Indicator, Span};
use plan::register::{Computed, Constant, Dated};

use crate::value::Formatter;

/// How an indicator is counted in a year.
pub(super) struct Rule {
    /// The first and the last day.
    pub(super) span: Span,
    pub(super) of: String,
    /// None for a plain number.
    pub(super) denominator: Option<String>,
    pub(super) known: Option<String>,
    pub(super) numerator: String,
    pub(super) statuses: Vec<Status>,
    pub(super) settings: Vec<Setting>,
}

/// A name that the expressions use.
pub(super) struct Status {
    pub(super) key: String,
    pub(super) title: String,
    pub(super) is: String,
}

/// A threshold in force at the end of the period.
pub(super) struct Setting {
    pub(super) key: String,
    pub(super) title: String,
    pub(super) value: String,
    pub(super) from: String,
    pub(super) standard: String,
}

impl Rule {
    pub(super) fn of(formatter: Formatter<'_>, indicator: &Indicator, span: &Span) -> Self {
        let count = &indicator.count;
        let subject = formatter.package.subject(&count.of);
        let mut used = Used::default();
        count
            .expressions()
            .for_each(|source| used.take(formatter, &count.of, source));
        let status = |status: &&Computed| Status {
            key: status.key.clone(),
            title: formatter.title(&status.title).to_owned(),
            is: status.is.clone(),
        };
        let settings = formatter.package.settings.iter();
        let settings = settings.filter(|setting| used.settings.contains(setting.key.as_str()));
        let in_force = settings.filter_map(|setting| {
            let dated = setting.values.iter().rev();
            let dated: &Dated = dated.into_iter().find(|dated| dated.from <= span.to)?;
            Some(Setting {
                key: setting.key.clone(),
                title: formatter.title(&setting.title).to_owned(),
                value: constant(formatter, &dated.value),
                from: dated.from.clone(),
                standard: dated.standard.clone(),
            })
        });
        Self {
            span: span.clone(),
            of: subject
                .map(|subject| formatter.title(&subject.title).to_owned())
                .unwrap_or_default(),
            denominator: count.denominator.clone(),
            known: count.known.clone(),
            numerator: count.numerator.clone(),
            statuses: used.statuses.iter().map(status).collect(),
            settings: in_force.collect(),
        }
    }
}

/// What expressions use, by way of other statuses too, in the order in which a reader meets it.
#[derive(Default)]
struct Used<'a> {
    statuses: Vec<&'a Computed>,
    settings: BTreeSet<String>,
}

impl<'a> Used<'a> {
    fn take(&mut self, formatter: Formatter<'a>, of: &str, source: &str) {
        for name in names(source) {
            match name {
                Name::Setting(key) => {
                    self.settings.insert(key);
                }
                Name::Other(key) => {
                    let Some(status) = formatter.package.status(of, &key) else {
                        continue;
                    };
                    if self.statuses.iter().all(|known| known.key != status.key) {
                        self.statuses.push(status);
                        self.take(formatter, of, &status.is);
                    }
                }
            }
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Name {
    /// `settings.NAME`.
    Setting(String),
    /// A name that stands by itself: a status, a section, a function.
    Other(String),
}

/// The names of an expression, without its texts and without the fields of what they name.
fn names(source: &str) -> Vec<Name> {
    let mut names = Vec::new();
    let mut quote: Option<char> = None;
    let mut word = String::new();
    // What stood before the word, blanks aside, and the last name.
    let (mut dotted, mut last) = (false, String::new());
    for char in source.chars().chain([' ']) {
        if let Some(open) = quote {
            quote = (char != open).then_some(open);
            continue;
        }
        if char.is_ascii_alphanumeric() || char == '_' {
            word.push(char);
            continue;
        }
        if !word.is_empty() {
            let found = std::mem::take(&mut word);
            match dotted {
                true if last == "settings" => names.push(Name::Setting(found.clone())),
                false if found != "settings" => names.push(Name::Other(found.clone())),
                _ => {}
            }
            (last, dotted) = (found, false);
        }
        match char {
            '\'' | '"' => quote = Some(char),
            '.' => dotted = true,
            char if char.is_whitespace() => {}
            _ => dotted = false,
        }
    }
    names
}

fn constant(formatter: Formatter<'_>, value: &Constant) -> String {
    match value {
        Constant::Integer(number) => number.to_string(),
        Constant::Text(text) => text.clone(),
        Constant::Bool(flag) => {
            let name = if *flag { "console-yes" } else { "console-no" };
            formatter.words.sentence(name, &[])
        }
        Constant::List(values) => {
            let values = values.iter().map(|value| constant(formatter, value));
            values.collect::<Vec<_>>().join("、")
        }
        Constant::Map(entries) => {
            let entries = entries
                .iter()
                .map(|(name, value)| format!("{name} {}", constant(formatter, value)));
            entries.collect::<Vec<_>>().join("；")
        }
        Constant::Other(_) => "?".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use plan::Package;
    use words::{Language, Words};

    #[test]
    fn names_are_found_outside_texts_and_without_their_fields() {
        let found =
            names("woman && s.cancer == 'resident' && within(x, settings.stale_months, as_of)");
        let other = |name: &str| Name::Other(name.into());
        let expected = [
            other("woman"),
            other("s"),
            other("within"),
            other("x"),
            Name::Setting("stale_months".into()),
            other("as_of"),
        ];
        assert_eq!(found, expected);
        assert_eq!(names("settings.a.from"), [Name::Setting("a".into())]);
    }

    #[test]
    fn a_rule_explains_what_it_rests_on_down_to_the_standard() {
        let package = Package::builtin();
        let words = Words::new(Language::Chinese);
        let formatter = Formatter {
            package: &package,
            words: &words,
        };
        let indicator = package.indicator("health.cervical-screening-rate").unwrap();
        let rule = Rule::of(formatter, indicator, &indicator.period.of(2026).unwrap());
        let statuses: Vec<&str> = rule.statuses.iter().map(|s| s.key.as_str()).collect();
        for name in ["woman", "resident", "residence_now", "cervical_screened"] {
            assert!(statuses.contains(&name), "{name}: {statuses:?}");
        }
        let age = rule
            .settings
            .iter()
            .find(|s| s.key == "screening_age")
            .unwrap();
        assert!(age.value.contains("35") && age.standard.contains("宫颈癌"));
        assert_eq!(rule.span.to, "2026-12-31");
    }
}
