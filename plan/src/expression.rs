//! Expressions over a record as of a date. The only user of CEL.
//!
//! A [`Scope`] holds what one record says on one date; any number of expressions are then asked of
//! it. It offers these variables:
//!
//! - every section of the record's subject by its key: a single section as a map with every field of
//!   the dictionary, a repeating one as a list of such maps, each with `item_id` and `item_date`
//!   (the value of the section's date field) besides. What is not recorded is null;
//! - `home`: null, or a map with the sections of the person's household in the same form;
//! - `as_of`: the date, as text;
//! - `settings`: every setting's value in force on that date, null before the first;
//! - `period`: in [`Scope::for_period`] a map with `year` (`"2027"`), `from` and `to` (the first and
//!   the last day); else null. The loader lets only an indicator's own expressions name it, so that
//!   a status means the same wherever it is asked for;
//! - `item`: the item, in [`Scope::item_holds`] only;
//! - every computed status of the subject by its name.
//!
//! Besides CEL's own functions there are eight: `age`, `ago`, `ahead`, `held`, `last`,
//! `newest`, `reached` and `within`; the module `functions` has their borders. Sections and computed statuses are
//! built when an expression first refers to them and then kept, so that a scope costs what is asked
//! of it. CEL has no budget of its own: the length of an expression, its nesting and the size of the
//! facts are bounded instead ([`SOURCE_CHARS_MAX`], [`ITEMS_MAX`], [`FACTS_BYTES_MAX`]).
//!
//! A computed status that has no answer makes an expression that needs it an error. As everywhere
//! in CEL, `false && error` is false and `true || error` is true: then the answer does not depend on it.

mod date;
mod functions;
mod programs;
mod reads;
#[cfg(feature = "load")]
mod shapes;

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};

use cel::common::types::{CelBool, CelInt, CelList, CelMap, CelMapKey, CelNull, CelString};
use cel::common::value::Val;
use cel::{Context, ExecutionError, Value};

use self::date::Date;
#[cfg(feature = "load")]
pub(crate) use self::functions::NAMES as FUNCTIONS;
pub(crate) use self::programs::Programs;
#[cfg(feature = "load")]
pub(crate) use self::programs::whole;
#[cfg(feature = "load")]
pub(crate) use self::shapes::{Shape, Shapes};
use crate::dictionary::{Section, Subject};
use crate::indicator::Span;
use crate::package::Package;
use crate::register::{Constant, Gives, Setting};

/// Most characters (Unicode scalar values) of an expression.
pub const SOURCE_CHARS_MAX: usize = 2_000;

/// Most items of one repeating section.
pub const ITEMS_MAX: usize = 512;

/// Most bytes of one record's facts: its texts, and `VALUE_BYTES` for every value.
pub const FACTS_BYTES_MAX: usize = 1 << 20;

/// What every value counts for in [`FACTS_BYTES_MAX`], whatever it is.
const VALUE_BYTES: usize = 16;

/// How deep computed statuses may rest on each other. The loader refuses circles; a package from
/// elsewhere must not overflow the stack either.
const COMPUTED_DEPTH_MAX: usize = 24;

/// The hidden entry of an item with its id.
pub(crate) const ITEM_ID: &str = "item_id";

/// The hidden entry of an item with the value of its section's date field.
pub(crate) const ITEM_DATE: &str = "item_date";

/// Names that expressions know besides sections and computed statuses.
#[cfg(feature = "load")]
pub(crate) const VARIABLES: [&str; 5] = [HOME, "as_of", "settings", PERIOD, "item"];

/// The name of a person's household.
const HOME: &str = "home";

/// The name of what an indicator's expressions know besides.
pub(crate) const PERIOD: &str = "period";

/// A value as expressions see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Datum {
    /// Empty or unknown.
    Null,
    /// Yes or no.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// Text, date, code, record id or point.
    Text(String),
    /// The chosen codes of a multi-choice, ascending.
    Codes(Vec<String>),
    /// An item of a repeating section, by field; as a result only.
    Item(BTreeMap<String, Datum>),
}

/// The fields of a single section or of one item. Fields of the dictionary that are missing here
/// count as [`Datum::Null`].
pub type Fields = BTreeMap<String, Datum>;

/// One item of a repeating section.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Item {
    /// The item's id.
    pub id: String,
    /// Its values.
    pub fields: Fields,
}

/// What is recorded of one subject: a record, or a group of linked records as one. Withdrawn items
/// are left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// Single sections, by section.
    pub single: BTreeMap<String, Fields>,
    /// The items of repeating sections, by section, in any order.
    pub items: BTreeMap<String, Vec<Item>>,
}

/// Why an expression has no answer. No message repeats a value of the record.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExpressionError {
    /// It does not parse, or names what this program does not know: a newer plan.
    #[error("the expression can't be compiled: {0}")]
    Compile(String),
    /// It failed on these facts: a value is missing or of another type.
    #[error("the expression has no answer: {0}")]
    Evaluate(String),
    /// It gave something else than was asked for.
    #[error("the expression gives another type than it should")]
    Type,
    /// The facts are over the limits of evaluation.
    #[error("too much is recorded to evaluate the expression")]
    TooLarge,
}

/// One record as of a date, ready for any number of expressions.
pub struct Scope<'a> {
    package: &'a Package,
    subject: &'a Subject,
    facts: &'a Facts,
    home: Option<&'a Facts>,
    /// The variables that were asked for so far.
    context: RefCell<Context<'a, 'a>>,
    /// The names that were asked for so far; for computed statuses, why there is no value.
    known: RefCell<BTreeMap<String, Option<ExpressionError>>>,
    as_of: Date,
    period: Option<&'a Span>,
}

impl<'a> Scope<'a> {
    /// `subject` is the record's subject; `home` are the facts of a person's household, where it is
    /// known; `as_of` is `YYYY-MM-DD`.
    ///
    /// Facts over the limits, a subject that the package does not have and a date that is none are
    /// errors.
    pub fn new(
        package: &'a Package,
        subject: &str,
        facts: &'a Facts,
        home: Option<&'a Facts>,
        as_of: &str,
    ) -> Result<Self, ExpressionError> {
        Self::with(package, subject, facts, home, as_of, None)
    }

    /// The same for a figure: as of the last day of its period, which the expressions see as
    /// `period`.
    pub fn for_period(
        package: &'a Package,
        subject: &str,
        facts: &'a Facts,
        home: Option<&'a Facts>,
        span: &'a Span,
    ) -> Result<Self, ExpressionError> {
        Self::with(package, subject, facts, home, &span.to, Some(span))
    }

    fn with(
        package: &'a Package,
        subject: &str,
        facts: &'a Facts,
        home: Option<&'a Facts>,
        as_of: &str,
        period: Option<&'a Span>,
    ) -> Result<Self, ExpressionError> {
        let unknown = || ExpressionError::Compile(format!("unknown subject `{subject}`"));
        let subject = package.subject(subject).ok_or_else(unknown)?;
        let no_date = || ExpressionError::Evaluate("the date to evaluate at is no date".into());
        let as_of = Date::parse(as_of).ok_or_else(no_date)?;
        for facts in std::iter::once(facts).chain(home) {
            facts.within_limits()?;
        }
        let mut context = Context::with_env(functions::env());
        context.add_variable_as_val("as_of", Box::new(CelString::from(as_of.to_string())));
        let known = RefCell::new(BTreeMap::from([("as_of".to_owned(), None)]));
        let context = RefCell::new(context);
        Ok(Self {
            package,
            subject,
            facts,
            home,
            context,
            known,
            as_of,
            period,
        })
    }

    /// TEMP
    pub fn for_period(
        package: &'a Package,
        subject: &str,
        facts: &'a Facts,
        home: Option<&'a Facts>,
        span: &crate::indicator::Span,
    ) -> Result<Self, ExpressionError> {
        Self::new(package, subject, facts, home, &span.to)
    }

    /// Whether the expression holds.
    pub fn holds(&self, source: &str) -> Result<bool, ExpressionError> {
        self.run(source, None, 0, bool_of)?
    }

    /// Whether the expression holds for an item of a repeating section, as `item`. An item that
    /// isn't there is an error.
    pub fn item_holds(
        &self,
        source: &str,
        section: &str,
        item: &str,
    ) -> Result<bool, ExpressionError> {
        self.run(source, Some(self.item(section, item)?), 0, bool_of)?
    }

    /// What the expression gives.
    pub fn value(&self, source: &str) -> Result<Datum, ExpressionError> {
        self.run(source, None, 0, datum_of)?
    }

    /// The value of a computed status; another type than the status promises is an error.
    pub fn computed(&self, name: &str) -> Result<Datum, ExpressionError> {
        let unknown = || ExpressionError::Compile(format!("unknown status `{name}`"));
        let computed = self
            .package
            .status(&self.subject.key, name)
            .ok_or_else(unknown)?;
        self.provide(name, 0);
        if let Some(Some(why)) = self.known.borrow().get(name) {
            return Err(why.clone());
        }
        let value = self
            .context
            .borrow()
            .get_variable(name)
            .map(|value| datum_of(&*value));
        let value = value.unwrap_or(Err(ExpressionError::Type))?;
        if computed.gives.matches(&value) {
            Ok(value)
        } else {
            Err(ExpressionError::Type)
        }
    }

    /// What the expression gives, or why not with everything CEL says: only for made-up facts.
    #[cfg(feature = "load")]
    pub(crate) fn trial(&self, source: &str, item: Option<(&str, &str)>) -> Result<Datum, String> {
        let item = item
            .map(|(section, item)| self.item(section, item))
            .transpose();
        let item = item.map_err(|error| error.to_string())?;
        let given = self.evaluate(source, item, 0, datum_of);
        given
            .map_err(|failure| failure.in_full())?
            .map_err(|error| error.to_string())
    }

    /// Evaluates and hands the result to `read` while it still borrows from the facts.
    fn run<T>(
        &self,
        source: &str,
        item: Option<CelMap<'a>>,
        depth: usize,
        read: impl FnOnce(&(dyn Val + 'a)) -> T,
    ) -> Result<T, ExpressionError> {
        self.evaluate(source, item, depth, read)
            .map_err(|failure| self.explain(failure))
    }

    fn evaluate<T>(
        &self,
        source: &str,
        item: Option<CelMap<'a>>,
        depth: usize,
        read: impl FnOnce(&(dyn Val + 'a)) -> T,
    ) -> Result<T, Failure> {
        let program = self
            .package
            .programs
            .compile(source)
            .map_err(Failure::Program)?;
        for name in &program.names {
            self.provide(name, depth);
        }
        let context = self.context.borrow();
        let evaluated = match item {
            None => Value::resolve_val(&program.expression, &context).map(|value| read(&*value)),
            Some(item) => {
                let mut inner = context.new_inner_scope();
                inner.add_variable_as_val("item", Box::new(item));
                Value::resolve_val(&program.expression, &inner).map(|value| read(&*value))
            }
        };
        evaluated.map_err(Failure::Run)
    }

    /// Makes a variable available, once. What no section, setting or status is called is left to
    /// CEL, which says so if the expression gets there: names inside macros come by here as well.
    fn provide(&self, name: &str, depth: usize) {
        if self.known.borrow().contains_key(name) {
            return;
        }
        if let Some(computed) = self.package.status(&self.subject.key, name) {
            // Known as wrong while it is worked out: a circle ends here.
            let circle = ExpressionError::Compile(format!("`{name}` rests on itself"));
            self.known
                .borrow_mut()
                .insert(name.to_owned(), Some(circle));
            let given = match depth < COMPUTED_DEPTH_MAX {
                true => self.run(&computed.is, None, depth + 1, Val::clone_as_boxed),
                false => Err(ExpressionError::Compile(
                    "statuses are nested too deeply".into(),
                )),
            };
            let failed = match given {
                Ok(value) => {
                    self.context.borrow_mut().add_variable_as_val(name, value);
                    None
                }
                Err(why) => Some(why),
            };
            self.known.borrow_mut().insert(name.to_owned(), failed);
            return;
        }
        let value: Box<dyn Val + 'a> = match name {
            HOME => self.home_value(),
            PERIOD => self
                .period
                .map_or_else(|| Box::new(CelNull) as _, period_value),
            "settings" => Box::new(settings_value(&self.package.settings, self.as_of)),
            section => match self.subject.section(section) {
                Some(section) => section_value(section, self.facts),
                None => return,
            },
        };
        self.context.borrow_mut().add_variable_as_val(name, value);
        self.known.borrow_mut().insert(name.to_owned(), None);
    }

    fn item(&self, section: &str, item: &str) -> Result<CelMap<'a>, ExpressionError> {
        let unknown = || ExpressionError::Compile(format!("unknown section `{section}`"));
        let missing = || ExpressionError::Evaluate("the item is not there".into());
        let section = self.subject.section(section).ok_or_else(unknown)?;
        let items = self.facts.items.get(&section.key).ok_or_else(missing)?;
        let item = items
            .iter()
            .find(|known| known.id == item)
            .ok_or_else(missing)?;
        Ok(item_value(section, item))
    }

    fn home_value(&self) -> Box<dyn Val + 'a> {
        let (Some(facts), Some(household)) = (self.home, self.package.subject("household")) else {
            return Box::new(CelNull);
        };
        let mut sections = Entries::with_capacity(household.sections.len());
        for section in &household.sections {
            sections.insert(section.key.as_str().into(), section_value(section, facts));
        }
        Box::new(CelMap::from(sections))
    }

    /// The public form of a failure. CEL's own messages repeat values, which must not leave here.
    fn explain(&self, failure: Failure) -> ExpressionError {
        let error = match failure {
            Failure::Program(why) => return ExpressionError::Compile(why),
            Failure::Run(error) => error,
        };
        ExpressionError::Evaluate(match error {
            ExecutionError::UndeclaredReference(name) => {
                return match self.known.borrow().get(name.as_str()) {
                    Some(Some(why)) => ExpressionError::Evaluate(format!("`{name}`: {why}")),
                    _ => ExpressionError::Compile(format!("unknown name `{name}`")),
                };
            }
            ExecutionError::NoSuchOverload(overload) => overload.to_string(),
            ExecutionError::NoSuchKey(_) => "a map does not have the key".into(),
            ExecutionError::ValuesNotComparable(..) => "two values can't be compared".into(),
            ExecutionError::FunctionError { function, message } => format!("{function}: {message}"),
            ExecutionError::DivisionByZero(_) | ExecutionError::RemainderByZero(_) => {
                "division by zero".into()
            }
            ExecutionError::Overflow(..) => "a number is too large".into(),
            ExecutionError::IndexOutOfBounds(_) => "a list is too short".into(),
            _ => "a value has another type than is needed".into(),
        })
    }
}

impl std::fmt::Debug for Scope<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // No facts: scopes end up in the debug output of others.
        f.debug_struct("Scope")
            .field("subject", &self.subject.key)
            .finish_non_exhaustive()
    }
}

impl Facts {
    fn within_limits(&self) -> Result<(), ExpressionError> {
        let fits = self.items.values().all(|items| items.len() <= ITEMS_MAX)
            && self.bytes() <= FACTS_BYTES_MAX;
        if fits {
            Ok(())
        } else {
            Err(ExpressionError::TooLarge)
        }
    }

    fn bytes(&self) -> usize {
        let items = self.items.values().flatten();
        let ids: usize = items.clone().map(|item| VALUE_BYTES + item.id.len()).sum();
        let fields = self.single.values().chain(items.map(|item| &item.fields));
        ids + fields
            .flat_map(BTreeMap::values)
            .map(Datum::bytes)
            .sum::<usize>()
    }
}

impl Datum {
    fn bytes(&self) -> usize {
        VALUE_BYTES
            + match self {
                Datum::Null | Datum::Bool(_) | Datum::Int(_) | Datum::Item(_) => 0,
                Datum::Text(text) => text.len(),
                Datum::Codes(codes) => codes.iter().map(|code| VALUE_BYTES + code.len()).sum(),
            }
    }
}

impl Gives {
    /// Whether the value is what the status promises.
    pub(crate) fn matches(self, value: &Datum) -> bool {
        match (self, value) {
            (Gives::Bool, Datum::Bool(_))
            | (Gives::Integer, Datum::Int(_) | Datum::Null)
            | (Gives::Text, Datum::Text(_) | Datum::Null)
            | (Gives::Item, Datum::Item(_) | Datum::Null)
            | (Gives::Date, Datum::Null) => true,
            (Gives::Date, Datum::Text(text)) => Date::parse(text).is_some(),
            _ => false,
        }
    }
}

/// Whether the text is a real day, `YYYY-MM-DD`.
#[cfg(feature = "load")]
pub(crate) fn is_day(text: &str) -> bool {
    Date::parse(text).is_some_and(|date| date.to_string() == text)
}

/// Why an evaluation has no result, with everything CEL says.
enum Failure {
    Program(String),
    Run(ExecutionError),
}

impl Failure {
    #[cfg(feature = "load")]
    fn in_full(self) -> String {
        match self {
            Failure::Program(why) => why,
            Failure::Run(error) => error.to_string(),
        }
    }
}

type Entries<'a> = HashMap<CelMapKey<'a>, Box<dyn Val + 'a>>;

fn section_value<'a>(section: &'a Section, facts: &'a Facts) -> Box<dyn Val + 'a> {
    if section.repeating == crate::dictionary::Repeating::No {
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

fn item_value<'a>(section: &'a Section, item: &'a Item) -> CelMap<'a> {
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

fn period_value<'a>(span: &'a Span) -> Box<dyn Val + 'a> {
    let text = |text: CelString<'a>| Box::new(text) as Box<dyn Val + 'a>;
    Box::new(CelMap::from(Entries::from([
        (
            "year".into(),
            text(CelString::from(format!("{:04}", span.year))),
        ),
        ("from".into(), text(CelString::from(span.from.as_str()))),
        ("to".into(), text(CelString::from(span.to.as_str()))),
    ])))
}

fn settings_value(settings: &[Setting], as_of: Date) -> CelMap<'_> {
    let mut entries = Entries::with_capacity(settings.len());
    for setting in settings {
        // A start that is no date never comes into force: the loader refuses it.
        let begun = |from: &str| Date::parse(from).is_some_and(|from| from <= as_of);
        let dated = setting.values.iter().rev().find(|dated| begun(&dated.from));
        let value = dated.map_or_else(|| Box::new(CelNull) as _, |dated| constant(&dated.value));
        entries.insert(setting.key.as_str().into(), value);
    }
    CelMap::from(entries)
}

fn constant(value: &Constant) -> Box<dyn Val + '_> {
    match value {
        Constant::Integer(value) => Box::new(CelInt::from(*value)),
        Constant::Text(text) => Box::new(CelString::from(text.as_str())),
        Constant::Bool(value) => Box::new(CelBool::from(*value)),
        Constant::List(values) => Box::new(CelList::from(
            values.iter().map(constant).collect::<Vec<_>>(),
        )),
        Constant::Map(values) => {
            let mut entries = Entries::with_capacity(values.len());
            for (key, value) in values {
                entries.insert(key.as_str().into(), constant(value));
            }
            Box::new(CelMap::from(entries))
        }
    }
}

fn bool_of(value: &(dyn Val + '_)) -> Result<bool, ExpressionError> {
    let value = value
        .downcast_ref::<CelBool>()
        .ok_or(ExpressionError::Type)?;
    Ok(*value.inner())
}

fn datum_of(value: &(dyn Val + '_)) -> Result<Datum, ExpressionError> {
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

#[cfg(test)]
mod tests;
