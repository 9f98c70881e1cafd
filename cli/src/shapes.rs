//! The public shapes: what `--json` prints, and the exit codes. Kept for good.
//!
//! Without `--json` the same is printed indented, and an error as a sentence. What a record looks
//! like is `sync_core::show::json`, since the server prints the same; the rest is made by hand here,
//! so that renaming a type of the phone can't change the contract.

use std::io::Write;
use std::process::ExitCode;

use client::enrol::Enrolled;
use client::error::{Issue, PhoneError, issue_of};
use client::figures::{Figure, ShownTask};
use client::links::Linked;
use client::orphaned::OrphanedEdit;
use client::phone::Status;
use client::sync::SyncReport;
use serde_json::{Map, Value, json};
use sync_core::figure::json as figure_json;
use sync_core::history::ShownEvent;
use sync_core::show::{ShownRecord, json};
use sync_core::value::Value as Written;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use words::{Language, Words, legible};

/// The request is wrong; nothing has changed.
pub(crate) const EXIT_WRONG: u8 = 1;
/// No connection; nothing is lost.
pub(crate) const EXIT_NO_CONNECTION: u8 = 2;
/// The store can't be opened.
pub(crate) const EXIT_STORE: u8 = 3;

/// What a verb says: the answer, and notes beside it on standard error.
pub(crate) struct Said {
    pub(crate) answer: Value,
    pub(crate) notes: Vec<String>,
}

impl Said {
    pub(crate) fn of(answer: Value) -> Self {
        Self {
            answer,
            notes: Vec::new(),
        }
    }
}

/// Prints an answer.
pub(crate) fn finish(said: &Said, json: bool) -> ExitCode {
    said.notes.iter().for_each(|note| say(note));
    let text = if json {
        said.answer.to_string()
    } else {
        format!("{:#}", said.answer)
    };
    // Whoever closed the pipe has read enough; what was asked for is done.
    drop(writeln!(std::io::stdout().lock(), "{}", legible(&text)));
    ExitCode::SUCCESS
}

/// Prints an error and gives its exit code.
pub(crate) fn fail(error: &PhoneError, words: &Words, json: bool) -> ExitCode {
    if json {
        say(&error_shape(error, words).to_string());
    } else {
        error
            .issues()
            .iter()
            .for_each(|issue| say(&say_complaint(issue, words)));
    }
    ExitCode::from(match error {
        PhoneError::Wrong(_) => EXIT_WRONG,
        PhoneError::NoConnection(_) | PhoneError::Cancelled(_) => EXIT_NO_CONNECTION,
        PhoneError::Store(_) => EXIT_STORE,
    })
}

/// A line on standard error.
pub(crate) fn say(text: &str) {
    drop(writeln!(std::io::stderr().lock(), "{}", legible(text)));
}

/// `{"error":{"code","key","message"}}`; several problems are all listed, the first stands first.
pub(crate) fn error_shape(error: &PhoneError, words: &Words) -> Value {
    let issues = error.issues();
    let mut shape = match issues.first() {
        Some(first) => problem(first, words),
        None => json!({ "code": "unknown", "key": "", "message": "" }),
    };
    if issues.len() > 1 {
        shape["problems"] = issues.iter().map(|issue| problem(issue, words)).collect();
    }
    json!({ "error": shape })
}

fn say_complaint(issue: &Issue, words: &Words) -> String {
    words.say(&issue.code, &issue.key, &issue.args)
}

fn problem(issue: &Issue, words: &Words) -> Value {
    json!({ "code": issue.code, "key": issue.key, "message": say_complaint(issue, words) })
}

/// `enrol`.
pub(crate) fn enrolled(enrolled: &Enrolled) -> Value {
    let mut shape = json!({
        "device": enrolled.device.to_string(),
        "spaces": enrolled.spaces,
        "pending": enrolled.pending.is_some(),
    });
    if let Some(digits) = &enrolled.pending {
        shape["digits"] = json!(digits);
    }
    shape
}

/// `show`, and a row of `list` (without items).
pub(crate) fn record(record: &ShownRecord, words: &Words, with_items: bool) -> Value {
    json::record(record, with_items, &|problem| {
        say_complaint(&issue_of(problem), words)
    })
}

/// A row of `history`.
pub(crate) fn event(event: &ShownEvent) -> Value {
    json!({
        "key": event.key,
        "value": json::value(&event.value),
        "device": event.device.map(|device| device.to_string()),
        "author": event.author.map(|author| author.to_string()),
        "time": time(event.time),
    })
}

/// A row of `indicators`.
pub(crate) fn figure(figure: &Figure) -> Value {
    let (indicator, org) = (&figure.indicator, figure.unit.as_str());
    match &figure.tally {
        Ok(tally) => figure_json::figure(indicator, org, figure.year, tally),
        Err(classes) => figure_json::missing(indicator, org, figure.year, classes),
    }
}

/// A row of `tasks`.
pub(crate) fn task(task: &ShownTask, language: Language) -> Value {
    let title = match language {
        Language::Chinese => &task.title.zh,
        Language::English => &task.title.en,
    };
    json!({
        "id": task.record,
        "label": task.label,
        "space": task.unit,
        "register": task.register,
        "task": task.task,
        "title": title,
        "adds": task.adds,
        "due": task.due,
        "overdue": task.overdue,
    })
}

/// `sync`.
pub(crate) fn sync(report: &SyncReport) -> Value {
    json!({
        "batches_up": report.batches_up,
        "batches_down": report.batches_down,
        "bytes_up": report.bytes_up,
        "bytes_down": report.bytes_down,
        "round_trips": report.round_trips,
    })
}

/// A note that something was not taken, and why; each code once.
pub(crate) fn refused_note<'a>(
    words: &Words,
    codes: impl Iterator<Item = &'a str>,
) -> Option<String> {
    let mut codes: Vec<&str> = codes.collect();
    codes.sort_unstable();
    codes.dedup();
    let told = codes.join(", ");
    (!codes.is_empty()).then(|| words.sentence("batches-refused", &[("codes", &told)]))
}

/// `status`.
pub(crate) fn status(status: &Status) -> Value {
    json!({
        "unsent": status.unsent,
        "waiting": status.waiting,
        "last_exchange": status.last_exchange.map(time),
        "device": status.device.to_string(),
        "spaces": status.spaces,
        "kept": status.kept,
    })
}

/// `{"id","linked","conflicts"}`.
pub(crate) fn linked(linked: &Linked) -> Value {
    let others = linked.linked.iter().map(ToString::to_string);
    json!({
        "id": linked.id.to_string(),
        "linked": others.collect::<Vec<_>>(),
        "conflicts": linked.conflicts.iter().map(json::conflict).collect::<Vec<_>>(),
    })
}

/// `{"record","unit","values"}`.
pub(crate) fn kept(kept: &OrphanedEdit) -> Value {
    let value = |(key, value): (&String, &Written)| (key.clone(), written(value));
    json!({
        "record": kept.record.to_string(),
        "unit": kept.unit,
        "values": kept.values.iter().map(value).collect::<Map<_, _>>(),
    })
}

fn written(value: &Written) -> Value {
    match value {
        Written::Null => Value::Null,
        Written::Bool(flag) => json!(flag),
        Written::Int(number) => json!(number),
        Written::Text(text) => json!(text),
    }
}

/// Unix seconds as ISO 8601 in UTC; a clock that was out of all range shows as 1970.
fn time(seconds: i64) -> String {
    let moment = OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    moment
        .format(&Rfc3339)
        .unwrap_or_else(|_| "1970-01-01T00:00:00Z".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use sync_core::id::DeviceId;

    #[test]
    fn several_problems_are_all_listed_and_the_first_stands_in_front() {
        let words = Words::new(Language::English);
        let error = PhoneError::Wrong(vec![
            Issue::about("bad_id", "x"),
            Issue::about("bad_key", "y"),
        ]);
        let shape = error_shape(&error, &words);
        assert_eq!(
            (&shape["error"]["code"], &shape["error"]["key"]),
            (&json!("bad_id"), &json!("x"))
        );
        assert_eq!(shape["error"]["problems"].as_array().unwrap().len(), 2);
        let single = error_shape(
            &PhoneError::NoConnection(Issue::new("no_connection")),
            &words,
        );
        assert_eq!(single["error"].get("problems"), None);
    }

    #[test]
    fn times_are_iso_8601_in_utc() {
        assert_eq!(time(1_782_864_000), "2026-07-01T00:00:00Z");
        assert_eq!(time(i64::MAX), "1970-01-01T00:00:00Z");
    }

    #[test]
    fn status_and_sync_have_the_keys_of_the_contract() {
        let keys = |shape: &Value| {
            shape
                .as_object()
                .unwrap()
                .keys()
                .cloned()
                .collect::<Vec<_>>()
        };
        let status = status(&Status {
            unsent: 1,
            waiting: 0,
            last_exchange: None,
            device: DeviceId([1; 8]),
            spaces: vec!["152522100200.general".into()],
            server: "https://a".into(),
            clock_ahead: 0,
            unreadable_rows: 0,
            kept: 0,
        });
        assert_eq!(
            keys(&status),
            [
                "unsent",
                "waiting",
                "last_exchange",
                "device",
                "spaces",
                "kept"
            ]
        );
        assert_eq!(status["last_exchange"], Value::Null);
        let sync = sync(&SyncReport::default());
        let contract = [
            "batches_up",
            "batches_down",
            "bytes_up",
            "bytes_down",
            "round_trips",
        ];
        assert_eq!(keys(&sync), contract);
    }
}
