//! Moves to another unit (R37): edits of the old record go along, however late they come.

use sync_core::id::{Class, RecordId, Space, Subject};

use super::fault::Fault;
use super::oracle::{Checked, broken, require};
use super::world::{UNITS, World};

/// The section that says where a person lives: of each unit itself.
const RESIDENCE: &str = "residence";

impl World {
    /// Moves one of the persons to the other unit. The real server alone does that.
    pub(super) fn office_moves(&mut self) -> Checked {
        let records = self.hub.state.records.keys();
        let general = records.filter(|(space, record)| {
            space.class == Class::General && record.subject == Subject::Person
        });
        let persons: Vec<(Space, RecordId)> = general.cloned().collect();
        if persons.is_empty() {
            return Ok(());
        }
        let (space, record) = self.dice.pick(&persons).clone();
        let to = UNITS.into_iter().find(|unit| *unit != space.unit());
        let (Some(real), Some(to)) = (&mut self.hub.real, to) else {
            return Ok(());
        };
        let moved = real.move_person(record, to);
        self.hub.read_real();
        self.say(|_| format!("{record} moves to {to}: {moved:?}"));
        if moved.is_ok() {
            self.count(Fault::Moved);
        }
        self.agree_hub()
    }

    /// What shows in a record that somebody has left is in the history of the one that goes on.
    pub(super) fn check_moved(&self) -> Checked {
        let control = &self.hub.state.control;
        for ((space, record), state) in &self.hub.state.records {
            let Some(moved) = control.moved(space.unit(), *record) else {
                continue;
            };
            if control.is_erased(moved.new) {
                continue;
            }
            let there =
                Space::new(&moved.to, space.class).map_err(|bad| broken("R37", bad.to_string()))?;
            let new = self.hub.state.records.get(&(there, moved.new));
            let history = new.map(|new| new.history()).transpose();
            let history = history.map_err(|error| broken("R14", error.to_string()))?;
            let history = history.unwrap_or_default();
            for (key, slot) in state.view().iter() {
                let section = self.package.section(key.section());
                let goes = section.is_some_and(|(_, section)| {
                    section.class == space.class.key() && section.takes_along(key.field())
                });
                if !goes || key.section() == RESIDENCE {
                    continue;
                }
                let value = slot.winner();
                // Of nothing nothing is written.
                if value.is_null() {
                    continue;
                }
                let brought = history
                    .iter()
                    .any(|event| event.key == *key && event.value == *value);
                require("R37", brought, || {
                    format!("{key} = {value:?} of {record} is not in {}", moved.new)
                })?;
            }
        }
        Ok(())
    }
}
