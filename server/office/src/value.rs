//! Values as text: titles for codes, dates as they are, identifying numbers in part only. Every
//! value of a record that a page shows passes here.

use plan::Package;
use plan::dictionary::{Field, Format, Kind};
use plan::expression::Datum;
use plan::register::Computed;
use sync_core::check;
use sync_core::figure::UnitFacts;
use sync_core::group::IDENTITY;
use sync_core::id::RecordId;
use sync_core::link::{self, Statement};
use sync_core::register;
use sync_core::show::{ShownRecord, ShownValue};
use sync_core::value::Key;
use words::Words;

use super::layout::title;
use super::mask;
use super::records::SHOWN;

/// The field of a section that holds a telephone number, in all subjects.
const PHONE: &str = "phone";
/// The field that holds the number of a document, of whatever kind it is.
const ID_NUMBER: &str = "id_no";
/// What stands between the titles of several codes.
const SEPARATOR: &str = "、";

/// Says what values are, in one language, by one plan.
#[derive(Clone, Copy)]
pub(super) struct Formatter<'a> {
    pub(super) package: &'a Package,
    pub(super) words: &'a Words,
}

impl<'a> Formatter<'a> {
    /// A title of the plan.
    pub(super) fn title(&self, words: &'a plan::dictionary::Text) -> &'a str {
        title(self.words.language(), words)
    }

    /// What a list calls a record, or that nothing is filled in to call it by.
    pub(super) fn label(&self, shown: &ShownRecord) -> String {
        let subject = self.package.subject(shown.id.subject.key());
        let label = subject.and_then(|subject| shown.fields.get(&subject.label));
        self.called(&label.map(|label| self.plain(label)).unwrap_or_default())
    }

    /// The same from what the group says.
    pub(super) fn label_of(&self, facts: &UnitFacts, record: RecordId) -> String {
        let mut groups = facts.groups.values();
        let group = groups.find(|(group, _)| group.members().any(|member| member == record));
        let label = group.map(|(group, said)| register::label(self.package, &group.id(), said));
        self.called(&label.unwrap_or_default())
    }

    fn called(&self, label: &str) -> String {
        match label {
            "" => self.say("unnamed"),
            label => mask::text(label),
        }
    }

    /// The value of a field.
    pub(super) fn field(&self, field: &Field, value: &ShownValue) -> String {
        match (value, &field.kind) {
            (ShownValue::Text(text), _) if names_somebody(field) => mask::number(text),
            (ShownValue::Text(code), Kind::Choice { codes }) => self.code(codes, code),
            (ShownValue::Text(_), Kind::Reference { .. }) => self.say("another-record"),
            (ShownValue::Codes(chosen), Kind::Choices { codes }) => {
                let titles = chosen.iter().map(|code| self.code(codes, code));
                titles.collect::<Vec<_>>().join(SEPARATOR)
            }
            _ => self.plain(value),
        }
    }

    /// The value of a computed status; empty where it has none.
    pub(super) fn computed(&self, computed: &Computed, value: &Datum) -> String {
        match (value, &computed.codes) {
            (Datum::Text(code), Some(list)) => self.code(list, code),
            _ => self.plain(&shown(value)),
        }
    }

    /// The value of a computed status as a figure is broken down by it; empty is unknown.
    pub(super) fn broken_down(&self, computed: &Computed, value: &str) -> String {
        match (value, &computed.codes) {
            ("", _) => self.say("unknown"),
            ("true", None) => self.say("yes"),
            ("false", None) => self.say("no"),
            (code, Some(list)) => self.code(list, code),
            (text, None) => mask::text(text),
        }
    }

    /// The value under a key of a record: of one code of a multi-choice whether it is chosen.
    pub(super) fn under(&self, key: &Key, value: &ShownValue) -> String {
        match (self.package.field(key.section(), key.field()), value) {
            (Some(field), _) => self.field(field, value),
            (None, ShownValue::Text(said)) if link::is_state(key) => self.said(said),
            (None, _) => self.plain(value),
        }
    }

    /// What the section of a key is called.
    pub(super) fn section(&self, key: &Key) -> String {
        match self.package.section(key.section()) {
            Some((_, section)) => self.title(&section.title).to_owned(),
            None if key.section() == link::SECTION => self.say("link"),
            None => key.section().to_owned(),
        }
    }

    /// What somebody said of two records.
    fn said(&self, said: &str) -> String {
        match Statement::from_key(said) {
            Some(Statement::Same) => self.say("link-same"),
            Some(Statement::NotSame) => self.say("link-not-same"),
            None => mask::text(said),
        }
    }

    /// Identity fields that differ, by their titles.
    pub(super) fn identity_fields<'f>(&self, fields: impl IntoIterator<Item = &'f str>) -> String {
        let title = |field: &str| {
            let known = self.package.field(IDENTITY.0, field);
            known.map_or_else(
                || field.to_owned(),
                |known| self.title(&known.title).to_owned(),
            )
        };
        let titles: Vec<String> = fields.into_iter().map(title).collect();
        titles.join(SEPARATOR)
    }

    /// What a key is called, without its section.
    pub(super) fn key(&self, key: &Key) -> String {
        if key.is_void() {
            return self.say("withdrawn");
        }
        if link::other_of(key).is_some() {
            return match key.code() {
                Some(field) => {
                    let differs = self.say("link-despite");
                    format!("{differs}：{}", self.identity_fields([field]))
                }
                None => self.say("link-state"),
            };
        }
        let Some(field) = self.package.field(key.section(), key.field()) else {
            return key.field().to_owned();
        };
        let name = self.title(&field.title).to_owned();
        match (key.code(), &field.kind) {
            (Some(code), Kind::Choices { codes }) => {
                format!("{name}：{}", self.code(codes, code))
            }
            _ => name,
        }
    }

    /// The title of a code; one that no list has stands for itself.
    fn code(&self, list: &str, code: &str) -> String {
        let known = self
            .package
            .code_list(list)
            .and_then(|list| list.code(code));
        match known {
            Some(known) => self.title(&known.title).to_owned(),
            None => mask::text(code),
        }
    }

    fn plain(&self, value: &ShownValue) -> String {
        match value {
            ShownValue::Empty => String::new(),
            ShownValue::Flag(true) => self.say("yes"),
            ShownValue::Flag(false) => self.say("no"),
            ShownValue::Number(number) => number.to_string(),
            ShownValue::Text(text) => mask::text(text),
            ShownValue::Codes(codes) => mask::text(&codes.join(SEPARATOR)),
        }
    }

    fn say(&self, name: &str) -> String {
        self.words.sentence(&format!("console-{name}"), &[])
    }
}

/// Whether a field holds a number that names somebody.
pub(super) fn names_somebody(field: &Field) -> bool {
    let id_number = matches!(
        field.kind,
        Kind::Text {
            format: Some(Format::IdNumber),
            ..
        }
    );
    id_number || field.key == PHONE || field.key == ID_NUMBER
}

/// Whether a key's section is one that the console shows.
pub(super) fn is_shown(package: &Package, key: &Key) -> bool {
    check::class_of(package, key).is_some_and(|class| SHOWN.contains(&class))
}

/// A value of the expressions as records show it.
pub(super) fn shown(value: &Datum) -> ShownValue {
    match value {
        Datum::Null | Datum::Item(_) => ShownValue::Empty,
        Datum::Bool(flag) => ShownValue::Flag(*flag),
        Datum::Int(number) => ShownValue::Number(*number),
        Datum::Text(text) => ShownValue::Text(text.clone()),
        Datum::Codes(codes) => ShownValue::Codes(codes.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use words::Language;

    #[test]
    fn codes_are_shown_by_their_titles_and_numbers_in_part() {
        let package = Package::builtin();
        let words = Words::new(Language::Chinese);
        let formatter = Formatter {
            package: &package,
            words: &words,
        };
        let said =
            |key: &str, value: ShownValue| formatter.under(&Key::parse(key).unwrap(), &value);
        let text = |text: &str| ShownValue::Text(text.into());
        assert_eq!(said("identity.sex", text("2")), "女性");
        assert_eq!(said("identity.sex", text("7")), "7");
        assert_eq!(said("identity.phone", text("10012345678")), "100******78");
        assert_eq!(said("household.phone", text("1234567")), "*****67");
        assert_eq!(said("identity.id_no", text("E1234567")), "******67");
        assert_eq!(
            said("identity.name", text("其其格 99999919800101002X")),
            "其其格 ****************2X"
        );
        assert_eq!(said("background.literate", ShownValue::Flag(false)), "否");
        let household = text("h0000000000000000000000000a");
        assert!(!said("residence#a.household", household).contains("h00"));
    }

    #[test]
    fn keys_of_results_and_of_protected_data_are_not_shown() {
        let package = Package::builtin();
        let is_shown = |key: &str| is_shown(&package, &Key::parse(key).unwrap());
        assert!(is_shown("identity.name") && is_shown("spouse_away#a.since"));
        assert!(!is_shown("screening_result#C-2026.result_class"));
        assert!(!is_shown("protection.rights_violated") && !is_shown("unknown.field"));
    }
}
