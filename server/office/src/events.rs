//! Events for the office: restores, phones that were set back or cloned.

use std::collections::BTreeMap;

use askama::Template;
use axum::extract::State;
use axum::response::Html;
use node::ReadTx;
use plan::Package;
use store::contact::{self, Phone};
use store::event::{self, Event};
use sync_core::id::{DeviceId, Space};

use super::address::Address;
use super::layout::Layout;
use super::page_error::PageError;
use super::query::PageQuery;
use super::state::ConsoleState;
use super::{ids, mask, when};

/// Events on the page; the command `events` lists more.
const EVENTS_MAX: u64 = 200;

#[derive(Template)]
#[template(path = "events.html")]
struct EventsPage<'a> {
    frame: Layout<'a>,
    lines: Vec<Line>,
}

struct Line {
    at: String,
    what: String,
    phone: String,
    place: String,
}

/// `GET /zh/events`.
pub(super) async fn show(
    State(state): State<ConsoleState>,
    query: PageQuery,
) -> Result<Html<String>, PageError> {
    let context = state.app.context();
    let ReadTx { mut conn, control } = context.read().await?;
    let events = event::newest(&mut conn, EVENTS_MAX).await?;
    let phones = contact::phones(&mut conn).await?;
    drop(conn);
    let words = state.words(query.language);
    let package = control.package();
    let line = |event: &Event| Line {
        at: when::in_china(event.at),
        what: words.say(&format!("event_{}", event.kind), "", &[("", "")]),
        phone: event
            .device
            .map_or_else(String::new, |id| phone(id, &phones)),
        place: event
            .space
            .as_ref()
            .map_or_else(String::new, |space| place(package, space)),
    };
    let lines = events.iter().map(line).collect();
    let frame = Layout::new(&state, query.language, String::new(), &Address::Events);
    let heading = frame.say("events-title");
    let page = EventsPage {
        frame: frame.headed(heading),
        lines,
    };
    Ok(Html(page.render()?))
}

fn phone(id: DeviceId, phones: &BTreeMap<DeviceId, Phone>) -> String {
    let name = phones.get(&id).and_then(|phone| phone.name.as_deref());
    name.map_or_else(|| ids::short(&id.to_string()), mask::text)
}

fn place(package: Option<&Package>, space: &Space) -> String {
    let unit = package.and_then(|package| package.unit(space.unit()));
    let unit = unit.map_or(space.unit(), |unit| unit.name.as_str());
    format!("{unit} · {}", space.class.key())
}
