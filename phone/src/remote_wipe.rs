//! Remote wipe of this phone: hand-over of what the server lacks, wipe of the store, and the report
//! ([`sync_core::remote_wipe`]).

use sync_core::bundle_exchange::{BundleError, BundleOptions};
use sync_core::control::SealKey;
use sync_core::exchange::{Outgoing, WipeTurn};
use sync_core::feed::Vector;
use sync_core::id::Space;
use sync_core::remote_wipe::WipeReport;

use crate::error::{Issue, PhoneError};
use crate::phone::Phone;

/// Bytes of what a phone hands over: below the limit of a message. A phone that has more does not wipe
/// itself: it brings the rest in bundles first.
const HANDED_OVER_BYTES_MAX: usize = 3 * 1024 * 1024;

/// A server that was restored may have lost the key to which a phone has sealed, and tells another: it is
/// handed over to that one too, since nobody knows whether the phone comes back another day.
const HAND_OVERS_MAX: usize = 2;

/// What a phone holds, by space.
type Holdings = Vec<(Space, Vector, usize)>;

/// A remote wipe: what is handed over, the server's word that all of it is durable, the end.
#[derive(Default)]
pub(crate) struct RemoteWipe {
    handed_over: usize,
    /// What was held when it was handed over, and to which key it was sealed.
    last: Option<(Holdings, Option<SealKey>)>,
}

impl RemoteWipe {
    /// What is handed over.
    pub(crate) fn next(&mut self, phone: &mut Phone) -> Result<Vec<u8>, PhoneError> {
        if self.handed_over == HAND_OVERS_MAX {
            return Err(no_progress());
        }
        self.handed_over += 1;
        let bundle = hand_over(phone)?;
        let replica = &phone.opened()?.replica;
        self.last = Some((replica.holdings(), replica.control().seal_key()));
        Ok(bundle)
    }

    /// Takes the server's word; returns what is to be said last once the store is wiped. Nothing is wiped
    /// before the server has said that all that was handed over is durable.
    pub(crate) fn heard(
        &mut self,
        phone: &mut Phone,
        answer: &[u8],
    ) -> Result<Option<Vec<u8>>, PhoneError> {
        let turn = decode_command(phone, answer)?;
        let replica = &phone.opened()?.replica;
        let (handed_over, sealed_to) = self.last.take().ok_or_else(no_progress)?;
        match turn {
            Some(WipeTurn::Wipe) if replica.holdings() == handed_over => wipe(phone).map(Some),
            Some(WipeTurn::HandOver) if replica.control().seal_key() != sealed_to => Ok(None),
            // Whoever used the phone meanwhile may have saved something: that is handed over the
            // next time.
            _ => Err(no_progress()),
        }
    }
}

fn no_progress() -> PhoneError {
    PhoneError::NoConnection(Issue::new("no_progress"))
}

/// The request that brings all that the server lacks, or may have lost: it may have been restored since
/// the last exchange, and what is wiped here is nowhere else then. Where that is more than one message
/// takes, what the server has acknowledged is left out.
fn hand_over(phone: &mut Phone) -> Result<Vec<u8>, PhoneError> {
    let replica = &phone.opened()?.replica;
    let (unsafe_here, unsent) = (!replica.all_is_safe(), replica.has_unsent());
    let mut bundle = Vec::new();
    if unsafe_here {
        bundle = bundled(phone, true)?.unwrap_or_default();
    }
    if bundle.is_empty() && unsent {
        let unsent = bundled(phone, false)?;
        let too_much = || PhoneError::wrong(Issue::new("too_much_to_hand_over"));
        bundle = unsent.ok_or_else(too_much)?;
    }
    said(
        phone,
        WipeReport {
            bundle,
            wiped: false,
        },
    )
}

/// A bundle of what the server lacks, or of all that is held; `None` if it is more than one message takes.
/// With the control entries: the server may have lost who wrote what.
fn bundled(phone: &mut Phone, everything: bool) -> Result<Option<Vec<u8>>, PhoneError> {
    if phone.opened()?.replica.control().seal_key().is_none() {
        // Sealed to the neighbours alone it would reach nobody.
        return Err(BundleError::NoKey.into());
    }
    let options = BundleOptions {
        bytes_max: Some(HANDED_OVER_BYTES_MAX),
        short: false,
        everything,
    };
    let made = phone.step(&|open, context| {
        let sign = |message: &[u8]| open.keys.sign(message);
        let replica = &open.replica;
        Ok(replica.prepare_bundle(context, &open.store, &sign, options)?)
    })?;
    Ok((made.left == 0).then_some(made.bytes))
}

/// A signed request that says this.
fn said(phone: &mut Phone, wipe_report: WipeReport) -> Result<Vec<u8>, PhoneError> {
    let open = phone.opened()?;
    let sign = |message: &[u8]| open.keys.sign(message);
    Ok(open.replica.wipe_request(&sign, wipe_report))
}

/// What the server says to it; `None` if it asks for nothing of the kind any more.
fn decode_command(phone: &mut Phone, answer: &[u8]) -> Result<Option<WipeTurn>, PhoneError> {
    let outgoing = Outgoing::default();
    let heard = phone.step(&|open, context| {
        let replica = &open.replica;
        Ok(replica.prepare_answer(context, &open.store, &outgoing, answer)?)
    })?;
    Ok(heard.wipe)
}

/// Wipes the store; returns the request that says so, signed before the key went with it.
fn wipe(phone: &mut Phone) -> Result<Vec<u8>, PhoneError> {
    let wipe_report = WipeReport {
        bundle: Vec::new(),
        wiped: true,
    };
    let last = said(phone, wipe_report)?;
    phone.wipe(true)?;
    Ok(last)
}
