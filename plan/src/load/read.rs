//! From the trees of the files to the structs of the package. Every key that nobody asked for is a
//! mistake.

use super::yaml::{self, Node, Value};
use super::{Notes, units};
use crate::dictionary::{
    Check, Code, CodeList, Field, Format, Kind, Origin, Repeating, Section, Subject, Words,
};
use crate::package::Package;
use crate::register::{Computed, Constant, Dated, Gives, Register, Setting, Task};

/// Most characters of a text field: a value may take 4 KiB on the wire, and a character up to four
/// bytes.
const TEXT_CHARS_MAX: i64 = 1_000;

/// Most characters of the remark that every item has.
const REMARK_CHARS_MAX: u32 = 200;

/// The list that says where an item's information is from.
pub(super) const SOURCES: &str = "CL-SOURCE";

/// Fields that the loader adds to every repeating section.
pub(super) const ADDED: [&str; 2] = ["info_source", "remark"];

pub(super) fn package(files: &[(&str, &str)], notes: &mut Notes) -> Package {
    let mut package = Package {
        version: 0,
        subjects: Vec::new(),
        codes: Vec::new(),
        settings: Vec::new(),
        computed: Vec::new(),
        registers: Vec::new(),
        units: Vec::new(),
        years: Default::default(),
        indicators: Vec::new(),
        programs: Default::default(),
    };
    for (at, (file, text)) in files.iter().enumerate() {
        if files[..at].iter().any(|(other, _)| other == file) {
            notes.say(file, "", "the file is there twice");
            continue;
        }
        if *file == "units.csv" {
            package.units = units::read(text, notes, file);
            continue;
        }
        let root = match yaml::parse(text) {
            Ok(root) => root,
            Err(bad) => {
                notes
                    .lines
                    .insert((file.to_string(), String::new()), bad.line);
                notes.say(
                    file,
                    "",
                    format!("line {} column {}: {}", bad.line, bad.column, bad.reason),
                );
                continue;
            }
        };
        let mut reader = Reader { notes, file };
        match *file {
            "package.yaml" => {
                if let Some(mut entries) = reader.entries(&root, "") {
                    package.version = reader.version(&mut entries);
                    reader.done(entries);
                }
            }
            "codes.yaml" => package.codes = reader.each(&root, Reader::code_list),
            "settings.yaml" => package.settings = reader.each(&root, Reader::setting),
            "computed.yaml" => package.computed = reader.each(&root, Reader::computed),
            "registers.yaml" => package.registers = reader.each(&root, Reader::register),
            _ if file.starts_with("subjects/") && file.ends_with(".yaml") => {
                package.subjects.extend(reader.subject(&root));
            }
            _ => reader.notes.say(file, "", "the plan has no such file"),
        }
    }
    for wanted in [
        "package.yaml",
        "codes.yaml",
        "settings.yaml",
        "computed.yaml",
        "registers.yaml",
        "units.csv",
    ] {
        if !files.iter().any(|(file, _)| *file == wanted) {
            notes.say(wanted, "", "the file is missing");
        }
    }
    // However the files were ordered, the package is the same.
    package.subjects.sort_by(|a, b| a.key.cmp(&b.key));
    package.units.sort_by(|a, b| a.code.cmp(&b.code));
    package
}

struct Reader<'r> {
    notes: &'r mut Notes,
    file: &'r str,
}

/// A map whose entries are asked for one by one.
struct Entries<'n> {
    key: String,
    left: Vec<(&'n str, &'n Node)>,
}

impl<'n> Entries<'n> {
    fn take(&mut self, name: &str) -> Option<&'n Node> {
        let at = self.left.iter().position(|(key, _)| *key == name)?;
        Some(self.left.remove(at).1)
    }

    fn key(&self, name: &str) -> String {
        if self.key.is_empty() {
            name.to_owned()
        } else {
            format!("{}.{name}", self.key)
        }
    }
}

impl Reader<'_> {
    fn say(&mut self, key: &str, reason: impl Into<String>) {
        self.notes.say(self.file, key, reason);
    }

    /// Says something at the line of a node that may have no key of its own.
    fn say_at(&mut self, node: &Node, key: &str, reason: impl Into<String>) {
        let place = (self.file.to_owned(), key.to_owned());
        self.notes.lines.entry(place).or_insert(node.line);
        self.notes.say(self.file, key, reason);
    }

    fn entries<'n>(&mut self, node: &'n Node, key: &str) -> Option<Entries<'n>> {
        let Value::Map(pairs) = &node.value else {
            self.say_at(node, key, "must be a map");
            return None;
        };
        let mut entries = Entries {
            key: key.to_owned(),
            left: Vec::new(),
        };
        for (name, value) in pairs {
            let Value::Text(text) = &name.value else {
                self.say_at(
                    name,
                    &entries.key(&shown(name)),
                    "a key must be text: quote it",
                );
                continue;
            };
            if !name.quoted && ambiguous(text) {
                self.say_at(
                    name,
                    &entries.key(text),
                    "a key that other readers of YAML take for something else: quote it",
                );
            }
            let place = (self.file.to_owned(), entries.key(text));
            self.notes.lines.insert(place, name.line);
            entries.left.push((text, value));
        }
        Some(entries)
    }

    fn done(&mut self, entries: Entries<'_>) {
        for (name, _) in &entries.left {
            self.say(&entries.key(name), "unknown key");
        }
    }

    /// Reads every entry of a map whose keys are names of the plan.
    fn each<T>(&mut self, node: &Node, read: fn(&mut Self, &str, &Node) -> Option<T>) -> Vec<T> {
        let Some(entries) = self.entries(node, "") else {
            return Vec::new();
        };
        entries
            .left
            .iter()
            .filter_map(|(name, value)| read(self, name, value))
            .collect()
    }

    fn need<'n>(&mut self, entries: &mut Entries<'n>, name: &str) -> Option<&'n Node> {
        let node = entries.take(name);
        if node.is_none() {
            let key = entries.key.clone();
            self.say(&key, format!("`{name}` is missing"));
        }
        node
    }

    fn text_of(&mut self, node: &Node, key: &str) -> Option<String> {
        match &node.value {
            Value::Text(text) if text.trim().is_empty() => self.say_at(node, key, "is empty"),
            Value::Text(text) if node.quoted || !ambiguous(text) => return Some(text.clone()),
            Value::Text(_) => {
                self.say_at(
                    node,
                    key,
                    "other readers of YAML take it for something else: quote it",
                );
            }
            Value::Bool(_) | Value::Integer(_) | Value::Other => {
                self.say_at(node, key, "must be text: quote it");
            }
            _ => self.say_at(node, key, "must be text"),
        }
        None
    }

    fn text(&mut self, entries: &mut Entries<'_>, name: &str) -> Option<String> {
        let node = self.need(entries, name)?;
        self.text_of(node, &entries.key(name))
    }

    fn text_if(&mut self, entries: &mut Entries<'_>, name: &str) -> Option<String> {
        let node = entries.take(name)?;
        self.text_of(node, &entries.key(name))
    }

    /// A text that has to be; empty if it isn't, which was said then.
    fn some_text(&mut self, entries: &mut Entries<'_>, name: &str) -> String {
        self.text(entries, name).unwrap_or_default()
    }

    fn texts(&mut self, entries: &mut Entries<'_>, name: &str) -> Vec<String> {
        let Some(node) = self.need(entries, name) else {
            return Vec::new();
        };
        self.texts_of(node, &entries.key(name))
    }

    fn texts_of(&mut self, node: &Node, key: &str) -> Vec<String> {
        let Value::List(values) = &node.value else {
            self.say_at(node, key, "must be a list");
            return Vec::new();
        };
        values
            .iter()
            .filter_map(|value| self.text_of(value, key))
            .collect()
    }

    fn flag(&mut self, entries: &mut Entries<'_>, name: &str) -> bool {
        match entries.take(name) {
            None => false,
            Some(Node {
                value: Value::Bool(value),
                ..
            }) => *value,
            Some(node) => {
                self.say_at(node, &entries.key(name), "must be true or false");
                false
            }
        }
    }

    fn integer_of(&mut self, node: &Node, key: &str) -> Option<i64> {
        if let Value::Integer(value) = node.value {
            return Some(value);
        }
        self.say_at(node, key, "must be a whole number");
        None
    }

    fn words(&mut self, entries: &mut Entries<'_>) -> Words {
        Words {
            zh: self.some_text(entries, "zh"),
            en: self.some_text(entries, "en"),
        }
    }

    fn words_in(&mut self, entries: &mut Entries<'_>, name: &str) -> Words {
        let node = self.need(entries, name);
        node.map(|node| self.words_of(node, &entries.key(name)))
            .unwrap_or_default()
    }

    fn words_of(&mut self, node: &Node, key: &str) -> Words {
        let Some(mut entries) = self.entries(node, key) else {
            return Words::default();
        };
        let words = self.words(&mut entries);
        self.done(entries);
        words
    }

    fn version(&mut self, entries: &mut Entries<'_>) -> u32 {
        let Some(node) = self.need(entries, "version") else {
            return 0;
        };
        let number = self.integer_of(node, "version").unwrap_or(1);
        let version = u32::try_from(number).ok().filter(|version| *version > 0);
        if version.is_none() {
            self.say_at(node, "version", "must be 1 or more");
        }
        version.unwrap_or(0)
    }

    fn subject(&mut self, node: &Node) -> Option<Subject> {
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
            .notes
            .subjects
            .insert(key.clone(), self.file.to_owned())
            .is_some()
        {
            self.say("subject", "the subject is there twice");
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
                    self.say(&key, "every item has this field: leave it out");
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
                self.say(
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
                self.say(&entries.key("origin"), format!("unknown origin `{other}`"));
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
            self.say(
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
                    self.say(
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
                        self.say(&entries.key("format"), format!("unknown format `{other}`"));
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
                    self.say(&entries.key("type"), format!("unknown type `{other}`"));
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

    fn code_list(&mut self, name: &str, node: &Node) -> Option<CodeList> {
        let mut entries = self.entries(node, name)?;
        let title = self.words_in(&mut entries, "title");
        let source = self.some_text(&mut entries, "source");
        let open = self.flag(&mut entries, "open");
        let mut codes = Vec::new();
        if let Some(node) = self.need(&mut entries, "codes") {
            let key = entries.key("codes");
            if let Value::Map(pairs) = &node.value {
                for (code, _) in pairs.iter().filter(|(code, _)| !code.quoted) {
                    self.say_at(
                        code,
                        &format!("{key}.{}", shown(code)),
                        "a code must be quoted",
                    );
                }
            }
            if let Some(listed) = self.entries(node, &key) {
                for (name, node) in &listed.left {
                    codes.extend(self.code(name, node, &listed.key(name)));
                }
            }
        }
        self.done(entries);
        Some(CodeList {
            key: name.to_owned(),
            title,
            source,
            open,
            codes,
        })
    }

    fn code(&mut self, code: &str, node: &Node, key: &str) -> Option<Code> {
        let mut entries = self.entries(node, key)?;
        let title = self.words(&mut entries);
        let retired = self.flag(&mut entries, "retired");
        let alone = self.flag(&mut entries, "alone");
        self.done(entries);
        Some(Code {
            code: code.to_owned(),
            title,
            retired,
            alone,
        })
    }

    fn setting(&mut self, name: &str, node: &Node) -> Option<Setting> {
        let mut entries = self.entries(node, name)?;
        let title = self.words_in(&mut entries, "title");
        let mut values = Vec::new();
        if let Some(node) = self.need(&mut entries, "values") {
            let key = entries.key("values");
            match &node.value {
                Value::List(nodes) => {
                    for (at, node) in nodes.iter().enumerate() {
                        values.extend(self.dated(node, &format!("{key}.{at}")));
                    }
                }
                _ => self.say_at(node, &key, "must be a list"),
            }
        }
        self.done(entries);
        Some(Setting {
            key: name.to_owned(),
            title,
            values,
        })
    }

    fn dated(&mut self, node: &Node, key: &str) -> Option<Dated> {
        let mut entries = self.entries(node, key)?;
        let from = self.some_text(&mut entries, "from");
        let value = self.need(&mut entries, "value");
        let value = value.and_then(|node| self.constant(node, &entries.key("value")));
        let standard = self.some_text(&mut entries, "standard");
        self.done(entries);
        Some(Dated {
            from,
            value: value?,
            standard,
        })
    }

    fn constant(&mut self, node: &Node, key: &str) -> Option<Constant> {
        match &node.value {
            Value::Integer(value) => Some(Constant::Integer(*value)),
            Value::Bool(value) => Some(Constant::Bool(*value)),
            Value::Text(_) => self.text_of(node, key).map(Constant::Text),
            Value::List(values) => {
                let values = values.iter().filter_map(|value| self.constant(value, key));
                Some(Constant::List(values.collect()))
            }
            Value::Map(_) => {
                let entries = self.entries(node, key)?;
                let entry = |(name, value): &(&str, &Node)| {
                    Some((
                        (*name).to_owned(),
                        self.constant(value, &format!("{key}.{name}"))?,
                    ))
                };
                let mut values: Vec<(String, Constant)> =
                    entries.left.iter().filter_map(entry).collect();
                values.sort_by(|a, b| a.0.cmp(&b.0));
                Some(Constant::Map(values))
            }
            Value::Null | Value::Other => {
                self.say_at(
                    node,
                    key,
                    "must be a whole number, text, true, false, a list or a map",
                );
                None
            }
        }
    }

    fn computed(&mut self, name: &str, node: &Node) -> Option<Computed> {
        let mut entries = self.entries(node, name)?;
        let of = self.some_text(&mut entries, "of");
        let title = self.words(&mut entries);
        let gives = match self.text_if(&mut entries, "gives").as_deref() {
            None | Some("bool") => Gives::Bool,
            Some("date") => Gives::Date,
            Some("integer") => Gives::Integer,
            Some("text") => Gives::Text,
            Some("item") => Gives::Item,
            Some(other) => {
                self.say(&entries.key("gives"), format!("unknown type `{other}`"));
                Gives::Text
            }
        };
        let codes = self.text_if(&mut entries, "codes");
        let is = self.some_text(&mut entries, "is");
        self.done(entries);
        Some(Computed {
            key: name.to_owned(),
            of,
            title,
            gives,
            is,
            codes,
        })
    }

    fn register(&mut self, name: &str, node: &Node) -> Option<Register> {
        let mut entries = self.entries(node, name)?;
        let title = self.words_in(&mut entries, "title");
        let of = self.some_text(&mut entries, "of");
        let rows = self.some_text(&mut entries, "rows");
        let fill = self.texts(&mut entries, "fill");
        let columns = self.texts(&mut entries, "columns");
        let sort = self.some_text(&mut entries, "sort");
        let mut tasks = Vec::new();
        if let Some(node) = entries.take("tasks")
            && let Some(listed) = self.entries(node, &entries.key("tasks"))
        {
            for (name, node) in &listed.left {
                tasks.extend(self.task(name, node, &listed.key(name)));
            }
        }
        self.done(entries);
        Some(Register {
            key: name.to_owned(),
            title,
            of,
            rows,
            fill,
            columns,
            sort,
            tasks,
        })
    }

    fn task(&mut self, name: &str, node: &Node, key: &str) -> Option<Task> {
        let mut entries = self.entries(node, key)?;
        let title = self.words(&mut entries);
        let due = self.some_text(&mut entries, "due");
        let adds = self.some_text(&mut entries, "adds");
        self.done(entries);
        Some(Task {
            key: name.to_owned(),
            title,
            due,
            adds,
        })
    }
}

/// What every item has besides its own fields.
fn added() -> [Field; 2] {
    let words = |zh: &str, en: &str| Words {
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

/// Whether a plain scalar is something else than text to readers of YAML 1.1.
fn ambiguous(text: &str) -> bool {
    const WORDS: [&str; 10] = [
        "y", "n", "yes", "no", "on", "off", "true", "false", "null", "~",
    ];
    let numeric = |text: &str| {
        text.starts_with(|c: char| c.is_ascii_digit())
            && text
                .chars()
                .all(|c| c.is_ascii_hexdigit() || "xo_.:".contains(c))
            && text.chars().filter(char::is_ascii_alphabetic).count() <= 1
    };
    WORDS.iter().any(|word| text.eq_ignore_ascii_case(word))
        || numeric(text.trim_start_matches(['+', '-']))
}

fn shown(node: &Node) -> String {
    match &node.value {
        Value::Null => "null".into(),
        Value::Bool(value) => value.to_string(),
        Value::Integer(value) => value.to_string(),
        Value::Text(text) => text.clone(),
        Value::List(_) | Value::Map(_) | Value::Other => "?".into(),
    }
}
