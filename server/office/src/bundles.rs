//! Bundles at the office: hand-in of a courier's file, its result in words, and the reply to take
//! along. The one page that changes something: it gives the file to the same import as the phones'
//! listener, which anybody may use.

use std::collections::BTreeMap;

use askama::Template;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::State;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{Html, IntoResponse, Response};
use node::{BundleReport, Rejection, ServeError};
use sync_core::bundle::{BUNDLE_BYTES_MAX, BadBundle};
use words::Words;

use super::address::Address;
use super::form_data::FormData;
use super::layout::Layout;
use super::page_error::PageError;
use super::query::PageQuery;
use super::state::ConsoleState;

/// The file, and what a browser puts around it.
pub(super) const FORM_BYTES_MAX: usize = BUNDLE_BYTES_MAX + 16 * 1024;
/// What the answer's file is called.
const REPLY_FILE: &str = "attachment; filename=\"ortoo-reply.bundle\"";

#[derive(Template)]
#[template(path = "bundles.html")]
struct BundlesPage<'a> {
    frame: Layout<'a>,
    /// Where the form posts to.
    here: String,
    pass: String,
    outcome: Outcome,
}

/// What the page says above its form.
enum Outcome {
    /// Nothing was handed in.
    None,
    /// Why the file was not taken.
    Refused(String),
    /// What came of it.
    Taken(Taken),
}

/// What a bundle brought, in words.
struct Taken {
    summary: String,
    /// What waits, and what is for others.
    more: Vec<String>,
    /// What is not held, and why.
    not_held: Vec<String>,
    /// Where the answer is.
    reply: Option<String>,
}

/// `GET /zh/bundles`: the form.
pub(super) async fn show(
    State(state): State<ConsoleState>,
    query: PageQuery,
) -> Result<Response, PageError> {
    page(&state, &query, StatusCode::OK, Outcome::None)
}

/// `POST /zh/bundles` with `pass` and the file `bundle`: takes the file.
pub(super) async fn take(
    State(state): State<ConsoleState>,
    query: PageQuery,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, PageError> {
    let body = to_bytes(body, FORM_BYTES_MAX).await;
    let body = body.map_err(|_| PageError::FileTooLarge)?;
    let kind = headers.get(CONTENT_TYPE);
    let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let form = FormData::read(kind, &body).ok_or(PageError::Form)?;
    if !state.pass.opens(&form.field("pass")) {
        return Err(PageError::Form);
    }
    let words = state.words(query.language);
    let (status, outcome) = match brought(&state, form.field("bundle")).await? {
        Ok(report) => (
            StatusCode::OK,
            Outcome::Taken(said(&state, &query, report)?),
        ),
        Err(why) => {
            let said = match why {
                Some(bad) => words.say(bad.code(), "", &[] as &[(&str, &str)]),
                None => words.sentence("console-bundle-no-file", &[]),
            };
            (StatusCode::UNPROCESSABLE_ENTITY, Outcome::Refused(said))
        }
    };
    page(&state, &query, status, outcome)
}

/// `GET /zh/reply/NAME`: the answer to a bundle, as a file.
pub(super) async fn reply(
    State(state): State<ConsoleState>,
    query: PageQuery,
) -> Result<Response, PageError> {
    let reply = state.replies.find(&query.name).ok_or(PageError::NoReply)?;
    let headers = [
        (CONTENT_TYPE, "application/octet-stream"),
        (CONTENT_DISPOSITION, REPLY_FILE),
    ];
    Ok((headers, reply).into_response())
}

/// What a file brought, or why it is not taken: nothing was chosen if that has no name.
async fn brought(
    state: &ConsoleState,
    file: Bytes,
) -> Result<Result<BundleReport, Option<BadBundle>>, PageError> {
    if file.is_empty() {
        return Ok(Err(None));
    }
    match state.app.import_bundle(file.into()).await {
        Ok(report) => Ok(Ok(report)),
        Err(ServeError::Refused(Rejection::Bundle(bad))) => Ok(Err(Some(bad))),
        Err(other) => Err(PageError::Serve(other)),
    }
}

fn said(state: &ConsoleState, query: &PageQuery, report: BundleReport) -> Result<Taken, PageError> {
    let words = state.words(query.language);
    let count = |name: &str, count: usize| {
        let count = count.to_string();
        words.sentence(name, &[("count", &count)])
    };
    let summary = match (report.batches, report.new) {
        (0, _) => words.sentence("console-bundle-asks", &[]),
        (_, 0) => words.sentence("console-bundle-known", &[]),
        (_, new) => count("console-bundle-new", new),
    };
    let more = [
        ("console-bundle-waiting", report.waiting),
        ("console-bundle-others", report.others),
    ];
    let more = more.into_iter().filter(|(_, many)| *many > 0);
    let reply = match report.reply.is_empty() {
        true => None,
        false => Some(
            state
                .replies
                .keep(report.reply)
                .map_err(anyhow::Error::from),
        ),
    };
    let reply = reply.transpose().map_err(ServeError::Failed)?;
    Ok(Taken {
        summary,
        more: more.map(|(name, many)| count(name, many)).collect(),
        not_held: not_held(words, &report.not_held),
        reply: reply.map(|name| Address::Reply(name).in_language(query.language)),
    })
}

/// Each reason once, with how often.
fn not_held(words: &Words, codes: &[String]) -> Vec<String> {
    let mut times: BTreeMap<&str, usize> = BTreeMap::new();
    for code in codes {
        *times.entry(code).or_default() += 1;
    }
    let reason = |(code, times): (&str, usize)| {
        let reason = words.say(code, "", &[] as &[(&str, &str)]);
        format!("{times} × {reason}")
    };
    times.into_iter().map(reason).collect()
}

fn page(
    state: &ConsoleState,
    query: &PageQuery,
    status: StatusCode,
    outcome: Outcome,
) -> Result<Response, PageError> {
    let frame = Layout::new(state, query.language, String::new(), &Address::Bundles);
    let heading = frame.say("bundles-title");
    let page = BundlesPage {
        frame: frame.headed(heading),
        here: Address::Bundles.in_language(query.language),
        pass: state.pass.shown(),
        outcome,
    };
    Ok((status, Html(page.render()?)).into_response())
}
