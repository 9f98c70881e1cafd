//! Checks over the plan as a whole: names, references, limits of keys, classes.

pub(super) mod catalogue;
mod indicator;

use std::collections::BTreeSet;

use super::Diagnostics;
use super::read::{ADDED, SOURCES, indicator_file};
use crate::dictionary::{CodeList, Field, Kind, Repeating, STATEMENTS, Section, Subject};
use crate::expression::{CEL_WORDS, FUNCTIONS, ITEM_DATE, ITEM_ID, VARIABLES, whole};
use crate::package::Package;
use crate::register::{CONSTANT_DEPTH_MAX, Constant, Register, Setting, ValueType};

/// Most bytes of a document's key, such as `section#item.field` or `section.field/CODE`.
const KEY_BYTES_MAX: usize = 200;

/// Characters of an item id that is drawn.
const DRAWN_ID_CHARS: usize = 8;

/// The classes of data, and which of them one role holds together. A register that mixes others
/// could be filled in by nobody.
const CLASSES: [&str; 5] = ["general", "care", "referral", "health", "protected"];
const ROLES: [&[&str]; 3] = [
    &["general", "care", "referral"],
    &["general", "referral", "health"],
    &["general", "protected"],
];

/// What `section#item.NAME` means something else for.
const FIELD_NAMES: [&str; 3] = ["void", ITEM_ID, ITEM_DATE];

pub(super) fn package(package: &Package, diagnostics: &mut Diagnostics) {
    for subject in &package.subjects {
        let file = diagnostics.subject_file(&subject.key);
        let mut at = At {
            package,
            diagnostics,
            file,
        };
        at.subject(subject);
    }
    for needed in ["person", "household"] {
        if package.subject(needed).is_none() {
            diagnostics.report("subjects", "", format!("there is no subject `{needed}`"));
        }
    }
    let file = |file: &str| file.to_owned();
    let mut at = At {
        package,
        diagnostics,
        file: file("codes.yaml"),
    };
    package.codes.iter().for_each(|list| at.code_list(list));
    let mut at = At {
        package,
        diagnostics,
        file: file("settings.yaml"),
    };
    package
        .settings
        .iter()
        .for_each(|setting| at.setting(setting));
    let mut at = At {
        package,
        diagnostics,
        file: file("computed.yaml"),
    };
    at.statuses();
    let mut at = At {
        package,
        diagnostics,
        file: file("registers.yaml"),
    };
    package
        .registers
        .iter()
        .for_each(|register| at.register(register));
    let mut at = At {
        package,
        diagnostics,
        file: file("package.yaml"),
    };
    at.years();
    for indicator in &package.indicators {
        at.file = indicator_file(&indicator.domain);
        at.indicator(indicator);
    }
}

struct At<'a> {
    package: &'a Package,
    diagnostics: &'a mut Diagnostics,
    file: String,
}

impl At<'_> {
    fn report(&mut self, key: &str, reason: impl Into<String>) {
        self.diagnostics.report(&self.file, key, reason);
    }

    fn name(&mut self, key: &str, name: &str) {
        let mut characters = name.bytes();
        let good = characters
            .next()
            .is_some_and(|first| first.is_ascii_lowercase())
            && characters.all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'_');
        if !good {
            self.report(
                key,
                format!("`{name}` is no name: use a to z, 0 to 9 and _, a letter first"),
            );
        } else if CEL_WORDS.contains(&name) {
            self.report(
                key,
                format!("expressions keep the word `{name}` for themselves"),
            );
        }
    }

    /// A name that expressions use as a variable.
    fn variable(&mut self, key: &str, name: &str) {
        self.name(key, name);
        if VARIABLES.contains(&name) || FUNCTIONS.contains(&name) {
            self.report(key, format!("expressions use `{name}` for something else"));
        }
    }

    fn subject(&mut self, subject: &Subject) {
        self.name("subject", &subject.key);
        let label = subject.label.split_once('.');
        let labelled = label.and_then(|(section, field)| subject.section(section)?.field(field));
        if labelled.is_none() {
            self.report(
                "label",
                format!("the subject has no field `{}`", subject.label),
            );
        }
        if subject.sections.is_empty() {
            self.report("sections", "there are none");
        }
        for section in &subject.sections {
            let key = format!("sections.{}", section.key);
            self.variable(&key, &section.key);
            if section.key == STATEMENTS {
                self.report(&key, "there it stands which records are one person");
            }
            let owner = self
                .package
                .subjects
                .iter()
                .find(|other| other.section(&section.key).is_some());
            if let Some(other) = owner.filter(|other| other.key != subject.key) {
                self.report(
                    &key,
                    format!("the subject `{}` has a section of this name", other.key),
                );
            }
            if !CLASSES.contains(&section.class.as_str()) {
                self.report(
                    &format!("{key}.class"),
                    format!("unknown class `{}`", section.class),
                );
            }
            self.section(section, &key);
        }
    }

    fn section(&mut self, section: &Section, key: &str) {
        let own = section
            .fields
            .iter()
            .filter(|field| !ADDED.contains(&field.key.as_str()));
        if own.count() == 0 {
            self.report(&format!("{key}.fields"), "there are none");
        }
        let item = self.repeating(section, &format!("{key}.repeating"));
        for field in &section.fields {
            self.field(section, field, &format!("{key}.fields.{}", field.key), item);
        }
        for (at, check) in section.checks.iter().enumerate() {
            if section.field(&check.at).is_none() {
                self.report(
                    &format!("{key}.checks.{at}.at"),
                    format!("the section has no field `{}`", check.at),
                );
            }
        }
    }

    /// Checks what names the items, and returns how many bytes that adds to a key.
    fn repeating(&mut self, section: &Section, key: &str) -> usize {
        if let Some(date) = section.repeating.date() {
            match section.field(date).map(|field| &field.kind) {
                Some(Kind::Date { .. }) => {}
                Some(_) => self.report(&format!("{key}.date"), format!("`{date}` is no date")),
                None => self.report(
                    &format!("{key}.date"),
                    format!("the section has no field `{date}`"),
                ),
            }
        }
        match &section.repeating {
            Repeating::No | Repeating::Other(_) => 0,
            Repeating::ByDate(_) | Repeating::Drawn => 1 + DRAWN_ID_CHARS,
            Repeating::ByKey(fields, _) => {
                let key = format!("{key}.key");
                if fields.is_empty() {
                    self.report(&key, "there are none");
                }
                let parts = fields
                    .iter()
                    .map(|field| self.key_part(section, field, &key));
                parts
                    .collect::<Vec<_>>()
                    .iter()
                    .map(|bytes| bytes + 1)
                    .sum()
            }
        }
    }

    /// A field whose value is part of an item's id, which takes letters, digits, `_` and `-`.
    fn key_part(&mut self, section: &Section, name: &str, key: &str) -> usize {
        let Some(field) = section.field(name) else {
            self.report(key, format!("the section has no field `{name}`"));
            return 0;
        };
        if !field.required || field.ask_if.is_some() {
            self.report(key, format!("`{name}` must be required"));
        }
        match &field.kind {
            Kind::Choice { codes } => {
                let codes = self
                    .package
                    .code_list(codes)
                    .map(|list| list.codes.as_slice());
                codes
                    .unwrap_or_default()
                    .iter()
                    .map(|code| code.code.len())
                    .max()
                    .unwrap_or(0)
            }
            Kind::Integer { min, max } => min.to_string().len().max(max.to_string().len()),
            Kind::Date { .. } => "YYYY-MM-DD".len(),
            // Other characters than those of a pattern could not be written into a key.
            Kind::Text {
                max_chars,
                pattern: Some(_),
                ..
            } => *max_chars as usize,
            _ => {
                self.report(key, format!("`{name}` can't name an item: use a choice, an integer, a date or a text with a pattern"));
                0
            }
        }
    }

    fn field(&mut self, section: &Section, field: &Field, key: &str, item: usize) {
        self.name(key, &field.key);
        if FIELD_NAMES.contains(&field.key.as_str()) {
            self.report(
                key,
                format!("items keep the name `{}` for themselves", field.key),
            );
        }
        let mut bytes = section.key.len() + item + 1 + field.key.len();
        match &field.kind {
            Kind::Text {
                pattern: Some(pattern),
                ..
            } => {
                if let Err(error) = whole(pattern) {
                    self.report(
                        &format!("{key}.pattern"),
                        format!("is no regular expression: {error}"),
                    );
                }
            }
            Kind::Choice { codes } | Kind::Choices { codes } => match self.package.code_list(codes)
            {
                None if codes == SOURCES && ADDED.contains(&field.key.as_str()) => {
                    self.report(
                        &format!("{key}.codes"),
                        format!("every item needs the list `{SOURCES}`"),
                    );
                }
                None => self.report(
                    &format!("{key}.codes"),
                    format!("there is no list `{codes}`"),
                ),
                Some(list) if matches!(field.kind, Kind::Choices { .. }) => {
                    let longest = list.codes.iter().map(|code| code.code.len()).max();
                    bytes += 1 + longest.unwrap_or(0);
                    if list.open {
                        self.report(
                            &format!("{key}.codes"),
                            format!("several of `{codes}` can't be chosen: the list is open"),
                        );
                    }
                    let dashed = list.codes.iter().find(|code| code.code.contains('-'));
                    if let Some(code) = dashed {
                        self.report(
                            &format!("{key}.codes"),
                            format!(
                                "several of `{codes}` can't be chosen: `{}` has a dash",
                                code.code
                            ),
                        );
                    }
                }
                Some(_) => {}
            },
            Kind::Reference { subject } if self.package.subject(subject).is_none() => {
                self.report(
                    &format!("{key}.to"),
                    format!("there is no subject `{subject}`"),
                );
            }
            _ => {}
        }
        if bytes > KEY_BYTES_MAX {
            self.report(
                key,
                format!("its keys have more than {KEY_BYTES_MAX} bytes"),
            );
        }
    }

    fn code_list(&mut self, list: &CodeList) {
        let named = list.key.strip_prefix("CL-").is_some_and(|rest| {
            !rest.is_empty()
                && rest
                    .bytes()
                    .all(|c| c.is_ascii_uppercase() || c.is_ascii_digit())
        });
        if !named {
            self.report(
                &list.key,
                "a list is called CL- and capital letters or digits",
            );
        }
        if list.codes.is_empty() {
            self.report(&format!("{}.codes", list.key), "there are none");
        }
        for code in &list.codes {
            let code = code.code.as_str();
            let good = !code.is_empty()
                && code
                    .bytes()
                    .all(|c| c.is_ascii_alphanumeric() || c == b'_' || c == b'-');
            if !good {
                self.report(
                    &format!("{}.codes.{code}", list.key),
                    "a code has letters, digits, _ and - only",
                );
            }
        }
    }

    fn setting(&mut self, setting: &Setting) {
        self.name(&setting.key, &setting.key);
        if setting.values.is_empty() {
            self.report(&format!("{}.values", setting.key), "there are none");
        }
        let mut before: Option<&str> = None;
        for (at, dated) in setting.values.iter().enumerate() {
            let key = format!("{}.values.{at}", setting.key);
            if !crate::expression::is_day(&dated.from) {
                self.report(&format!("{key}.from"), "must be a date, YYYY-MM-DD");
            }
            if before.is_some_and(|before| before >= dated.from.as_str()) {
                self.report(&format!("{key}.from"), "must be later than the one before");
            }
            before = Some(&dated.from);
            if dated.value.depth() > CONSTANT_DEPTH_MAX {
                let why = format!("it has more than {CONSTANT_DEPTH_MAX} levels");
                self.report(&format!("{key}.value"), why);
            }
            if let Constant::List(values) = &dated.value
                && values.windows(2).any(|pair| {
                    std::mem::discriminant(&pair[0]) != std::mem::discriminant(&pair[1])
                })
            {
                self.report(
                    &format!("{key}.value"),
                    "the values of a list must be of one type",
                );
            }
        }
    }

    fn statuses(&mut self) {
        for (at, computed) in self.package.computed.iter().enumerate() {
            let key = computed.key.as_str();
            self.variable(key, key);
            if self.package.computed[..at]
                .iter()
                .any(|other| other.key == key)
            {
                self.report(key, "the name is there twice");
            }
            if self.package.section(key).is_some() {
                self.report(key, "a section has this name");
            }
            if self.package.subject(&computed.of).is_none() {
                self.report(
                    &format!("{key}.of"),
                    format!("there is no subject `{}`", computed.of),
                );
            }
            if let Some(codes) = &computed.codes {
                if self.package.code_list(codes).is_none() {
                    self.report(
                        &format!("{key}.codes"),
                        format!("there is no list `{codes}`"),
                    );
                }
                if computed.gives != ValueType::Text {
                    self.report(&format!("{key}.codes"), "only what gives text has codes");
                }
            }
        }
    }

    fn register(&mut self, register: &Register) {
        let key = register.key.as_str();
        self.name(key, key);
        let Some(subject) = self.package.subject(&register.of) else {
            self.report(
                &format!("{key}.of"),
                format!("there is no subject `{}`", register.of),
            );
            return;
        };
        let mut classes = BTreeSet::new();
        if register.fill.is_empty() {
            self.report(&format!("{key}.fill"), "there are none");
        }
        for name in &register.fill {
            match subject.section(name) {
                Some(section) => drop(classes.insert(section.class.as_str())),
                None => self.report(
                    &format!("{key}.fill"),
                    format!("the subject has no section `{name}`"),
                ),
            }
        }
        for (at, column) in register.columns.iter().enumerate() {
            if register.columns[..at].contains(column) {
                self.report(
                    &format!("{key}.columns"),
                    format!("`{column}` is there twice"),
                );
            }
            let field = column.split_once('.').and_then(|(section, field)| {
                let section = subject.section(section)?;
                section.field(field).map(|_| section)
            });
            let gives = self.gives(&subject.key, column);
            match (field, gives) {
                (Some(section), _) => drop(classes.insert(section.class.as_str())),
                (None, Some(ValueType::Item)) => {
                    self.report(
                        &format!("{key}.columns"),
                        format!("`{column}` is a whole item"),
                    );
                }
                (None, Some(_)) => {}
                (None, None) => {
                    self.report(
                        &format!("{key}.columns"),
                        format!("`{column}` is no field and no status"),
                    );
                }
            }
        }
        if !register.columns.contains(&register.sort) {
            self.report(
                &format!("{key}.sort"),
                format!("`{}` is no column", register.sort),
            );
        }
        for task in &register.tasks {
            let key = format!("{key}.tasks.{}", task.key);
            self.name(&key, &task.key);
            if self.gives(&subject.key, &task.due) != Some(ValueType::Date) {
                self.report(
                    &format!("{key}.due"),
                    format!("`{}` is no status that gives a date", task.due),
                );
            }
            let adds = subject
                .section(&task.adds)
                .filter(|to| to.repeating != Repeating::No);
            if adds.is_none() {
                self.report(
                    &format!("{key}.adds"),
                    format!("`{}` is no repeating section", task.adds),
                );
            } else if !register.fill.contains(&task.adds) {
                self.report(
                    &format!("{key}.adds"),
                    format!("`{}` is not filled in here", task.adds),
                );
            }
        }
        self.held_together(key, &classes);
    }

    /// Says so if no role holds these classes of data together: nobody could fill in or count what
    /// needs them all.
    fn held_together(&mut self, key: &str, classes: &BTreeSet<&str>) {
        let held = |role: &&[&str]| classes.iter().all(|class| role.contains(class));
        if classes.iter().all(|class| CLASSES.contains(class)) && !ROLES.iter().any(held) {
            let classes: Vec<&str> = classes.iter().copied().collect();
            self.report(
                key,
                format!("no role holds {} together", classes.join(" and ")),
            );
        }
    }

    fn gives(&self, subject: &str, name: &str) -> Option<ValueType> {
        let status = self.package.status(subject, name);
        status.map(|computed| computed.gives)
    }
}
