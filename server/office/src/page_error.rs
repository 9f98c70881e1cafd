//! Error pages: what happened, and what to do.

use askama::Template;
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use node::ServeError;
use store::StoreError;
use words::Language;

use super::address::Address;
use super::layout::Layout;
use super::state::ConsoleState;

/// Why there is no page.
#[derive(Debug, thiserror::Error)]
pub(super) enum PageError {
    /// The address names nothing: an org unit, indicator, register or year that the plan does not
    /// have.
    #[error("there is nothing here")]
    NotFound,
    /// A record's address of an earlier process, or of a record that is not shown here.
    #[error("the record's address is stale")]
    Stale,
    /// The figures are being counted for the first time.
    #[error("the figures are not counted yet")]
    NotCounted,
    /// Something else than reading, searching and handing in a bundle.
    #[error("not with this method")]
    Method,
    /// The request names another host: a page from elsewhere that made its name point here.
    #[error("the request is for another host")]
    Foreign,
    /// More was typed than anybody searches for.
    #[error("the form is too long")]
    FormTooLarge,
    /// A file that is longer than a bundle gets.
    #[error("the file is too long")]
    FileTooLarge,
    /// A form of an earlier process, or of a page from elsewhere.
    #[error("the form was not shown by this process")]
    Form,
    /// The answer to a bundle that is kept no more.
    #[error("the answer is not kept any more")]
    NoReply,
    /// Too many are reading.
    #[error("too many requests wait")]
    Busy,
    /// The store fails; the request may be made again.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What was handed in is not stored; it may be handed in again.
    #[error(transparent)]
    Serve(#[from] ServeError),
    /// A page could not be written.
    #[error(transparent)]
    Page(#[from] askama::Error),
    /// A rule of the plan that this program can't work out: the plan is newer.
    #[error("a rule of the plan can't be worked out")]
    Plan(#[from] plan::expression::ExpressionError),
    /// A mistake in this program.
    #[error("the request stopped the program")]
    Stopped,
}

impl PageError {
    /// The status, and the name of the message.
    fn kind(&self) -> Kind {
        let (status, name) = match self {
            Self::NotFound => (StatusCode::NOT_FOUND, "not-found"),
            Self::Stale => (StatusCode::GONE, "stale"),
            Self::NotCounted => (StatusCode::SERVICE_UNAVAILABLE, "not-counted"),
            Self::Method => (StatusCode::METHOD_NOT_ALLOWED, "method"),
            Self::Foreign => (StatusCode::MISDIRECTED_REQUEST, "foreign"),
            Self::FormTooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "form-too-large"),
            Self::FileTooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "file-too-large"),
            Self::Form => (StatusCode::FORBIDDEN, "form"),
            Self::NoReply => (StatusCode::GONE, "no-reply"),
            Self::Busy => (StatusCode::SERVICE_UNAVAILABLE, "busy"),
            Self::Plan(_) => (StatusCode::INTERNAL_SERVER_ERROR, "plan"),
            Self::Store(_) | Self::Serve(_) | Self::Page(_) | Self::Stopped => {
                (StatusCode::INTERNAL_SERVER_ERROR, "failed")
            }
        };
        Kind { status, name }
    }
}

/// What [`dressed`] makes a page of.
#[derive(Clone, Copy, Debug)]
struct Kind {
    status: StatusCode,
    name: &'static str,
}

impl IntoResponse for PageError {
    /// A response without a page: whoever is on the way out knows the language.
    fn into_response(self) -> Response {
        let kind = self.kind();
        if kind.status.is_server_error() {
            let error = anyhow::Error::from(self);
            tracing::error!(error = format!("{error:#}"), "a console page fails");
        }
        let mut response = kind.status.into_response();
        response.extensions_mut().insert(kind);
        response
    }
}

#[derive(Template)]
#[template(path = "trouble.html")]
struct TroublePage<'a> {
    frame: Layout<'a>,
    advice: String,
    home: String,
}

/// The response, with a page if it is trouble.
pub(super) fn dressed(state: &ConsoleState, language: Language, response: Response) -> Response {
    let Some(kind) = response.extensions().get::<Kind>().copied() else {
        return response;
    };
    let words = state.words(language);
    let part = |part: &str| words.sentence(&format!("console-trouble-{}-{part}", kind.name), &[]);
    let mut frame = Layout::new(state, language, part("title"), &Address::home());
    // The reader is on none of the main pages.
    frame.pages.iter_mut().for_each(|page| page.here = false);
    let page = TroublePage {
        frame,
        advice: part("advice"),
        home: Address::home().in_language(language),
    };
    match page.render() {
        Ok(page) => (kind.status, Html(page)).into_response(),
        Err(_) => kind.status.into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use words::Words;

    #[test]
    fn every_trouble_says_what_happened_and_what_to_do() {
        let all = [
            PageError::NotFound,
            PageError::Stale,
            PageError::NotCounted,
            PageError::Method,
            PageError::Foreign,
            PageError::FormTooLarge,
            PageError::FileTooLarge,
            PageError::Form,
            PageError::NoReply,
            PageError::Busy,
            PageError::Plan(plan::expression::ExpressionError::Type),
            PageError::Stopped,
        ];
        for language in [Language::Chinese, Language::English] {
            let words = Words::new(language);
            for name in all.iter().map(|page_error| page_error.kind().name) {
                for part in ["title", "advice"] {
                    assert!(
                        words.knows(&format!("console-trouble-{name}-{part}")),
                        "{name}"
                    );
                }
            }
        }
    }
}
