//! The eight functions of the plan's expressions, and the CEL environment that has them.
//!
//! Dates are texts, `YYYY-MM-DD`, or `YYYY-MM` for the first of that month. A null where a date,
//! number or list is expected gives false or null and never an error, because most of what is asked
//! is not known yet. Anything else of a wrong type is an error.
//!
//! | function | gives |
//! |---|---|
//! | `age(birth, on)` | full years on that day; negative before the birth |
//! | `ago(date, months)` | the date so many calendar months earlier, clamped to the end of the month |
//! | `ahead(date, months)` | the same, later |
//! | `reached(date, on)` | `date` is known and not after `on` |
//! | `within(date, months, on)` | `date` is reached on `on`, and `on` is before `ahead(date, months)`: a screening of 2023-05-10 with 36 months counts up to 2026-05-09 |
//! | `held(from, until, on)` | `from` is reached and `until` is not: not any more on the day of `until` itself |
//! | `last(items, on)` | of the items whose `item_date` is reached, the one with the latest; the greatest `item_id` of several; else null |
//! | `newest(dates)` | the latest of a list of dates, nulls left out; else null |

use std::sync::{Arc, OnceLock};

use cel::common::functions::Function;
use cel::common::types::{
    CelBool, CelInt, CelList, CelMap, CelMapKey, CelNull, CelString, DYN_TYPE,
};
use cel::common::value::{CowVal, Val};
use cel::{Env, ExecutionError};

use super::date::Date;
use super::{ITEM_DATE, ITEM_ID};

/// The names, ascending.
pub(crate) const NAMES: [&str; 8] = [
    "age", "ago", "ahead", "held", "last", "newest", "reached", "within",
];

type Arguments<'b, 'v> = Vec<CowVal<'b, 'v>>;
type Given<'b, 'v> = Result<CowVal<'b, 'v>, ExecutionError>;

/// CEL's standard library and the eight functions. It is the same for every package and costs about
/// a hundred registrations, so it is made once.
pub(super) fn env() -> Arc<Env> {
    static ENV: OnceLock<Arc<Env>> = OnceLock::new();
    Arc::clone(ENV.get_or_init(|| {
        let mut env = Env::stdlib().with_optional_support(false);
        let functions: [(Function, usize); 8] = [
            (age, 2),
            (ago, 2),
            (ahead, 2),
            (held, 3),
            (last, 2),
            (newest, 1),
            (reached, 2),
            (within, 3),
        ];
        for (name, (function, arguments)) in NAMES.into_iter().zip(functions) {
            let added = env.add_overload(
                name,
                name,
                std::iter::repeat_with(|| DYN_TYPE)
                    .take(arguments)
                    .collect(),
                function,
            );
            debug_assert!(added.is_ok(), "the standard library has no {name}");
        }
        Arc::new(env)
    }))
}

fn age<'b, 'v>(arguments: Arguments<'b, 'v>) -> Given<'b, 'v> {
    let (birth, on) = (date("age", &arguments, 0)?, date("age", &arguments, 1)?);
    let years = birth.zip(on).map(|(birth, on)| birth.years_until(on));
    Ok(years.map_or_else(null, |years| CowVal::owned(CelInt::from(years))))
}

fn ago<'b, 'v>(arguments: Arguments<'b, 'v>) -> Given<'b, 'v> {
    let (date, months) = (date("ago", &arguments, 0)?, months("ago", &arguments, 1)?);
    moved("ago", date, months.map(i64::wrapping_neg))
}

fn ahead<'b, 'v>(arguments: Arguments<'b, 'v>) -> Given<'b, 'v> {
    moved(
        "ahead",
        date("ahead", &arguments, 0)?,
        months("ahead", &arguments, 1)?,
    )
}

fn held<'b, 'v>(arguments: Arguments<'b, 'v>) -> Given<'b, 'v> {
    let on = date("held", &arguments, 2)?;
    let (from, until) = (date("held", &arguments, 0)?, date("held", &arguments, 1)?);
    truth(is_reached(from, on) && !is_reached(until, on))
}

fn reached<'b, 'v>(arguments: Arguments<'b, 'v>) -> Given<'b, 'v> {
    truth(is_reached(
        date("reached", &arguments, 0)?,
        date("reached", &arguments, 1)?,
    ))
}

fn within<'b, 'v>(arguments: Arguments<'b, 'v>) -> Given<'b, 'v> {
    let (date, on) = (
        date("within", &arguments, 0)?,
        date("within", &arguments, 2)?,
    );
    let months = months("within", &arguments, 1)?;
    let (Some(from), Some(months)) = (date, months) else {
        return truth(false);
    };
    let until = from
        .plus_months(months)
        .ok_or_else(|| out_of_range("within"))?;
    truth(is_reached(date, on) && on.is_some_and(|on| on < until))
}

fn last<'b, 'v>(mut arguments: Arguments<'b, 'v>) -> Given<'b, 'v> {
    let on = date("last", &arguments, 1)?;
    let items = arguments.swap_remove(0);
    if is_null(items.as_ref()) {
        return Ok(null());
    }
    let list = items
        .downcast_ref::<CelList<'_>>()
        .ok_or_else(|| wrong("last", items.as_ref()))?;
    let mut newest = None;
    for (at, item) in list.inner().iter().enumerate() {
        let map = item
            .downcast_ref::<CelMap<'_>>()
            .ok_or_else(|| wrong("last", item.as_ref()))?;
        let dated = entry(map, ITEM_DATE)
            .map(|value| date_of("last", value))
            .transpose()?;
        let dated = dated.flatten().filter(|date| is_reached(Some(*date), on));
        let id = entry(map, ITEM_ID).and_then(|id| id.downcast_ref::<CelString<'_>>());
        let id = id.map(|id| id.inner());
        if let Some(date) = dated {
            newest = newest.max(Some((date, id, at)));
        }
    }
    let Some((_, _, at)) = newest else {
        return Ok(null());
    };
    // A list of the record hands out the item itself; one that was made on the way is given up.
    match items {
        CowVal::Borrowed(items) => {
            let list = items.downcast_ref::<CelList<'_>>();
            Ok(list
                .and_then(|list| list.inner().get(at))
                .map_or_else(null, |item| item.as_ref().into()))
        }
        CowVal::Owned(items) => match Vec::try_from(items) {
            Ok(mut items) if at < items.len() => Ok(CowVal::Owned(items.swap_remove(at))),
            _ => Ok(null()),
        },
    }
}

fn newest<'b, 'v>(mut arguments: Arguments<'b, 'v>) -> Given<'b, 'v> {
    let dates = arguments.swap_remove(0);
    if is_null(dates.as_ref()) {
        return Ok(null());
    }
    let list = dates
        .downcast_ref::<CelList<'_>>()
        .ok_or_else(|| wrong("newest", dates.as_ref()))?;
    let mut newest: Option<(Date, &str)> = None;
    for value in list.inner() {
        let text = value
            .downcast_ref::<CelString<'_>>()
            .map_or("", |text| text.inner());
        // Of `2024-05` and `2024-05-01` the one that says the day.
        newest = newest.max(date_of("newest", value.as_ref())?.map(|date| (date, text)));
    }
    Ok(newest.map_or_else(null, |(_, text)| {
        CowVal::owned(CelString::from(text.to_owned()))
    }))
}

fn is_reached(date: Option<Date>, on: Option<Date>) -> bool {
    date.zip(on).is_some_and(|(date, on)| date <= on)
}

fn moved<'b, 'v>(function: &str, date: Option<Date>, months: Option<i64>) -> Given<'b, 'v> {
    let Some((date, months)) = date.zip(months) else {
        return Ok(null());
    };
    let moved = date
        .plus_months(months)
        .ok_or_else(|| out_of_range(function))?;
    Ok(CowVal::owned(CelString::from(moved.to_string())))
}

/// The argument at this place as a date. CEL checked their number.
fn date(
    function: &str,
    arguments: &[CowVal<'_, '_>],
    at: usize,
) -> Result<Option<Date>, ExecutionError> {
    arguments
        .get(at)
        .map_or(Ok(None), |value| date_of(function, value.as_ref()))
}

fn date_of(function: &str, value: &(dyn Val + '_)) -> Result<Option<Date>, ExecutionError> {
    if is_null(value) {
        return Ok(None);
    }
    let text = value
        .downcast_ref::<CelString<'_>>()
        .ok_or_else(|| wrong(function, value))?;
    let no_date = || ExecutionError::function_error(function, "a text is no date");
    Date::parse(text.inner()).map(Some).ok_or_else(no_date)
}

fn months(
    function: &str,
    arguments: &[CowVal<'_, '_>],
    at: usize,
) -> Result<Option<i64>, ExecutionError> {
    let Some(value) = arguments.get(at).filter(|value| !is_null(value.as_ref())) else {
        return Ok(None);
    };
    let months = value
        .downcast_ref::<CelInt>()
        .ok_or_else(|| wrong(function, value.as_ref()))?;
    Ok(Some(*months.inner()))
}

fn entry<'b, 'v>(map: &'b CelMap<'v>, key: &'v str) -> Option<&'b (dyn Val + 'v)> {
    map.inner()
        .get(&CelMapKey::from(key))
        .map(|value| value.as_ref())
}

fn is_null(value: &(dyn Val + '_)) -> bool {
    value.downcast_ref::<CelNull>().is_some()
}

fn null<'b, 'v>() -> CowVal<'b, 'v> {
    CowVal::owned(CelNull)
}

fn truth<'b, 'v>(truth: bool) -> Given<'b, 'v> {
    Ok(CowVal::owned(CelBool::from(truth)))
}

fn wrong(function: &str, value: &(dyn Val + '_)) -> ExecutionError {
    ExecutionError::no_such_overload(function, vec![value.get_type().name().to_owned()])
}

fn out_of_range(function: &str) -> ExecutionError {
    ExecutionError::function_error(function, "the date is out of range")
}
