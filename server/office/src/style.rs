//! The one style sheet, part of the program.

use std::sync::LazyLock;

use axum::http::Uri;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG};
use axum::response::{IntoResponse, Response};
use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

use super::address::STYLE;

const SHEET: &str = include_str!("../assets/console.css");
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

/// The sheet, which is to be kept for good; none under another address than its own.
pub(super) fn sheet(uri: &Uri) -> Option<Response> {
    if uri.path() != address() {
        return None;
    }
    let headers = [
        (CONTENT_TYPE, "text/css; charset=utf-8".to_owned()),
        (
            CACHE_CONTROL,
            "private, max-age=31536000, immutable".to_owned(),
        ),
        (ETAG, format!("\"{}\"", *HASH)),
    ];
    Some((headers, SHEET).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The value of a colour of the sheet: `--name: #rrggbb` or `#rgb`.
    fn colour(name: &str) -> [f64; 3] {
        let value = SHEET.split(&format!("--{name}: #")).nth(1).unwrap();
        let digits: String = value.chars().take_while(char::is_ascii_hexdigit).collect();
        let long: String = match digits.len() {
            3 => digits.chars().flat_map(|digit| [digit, digit]).collect(),
            _ => digits,
        };
        [0, 2, 4].map(|at| f64::from(u8::from_str_radix(&long[at..at + 2], 16).unwrap()) / 255.0)
    }

    /// WCAG 2.2, relative luminance.
    fn luminance(name: &str) -> f64 {
        let [red, green, blue] = colour(name).map(|part| match part {
            ..=0.04045 => part / 12.92,
            part => ((part + 0.055) / 1.055).powf(2.4),
        });
        0.2126 * red + 0.7152 * green + 0.0722 * blue
    }

    fn contrast(a: &str, b: &str) -> f64 {
        let (a, b) = (luminance(a), luminance(b));
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    #[test]
    fn text_and_pictures_stand_out_from_what_is_behind_them() {
        // AA wants 4.5 for text and 3 for what is no text.
        let text = ["ink", "quiet", "link", "warn"];
        for behind in ["paper", "sheet", "band", "warn-paper"] {
            for front in text {
                assert!(contrast(front, behind) >= 4.5, "{front} on {behind}");
            }
            assert!(contrast("focus", behind) >= 3.0, "focus on {behind}");
        }
        assert!(contrast("ink", "mark") >= 4.5 && contrast("sheet", "link") >= 4.5);
        assert!(contrast("value", "band") >= 3.0, "a bar on its track");
        assert!(contrast("value", "sheet") >= 3.0, "a line on its sheet");
        assert!(
            contrast("ink", "value") >= 3.0,
            "the target's mark on a bar"
        );
        assert!(contrast("ink", "sheet") > contrast("quiet", "sheet"));
    }
}
