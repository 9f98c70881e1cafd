//! Moves to another 嘎查 (R37): the record goes on as a new one, and later edits of the old one are
//! carried over.
//!
//! That she moved is a control entry, so it survives whatever the databases go through; that she lives
//! here no more and there from that day on is ordinary data, so registers and figures follow from it
//! like from any other. What is carried is written as somebody would who saw nothing at the new
//! place but what was carried before: what the people there wrote meanwhile stays beside it, a
//! conflict that they settle.

mod carry;
mod write;

use store::StoreError;
use sync_core::id::{Class, Space};

pub(crate) use carry::carry;
pub(crate) use write::{RecordInSpace, say};

/// The section that says where a person lives, its date and its status.
const RESIDENCE: [&str; 3] = ["residence", "since", "status"];
/// The status of who has moved away.
const MOVED_AWAY: &str = "5";

/// A space that is one.
fn space(unit: &str, class: Class) -> Result<Space, StoreError> {
    Space::new(unit, class).map_err(|_| StoreError::Unreadable {
        table: "control",
        column: "bytes",
    })
}
