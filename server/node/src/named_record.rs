//! A record as a person names it on the command line: by its id, and by its unit where that is not enough.

use std::collections::BTreeSet;
use std::str::FromStr;

use store::{Conn, record};
use sync_core::control::UnitRecord;
use sync_core::id::RecordId;

use crate::error::CommandError;

/// `RECORD`, or `UNIT/RECORD`: whoever knows an id can write a record of that id into another unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedRecord {
    /// The unit's code, if it is named.
    pub unit: Option<String>,
    /// The record.
    pub record: RecordId,
}

impl FromStr for NamedRecord {
    type Err = CommandError;

    fn from_str(text: &str) -> Result<Self, CommandError> {
        let (unit, id) = match text.split_once('/') {
            Some((unit, id)) => (Some(unit.to_owned()), id),
            None => (None, text),
        };
        let record = id.parse();
        let record = record.map_err(|_| CommandError::wrong("bad_id", text))?;
        Ok(Self { unit, record })
    }
}

impl From<RecordId> for NamedRecord {
    fn from(record: RecordId) -> Self {
        Self { unit: None, record }
    }
}

impl NamedRecord {
    /// The record with the one unit that it is in.
    pub(crate) async fn find(&self, conn: &mut Conn) -> Result<UnitRecord, CommandError> {
        let spaces = record::spaces_of(conn, self.record).await?;
        let units = spaces.iter().map(|space| space.unit());
        let mut units: BTreeSet<&str> = units.collect();
        if let Some(named) = &self.unit {
            units.retain(|unit| unit == named);
        }
        match units.first() {
            None => Err(CommandError::wrong("unknown_record", self)),
            Some(unit) if units.len() == 1 => Ok(((*unit).to_owned(), self.record)),
            Some(_) => {
                let units: Vec<&str> = units.into_iter().collect();
                let wrong = CommandError::wrong("record_in_several_units", self);
                Err(wrong.with("units", units.join(", ")))
            }
        }
    }
}

impl std::fmt::Display for NamedRecord {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.unit {
            Some(unit) => write!(out, "{unit}/{}", self.record),
            None => write!(out, "{}", self.record),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_named_with_or_without_its_unit() {
        let id = &RecordId::draw(sync_core::id::Subject::Person, 1, [7; 10]).to_string();
        let named: NamedRecord = id.parse().unwrap();
        assert_eq!((&named.unit, &named.to_string()), (&None, id));
        let with_unit = format!("152522100200/{id}");
        let named: NamedRecord = with_unit.parse().unwrap();
        assert_eq!(named.unit.as_deref(), Some("152522100200"));
        assert_eq!(named.to_string(), with_unit);
        for wrong in ["", "/", "15252210020x", "152522100200/", "a/b/c"] {
            let refused = wrong.parse::<NamedRecord>().unwrap_err();
            assert!(
                matches!(refused, CommandError::Wrong { code: "bad_id", .. }),
                "{wrong}"
            );
        }
    }
}
