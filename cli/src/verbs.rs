//! One function per verb: arguments to a call of the phone, its answer to a shape.

use std::io::Read;
use std::path::Path;

use client::cancel::Cancel;
use client::draft::Typed;
use client::error::{Issue, PhoneError};
use client::keys::{SECRET_CHARS_MIN, Secret, SecretError, secret_from_env};
use client::phone::{self, Phone};
use client::records::Choice;
use serde_json::json;
use sync_core::figure::YearSelection;
use sync_core::show::json::conflict;
use words::Words;

use crate::args::{Cli, KeptVerb, Verb};
use crate::bundle;
use crate::shapes::{self, Said};

/// Longest link that is read from standard input.
const LINK_BYTES_MAX: u64 = 4096;

pub(crate) fn run(cli: &Cli, words: &Words) -> Result<Said, PhoneError> {
    match &cli.verb {
        Verb::Enrol { link } => enrol(&cli.dir, link, words),
        Verb::Server { url } => server(&cli.dir, url),
        Verb::Add {
            subject,
            unit,
            sets,
        } => {
            let id =
                phone(&cli.dir)?.add((*subject).into(), unit.as_deref(), &typed(&sets.sets)?)?;
            Ok(Said::of(json!({ "id": id.to_string() })))
        }
        Verb::Edit { id, sets } => edit(&cli.dir, id, &sets.sets),
        Verb::Item {
            id,
            section,
            sets,
            void,
        } => item(&cli.dir, id, section, sets, void.as_deref()),
        Verb::Show { id } => Ok(Said::of(shapes::record(
            &phone(&cli.dir)?.show(id)?,
            words,
            true,
        ))),
        Verb::List {
            subject,
            register,
            search,
        } => {
            let mut phone = phone(&cli.dir)?;
            let rows = phone.list((*subject).into(), register.as_deref(), search.as_deref())?;
            Ok(Said::of(
                rows.iter()
                    .map(|row| shapes::record(row, words, false))
                    .collect(),
            ))
        }
        Verb::Indicators { year, every_year } => {
            let figures = phone(&cli.dir)?.indicators(YearSelection::of(*year, *every_year))?;
            Ok(Said::of(figures.iter().map(shapes::figure).collect()))
        }
        Verb::Tasks { days } => {
            let tasks = phone(&cli.dir)?.tasks(*days)?;
            let shape = |task| shapes::task(task, words.language());
            Ok(Said::of(tasks.iter().map(shape).collect()))
        }
        Verb::Conflicts => {
            let conflicts = phone(&cli.dir)?.conflicts()?;
            Ok(Said::of(conflicts.iter().map(conflict).collect()))
        }
        Verb::Resolve { id, key, take, set } => resolve(&cli.dir, id, key, *take, set.as_deref()),
        Verb::Link { id, other } => {
            Ok(Said::of(shapes::linked(&phone(&cli.dir)?.link(id, other)?)))
        }
        Verb::Unlink { id, other } => Ok(Said::of(shapes::linked(
            &phone(&cli.dir)?.unlink(id, other)?,
        ))),
        Verb::History { id } => {
            let events = phone(&cli.dir)?.history(id)?;
            Ok(Said::of(events.iter().map(shapes::event).collect()))
        }
        Verb::Sync => sync(&cli.dir, words),
        Verb::RenewKeys => {
            let mut phone = phone(&cli.dir)?;
            client::renew::renew(&mut phone, &Cancel::new(), &mut |_| {})?;
            let device = phone.status()?.device;
            Ok(Said::of(json!({ "device": device.to_string() })))
        }
        Verb::Bundle(verb) => bundle::run(&cli.dir, verb, words),
        Verb::Outbox { file } => bundle::outbox(&cli.dir, file),
        Verb::Kept { verb } => kept(&cli.dir, verb.as_ref()),
        Verb::Status => status(&cli.dir, words),
    }
}

fn kept(dir: &Path, verb: Option<&KeptVerb>) -> Result<Said, PhoneError> {
    let mut phone = phone(dir)?;
    match verb {
        None => Ok(Said::of(
            phone.orphaned_edits()?.iter().map(shapes::kept).collect(),
        )),
        Some(KeptVerb::Register { id }) => {
            let anew = phone.register_kept(id)?;
            Ok(Said::of(json!({ "id": anew.to_string() })))
        }
        Some(KeptVerb::Drop { id }) => {
            phone.drop_kept(id)?;
            Ok(Said::of(json!({ "dropped": id })))
        }
    }
}

/// What the options `--set` say.
fn typed(sets: &[String]) -> Result<Vec<Typed>, PhoneError> {
    sets.iter().map(|set| set.parse()).collect()
}

fn secret() -> Result<Secret, PhoneError> {
    secret_from_env().map_err(|error| {
        PhoneError::Store(match error {
            SecretError::Missing => Issue::new("secret_missing"),
            SecretError::TooShort => Issue::new("secret_short").with("least", SECRET_CHARS_MIN),
            SecretError::NotText => Issue::new("secret_not_text"),
        })
    })
}

pub(crate) fn phone(dir: &Path) -> Result<Phone, PhoneError> {
    phone::open(dir, secret()?)
}

fn enrol(dir: &Path, link: &str, words: &Words) -> Result<Said, PhoneError> {
    let mut typed = String::new();
    let link = if link == "-" {
        let mut input = std::io::stdin().lock().take(LINK_BYTES_MAX);
        input
            .read_to_string(&mut typed)
            .map_err(|_| PhoneError::Wrong(vec![Issue::new("bad_link")]))?;
        typed.as_str()
    } else {
        link
    };
    let enrolled = client::enrol::enrol(dir, &secret()?, link, &Cancel::new())?;
    let mut said = Said::of(shapes::enrolled(&enrolled));
    if let Some(digits) = &enrolled.pending {
        said.notes
            .push(words.sentence("pending", &[("digits", digits)]));
    }
    Ok(said)
}

fn server(dir: &Path, url: &str) -> Result<Said, PhoneError> {
    let mut phone = phone(dir)?;
    phone.set_server(url)?;
    Ok(Said::of(json!({ "server": phone.status()?.server })))
}

fn edit(dir: &Path, id: &str, sets: &[String]) -> Result<Said, PhoneError> {
    phone(dir)?.edit(id, &typed(sets)?)?;
    Ok(Said::of(json!({ "id": id })))
}

fn item(
    dir: &Path,
    id: &str,
    section: &str,
    sets: &[String],
    void: Option<&str>,
) -> Result<Said, PhoneError> {
    let mut phone = phone(dir)?;
    let item = match void {
        Some(item) => {
            phone.void_item(id, section, item)?;
            item.to_owned()
        }
        None => phone.item(id, section, &typed(sets)?)?,
    };
    Ok(Said::of(json!({ "item": item })))
}

fn resolve(
    dir: &Path,
    id: &str,
    key: &str,
    take: Option<usize>,
    set: Option<&str>,
) -> Result<Said, PhoneError> {
    // The command line takes exactly one of the two.
    let choice = match take {
        Some(at) => Choice::Take(at),
        None => Choice::Set(set.unwrap_or_default().to_owned()),
    };
    phone(dir)?.resolve(id, key, &choice)?;
    Ok(Said::of(json!({ "id": id, "key": key })))
}

fn sync(dir: &Path, words: &Words) -> Result<Said, PhoneError> {
    let mut phone = phone(dir)?;
    let report = client::sync::sync(&mut phone)?;
    let mut said = Said::of(shapes::sync(&report));
    let codes = report.refused.iter().map(String::as_str);
    said.notes.extend(shapes::refused_note(words, codes));
    if report.stash_full {
        said.notes.push(words.sentence("stash-full", &[]));
    }
    let status = phone.status()?;
    if status.clock_is_off() {
        let minutes = (status.clock_ahead / 60).to_string();
        said.notes
            .push(words.sentence("clock-off", &[("minutes", &minutes)]));
    }
    Ok(said)
}

fn status(dir: &Path, words: &Words) -> Result<Said, PhoneError> {
    let status = phone(dir)?.status()?;
    let mut said = Said::of(shapes::status(&status));
    if status.unreadable_rows > 0 {
        let rows = status.unreadable_rows.to_string();
        said.notes
            .push(words.sentence("rows-damaged", &[("rows", &rows)]));
    }
    if status.kept > 0 {
        let kept = status.kept.to_string();
        said.notes
            .push(words.sentence("kept-edits", &[("count", &kept)]));
    }
    Ok(said)
}
