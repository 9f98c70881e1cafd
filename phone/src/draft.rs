//! Drafts: the edit that typed text makes, its problems, and the fields to ask next.
//!
//! Saving and looking take the same way up to the last step, so a form hears before saving exactly
//! what saving would say.

use std::collections::BTreeMap;

use sync_core::check;
use sync_core::id::{RecordId, Subject};
use sync_core::record::MultiValue;
use sync_core::replica::{Context, Edit, RecordValues};
use sync_core::value::{Key, Value};

use crate::dictionary::{repeats, section_of};
use crate::error::{Issue, PhoneError, issue_of};
use crate::phone::{Open, Phone};
use crate::records::find;
pub use crate::typed::Typed;
use crate::typed::{Fields, drawn_item, item_of, key_of, puts_of};

/// What is being typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Draft<'a> {
    /// A new record, of `section.field=value` each; fields of a repeating section are its first
    /// item's.
    New {
        /// What it is about.
        subject: Subject,
        /// The unit, which may be left out where the device holds one.
        unit: Option<&'a str>,
    },
    /// Values of a record, of `KEY=VALUE` each.
    Edit {
        /// The record.
        id: &'a str,
    },
    /// An item of a repeating section, of `field=value` each; the one that its natural key names
    /// if the section has one.
    Item {
        /// The record.
        id: &'a str,
        /// The section.
        section: &'a str,
    },
}

/// A draft that was looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checked {
    /// What keeps it from being saved; empty if nothing does.
    pub refused: Vec<Issue>,
    /// What would be wrong or missing in the record once it is saved. Nothing of it keeps the draft
    /// from being saved.
    pub left: Vec<Issue>,
    /// The keys of the fields that are asked then, in the order of the form; empty while the draft
    /// is refused as a whole, such as for a key that is none.
    pub asked: Vec<String>,
}

impl Draft<'_> {
    /// The edit that `typed` makes, with or without a value.
    fn edit(&self, open: &Open, typed: &[Typed]) -> Result<Edit, PhoneError> {
        let mut context = Context {
            now: open.system.now(),
            today: "",
            rng: &mut open.rng(),
        };
        match *self {
            Draft::New { subject, unit } => {
                let unit = unit_for(open, unit)?;
                let record =
                    RecordId::draw(subject, context.now.saturating_mul(1000), context.random());
                let puts = first_puts(open, typed, || drawn_item(context.random()))?;
                edit_of(open, record, &unit, puts)
            }
            Draft::Edit { id } => {
                let (record, unit) = find(open, id)?;
                let puts = puts_to(open, &unit, record, typed)?;
                edit_of(open, record, &unit, puts)
            }
            Draft::Item { id, section } => {
                let (record, unit) = find(open, id)?;
                repeating(open, section)?;
                let mut fields = Fields::new();
                for set in typed {
                    let Typed { name, value } = set;
                    fields.insert(name.clone(), value.clone());
                }
                let drawn = || drawn_item(context.random());
                let item = item_of(open.package()?, section, &fields, drawn)?;
                let shown = open.replica.view(&unit, record);
                let puts = item_puts(open, section, &item, &fields, &|key| ticked(&shown, key))?;
                edit_of(open, record, &unit, puts)
            }
        }
    }

    /// What a key is called to whoever typed this: an item that was just made has an id that
    /// nobody has seen yet, so its values are named `section.field`.
    fn as_typed(&self, typed: &[Typed], key: &str) -> String {
        let parsed = Key::parse(key).ok().filter(|key| key.item().is_some());
        let Some(parsed) = parsed else {
            return key.to_owned();
        };
        let whole = typed.iter().any(|one| one.name == key);
        match self {
            Draft::Edit { .. } => key.to_owned(),
            Draft::New { .. } if whole => key.to_owned(),
            Draft::Item { section, .. } if *section != parsed.section() => key.to_owned(),
            _ => format!("{}.{}", parsed.section(), parsed.field()),
        }
    }

    fn error_as_typed(&self, typed: &[Typed], error: PhoneError) -> PhoneError {
        match error {
            PhoneError::Wrong(issues) => PhoneError::Wrong(self.all_as_typed(typed, issues)),
            error => error,
        }
    }

    fn all_as_typed(&self, typed: &[Typed], mut issues: Vec<Issue>) -> Vec<Issue> {
        for issue in &mut issues {
            issue.key = self.as_typed(typed, &issue.key);
        }
        // They came in the order of ids that were drawn.
        issues.sort_by(|one, other| one.key.cmp(&other.key));
        issues
    }
}

impl Phone {
    /// Saves a draft; returns the edit and how many changes it made.
    pub(crate) fn save_draft(
        &mut self,
        draft: &Draft<'_>,
        typed: &[Typed],
    ) -> Result<(Edit, usize), PhoneError> {
        let as_typed = |error| draft.error_as_typed(typed, error);
        let edit = draft.edit(self.opened()?, typed).map_err(as_typed)?;
        let changes = self.save(&edit).map_err(as_typed)?;
        Ok((edit, changes))
    }

    /// Looks at a draft, which may still be empty. Nothing is written.
    ///
    /// # Errors
    /// [`PhoneError::Store`], and `enrolment_pending`; everything else that saving would say stands in
    /// [`Checked::refused`].
    pub fn check(&mut self, draft: &Draft<'_>, typed: &[Typed]) -> Result<Checked, PhoneError> {
        let open = self.opened()?;
        let looked = draft.edit(open, typed).and_then(|edit| {
            let refused = match self.try_edit(&edit) {
                Err(PhoneError::Wrong(issues)) => issues,
                Err(error) => return Err(error),
                Ok(()) => Vec::new(),
            };
            Ok((edit, refused))
        });
        let (edit, refused) = match looked {
            Ok(looked) => looked,
            Err(PhoneError::Wrong(issues)) => {
                return Ok(Checked {
                    refused: draft.all_as_typed(typed, issues),
                    ..Checked::default()
                });
            }
            Err(error) => return Err(error),
        };
        let open = self.opened()?;
        let shown = open.replica.view(&edit.unit, edit.record);
        let (package, today) = (open.package()?, open.today());
        let after = check::afterwards(package, edit.record, &shown, &edit.puts, &today);
        let left = after.problems.iter().map(issue_of).collect();
        let mut asked: Vec<String> = Vec::new();
        for key in &after.asked {
            let key = draft.as_typed(typed, key.as_str());
            if asked.last() != Some(&key) {
                asked.push(key);
            }
        }
        Ok(Checked {
            refused: draft.all_as_typed(typed, refused),
            left: draft.all_as_typed(typed, left),
            asked,
        })
    }
}

/// The unit that takes a new record.
fn unit_for(open: &Open, unit: Option<&str>) -> Result<String, PhoneError> {
    let units = open.replica.units();
    match unit {
        Some(unit) if units.contains(unit) => Ok(unit.to_owned()),
        Some(unit) => Err(PhoneError::wrong(Issue::about("unit_not_held", unit))),
        None => match units.iter().collect::<Vec<_>>().as_slice() {
            [unit] => Ok((**unit).to_owned()),
            [] => Err(PhoneError::wrong(Issue::new("no_unit"))),
            several => {
                let list: Vec<&str> = several.iter().map(|unit| **unit).collect();
                Err(PhoneError::wrong(
                    Issue::new("which_unit").with("units", list.join(", ")),
                ))
            }
        },
    }
}

/// What `KEY=VALUE` each writes to a record.
fn puts_to(
    open: &Open,
    unit: &str,
    record: RecordId,
    typed: &[Typed],
) -> Result<Vec<(Key, Value)>, PhoneError> {
    let shown = open.replica.view(unit, record);
    let mut puts = Vec::new();
    let mut wrong = Vec::new();
    for set in typed {
        let Typed { name: text, value } = set;
        let made = key_of(text)
            .and_then(|key| puts_of(open.package()?, &key, value, &|key| ticked(&shown, key)));
        collect(made, &mut puts, &mut wrong)?;
    }
    all_or(puts, wrong)
}

pub(crate) fn edit_of(
    open: &Open,
    record: RecordId,
    unit: &str,
    puts: Vec<(Key, Value)>,
) -> Result<Edit, PhoneError> {
    let author = open.author()?;
    Ok(Edit {
        record,
        unit: unit.to_owned(),
        author,
        puts,
        seen: BTreeMap::new(),
    })
}

/// The puts of a new record.
fn first_puts(
    open: &Open,
    typed: &[Typed],
    mut drawn: impl FnMut() -> String,
) -> Result<Vec<(Key, Value)>, PhoneError> {
    let package = open.package()?;
    let mut items: BTreeMap<String, Fields> = BTreeMap::new();
    let mut puts = Vec::new();
    let mut wrong = Vec::new();
    for set in typed {
        let Typed { name: text, value } = set;
        let key = match key_of(text) {
            Ok(key) => key,
            Err(error) => {
                collect(Err(error), &mut puts, &mut wrong)?;
                continue;
            }
        };
        let repeats = section_of(package, key.section()).is_some_and(repeats);
        if repeats && key.item().is_none() {
            let name = text.split_once('.').map_or(text.as_str(), |(_, name)| name);
            let fields = items.entry(key.section().to_owned()).or_default();
            fields.insert(name.to_owned(), value.to_owned());
        } else {
            collect(
                puts_of(package, &key, value, &|_| Vec::new()),
                &mut puts,
                &mut wrong,
            )?;
        }
    }
    for (section, fields) in &items {
        let made = item_of(package, section, fields, &mut drawn)
            .and_then(|item| item_puts(open, section, &item, fields, &|_| Vec::new()));
        collect(made, &mut puts, &mut wrong)?;
    }
    all_or(puts, wrong)
}

fn item_puts(
    open: &Open,
    section: &str,
    item: &str,
    fields: &Fields,
    ticked: &dyn Fn(&Key) -> Vec<String>,
) -> Result<Vec<(Key, Value)>, PhoneError> {
    let package = open.package()?;
    let mut puts = Vec::new();
    let mut wrong = Vec::new();
    for (name, value) in fields {
        let made = Key::item_field(section, item, name)
            .map_err(|_| PhoneError::wrong(Issue::about("bad_key", &format!("{section}.{name}"))))
            .and_then(|key| puts_of(package, &key, value, ticked));
        collect(made, &mut puts, &mut wrong)?;
    }
    all_or(puts, wrong)
}

/// All complaints at once are kinder than one after the other.
fn collect<T>(
    made: Result<Vec<T>, PhoneError>,
    puts: &mut Vec<T>,
    wrong: &mut Vec<Issue>,
) -> Result<(), PhoneError> {
    match made {
        Ok(made) => puts.extend(made),
        Err(PhoneError::Wrong(issues)) => wrong.extend(issues),
        Err(error) => return Err(error),
    }
    Ok(())
}

fn all_or<T>(puts: Vec<T>, wrong: Vec<Issue>) -> Result<Vec<T>, PhoneError> {
    if wrong.is_empty() {
        Ok(puts)
    } else {
        Err(PhoneError::Wrong(wrong))
    }
}

pub(crate) fn repeating(open: &Open, section: &str) -> Result<(), PhoneError> {
    match section_of(open.package()?, section).map(repeats) {
        None => Err(PhoneError::wrong(Issue::about("unknown_section", section))),
        Some(false) => Err(PhoneError::wrong(Issue::about("not_repeating", section))),
        Some(true) => Ok(()),
    }
}

/// The codes of a multi-choice that are chosen now.
pub(crate) fn ticked(shown: &RecordValues<'_>, key: &Key) -> Vec<String> {
    let of_field = |other: &&Key| {
        (other.section(), other.item(), other.field()) == (key.section(), key.item(), key.field())
    };
    let chosen = |slot: &MultiValue| {
        slot.values()
            .any(|written| written.value == Value::Bool(true))
    };
    shown
        .iter()
        .filter(|(other, slot)| of_field(other) && chosen(slot))
        .filter_map(|(other, _)| other.code().map(str::to_owned))
        .collect()
}
