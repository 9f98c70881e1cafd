//! A mutation fuzzer on stable Rust, over a corpus that is committed.
//!
//! Every decoder of bytes that come from a network, a file or a row is listed in [`DECODERS`]; adding
//! one is one line there, a check that says what must hold of it, and recorded messages
//! ([`crate::sim::village`]). Inputs are recorded messages that were changed (`mutate`), chosen
//! by a seed, so that every run can be repeated. What must hold of all: no panic, at most
//! [`TIME_MAX`] and [`MEMORY_MAX`] for one input. The checks add what the decoder promises.
//!
//! `cargo xtask fuzz [DECODER] [--seconds N]` runs as long as one likes, a test runs some thousand
//! inputs of each, and `fuzz/` has the same checks as targets of cargo-fuzz.

mod bundle;
mod change;
mod control;
pub mod corpus;
mod file;
mod ground;
pub mod memory;
mod message;
mod mutate;
mod row;
pub mod run;
mod sealed;
mod signed;
mod text;

use std::time::Duration;

pub(crate) use bundle::{find, referring_parts};
pub(crate) use file::Journal;
pub use ground::Ground;

/// What one input may take.
pub const TIME_MAX: Duration = Duration::from_millis(100);
/// What may be allocated at once for one input.
pub const MEMORY_MAX: usize = 64 * 1024 * 1024;
/// No input is longer.
pub const INPUT_MAX: usize = 128 * 1024;

/// What a check found: in a word what the decoder made of the input, or the promise that it broke.
/// Inputs with a new word are worth changing further.
pub type Checked = Result<String, String>;

/// Bytes for a decoder.
#[derive(Clone, Copy)]
pub struct Input<'a> {
    /// The bytes.
    pub bytes: &'a [u8],
    /// The fuzzer signed them itself after it changed them, so they may verify.
    pub mended: bool,
}

/// What must hold of a decoder.
pub type Check = fn(&Ground, Input<'_>) -> Checked;
/// Makes a changed input pass what would stop it at the door.
pub type Mend = fn(&Ground, Vec<u8>) -> Vec<u8>;

/// A decoder under test.
pub struct Decoder {
    /// Its name.
    pub name: &'static str,
    /// The kind of recorded messages that its inputs are made of.
    pub seeds: &'static str,
    /// What must hold of it.
    pub check: Check,
    /// Returns a changed input its checksums and signatures again, where it has some.
    pub mend: Option<Mend>,
    /// Its inputs are messages, which may come compressed.
    pub packed: bool,
    /// Executions in the time of a thousand others.
    pub share: u32,
}

const fn decoder(name: &'static str, check: Check) -> Decoder {
    Decoder {
        name,
        seeds: name,
        check,
        mend: None,
        packed: false,
        share: 1000,
    }
}

/// Every decoder of the core, and those of the server's files.
pub const DECODERS: &[Decoder] = &[
    decoder("network", control::network),
    decoder("enrol_request", message::enrol_request)
        .packed()
        .mended(signed::enrol_request),
    decoder("enrol_answer", message::enrol_answer).packed(),
    decoder("request", message::request)
        .packed()
        .mended(signed::request),
    decoder("answer", message::answer).packed(),
    decoder("compact", message::compact),
    decoder("referring", bundle::referring).at(300),
    decoder("bundle", bundle::bundle).at(200),
    decoder("content", bundle::content),
    decoder("claims", bundle::claims).mended(signed::claims),
    decoder("receipt", bundle::receipt).mended(signed::receipt),
    decoder("batch", change::batch).mended(signed::batch),
    decoder("change", change::change).mended(signed::change),
    decoder("control", control::entry).mended(signed::control),
    decoder("decision", control::decision).mended(signed::decision),
    decoder("package", control::package),
    decoder("package_used", control::package_used)
        .on("package")
        .at(50),
    decoder("row", row::row),
    decoder("record", row::record),
    decoder("contribution", row::contribution),
    decoder("slot", sealed::slot),
    decoder("slot_opened", sealed::slot_opened)
        .on("slot")
        .at(10),
    decoder("sealed_row", sealed::sealed_row),
    decoder("wrapped_key", sealed::wrapped_key),
    decoder("sealed_to", sealed::sealed_to),
    decoder("text", text::text),
    decoder("journal", file::journal).mended(file::rehashed),
    decoder("backup", file::backup).mended(file::rehashed_backup),
];

impl Decoder {
    const fn mended(self, mend: Mend) -> Self {
        Self {
            mend: Some(mend),
            ..self
        }
    }

    /// For messages.
    const fn packed(self) -> Self {
        Self {
            packed: true,
            ..self
        }
    }

    /// For one that reads what another reads too.
    const fn on(self, seeds: &'static str) -> Self {
        Self { seeds, ..self }
    }

    /// For a check that costs more than others.
    const fn at(self, share: u32) -> Self {
        Self { share, ..self }
    }

    /// The decoder with this name.
    pub fn named(name: &str) -> Option<&'static Decoder> {
        DECODERS.iter().find(|decoder| decoder.name == name)
    }
}

/// Checks an input from elsewhere, as cargo-fuzz's targets do; panics if a promise is broken.
pub fn check(decoder: &str, input: &[u8]) {
    thread_local!(static GROUND: Ground = Ground::new());
    let decoder = Decoder::named(decoder).unwrap_or_else(|| panic!("no decoder {decoder}"));
    GROUND.with(|ground| {
        let check = |bytes, mended| {
            if let Err(broken) = (decoder.check)(ground, Input { bytes, mended }) {
                panic!("{}: {broken}", decoder.name);
            }
        };
        check(input, false);
        if let Some(mend) = decoder.mend {
            check(&mend(ground, input.to_vec()), true);
        }
    });
}

/// A promise that does not hold.
fn broken<T>(what: impl Into<String>) -> Result<T, String> {
    Err(what.into())
}

/// Fails with `what` unless `holds`.
fn require(holds: bool, what: &str) -> Result<(), String> {
    if holds { Ok(()) } else { broken(what) }
}

/// A size in few words, so that inputs of about one size count as alike.
fn about(size: usize) -> usize {
    match size {
        0..=4 => size,
        _ => size.next_power_of_two(),
    }
}
