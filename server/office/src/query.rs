//! Queries of a page: language, last part of the path, query string, form.

use std::collections::BTreeMap;
use std::convert::Infallible;

use axum::body::{Body, to_bytes};
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use words::Language;

use super::address::{Part, language_of};
use super::page_error::PageError;

/// Longest form: a search is a name or a number.
const FORM_BYTES_MAX: usize = 4 * 1024;

/// A request without its form.
#[derive(Clone, Debug)]
pub(super) struct PageQuery {
    pub(super) language: Language,
    /// The third part of the path: a key of the plan, or a record's token.
    pub(super) name: String,
    query: BTreeMap<String, String>,
}

impl<S: Sync> FromRequestParts<S> for PageQuery {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        let path = parts.uri.path();
        Ok(Self {
            language: language_of(path),
            name: path.split('/').nth(3).unwrap_or_default().to_owned(),
            query: pairs(parts.uri.query().unwrap_or_default().as_bytes()),
        })
    }
}

impl PageQuery {
    /// The org unit that is asked for.
    pub(super) fn org(&self) -> Option<&str> {
        self.text("org")
    }

    /// The year; a year that is no number is a page that is not there.
    pub(super) fn year(&self) -> Result<Option<u16>, PageError> {
        let year = self.text("year").map(str::parse).transpose();
        year.map_err(|_| PageError::NotFound)
    }

    /// The page of a list, from 1.
    pub(super) fn page(&self) -> Result<usize, PageError> {
        page(&self.query)
    }

    /// Which of the records behind a figure.
    pub(super) fn part(&self) -> Result<Option<Part>, PageError> {
        let part = |key| Part::from_key(key).ok_or(PageError::NotFound);
        self.text("part").map(part).transpose()
    }

    fn text(&self, name: &str) -> Option<&str> {
        let value = self.query.get(name).map(String::as_str);
        value.filter(|value| !value.is_empty())
    }
}

/// A search, as its form posts it.
#[derive(Clone, Debug, Default)]
pub(super) struct Search {
    /// What is looked for; empty for everything.
    pub(super) text: String,
    /// The page of what was found, from 1.
    pub(super) page: usize,
}

impl Search {
    /// Reads a form.
    pub(super) async fn read(body: Body) -> Result<Self, PageError> {
        let body = to_bytes(body, FORM_BYTES_MAX).await;
        let form = pairs(&body.map_err(|_| PageError::FormTooLarge)?);
        Ok(Self {
            text: form
                .get("filter")
                .map(|text| text.trim().to_owned())
                .unwrap_or_default(),
            page: page(&form)?,
        })
    }
}

fn pairs(encoded: &[u8]) -> BTreeMap<String, String> {
    form_urlencoded::parse(encoded).into_owned().collect()
}

fn page(pairs: &BTreeMap<String, String>) -> Result<usize, PageError> {
    match pairs.get("page").map(|page| page.parse()) {
        None => Ok(1),
        Some(Ok(page)) if page > 0 => Ok(page),
        Some(_) => Err(PageError::NotFound),
    }
}
