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
use sync_core::bundle::{BUNDLE_BYTES_MAX, BadBundle};
use words::Words;

use super::Desk;
use super::address::Address;
use super::asked::Asked;
use super::form_data::FormData;
use super::frame::Frame;
use super::trouble::Trouble;
use crate::bundle::BundleReport;
use crate::reply::{Refused, ServeError};

/// The file, and what a browser puts around it.
const FORM_BYTES_MAX: usize = BUNDLE_BYTES_MAX + 16 * 1024;
/// What the answer's file is called.
const REPLY_FILE: &str = "attachment; filename=\"ortoo-reply.bundle\"";

#[derive(Template)]
#[template(path = "bundles.html")]
struct BundlesPage<'a> {
    frame: Frame<'a>,
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
pub(super) async fn show(State(desk): State<Desk>, asked: Asked) -> Result<Response, Trouble> {
    page(&desk, &asked, StatusCode::OK, Outcome::None)
}

/// `POST /zh/bundles` with `pass` and the file `bundle`: takes the file.
pub(super) async fn take(
    State(desk): State<Desk>,
    asked: Asked,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Trouble> {
    let body = to_bytes(body, FORM_BYTES_MAX).await;
    let body = body.map_err(|_| Trouble::FileTooLarge)?;
    let kind = headers.get(CONTENT_TYPE);
    let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let form = FormData::read(kind, &body).ok_or(Trouble::Form)?;
    if !desk.pass.opens(&form.field("pass")) {
        return Err(Trouble::Form);
    }
    let words = desk.words(asked.language);
    let (status, outcome) = match brought(&desk, form.field("bundle")).await? {
        Ok(report) => (StatusCode::OK, Outcome::Taken(said(&desk, &asked, report)?)),
        Err(why) => {
            let said = match why {
                Some(bad) => words.say(bad.code(), "", &[] as &[(&str, &str)]),
                None => words.sentence("console-bundle-no-file", &[]),
            };
            (StatusCode::UNPROCESSABLE_ENTITY, Outcome::Refused(said))
        }
    };
    page(&desk, &asked, status, outcome)
}

/// `GET /zh/reply/NAME`: the answer to a bundle, as a file.
pub(super) async fn reply(State(desk): State<Desk>, asked: Asked) -> Result<Response, Trouble> {
    let reply = desk.replies.find(&asked.name).ok_or(Trouble::NoReply)?;
    let headers = [
        (CONTENT_TYPE, "application/octet-stream"),
        (CONTENT_DISPOSITION, REPLY_FILE),
    ];
    Ok((headers, reply).into_response())
}

/// What a file brought, or why it is not taken: nothing was chosen if that has no name.
async fn brought(
    desk: &Desk,
    file: Bytes,
) -> Result<Result<BundleReport, Option<BadBundle>>, Trouble> {
    if file.is_empty() {
        return Ok(Err(None));
    }
    match desk.app.import_bundle(file.into()).await {
        Ok(report) => Ok(Ok(report)),
        Err(ServeError::Refused(Refused::Bundle(bad))) => Ok(Err(Some(bad))),
        Err(other) => Err(Trouble::Serve(other)),
    }
}

fn said(desk: &Desk, asked: &Asked, report: BundleReport) -> Result<Taken, Trouble> {
    let words = desk.words(asked.language);
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
        false => Some(desk.replies.keep(report.reply).map_err(anyhow::Error::from)),
    };
    let reply = reply.transpose().map_err(ServeError::Failed)?;
    Ok(Taken {
        summary,
        more: more.map(|(name, many)| count(name, many)).collect(),
        not_held: not_held(words, &report.not_held),
        reply: reply.map(|name| Address::Reply(name).in_language(asked.language)),
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
    desk: &Desk,
    asked: &Asked,
    status: StatusCode,
    outcome: Outcome,
) -> Result<Response, Trouble> {
    let frame = Frame::new(desk, asked.language, String::new(), &Address::Bundles);
    let heading = frame.say("bundles-title");
    let page = BundlesPage {
        frame: frame.headed(heading),
        here: Address::Bundles.in_language(asked.language),
        pass: desk.pass.shown(),
        outcome,
    };
    Ok((status, Html(page.render()?)).into_response())
}
