//! Conversion of the files' trees into the structs of the package. Every key that nobody asked for
//! is a mistake.

pub(super) mod catalogue;
mod indicator;
mod rules;
mod subject;

use super::yaml::{self, Node, Value};
use super::{Diagnostics, units};
use crate::dictionary::Text;
use crate::package::Package;

/// The list that says where an item's information is from.
pub(super) const SOURCES: &str = "CL-SOURCE";

/// The domains of the plan in its order; indicators stand in a file of their domain.
const DOMAINS: [&str; 8] = [
    "health",
    "education",
    "economy",
    "decision-making",
    "social-security",
    "family",
    "environment",
    "law",
];

/// Fields that the loader adds to every repeating section.
pub(super) const ADDED: [&str; 2] = ["info_source", "remark"];

pub(super) fn package(files: &[(&str, &str)], diagnostics: &mut Diagnostics) -> Package {
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
        expressions: Vec::new(),
        programs: Default::default(),
    };
    for (at, (file, text)) in files.iter().enumerate() {
        if files[..at].iter().any(|(other, _)| other == file) {
            diagnostics.report(file, "", "the file is there twice");
            continue;
        }
        if *file == "units.csv" {
            package.units = units::read(text, diagnostics, file);
            continue;
        }
        let Some(root) = root(file, text, diagnostics) else {
            continue;
        };
        let mut reader = Reader { diagnostics, file };
        match *file {
            "package.yaml" => {
                if let Some(mut entries) = reader.entries(&root, "") {
                    package.version = reader.version(&mut entries);
                    package.years = reader.years(&mut entries);
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
            _ => match indicators_of(file) {
                Some(domain) => package.indicators.extend(reader.indicators(&root, domain)),
                None => reader
                    .diagnostics
                    .report(file, "", "the plan has no such file"),
            },
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
            diagnostics.report(wanted, "", "the file is missing");
        }
    }
    // However the files were ordered, the package is the same.
    package.subjects.sort_by(|a, b| a.key.cmp(&b.key));
    package.units.sort_by(|a, b| a.code.cmp(&b.code));
    let place = |domain: &str| DOMAINS.iter().position(|known| *known == domain);
    package
        .indicators
        .sort_by_key(|indicator| place(&indicator.domain));
    package
}

/// The tree of a file, unless it is no YAML, which is said then.
fn root(file: &str, text: &str, diagnostics: &mut Diagnostics) -> Option<Node> {
    let bad = match yaml::parse(text) {
        Ok(root) => return Some(root),
        Err(bad) => bad,
    };
    let place = (file.to_owned(), String::new());
    diagnostics.lines.insert(place, bad.line);
    let why = format!("line {} column {}: {}", bad.line, bad.column, bad.reason);
    diagnostics.report(file, "", why);
    None
}

/// The domain whose indicators stand in a file.
fn indicators_of(file: &str) -> Option<&str> {
    let domain = file.strip_prefix("indicators/")?.strip_suffix(".yaml")?;
    DOMAINS.contains(&domain).then_some(domain)
}

/// The file with the indicators of a domain.
pub(super) fn indicator_file(domain: &str) -> String {
    format!("indicators/{domain}.yaml")
}

struct Reader<'r> {
    diagnostics: &'r mut Diagnostics,
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
    fn report(&mut self, key: &str, reason: impl Into<String>) {
        self.diagnostics.report(self.file, key, reason);
    }

    /// Says something at the line of a node that may have no key of its own.
    fn say_at(&mut self, node: &Node, key: &str, reason: impl Into<String>) {
        let place = (self.file.to_owned(), key.to_owned());
        self.diagnostics.lines.entry(place).or_insert(node.line);
        self.diagnostics.report(self.file, key, reason);
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
            self.diagnostics.lines.insert(place, name.line);
            entries.left.push((text, value));
        }
        Some(entries)
    }

    fn done(&mut self, entries: Entries<'_>) {
        for (name, _) in &entries.left {
            self.report(&entries.key(name), "unknown key");
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
            self.report(&key, format!("`{name}` is missing"));
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

    fn words(&mut self, entries: &mut Entries<'_>) -> Text {
        Text {
            zh: self.some_text(entries, "zh"),
            en: self.some_text(entries, "en"),
        }
    }

    fn words_in(&mut self, entries: &mut Entries<'_>, name: &str) -> Text {
        let node = self.need(entries, name);
        node.map(|node| self.words_of(node, &entries.key(name)))
            .unwrap_or_default()
    }

    fn words_of(&mut self, node: &Node, key: &str) -> Text {
        let Some(mut entries) = self.entries(node, key) else {
            return Text::default();
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
