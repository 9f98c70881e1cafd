//! Saving: from typed values to changes that are staged for the next batch.

use super::*;

/// What an edit is made of.
#[derive(Clone, Debug)]
pub struct Edit {
    /// The record to write to; drawn when the form opened, so that saving twice is one record (R41).
    pub record: RecordId,
    /// The org unit whose spaces take it.
    pub unit: String,
    /// The person who writes.
    pub author: AuthorId,
    /// What was set; unchanged values are left out when the edit is made.
    pub puts: Vec<(Key, Value)>,
    /// The heads that the form showed, by class; what is not named was seen as it is now (R39).
    pub seen: BTreeMap<Class, Vec<ChangeHash>>,
}

/// Why an edit was not saved. Nothing has changed.
#[derive(Debug, thiserror::Error)]
pub enum EditError {
    /// Values break the dictionary; the person who typed them can mend it.
    #[error("the values break the dictionary")]
    Problems(Vec<Problem>),
    /// No plan package has reached this device yet.
    #[error("the device has no plan package yet")]
    NoPackage,
    /// The device holds no space for this unit and class.
    #[error("the device does not hold {} of {unit}", class.key())]
    NotGranted {
        /// The org unit.
        unit: String,
        /// The class.
        class: Class,
    },
    /// The edit is over the size that one batch takes.
    #[error("the edit is too large to be sent")]
    TooLarge,
    /// An order has erased the record: nobody writes to it any more.
    #[error("the record has been erased")]
    Erased,
    /// The record could not be written; reopening the store rebuilds it.
    #[error("the record could not be written")]
    Record(#[source] WriteError),
    /// The host could not read a row.
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
}

/// What saving changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Edited {
    /// Changes staged; 0 when every value stood there already.
    pub changes: usize,
}

impl Replica {
    /// Prepares to save an edit: checks it against the dictionary, makes the changes and stages
    /// them for the next batch. What is accepted here no server refuses (R5).
    pub fn prepare_edit(
        &self,
        context: &mut Context<'_>,
        edit: &Edit,
    ) -> Result<Prepared<Edited>, EditError> {
        let package = self.control.package().ok_or(EditError::NoPackage)?;
        if self.control.is_erased(edit.record) {
            return Err(EditError::Erased);
        }
        let shown = self.view(&edit.unit, edit.record);
        let problems = check::check_edit(package, edit.record, &shown, &edit.puts, context.today);
        if !problems.is_empty() {
            return Err(EditError::Problems(problems));
        }
        let mut by_class: BTreeMap<Class, Vec<(Key, Value)>> = BTreeMap::new();
        for (key, value) in &edit.puts {
            // The check above knows every section, and its class.
            if let Some(class) = check::class_of(package, key) {
                by_class
                    .entry(class)
                    .or_default()
                    .push((key.clone(), value.clone()));
            }
        }
        let mut out: Prepared<()> = Prepared::default();
        let mut changes = 0;
        for (class, puts) in by_class {
            let space = Space::new(&edit.unit, class)
                .ok()
                .filter(|space| self.spaces.contains_key(space))
                .ok_or_else(|| EditError::NotGranted {
                    unit: edit.unit.clone(),
                    class,
                })?;
            let Some(written) = self.write(context, &space, edit, &puts)? else {
                continue;
            };
            let (change, state) = written;
            let entry = Entry {
                record: edit.record,
                change,
            };
            if batch::entry_bytes(&entry) > batch::ENTRY_BYTES_MAX {
                return Err(EditError::TooLarge);
            }
            let staged = Staged {
                entry,
                author: edit.author,
                dictionary: package.version,
            };
            let number = self.next_staged(&space);
            let row = stored::staged_row(&space, number, &staged);
            out.put(row, Step::Stage(space.clone(), number, staged));
            // The row of a record that is behind is made when it is not any more.
            out.rows.push(match self.is_behind(&space, edit.record) {
                true => self.behind_row(&space, edit.record, &state),
                false => stored::record_row(&space, edit.record, &state),
            });
            out.steps
                .push(Step::Record(space, edit.record, Box::new(state)));
            changes += 1;
        }
        Ok(out.with(Edited { changes }))
    }

    fn write(
        &self,
        context: &Context<'_>,
        space: &Space,
        edit: &Edit,
        puts: &[(Key, Value)],
    ) -> Result<Option<(Vec<u8>, RecordState)>, EditError> {
        let empty = RecordState::empty();
        let state = self.record(space, edit.record).unwrap_or(&empty);
        let seen = edit
            .seen
            .get(&space.class)
            .map_or(state.heads(), Vec::as_slice);
        let written = state.write(self.me.device, seen, puts, context.now);
        written.map_err(|error| match error {
            WriteError::TooLarge => EditError::TooLarge,
            other => EditError::Record(other),
        })
    }

    fn next_staged(&self, space: &Space) -> u64 {
        let last = self
            .spaces
            .get(space)
            .and_then(|held| held.staged.last_key_value());
        last.map_or(0, |(number, _)| number + 1)
    }
}
