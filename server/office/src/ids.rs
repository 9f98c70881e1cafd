//! Ids of devices and persons as pages show them.

/// So many characters tell one from the others of a banner.
const CHARS: usize = 8;

/// The beginning of an id.
pub(super) fn short(id: &str) -> String {
    id.chars().take(CHARS).collect()
}
