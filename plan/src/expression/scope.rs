//! Variables of an expression: one record ([`RecordFacts`]) as of a date ([`AsOf`]).
//!
//! Counting asks the same questions of every record as of every year, so what does not depend on the
//! other is made once: what is in force on a date for all records, and a record's sections for all
//! dates. Sections, settings and statuses are made when an expression first gets to them, which the
//! interpreter asks for by name ([`VariableResolver`]): of `woman && resident` the second is never
//! worked out for a man.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use cel::common::types::{CelMap, CelNull, CelString};
use cel::common::value::{CowVal, Val};
use cel::context::VariableResolver;
use cel::{Context, ExecutionError, Value};

use super::date::Date;
use super::functions;
use super::programs::Program;
use super::values::{
    Entries, bool_of, datum_of, item_value, owned, period_value, section_value, settings_value,
};
use super::{COMPUTED_DEPTH_MAX, Datum, ExpressionError, Facts, HOME, PERIOD};
use crate::dictionary::Subject;
use crate::indicator::Span;
use crate::package::Package;
use crate::register::{Computed, ValueType};

/// A date, with what is in force on it; of a figure, the last day of its period.
pub struct AsOf<'a> {
    package: &'a Package,
    as_of: CelString<'static>,
    date: Date,
    period: Option<CelMap<'static>>,
    settings: OnceLock<CelMap<'static>>,
}

impl<'a> AsOf<'a> {
    /// `as_of` is `YYYY-MM-DD`.
    ///
    /// # Errors
    /// A text that is no date.
    pub fn new(package: &'a Package, as_of: &str) -> Result<Self, ExpressionError> {
        Self::with(package, as_of, None)
    }

    /// The last day of a figure's period, which its expressions see as `period`.
    ///
    /// # Errors
    /// A last day that is no date.
    pub fn of_period(package: &'a Package, span: &Span) -> Result<Self, ExpressionError> {
        Self::with(package, &span.to, Some(period_value(span)))
    }

    fn with(
        package: &'a Package,
        as_of: &str,
        period: Option<CelMap<'static>>,
    ) -> Result<Self, ExpressionError> {
        let no_date = || ExpressionError::Evaluate("the date to evaluate at is no date".into());
        let date = Date::parse(as_of).ok_or_else(no_date)?;
        Ok(Self {
            package,
            as_of: CelString::from(date.to_string()),
            date,
            period,
            settings: OnceLock::new(),
        })
    }

    fn settings(&self) -> &CelMap<'static> {
        let settings = || settings_value(&self.package.settings, self.date);
        self.settings.get_or_init(settings)
    }
}

impl std::fmt::Debug for AsOf<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Day({})", self.date)
    }
}

/// A program, or why there is none.
type Compiled = Result<Arc<Program>, String>;

/// What is recorded of one subject, ready for expressions as of any date.
pub struct RecordFacts<'a> {
    package: &'a Package,
    subject: &'a Subject,
    facts: &'a Facts,
    names: HashMap<&'a str, Name>,
    sections: Vec<OnceLock<Box<dyn Val + 'a>>>,
    statuses: Vec<(&'a Computed, OnceLock<Compiled>)>,
    /// The record as `home` of somebody.
    as_home: OnceLock<CelMap<'a>>,
}

/// What a name of the subject is, and its place.
#[derive(Clone, Copy)]
enum Name {
    Section(usize),
    Status(usize),
}

impl<'a> RecordFacts<'a> {
    /// `subject` is the record's subject.
    ///
    /// # Errors
    /// Facts over the limits, and a subject that the package does not have.
    pub fn new(
        package: &'a Package,
        subject: &str,
        facts: &'a Facts,
    ) -> Result<Self, ExpressionError> {
        let unknown = || ExpressionError::Compile(format!("unknown subject `{subject}`"));
        let subject = package.subject(subject).ok_or_else(unknown)?;
        if !facts.is_within_limits() {
            return Err(ExpressionError::TooLarge);
        }
        let sections = subject.sections.iter().enumerate();
        let mut names: HashMap<&str, Name> = sections
            .map(|(at, section)| (section.key.as_str(), Name::Section(at)))
            .collect();
        let of = |computed: &&Computed| computed.of == subject.key;
        let statuses = package.computed.iter().filter(of);
        let statuses: Vec<_> = statuses.map(|status| (status, OnceLock::new())).collect();
        let named = statuses.iter().enumerate();
        names.extend(named.map(|(at, (status, _))| (status.key.as_str(), Name::Status(at))));
        Ok(Self {
            package,
            subject,
            facts,
            names,
            sections: subject.sections.iter().map(|_| OnceLock::new()).collect(),
            statuses,
            as_home: OnceLock::new(),
        })
    }

    /// A section's value; none of one that this program does not know how to read.
    fn section(&self, at: usize) -> Option<&(dyn Val + 'a)> {
        let section = self.subject.sections.get(at)?;
        if !section.is_known() {
            return None;
        }
        let value = self.sections.get(at)?;
        let value = value.get_or_init(|| section_value(section, self.facts));
        Some(value.as_ref())
    }

    fn home(&self) -> &CelMap<'a> {
        self.as_home.get_or_init(|| {
            let mut sections = Entries::with_capacity(self.subject.sections.len());
            let known = self.subject.sections.iter();
            for section in known.filter(|section| section.is_known()) {
                let value = section_value(section, self.facts);
                sections.insert(section.key.as_str().into(), value);
            }
            CelMap::from(sections)
        })
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

    fn program(&self, status: usize) -> Compiled {
        let Some((computed, program)) = self.statuses.get(status) else {
            return Err("unknown status".into());
        };
        let compile = || self.package.compile(&computed.is);
        program.get_or_init(compile).clone()
    }
}

impl std::fmt::Debug for RecordFacts<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // No facts: these end up in the debug output of others.
        f.debug_struct("Recorded")
            .field("subject", &self.subject.key)
            .finish_non_exhaustive()
    }
}

/// A record as of a date, ready for any number of expressions.
pub struct Scope<'a> {
    record: Arc<RecordFacts<'a>>,
    /// The person's household, where it is known.
    home: Option<Arc<RecordFacts<'a>>>,
    day: Arc<AsOf<'a>>,
    statuses: Vec<Status>,
    /// Statuses that are being worked out, one for the sake of the other.
    depth: AtomicUsize,
}

/// A status of the record on the day.
#[derive(Default)]
struct Status {
    value: OnceLock<Result<Box<dyn Val>, ExpressionError>>,
    /// It is being worked out: whoever needs it now rests on itself.
    busy: AtomicBool,
}

impl<'a> Scope<'a> {
    /// `subject` is the record's subject; `home` are the facts of a person's household, where it is
    /// known; `as_of` is `YYYY-MM-DD`.
    ///
    /// # Errors
    /// Facts over the limits, a subject that the package does not have and a date that is none.
    pub fn new(
        package: &'a Package,
        subject: &str,
        facts: &'a Facts,
        home: Option<&'a Facts>,
        as_of: &str,
    ) -> Result<Self, ExpressionError> {
        Self::with(package, subject, facts, home, AsOf::new(package, as_of)?)
    }

    /// The same for a figure: as of the last day of its period, which the expressions see as
    /// `period`.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn for_period(
        package: &'a Package,
        subject: &str,
        facts: &'a Facts,
        home: Option<&'a Facts>,
        span: &Span,
    ) -> Result<Self, ExpressionError> {
        let day = AsOf::of_period(package, span)?;
        Self::with(package, subject, facts, home, day)
    }

    fn with(
        package: &'a Package,
        subject: &str,
        facts: &'a Facts,
        home: Option<&'a Facts>,
        day: AsOf<'a>,
    ) -> Result<Self, ExpressionError> {
        let record = Arc::new(RecordFacts::new(package, subject, facts)?);
        let home = home
            .filter(|_| package.subject(HOUSEHOLD).is_some())
            .map(|home| RecordFacts::new(package, HOUSEHOLD, home))
            .transpose()?;
        Ok(Self::of(record, home.map(Arc::new), Arc::new(day)))
    }

    /// A record as of a day; `home` is a person's household, where it is known.
    pub fn of(
        record: Arc<RecordFacts<'a>>,
        home: Option<Arc<RecordFacts<'a>>>,
        day: Arc<AsOf<'a>>,
    ) -> Self {
        let statuses = record.statuses.iter().map(|_| Status::default()).collect();
        Self {
            record,
            home,
            day,
            statuses,
            depth: AtomicUsize::new(0),
        }
    }

    /// Whether the expression holds.
    pub fn holds(&self, source: &str) -> Result<bool, ExpressionError> {
        self.run(source, None, bool_of)?
    }

    /// Whether the expression holds for an item of a repeating section, as `item`. An item that
    /// isn't there is an error.
    pub fn item_holds(
        &self,
        source: &str,
        section: &str,
        item: &str,
    ) -> Result<bool, ExpressionError> {
        self.run(source, Some(self.record.item(section, item)?), bool_of)?
    }

    /// What the expression gives.
    pub fn value(&self, source: &str) -> Result<Datum, ExpressionError> {
        self.run(source, None, datum_of)?
    }

    /// The value of a computed status; another type than the status promises is an error.
    pub fn computed(&self, name: &str) -> Result<Datum, ExpressionError> {
        let status = match self.record.names.get(name) {
            Some(Name::Status(at)) => *at,
            _ => return Err(ExpressionError::Compile(format!("unknown status `{name}`"))),
        };
        let value = match self.status(status) {
            Some(Ok(value)) => datum_of(value.as_ref())?,
            Some(Err(why)) => return Err(why.clone()),
            None => return Err(rests_on_itself(name)),
        };
        let promised = self.record.statuses.get(status);
        match promised.is_some_and(|(computed, _)| computed.gives.matches(&value)) {
            true => Ok(value),
            false => Err(ExpressionError::Type),
        }
    }

    /// What the expression gives, or why not with everything CEL says: only for made-up facts.
    #[cfg(feature = "load")]
    pub(crate) fn trial(&self, source: &str, item: Option<(&str, &str)>) -> Result<Datum, String> {
        let item = item.map(|(section, item)| self.record.item(section, item));
        let item = item.transpose().map_err(|error| error.to_string())?;
        let program = self.record.package.compile(source)?;
        let given = self.evaluate(&program, item, datum_of);
        given
            .map_err(|error| error.to_string())?
            .map_err(|error| error.to_string())
    }

    /// Evaluates and hands the result to `read` while it still borrows from the facts.
    fn run<T>(
        &self,
        source: &str,
        item: Option<CelMap<'a>>,
        read: impl FnOnce(&(dyn Val + '_)) -> T,
    ) -> Result<T, ExpressionError> {
        let program = self.record.package.compile(source);
        let program = program.map_err(ExpressionError::Compile)?;
        self.evaluate(&program, item, read)
            .map_err(|error| self.explain(error))
    }

    fn evaluate<T>(
        &self,
        program: &Program,
        item: Option<CelMap<'a>>,
        read: impl FnOnce(&(dyn Val + '_)) -> T,
    ) -> Result<T, ExecutionError> {
        let mut context = Context::with_env(functions::env());
        context.set_variable_resolver(self);
        if let Some(item) = item {
            context.add_variable_as_val("item", Box::new(item));
        }
        Value::resolve_val(&program.expression, &context).map(|value| read(&*value))
    }

    /// The value of a status, worked out once; `None` while it is being worked out.
    fn status(&self, at: usize) -> Option<&Result<Box<dyn Val>, ExpressionError>> {
        let status = self.statuses.get(at)?;
        if let Some(known) = status.value.get() {
            return Some(known);
        }
        if status.busy.swap(true, Ordering::Relaxed) {
            return None;
        }
        let depth = self.depth.fetch_add(1, Ordering::Relaxed);
        let given = match depth < COMPUTED_DEPTH_MAX {
            true => self.work_out(at),
            false => Err(ExpressionError::Compile(
                "statuses are nested too deeply".into(),
            )),
        };
        self.depth.fetch_sub(1, Ordering::Relaxed);
        status.busy.store(false, Ordering::Relaxed);
        Some(status.value.get_or_init(|| given))
    }

    fn work_out(&self, at: usize) -> Result<Box<dyn Val>, ExpressionError> {
        if let Some((computed, _)) = self.record.statuses.get(at)
            && let ValueType::Other(_) = computed.gives
        {
            return Err(ExpressionError::Type);
        }
        let program = self.record.program(at).map_err(ExpressionError::Compile)?;
        let given = self.evaluate(&program, None, datum_of);
        Ok(owned(given.map_err(|error| self.explain(error))??))
    }

    /// The public form of a failure. CEL's own messages repeat values, which must not leave here.
    fn explain(&self, error: ExecutionError) -> ExpressionError {
        ExpressionError::Evaluate(match error {
            ExecutionError::UndeclaredReference(name) => {
                let name = name.as_str();
                let why = match self.record.names.get(name) {
                    Some(Name::Status(at)) => self.why_not(*at, name),
                    _ => None,
                };
                return match why {
                    Some(why) => ExpressionError::Evaluate(format!("`{name}`: {why}")),
                    None => ExpressionError::Compile(format!("unknown name `{name}`")),
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

    /// Why a status has no value.
    fn why_not(&self, at: usize, name: &str) -> Option<ExpressionError> {
        match self.statuses.get(at)?.value.get() {
            Some(Err(why)) => Some(why.clone()),
            Some(Ok(_)) => None,
            None => Some(rests_on_itself(name)),
        }
    }
}

/// The subject of a person's `home`.
const HOUSEHOLD: &str = "household";

fn rests_on_itself(name: &str) -> ExpressionError {
    ExpressionError::Compile(format!("`{name}` rests on itself"))
}

/// The interpreter asks for a name when it gets to it. What nothing is called is left to CEL, which
/// says so; it also asks for qualified names, `identity.sex` before `identity`, which nothing is.
impl VariableResolver for Scope<'_> {
    fn resolve<'b>(&'b self, name: &str) -> Option<CowVal<'b, 'b>> {
        if let Some(known) = self.record.names.get(name) {
            return match known {
                Name::Section(at) => self.record.section(*at).map(CowVal::Borrowed),
                Name::Status(at) => match self.status(*at)? {
                    Ok(value) => Some(CowVal::Borrowed(value.as_ref())),
                    Err(_) => None,
                },
            };
        }
        static NULL: CelNull = CelNull;
        let value: &'b (dyn Val + 'b) = match name {
            "as_of" => &self.day.as_of,
            "settings" => self.day.settings(),
            HOME => match &self.home {
                Some(home) => home.home(),
                None => &NULL,
            },
            PERIOD => match &self.day.period {
                Some(period) => period,
                None => &NULL,
            },
            _ => return None,
        };
        Some(CowVal::Borrowed(value))
    }
}

impl std::fmt::Debug for Scope<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Scope")
            .field("record", &self.record)
            .field("day", &self.day)
            .finish_non_exhaustive()
    }
}
