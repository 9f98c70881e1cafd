//! Authentication of a request, and verification of its batches.

use crate::batch::{BadBatch, Batch};
use crate::control::{Control, ControlEntry};
use crate::control_repair::SHOWN_BY_UNKNOWN_DEVICE_MAX;
use crate::id::DeviceId;
use crate::wire::{Answer, Find, Request, SpaceClaim, Unopened, WipeReport};

use super::{NodeIdentity, RequestError};

/// A request that may be served.
pub enum Opened {
    /// Serve it: look up its [`Unopened::references`], then [`take_apart`].
    Request(Box<Unopened>),
    /// A person has ordered that the device wipe itself, and this is what it says of it: take that, and
    /// answer with [`crate::remote_wipe::answer`].
    Wipe(DeviceId, Option<WipeReport>),
    /// Its nonce is too old or another server's: answer this and do nothing.
    StaleNonce(Box<Answer>),
    /// It shows control entries that were lost here: join them, hold back the devices that they let
    /// in (a lost revocation may be among what nobody shows, R20), and open it again.
    ControlRepair(Vec<ControlEntry>),
}

/// Who asks, if it is a device on this roster that signed the request.
pub fn asker(control: &Control, unopened: &mut Unopened) -> Option<DeviceId> {
    let device = unopened.request.device;
    let key = control.enrolment(device)?.signing_key;
    unopened.is_signed_by(&key).then_some(device)
}

/// Checks that bytes are a request, and opens it: see [`open_read`].
pub fn open(
    me: &NodeIdentity,
    control: &Control,
    packed: &[u8],
    now: i64,
) -> Result<Opened, RequestError> {
    open_read(me, control, Unopened::read(me.network, packed)?, now)
}

/// Checks whose a request is that has been read, and whether it may be served: roster, signature, grants, nonce, in this order.
/// A device that is not on the roster gets in with the enrolment that it shows, unless what is held
/// says that it was revoked (R21).
pub fn open_read(
    me: &NodeIdentity,
    control: &Control,
    mut unopened: Unopened,
    now: i64,
) -> Result<Opened, RequestError> {
    let shown = match control.enrolment(unopened.request.device) {
        Some(enrolment) if !unopened.is_signed_by(&enrolment.signing_key) => {
            return Err(RequestError::Signature);
        }
        Some(_) => &unopened.request.shown[..],
        // Nobody has signed anything yet.
        None => {
            let shown = &unopened.request.shown;
            &shown[..shown.len().min(SHOWN_BY_UNKNOWN_DEVICE_MAX)]
        }
    };
    let (joined, taught) = join(control, shown);
    let control = joined.as_ref().unwrap_or(control);
    let enrolment = control
        .enrolment(unopened.request.device)
        .ok_or(RequestError::UnknownDevice)?;
    if !unopened.is_signed_by(&enrolment.signing_key) {
        return Err(RequestError::Signature);
    }
    let request = &unopened.request;
    // Only to who has shown to be the device: what became of it is nobody else's business.
    let is_to_wipe = control.wipe_order(request.device).is_some();
    if control.revoked(request.device).is_some() && !is_to_wipe {
        return Err(RequestError::Revoked);
    }
    if !request
        .spaces
        .iter()
        .all(|claim| enrolment.spaces.contains(&claim.space))
    {
        return Err(RequestError::SpaceNotGranted);
    }
    if !me.nonce_holds(request.device, request.nonce, now) {
        let nonce = Some(me.nonce(request.device, now));
        return Ok(Opened::StaleNonce(Box::new(Answer {
            nonce,
            stale_nonce: true,
            ..Answer::at(now)
        })));
    }
    if !taught.is_empty() {
        return Ok(Opened::ControlRepair(taught));
    }
    if is_to_wipe {
        return Ok(Opened::Wipe(request.device, request.wipe_report.clone()));
    }
    Ok(Opened::Request(Box::new(unopened)))
}

/// Joins control entries that somebody shows, in whatever order they come: what is held then, if it
/// is more than before, and what is new. Who shows them does not matter, since their signatures say
/// whose they are; one that does not check is left out.
pub fn join(control: &Control, shown: &[Vec<u8>]) -> (Option<Control>, Vec<ControlEntry>) {
    let mut joined: Option<Control> = None;
    let mut new = Vec::new();
    let mut left: Vec<&Vec<u8>> = shown.iter().collect();
    // A root statement may stand behind what its nodes signed: once more, and no oftener, since every
    // look costs signatures.
    for _ in 0..2 {
        left.retain(
            |bytes| match joined.as_ref().unwrap_or(control).check(bytes) {
                Ok(Some(entry)) => {
                    new.push(entry.clone());
                    joined.get_or_insert_with(|| control.clone()).apply(entry);
                    false
                }
                Ok(None) => false,
                Err(_) => true,
            },
        );
    }
    (joined, new)
}

/// A request with what it brought, each batch checked.
pub struct Brought {
    /// The request.
    pub request: Request,
    /// Its batches, in its order.
    pub batches: Vec<Result<Batch, BadBatch>>,
}

impl AsRef<[Result<Batch, BadBatch>]> for Brought {
    fn as_ref(&self) -> &[Result<Batch, BadBatch>] {
        &self.batches
    }
}

/// Takes the batches of a request apart and checks each ([`receive`]); `find` knows what was looked
/// up of its references.
///
/// Where they refer to something, all of them must come out as their authors signed them: else none
/// is taken and the phone is told to refer to nothing ([`BadBatch::Reference`]). What is wrong with
/// them otherwise shows then.
pub fn take_apart(
    me: &NodeIdentity,
    control: &Control,
    unopened: Unopened,
    find: &mut Find<'_>,
) -> Result<Brought, RequestError> {
    let refers = !unopened.references(me.network)?.is_empty();
    let only_held = |request: Request| {
        // Of spaces that were taken from it meanwhile the device hears nothing. That it asks for fewer
        // than it thinks makes the answer a reset, with the entry that tells it so.
        let held = |claim: &SpaceClaim| control.holds(request.device, &claim.space);
        let spaces = request.spaces.iter().filter(|claim| held(claim)).cloned();
        let spaces = spaces.collect();
        Request { spaces, ..request }
    };
    let request = only_held(unopened.request.clone());
    let nothing = |request| Brought {
        request,
        batches: vec![Err(BadBatch::Reference)],
    };
    match unopened.open(me.network, find) {
        Ok(request) => {
            let request = only_held(request);
            let receive = |bytes: &Vec<u8>| receive(control, request.device, bytes);
            let batches: Vec<_> = request.batches.iter().map(receive).collect();
            if refers && batches.iter().any(Result::is_err) {
                return Ok(nothing(Request {
                    batches: Vec::new(),
                    ..request
                }));
            }
            Ok(Brought { request, batches })
        }
        Err(_) if refers => Ok(nothing(request)),
        Err(bad) => Err(bad.into()),
    }
}

/// Checks one batch of a request: size, shape, author, signature (R5). Its author need not be its
/// bringer: every replica offers every feed that it holds.
pub fn receive(control: &Control, bringer: DeviceId, bytes: &[u8]) -> Result<Batch, BadBatch> {
    let batch = control.receive(bytes)?;
    // Of a space that was taken from it too: it erases the space when it hears of that, and may hold what
    // nobody else has. What it wrote itself waits for the office.
    let enrolment = control.enrolment(bringer);
    let was_let_in = enrolment.is_some_and(|held| held.spaces.contains(&batch.header.space));
    match was_let_in {
        true => Ok(batch),
        false => Err(BadBatch::Space),
    }
}
