//! The one style sheet, part of the program.

use std::sync::LazyLock;

use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG};
use axum::response::{IntoResponse, Response};
use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

use super::address::STYLE;
use super::trouble::Trouble;

const SHEET: &str = include_str!("../../assets/console.css");
/// As many bytes of the hash stand in the name.
const HASH_BYTES: usize = 8;

static HASH: LazyLock<String> = LazyLock::new(|| {
    let hash = Sha256::digest(SHEET);
    HEXLOWER.encode(&hash[..HASH_BYTES])
});
static ADDRESS: LazyLock<String> = LazyLock::new(|| format!("{STYLE}{}.css", *HASH));

/// The sheet's address: another one whenever the sheet changes.
pub(super) fn address() -> &'static str {
    &ADDRESS
}

/// Serves the sheet under its address alone, to be kept for good.
pub(super) async fn show(uri: axum::http::Uri) -> Result<Response, Trouble> {
    if uri.path() != address() {
        return Err(Trouble::NotFound);
    }
    let headers = [
        (CONTENT_TYPE, "text/css; charset=utf-8".to_owned()),
        (
            CACHE_CONTROL,
            "private, max-age=31536000, immutable".to_owned(),
        ),
        (ETAG, format!("\"{}\"", *HASH)),
    ];
    Ok((headers, SHEET).into_response())
}
