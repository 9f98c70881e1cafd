//! Values of a record by section, in the order of the form.

use std::collections::BTreeMap;

use plan::dictionary::{self, Field, Kind, Repeating};
use sync_core::id::{Class, RecordId};
use sync_core::show::{ShownItem, ShownRecord, ShownValue};

use crate::layout::Link;
use crate::mask;
use crate::records::SHOWN;
use crate::value::Formatter;

/// A section with something in it.
pub(super) struct Section {
    pub(super) title: String,
    /// The values of a single section.
    pub(super) entries: Vec<Entry>,
    /// The items of a repeating one.
    pub(super) items: Option<Items>,
}

/// A value with its title.
#[derive(Clone)]
pub(super) struct Entry {
    pub(super) title: String,
    pub(super) text: String,
    /// Where it leads, if it names a record.
    pub(super) href: Option<String>,
}

/// Items as a table: those fields that are filled in at least once.
pub(super) struct Items {
    pub(super) columns: Vec<String>,
    pub(super) rows: Vec<Vec<Entry>>,
}

impl Entry {
    pub(super) fn text(title: String, text: String) -> Self {
        Self {
            title,
            text,
            href: None,
        }
    }
}

/// The sections that are shown and hold something; `link` finds other records.
pub(super) fn of(
    formatter: Formatter<'_>,
    shown: &ShownRecord,
    link: &dyn Fn(RecordId) -> Option<Link>,
) -> Vec<Section> {
    let subject = formatter.package.subject(shown.id.subject.key());
    let sections = subject.into_iter().flat_map(|subject| &subject.sections);
    let is_shown = |section: &&dictionary::Section| {
        Class::from_key(&section.class).is_some_and(|class| SHOWN.contains(&class))
    };
    let known = sections.filter(|section| section.is_known());
    let sections = known.filter(is_shown).map(|section| {
        let of_section = Formatter::title(&formatter, &section.title).to_owned();
        match section.repeating {
            Repeating::No => Section {
                title: of_section,
                entries: single(formatter, section, shown, link),
                items: None,
            },
            _ => Section {
                title: of_section,
                entries: Vec::new(),
                items: items(formatter, section, shown, link),
            },
        }
    });
    sections
        .filter(|section| !section.entries.is_empty() || section.items.is_some())
        .collect()
}

fn single(
    formatter: Formatter<'_>,
    section: &dictionary::Section,
    shown: &ShownRecord,
    link: &dyn Fn(RecordId) -> Option<Link>,
) -> Vec<Entry> {
    let entry = |field: &Field| {
        let value = shown
            .fields
            .get(&format!("{}.{}", section.key, field.key))?;
        Some(entry(formatter, field, value, link))
    };
    section.fields.iter().filter_map(entry).collect()
}

fn items(
    formatter: Formatter<'_>,
    section: &dictionary::Section,
    shown: &ShownRecord,
    link: &dyn Fn(RecordId) -> Option<Link>,
) -> Option<Items> {
    let items = shown.items.get(&section.key)?;
    let filled = |field: &&Field| {
        items
            .iter()
            .any(|item| item.fields.contains_key(&field.key))
    };
    let columns: Vec<&Field> = section.fields.iter().filter(filled).collect();
    let row = |item: &ShownItem| {
        let cell = |field: &&Field| match item.fields.get(&field.key) {
            Some(value) => entry(formatter, field, value, link),
            None => Entry::text(String::new(), String::new()),
        };
        columns.iter().map(cell).collect()
    };
    let rows: Vec<Vec<Entry>> = items.iter().map(row).collect();
    let titles = columns
        .iter()
        .map(|field| formatter.title(&field.title).to_owned());
    (!columns.is_empty()).then(|| Items {
        columns: titles.collect(),
        rows,
    })
}

fn entry(
    formatter: Formatter<'_>,
    field: &Field,
    value: &ShownValue,
    link: &dyn Fn(RecordId) -> Option<Link>,
) -> Entry {
    let title = formatter.title(&field.title).to_owned();
    let named = match (&field.kind, value) {
        (Kind::Reference { .. }, ShownValue::Text(id)) => id.parse().ok().and_then(link),
        _ => None,
    };
    match named {
        Some(link) => Entry {
            title,
            text: link.title,
            href: Some(link.href),
        },
        None => Entry::text(title, formatter.field(field, value)),
    }
}

/// How an item of a section is called in a history: by its date where it has one.
pub(super) fn item_names(
    formatter: Formatter<'_>,
    shown: &ShownRecord,
) -> BTreeMap<(String, String), String> {
    let mut names = BTreeMap::new();
    for (section, items) in &shown.items {
        let date = formatter
            .package
            .section(section)
            .and_then(|(_, section)| section.repeating.date());
        for item in items {
            let dated = date.and_then(|date| item.fields.get(date));
            if let Some(ShownValue::Text(day)) = dated {
                names.insert((section.clone(), item.item.clone()), mask::text(day));
            }
        }
    }
    names
}
