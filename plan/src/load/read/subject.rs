//! Subjects: a file of `subjects/`.

use super::super::yaml::{Node, Value};
use super::{ADDED, Entries, Reader, SOURCES};
use crate::dictionary::{Check, Field, Format, Kind, Origin, Repeating, Section, Subject, Text};

/// Most characters of a text field: a value may take 4 KiB on the wire, and a character up to four
/// bytes.
const TEXT_CHARS_MAX: i64 = 1_000;

/// Most characters of the remark that every item has.
const REMARK_CHARS_MAX: u32 = 200;

impl Reader<'_> {
    pub(super) fn subject(&mut self, node: &Node) -> Option<Subject> {
        let mut entries = self.entries(node, "")?;
        let key = self.some_text(&mut entries, "subject");
        let title = self.words_in(&mut entries, "title");
        let label = self.some_text(&mut entries, "label");
        let mut sections = Vec::new();
        if let Some(node) = self.need(&mut entries, "sections")
            && let Some(listed) = self.entries(node, "sections")
        {
            for (name, node) in &listed.left {
                sections.extend(self.section(name, node, &listed.key(name)));
            }
        }
        self.done(entries);
        if self
            .diagnostics
            .subjects
            .insert(key.clone(), self.file.to_owned())
            .is_some()
        {
            self.report("subject", "the subject is there twice");
            return None;
        }
        Some(Subject {
            key,
            title,
            label,
            sections,
        })
    }

    fn section(&mut self, name: &str, node: &Node, key: &str) -> Option<Section> {
        let mut entries = self.entries(node, key)?;
        let title = self.words_in(&mut entries, "title");
        let class = self.some_text(&mut entries, "class");
        let travels = self.flag(&mut entries, "travels").then_some(true);
        let repeating = entries.take("repeating");
        let repeating = repeating.map_or(Repeating::No, |node| {
            self.repeating(node, &entries.key("repeating"))
        });
        let mut fields = Vec::new();
        if let Some(node) = self.need(&mut entries, "fields")
            && let Some(listed) = self.entries(node, &entries.key("fields"))
        {
            for (name, node) in &listed.left {
                fields.extend(self.field(name, node, &listed.key(name)));
            }
        }
        if repeating != Repeating::No {
            for added in added() {
                if fields.iter().any(|field| field.key == added.key) {
                    let key = format!("{}.{}", entries.key("fields"), added.key);
                    self.report(&key, "every item has this field: leave it out");
                } else {
                    fields.push(added);
                }
            }
        }
        let mut checks = Vec::new();
        if let Some(node) = entries.take("checks") {
            let key = entries.key("checks");
            match &node.value {
                Value::List(nodes) => {
                    for (at, node) in nodes.iter().enumerate() {
                        checks.extend(self.check(node, &format!("{key}.{at}")));
                    }
                }
                _ => self.say_at(node, &key, "must be a list"),
            }
        }
        self.done(entries);
        Some(Section {
            key: name.to_owned(),
            title,
            class,
            repeating,
            fields,
            checks,
            travels,
        })
    }

    fn repeating(&mut self, node: &Node, key: &str) -> Repeating {
        let Some(mut entries) = self.entries(node, key) else {
            return Repeating::No;
        };
        let keys = entries
            .take("key")
            .map(|node| self.texts_of(node, &entries.key("key")));
        let date = self.text_if(&mut entries, "date");
        let drawn = self.flag(&mut entries, "drawn");
        self.done(entries);
        match (keys, date, drawn) {
            (Some(keys), date, false) => Repeating::ByKey(keys, date),
            (None, Some(date), false) => Repeating::ByDate(date),
            (None, None, true) => Repeating::Drawn,
            _ => {
                self.report(
                    key,
                    "needs `date`, `key` (perhaps with `date`) or `drawn: true`",
                );
                Repeating::Drawn
            }
        }
    }

    fn field(&mut self, name: &str, node: &Node, key: &str) -> Option<Field> {
        let mut entries = self.entries(node, key)?;
        let title = self.words(&mut entries);
        let kind = self.kind(&mut entries);
        let origin = match self.text_if(&mut entries, "origin").as_deref() {
            None | Some("practice") => Origin::Practice,
            Some("plan") => Origin::Plan,
            Some("plan+practice") => Origin::PlanAndPractice,
            Some(other) => {
                self.report(&entries.key("origin"), format!("unknown origin `{other}`"));
                Origin::Practice
            }
        };
        let hint = entries
            .take("hint")
            .map(|node| self.words_of(node, &entries.key("hint")));
        let required = self.flag(&mut entries, "required");
        let ask_if = self.text_if(&mut entries, "ask_if");
        let required_if = self.text_if(&mut entries, "required_if");
        if required_if.is_some() && (ask_if.is_some() || required) {
            self.report(
                key,
                "`required_if` says both: leave out `required` and `ask_if`",
            );
        }
        self.done(entries);
        let required = required || required_if.is_some();
        let ask_if = required_if.or(ask_if);
        Some(Field {
            key: name.to_owned(),
            title,
            kind,
            required,
            ask_if,
            origin,
            hint,
        })
    }

    fn kind(&mut self, entries: &mut Entries<'_>) -> Kind {
        match self.text(entries, "type").as_deref() {
            Some("text") => {
                let max = self.need(entries, "max");
                let max = max.and_then(|node| self.integer_of(node, &entries.key("max")));
                if max.is_some_and(|max| !(1..=TEXT_CHARS_MAX).contains(&max)) {
                    self.report(
                        &entries.key("max"),
                        format!("must be 1 to {TEXT_CHARS_MAX}"),
                    );
                }
                let max_chars = max.and_then(|max| u32::try_from(max).ok()).unwrap_or(1);
                let pattern = self.text_if(entries, "pattern");
                let format = match self.text_if(entries, "format").as_deref() {
                    None => None,
                    Some("id_number") => Some(Format::IdNumber),
                    Some(other) => {
                        self.report(&entries.key("format"), format!("unknown format `{other}`"));
                        None
                    }
                };
                Kind::Text {
                    max_chars,
                    pattern,
                    format,
                }
            }
            Some("date") => Kind::Date {
                month: self.flag(entries, "month"),
                future: self.flag(entries, "future"),
            },
            Some("integer") => self.range(entries),
            Some("bool") => Kind::Bool,
            Some("choice") => Kind::Choice {
                codes: self.some_text(entries, "codes"),
            },
            Some("choices") => Kind::Choices {
                codes: self.some_text(entries, "codes"),
            },
            Some("reference") => Kind::Reference {
                subject: self.some_text(entries, "to"),
            },
            Some("point") => Kind::Point,
            other => {
                if let Some(other) = other {
                    self.report(&entries.key("type"), format!("unknown type `{other}`"));
                }
                Kind::Text {
                    max_chars: 1,
                    pattern: None,
                    format: None,
                }
            }
        }
    }

    fn range(&mut self, entries: &mut Entries<'_>) -> Kind {
        let node = self.need(entries, "range");
        let key = entries.key("range");
        let Some(node) = node else {
            return Kind::Integer { min: 0, max: 0 };
        };
        let Value::List(values) = &node.value else {
            self.say_at(node, &key, "must be a list of two numbers");
            return Kind::Integer { min: 0, max: 0 };
        };
        let numbers: Vec<i64> = values
            .iter()
            .filter_map(|value| self.integer_of(value, &key))
            .collect();
        let [min, max] = numbers[..] else {
            self.say_at(node, &key, "must be a list of two numbers");
            return Kind::Integer { min: 0, max: 0 };
        };
        if min > max {
            self.say_at(node, &key, "the range is upside down");
        }
        Kind::Integer { min, max }
    }

    fn check(&mut self, node: &Node, key: &str) -> Option<Check> {
        let mut entries = self.entries(node, key)?;
        let rule = self.some_text(&mut entries, "rule");
        let says = self.words(&mut entries);
        let at = self.some_text(&mut entries, "at");
        self.done(entries);
        Some(Check { rule, says, at })
    }
}

/// What every item has besides its own fields.
fn added() -> [Field; 2] {
    let words = |zh: &str, en: &str| Text {
        zh: zh.into(),
        en: en.into(),
    };
    let [source, remark] = ADDED;
    [
        Field {
            key: source.into(),
            title: words("信息来源", "Source of information"),
            kind: Kind::Choice {
                codes: SOURCES.into(),
            },
            required: true,
            ask_if: None,
            origin: Origin::Practice,
            hint: None,
        },
        Field {
            key: remark.into(),
            title: words("备注", "Remark"),
            kind: Kind::Text {
                max_chars: REMARK_CHARS_MAX,
                pattern: None,
                format: None,
            },
            required: false,
            ask_if: None,
            origin: Origin::Practice,
            hint: Some(words(
                "不填诊断、感染状况和案件细节",
                "No diagnoses, no infections, no details of cases",
            )),
        },
    ]
}
