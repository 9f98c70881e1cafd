//! The plan as it reached this device: enough for an app to draw its own forms and lists.

use plan::dictionary::{self, Kind, Repeating};
use plan::indicator::{Amount, Bound};
use plan::{indicator, register, unit};

use crate::language::Title;

/// The plan.
#[derive(Clone, Debug, PartialEq, uniffi::Record)]
pub struct Plan {
    /// Goes up with every change; an exchange may bring a newer one.
    pub version: i64,
    /// What records are about.
    pub subjects: Vec<SubjectOfPlan>,
    /// The code lists of choices.
    pub code_lists: Vec<CodeList>,
    /// The registers (台账).
    pub registers: Vec<Register>,
    /// The indicators, in the order of the plan.
    pub indicators: Vec<Indicator>,
    /// The org units, by code.
    pub units: Vec<OrgUnit>,
    /// The plan's first year.
    pub first_year: i32,
    /// The plan's last year.
    pub last_year: i32,
}

impl From<&plan::Package> for Plan {
    fn from(plan: &plan::Package) -> Self {
        Self {
            version: plan.version.into(),
            subjects: plan.subjects.iter().map(SubjectOfPlan::from).collect(),
            code_lists: plan.codes.iter().map(CodeList::from).collect(),
            registers: plan
                .registers
                .iter()
                .map(|register| Register::of(register, plan))
                .collect(),
            indicators: plan
                .counted()
                .map(|(_, indicator)| Indicator::from(indicator))
                .collect(),
            units: plan.units.iter().filter_map(OrgUnit::of).collect(),
            first_year: plan.years.from.into(),
            last_year: plan.years.to.into(),
        }
    }
}

/// What records are about: `person`, `household`, `organisation`.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Record)]
pub struct SubjectOfPlan {
    /// The key.
    pub key: String,
    /// What people call it.
    pub title: Title,
    /// `section.field` of the value that names a record of it in a list.
    pub label: String,
    /// The sections, in the order of the form.
    pub sections: Vec<Section>,
}

impl From<&dictionary::Subject> for SubjectOfPlan {
    fn from(subject: &dictionary::Subject) -> Self {
        let known = subject.sections.iter().filter(|section| section.is_known());
        Self {
            key: subject.key.clone(),
            title: (&subject.title).into(),
            label: subject.label.clone(),
            sections: known.map(Section::from).collect(),
        }
    }
}

/// A named group of fields.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Record)]
pub struct Section {
    /// The key, the first part of its fields' keys.
    pub key: String,
    /// What people call it.
    pub title: Title,
    /// How widely it may be held: `general`, `care`, `referral`, `health` or `protected`.
    pub class_key: String,
    /// Whether it holds current values or items.
    pub repeats: Repeats,
    /// The fields, in the order of the form.
    pub fields: Vec<Field>,
}

impl From<&dictionary::Section> for Section {
    fn from(section: &dictionary::Section) -> Self {
        Self {
            key: section.key.clone(),
            title: (&section.title).into(),
            class_key: section.class.clone(),
            repeats: (&section.repeating).into(),
            fields: section.fields.iter().map(Field::from).collect(),
        }
    }
}

/// Whether a section repeats.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Enum)]
pub enum Repeats {
    /// One set of current values.
    No,
    /// Items, in order of the date in a field where they have one.
    Items {
        /// The field whose date orders them.
        by_date: Option<String>,
    },
    /// Items that are named by what these fields hold: writing the same names again edits the same
    /// item.
    NamedItems {
        /// The fields.
        by: Vec<String>,
        /// The field whose date orders them.
        by_date: Option<String>,
    },
}

impl From<&Repeating> for Repeats {
    fn from(repeating: &Repeating) -> Self {
        let by_date = repeating.date().map(str::to_owned);
        match repeating {
            Repeating::No => Self::No,
            Repeating::ByDate(_) | Repeating::Drawn | Repeating::Other(_) => {
                Self::Items { by_date }
            }
            Repeating::ByKey(fields, _) => Self::NamedItems {
                by: fields.clone(),
                by_date,
            },
        }
    }
}

/// One thing that is asked.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Record)]
pub struct Field {
    /// The key inside its section.
    pub key: String,
    /// What the form asks.
    pub title: Title,
    /// A word for whoever fills it in.
    pub hint: Option<Title>,
    /// What the value is.
    pub kind: FieldKind,
    /// Whether a record is incomplete without it. An incomplete record is saved all the same.
    pub required: bool,
    /// Whether it is asked only where other values say so: `check` tells by its `asked`.
    pub conditional: bool,
}

impl From<&dictionary::Field> for Field {
    fn from(field: &dictionary::Field) -> Self {
        Self {
            key: field.key.clone(),
            title: (&field.title).into(),
            hint: field.hint.as_ref().map(Title::from),
            kind: (&field.kind).into(),
            required: field.required,
            conditional: field.ask_if.is_some(),
        }
    }
}

/// What a value is.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Enum)]
pub enum FieldKind {
    /// Text.
    Words {
        /// Most characters (Unicode scalar values).
        max_chars: i64,
    },
    /// `YYYY-MM-DD`, not before 1900.
    Day {
        /// `YYYY-MM` is allowed too.
        or_month: bool,
        /// May lie in the future.
        or_future: bool,
    },
    /// A whole number.
    Whole {
        /// Smallest.
        min: i64,
        /// Largest.
        max: i64,
    },
    /// `true` or `false`.
    YesNo,
    /// One code of a list.
    Choice {
        /// The list's key.
        code_list: String,
    },
    /// Any number of codes of a list, joined by commas.
    Choices {
        /// The list's key.
        code_list: String,
    },
    /// The id of a record.
    Reference {
        /// The key of the subject that it must be of.
        subject: String,
    },
    /// `latitude,longitude` in degrees, with at most one decimal.
    Position,
}

impl From<&Kind> for FieldKind {
    fn from(kind: &Kind) -> Self {
        match kind {
            Kind::Text { max_chars, .. } => Self::Words {
                max_chars: (*max_chars).into(),
            },
            Kind::Date { month, future } => Self::Day {
                or_month: *month,
                or_future: *future,
            },
            Kind::Integer { min, max } => Self::Whole {
                min: *min,
                max: *max,
            },
            Kind::Bool => Self::YesNo,
            Kind::Choice { codes } => Self::Choice {
                code_list: codes.clone(),
            },
            Kind::Choices { codes } => Self::Choices {
                code_list: codes.clone(),
            },
            Kind::Reference { subject } => Self::Reference {
                subject: subject.clone(),
            },
            Kind::Point => Self::Position,
            // Of a newer plan: a text that takes no character, since nobody could check it.
            Kind::Other(_) => Self::Words { max_chars: 0 },
        }
    }
}

/// A code list. Codes are stored, titles are shown.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Record)]
pub struct CodeList {
    /// The key, such as `CL-SEX`.
    pub key: String,
    /// What people call it.
    pub title: Title,
    /// Whether codes that are not listed may be typed.
    pub open: bool,
    /// The codes, in the order of the form.
    pub codes: Vec<Code>,
}

impl From<&dictionary::CodeList> for CodeList {
    fn from(list: &dictionary::CodeList) -> Self {
        Self {
            key: list.key.clone(),
            title: (&list.title).into(),
            open: list.open,
            codes: list.codes.iter().map(Code::from).collect(),
        }
    }
}

/// A code.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Record)]
pub struct Code {
    /// What is stored.
    pub code: String,
    /// What is shown.
    pub title: Title,
    /// Not to be offered any more; values that have it stay good.
    pub retired: bool,
    /// Excludes every other code of a multi-choice.
    pub alone: bool,
}

impl From<&dictionary::Code> for Code {
    fn from(code: &dictionary::Code) -> Self {
        Self {
            code: code.code.clone(),
            title: (&code.title).into(),
            retired: code.retired,
            alone: code.alone,
        }
    }
}

/// A register (台账): which records it shows and what is filled in for it.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Record)]
pub struct Register {
    /// The key.
    pub key: String,
    /// What people call it.
    pub title: Title,
    /// The key of the subject whose records it shows.
    pub subject: String,
    /// The sections that are filled in for it, in order.
    pub fill: Vec<String>,
    /// The columns of the list.
    pub columns: Vec<Column>,
    /// What there is to do for its rows.
    pub tasks: Vec<TaskOfPlan>,
}

impl Register {
    fn of(register: &register::Register, plan: &plan::Package) -> Self {
        let column = |key: &String| Column {
            key: key.clone(),
            title: title_of(plan, &register.of, key),
        };
        Self {
            key: register.key.clone(),
            title: (&register.title).into(),
            subject: register.of.clone(),
            fill: register.fill.clone(),
            columns: register.columns.iter().map(column).collect(),
            tasks: register.tasks.iter().map(TaskOfPlan::from).collect(),
        }
    }
}

/// What people call a column: a field, or a status that is worked out.
fn title_of(plan: &plan::Package, subject: &str, column: &str) -> Title {
    let field = column.split_once('.').and_then(|(section, field)| {
        let (_, section) = plan.section(section)?;
        section.field(field).map(|field| &field.title)
    });
    let mut computed = plan.computed.iter();
    let computed = computed.find(|one| one.of == subject && one.key == column);
    let title = field.or(computed.map(|one| &one.title)).map(Title::from);
    title.unwrap_or_else(|| Title {
        zh: column.to_owned(),
        en: column.to_owned(),
    })
}

/// A column of a register.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Record)]
pub struct Column {
    /// `section.field`, or the name of a status that is worked out and no field of a record.
    pub key: String,
    /// What people call it.
    pub title: Title,
}

/// Something that has to be done for a row of a register.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Record)]
pub struct TaskOfPlan {
    /// The key.
    pub key: String,
    /// What people call it.
    pub title: Title,
    /// The section to which doing it adds an item.
    pub adds: String,
}

impl From<&register::Task> for TaskOfPlan {
    fn from(task: &register::Task) -> Self {
        Self {
            key: task.key.clone(),
            title: (&task.title).into(),
            adds: task.adds.clone(),
        }
    }
}

/// A target of the plan.
#[derive(Clone, Debug, PartialEq, uniffi::Record)]
pub struct Indicator {
    /// The key, such as `health.cervical-screening-rate`.
    pub key: String,
    /// What people call it.
    pub title: Title,
    /// The plan's sentence, word for word.
    pub quote: String,
    /// What a figure of it is measured in.
    pub measure: Measure,
    /// The amount that the plan wants, rounded to show; `None` where it names none.
    pub target: Option<f64>,
    /// By when.
    pub target_year: i32,
}

impl From<&indicator::Indicator> for Indicator {
    fn from(indicator: &indicator::Indicator) -> Self {
        let target = &indicator.target;
        let amount = target.bound.as_ref().and_then(Bound::amount);
        Self {
            key: indicator.key.clone(),
            title: (&indicator.title).into(),
            quote: indicator.quote.clone(),
            measure: target.unit.into(),
            target: amount.map(Amount::rounded),
            target_year: target.year.into(),
        }
    }
}

/// What a figure is measured in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, uniffi::Enum)]
pub enum Measure {
    /// Per hundred.
    Percent,
    /// Per thousand.
    Per1000,
    /// Per hundred thousand.
    Per100k,
    /// One number by another.
    Ratio,
    /// A number of people, households or things.
    Count,
}

impl From<indicator::Measure> for Measure {
    fn from(unit: indicator::Measure) -> Self {
        match unit {
            indicator::Measure::Percent => Self::Percent,
            indicator::Measure::Per1000 => Self::Per1000,
            indicator::Measure::Per100k => Self::Per100k,
            indicator::Measure::Ratio => Self::Ratio,
            // What has another unit is not counted, and none of the plan's indicators.
            _ => Self::Count,
        }
    }
}

/// An org unit.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Record)]
pub struct OrgUnit {
    /// 2, 4, 6, 9 or 12 digits.
    pub code: String,
    /// Its name.
    pub name: String,
    /// Its level.
    pub level: Level,
    /// Whether somebody keeps registers there.
    pub keeps_registers: bool,
}

impl OrgUnit {
    /// None where the level is one of a newer plan.
    fn of(unit: &unit::OrgUnit) -> Option<Self> {
        Some(Self {
            code: unit.code.clone(),
            name: unit.name.clone(),
            level: Level::of(unit.level)?,
            keeps_registers: unit.cadres,
        })
    }
}

/// The level of an org unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, uniffi::Enum)]
pub enum Level {
    /// 自治区.
    Region,
    /// 盟.
    League,
    /// 旗.
    Banner,
    /// 苏木、镇.
    Sumu,
    /// 嘎查.
    Gacha,
    /// 社区.
    Community,
}

impl Level {
    fn of(level: unit::Level) -> Option<Self> {
        Some(match level {
            unit::Level::Region => Self::Region,
            unit::Level::League => Self::League,
            unit::Level::Banner => Self::Banner,
            unit::Level::Sumu => Self::Sumu,
            unit::Level::Gacha => Self::Gacha,
            unit::Level::Community => Self::Community,
            unit::Level::Other(_) => return None,
        })
    }
}
