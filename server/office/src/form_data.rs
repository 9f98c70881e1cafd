//! Multipart form data, as browsers post it (RFC 7578).
//!
//! The names of files are not kept: they may name somebody and are of no use here.

use axum::body::Bytes;

/// A form of ours has two parts.
const PARTS_MAX: usize = 8;
/// A boundary's limit (RFC 2046).
const BOUNDARY_BYTES_MAX: usize = 70;
/// The headers of a part: a name, a file's name, a type.
const HEADERS_BYTES_MAX: usize = 4 * 1024;

/// The fields of a posted form, in their order.
#[derive(Clone, Debug)]
pub(super) struct FormData(Vec<(String, Bytes)>);

impl FormData {
    /// Reads a body of this `Content-Type`; `None` if it is no such form, or not all of one.
    pub(super) fn read(content_type: &str, body: &Bytes) -> Option<Self> {
        let opening = format!("--{}", boundary(content_type)?);
        let between = format!("\r\n{opening}");
        let mut rest = body.slice_ref(body.strip_prefix(opening.as_bytes())?);
        let mut fields = Vec::new();
        while !rest.starts_with(b"--") {
            if fields.len() >= PARTS_MAX {
                return None;
            }
            let part = rest.slice_ref(rest.strip_prefix(b"\r\n")?);
            let head = find(part.get(..HEADERS_BYTES_MAX).unwrap_or(&part), b"\r\n\r\n")?;
            let value = part.slice(head + 4..);
            let end = find(&value, between.as_bytes())?;
            fields.push((name(part.get(..head)?)?, value.slice(..end)));
            rest = value.slice(end + between.len()..);
        }
        Some(Self(fields))
    }

    /// The first field of this name; empty if it was left out.
    pub(super) fn field(&self, name: &str) -> Bytes {
        let named = self.0.iter().find(|(field, _)| field == name);
        named.map(|(_, value)| value.clone()).unwrap_or_default()
    }
}

/// What parts the fields, from a `Content-Type`.
fn boundary(content_type: &str) -> Option<&str> {
    let mut parameters = content_type.split(';').map(str::trim);
    if !parameters
        .next()?
        .eq_ignore_ascii_case("multipart/form-data")
    {
        return None;
    }
    let boundary = parameters.find_map(|one| one.strip_prefix("boundary="))?;
    let boundary = boundary.trim_matches('"');
    let fits = !boundary.is_empty() && boundary.len() <= BOUNDARY_BYTES_MAX;
    fits.then_some(boundary)
}

/// The field's name, from a part's headers.
fn name(headers: &[u8]) -> Option<String> {
    let headers = String::from_utf8_lossy(headers);
    let says = |line: &&str| {
        let start = "content-disposition:";
        line.get(..start.len())
            .is_some_and(|name| name.eq_ignore_ascii_case(start))
    };
    let line = headers.split("\r\n").find(says)?;
    let mut parameters = parameters(line);
    let named = parameters.find_map(|one| one.trim().strip_prefix("name="))?;
    Some(named.trim_matches('"').to_owned())
}

/// The parts of a header that semicolons divide, where they don't stand in quotes.
fn parameters(line: &str) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    line.split(move |c| {
        quoted ^= c == '"';
        c == ';' && !quoted
    })
}

fn find(bytes: &[u8], part: &[u8]) -> Option<usize> {
    bytes.windows(part.len()).position(|window| window == part)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KIND: &str = "multipart/form-data; boundary=----browser42";

    fn posted(file: &[u8]) -> Bytes {
        let head = "------browser42\r\nContent-Disposition: form-data; name=\"pass\"\r\n\r\nopen\r\n\
                    ------browser42\r\ncontent-disposition: form-data; filename=\"包; name=x\"; name=\"bundle\"\r\n\
                    Content-Type: application/octet-stream\r\n\r\n";
        [head.as_bytes(), file, b"\r\n------browser42--\r\n"]
            .concat()
            .into()
    }

    #[test]
    fn a_file_comes_out_as_it_went_in_whatever_bytes_it_has() {
        for file in [
            &b"\x01\x00\xff"[..],
            b"",
            b"\r\n",
            b"------browser42",
            b"\r\n--",
        ] {
            let form = FormData::read(KIND, &posted(file)).unwrap();
            assert_eq!(form.field("pass"), &b"open"[..]);
            assert_eq!(form.field("bundle"), file);
            assert_eq!(form.field("other"), &b""[..]);
        }
    }

    #[test]
    fn half_a_form_is_none_at_whatever_byte_it_was_cut() {
        let whole = posted(b"\x01\x02\x03");
        // What the last boundary is followed by says nothing.
        for end in 0..whole.len() - 4 {
            let cut = whole.slice(..end);
            assert!(FormData::read(KIND, &cut).is_none(), "{end}");
        }
        assert!(FormData::read(KIND, &whole).is_some());
    }

    #[test]
    fn what_is_no_form_with_a_file_is_none() {
        let whole = posted(b"\x01");
        let long = format!("multipart/form-data; boundary={}", "x".repeat(71));
        for kind in [
            "",
            "application/x-www-form-urlencoded",
            "multipart/form-data",
            "multipart/form-data; boundary=",
            "multipart/mixed; boundary=----browser42",
            &long,
        ] {
            assert!(FormData::read(kind, &whole).is_none(), "{kind}");
        }
        let many =
            "--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n\r\n".repeat(9) + "--b--";
        assert!(FormData::read("multipart/form-data; boundary=b", &many.into()).is_none());
        let nameless = "--b\r\nContent-Type: text/plain\r\n\r\nx\r\n--b--";
        assert!(FormData::read("multipart/form-data; boundary=b", &nameless.into()).is_none());
    }
}
