//! Conversion of facts and settings to CEL values, and of results back.

use std::collections::{BTreeMap, HashMap};

use cel::common::types::{CelBool, CelInt, CelList, CelMap, CelMapKey, CelNull, CelString};
use cel::common::value::Val;

use super::date::Date;
use super::{Datum, ExpressionError, Facts, Fields, ITEM_DATE, ITEM_ID, Item};
use crate::dictionary::{Repeating, Section};
use crate::indicator::Span;
use crate::register::{Constant, Setting};

/// The entries of a map.
pub(super) type Entries<'a> = HashMap<CelMapKey<'a>, Box<dyn Val + 'a>>;

pub(super) fn section_value<'a>(section: &'a Section, facts: &'a Facts) -> Box<dyn Val + 'a> {
    if section.repeating == Repeating::No {
        return Box::new(CelMap::from(entries(
            section,
            facts.single.get(&section.key),
        )));
    }
    let items = facts
        .items
        .get(&section.key)
        .map(Vec::as_slice)
        .unwrap_or_default();
    // By id, so that two devices that hold the same items give the same lists.
    let mut items: Vec<&Item> = items.iter().collect();
    items.sort_by(|a, b| a.id.cmp(&b.id));
    let item = |item| Box::new(item_value(section, item)) as Box<dyn Val + 'a>;
    Box::new(CelList::from(
        items.into_iter().map(item).collect::<Vec<_>>(),
    ))
}

pub(super) fn item_value<'a>(section: &'a Section, item: &'a Item) -> CelMap<'a> {
    let mut entries = entries(section, Some(&item.fields));
    let date = section
        .repeating
        .date()
        .and_then(|field| item.fields.get(field));
    entries.insert(ITEM_ID.into(), Box::new(CelString::from(item.id.as_str())));
    entries.insert(
        ITEM_DATE.into(),
        date.map_or_else(|| Box::new(CelNull) as _, value_of),
    );
    CelMap::from(entries)
}

fn entries<'a>(section: &'a Section, fields: Option<&'a Fields>) -> Entries<'a> {
    let mut entries = Entries::with_capacity(section.fields.len() + 2);
    for field in &section.fields {
        let value = fields.and_then(|fields| fields.get(&field.key));
        let value = value.map_or_else(|| Box::new(CelNull) as _, value_of);
        entries.insert(field.key.as_str().into(), value);
    }
    entries
}

fn value_of(datum: &Datum) -> Box<dyn Val + '_> {
    match datum {
        Datum::Null => Box::new(CelNull),
        Datum::Bool(value) => Box::new(CelBool::from(*value)),
        Datum::Int(value) => Box::new(CelInt::from(*value)),
        Datum::Text(text) => Box::new(CelString::from(text.as_str())),
        Datum::Codes(codes) => {
            let code = |code: &String| Box::new(CelString::from(code.clone())) as Box<dyn Val>;
            Box::new(CelList::from(codes.iter().map(code).collect::<Vec<_>>()))
        }
        // A result, never a fact.
        Datum::Item(_) => Box::new(CelNull),
    }
}

/// The map that the expressions of a figure see as `period`.
pub(super) fn period_value(span: &Span) -> CelMap<'static> {
    let year = format!("{:04}", span.year);
    let texts = [("year", &year), ("from", &span.from), ("to", &span.to)];
    let entry = |(key, text): (&str, &String)| {
        let value = Box::new(CelString::from(text.clone())) as Box<dyn Val>;
        (CelMapKey::from(key.to_owned()), value)
    };
    CelMap::from(texts.into_iter().map(entry).collect::<Entries<'static>>())
}

/// A value that was worked out, for expressions that use it further.
pub(super) fn owned(datum: Datum) -> Box<dyn Val> {
    match datum {
        Datum::Null => Box::new(CelNull),
        Datum::Bool(value) => Box::new(CelBool::from(value)),
        Datum::Int(value) => Box::new(CelInt::from(value)),
        Datum::Text(text) => Box::new(CelString::from(text)),
        Datum::Codes(codes) => {
            let code = |code| Box::new(CelString::from(code)) as Box<dyn Val>;
            Box::new(CelList::from(
                codes.into_iter().map(code).collect::<Vec<_>>(),
            ))
        }
        Datum::Item(fields) => {
            let entry = |(key, value): (String, Datum)| (key.into(), owned(value));
            Box::new(CelMap::from(
                fields.into_iter().map(entry).collect::<Entries<'static>>(),
            ))
        }
    }
}

/// What is in force on a date. Owned, so that a day does not borrow from where it was first asked.
pub(super) fn settings_value(settings: &[Setting], as_of: Date) -> CelMap<'static> {
    let mut entries = Entries::with_capacity(settings.len());
    for setting in settings {
        // A start that is no date never comes into force: the loader refuses it.
        let begun = |from: &str| Date::parse(from).is_some_and(|from| from <= as_of);
        let dated = setting.values.iter().rev().find(|dated| begun(&dated.from));
        let value = match dated.map(|dated| &dated.value) {
            None => Box::new(CelNull) as _,
            Some(value) if value.is_known() => constant(value),
            // Left out: null would be an answer, and a wrong one.
            Some(_) => continue,
        };
        entries.insert(setting.key.clone().into(), value);
    }
    CelMap::from(entries)
}

fn constant(value: &Constant) -> Box<dyn Val> {
    match value {
        Constant::Other(_) => Box::new(CelNull),
        Constant::Integer(value) => Box::new(CelInt::from(*value)),
        Constant::Text(text) => Box::new(CelString::from(text.clone())),
        Constant::Bool(value) => Box::new(CelBool::from(*value)),
        Constant::List(values) => Box::new(CelList::from(
            values.iter().map(constant).collect::<Vec<_>>(),
        )),
        Constant::Map(values) => {
            let mut entries = Entries::with_capacity(values.len());
            for (key, value) in values {
                entries.insert(key.clone().into(), constant(value));
            }
            Box::new(CelMap::from(entries))
        }
    }
}

pub(super) fn bool_of(value: &(dyn Val + '_)) -> Result<bool, ExpressionError> {
    let value = value
        .downcast_ref::<CelBool>()
        .ok_or(ExpressionError::Type)?;
    Ok(*value.inner())
}

pub(super) fn datum_of(value: &(dyn Val + '_)) -> Result<Datum, ExpressionError> {
    if value.downcast_ref::<CelNull>().is_some() {
        Ok(Datum::Null)
    } else if let Some(value) = value.downcast_ref::<CelBool>() {
        Ok(Datum::Bool(*value.inner()))
    } else if let Some(value) = value.downcast_ref::<CelInt>() {
        Ok(Datum::Int(*value.inner()))
    } else if let Some(text) = value.downcast_ref::<CelString<'_>>() {
        Ok(Datum::Text(text.inner().to_owned()))
    } else if let Some(list) = value.downcast_ref::<CelList<'_>>() {
        let mut codes = Vec::with_capacity(list.inner().len());
        for code in list.inner() {
            match datum_of(code.as_ref())? {
                Datum::Text(code) => codes.push(code),
                _ => return Err(ExpressionError::Type),
            }
        }
        codes.sort();
        Ok(Datum::Codes(codes))
    } else if let Some(map) = value.downcast_ref::<CelMap<'_>>() {
        let mut item = BTreeMap::new();
        for (key, value) in map.inner() {
            match datum_of(key.inner())? {
                Datum::Text(key) => drop(item.insert(key, datum_of(value.as_ref())?)),
                _ => return Err(ExpressionError::Type),
            }
        }
        Ok(Datum::Item(item))
    } else {
        Err(ExpressionError::Type)
    }
}
