//! `show` and `records`: records shown by the same code as on the phone.

use std::collections::BTreeSet;

use serde_json::Value;
use store::record;
use sync_core::check::Problem;
use sync_core::date::date_in_china;
use sync_core::id::{Space, Subject};
use sync_core::show::{self, json};
use words::{Language, Words};

use crate::app::App;
use crate::error::CommandError;
use crate::named_record::NamedRecord;
use crate::transaction::ReadTx;
use crate::unit_records::load;

/// A record with everything that it shows.
pub async fn show(app: &App, named: &str) -> Result<Value, CommandError> {
    let named: NamedRecord = named.parse()?;
    let context = app.context();
    let ReadTx { mut conn, control } = context.read().await?;
    let (unit, record) = named.find(&mut conn).await?;
    let source = load(&mut conn, control.package(), &unit).await?;
    let words = Words::new(Language::of_environment());
    let shown = show::record(&source, &unit, record, &date_in_china(context.clock.now()));
    Ok(json::record(&shown, true, &|problem| say(&words, problem)))
}

/// All records, linked ones as one row, without items.
pub async fn records(app: &App) -> Result<Value, CommandError> {
    let context = app.context();
    let ReadTx { mut conn, control } = context.read().await?;
    let spaces = record::spaces(&mut conn).await?;
    let units: BTreeSet<&str> = spaces.iter().map(Space::unit).collect();
    let today = date_in_china(context.clock.now());
    let words = Words::new(Language::of_environment());
    let mut rows = Vec::new();
    for unit in units {
        let source = load(&mut conn, control.package(), unit).await?;
        for subject in Subject::ALL {
            for group in show::groups(&source, unit, subject) {
                let row = show::row(&source, unit, &group, &today);
                rows.push(json::record(&row, false, &|problem| say(&words, problem)));
            }
        }
    }
    Ok(Value::Array(rows))
}

fn say(words: &Words, problem: &Problem) -> String {
    words.say(problem.code, problem.key.as_str(), &problem.args)
}
