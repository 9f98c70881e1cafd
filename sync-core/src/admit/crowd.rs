//! Bounds on what one device writes on a record: side by side, and in all.
//!
//! A writer names every change that it saw and that nothing was built on. A device that leaves hundreds
//! of them would make the record too wide for anybody to edit. So in ascending (`start_op`, hash), a
//! change is **over** where [`BESIDE_MAX`] changes of its device that are not over lie outside its past,
//! none of them in the past of another, or where those that are not over have too many operations with it.
//! It is set aside, unless an admitted change of another device rests on it: an honest edit does not suffer
//! for what it was made on.
//!
//! Whoever reads a record reads all its operations. So the second bound is what an edit of it can cost.

use std::collections::{BTreeMap, BTreeSet};

use super::{AsideReason, Bits, Candidate};
use crate::id::DeviceId;

/// Most changes of one device side by side on a record, in one space. An honest device has a few: a
/// change of its next form rests on those of the forms before.
pub const BESIDE_MAX: usize = 16;

/// Most operations of one device that count on a record, in one space: a form of sixty fields, written anew
/// every month for eleven years.
pub const OPS_OF_DEVICE_MAX: usize = 8192;

/// Changes of one device that a server holds of a record though they are set aside. A batch that came after so
/// many is refused.
pub const ASIDE_OF_DEVICE_MAX: usize = 512;

/// What each device has written so far that is not over.
#[derive(Default)]
pub(super) struct Written(BTreeMap<DeviceId, OfDevice>);

#[derive(Default)]
struct OfDevice {
    /// The changes that none of its later ones rests on.
    tops: Vec<usize>,
    ops: usize,
}

impl Written {
    /// Takes the next valid change, with so many operations; whether it is over.
    pub(super) fn take(&mut self, device: DeviceId, at: usize, past: &Bits, ops: usize) -> bool {
        let own = self.0.entry(device).or_default();
        let outside = own.tops.iter().filter(|top| !past.has(**top)).count();
        if outside >= BESIDE_MAX || own.ops + ops > OPS_OF_DEVICE_MAX {
            return true;
        }
        own.tops.retain(|top| !past.has(*top));
        own.tops.push(at);
        own.ops += ops;
        false
    }
}

/// Sets aside those of `over` that no admitted change of another device rests on, and what follows them.
pub(super) fn thin(
    candidates: &[Candidate<'_>],
    deps: &[Vec<Option<usize>>],
    mut over: Vec<usize>,
    reasons: &mut [Option<AsideReason>],
) {
    // What is set aside may be what another one was kept for; so again, until nothing more goes.
    while !over.is_empty() {
        let needed = needed(candidates, deps, &over, reasons);
        let (kept, gone): (Vec<usize>, Vec<usize>) =
            over.iter().partition(|at| needed.contains(*at));
        if gone.is_empty() {
            return;
        }
        for at in gone {
            reasons[at] = Some(AsideReason::Crowded);
        }
        for (at, deps) in deps.iter().enumerate() {
            if reasons[at].is_none()
                && let Some(dep) = deps.iter().flatten().find(|dep| reasons[**dep].is_some())
            {
                let dep = candidates[*dep].change.hash;
                reasons[at] = Some(AsideReason::Follows { dep });
            }
        }
        over = kept
            .into_iter()
            .filter(|at| reasons[*at].is_none())
            .collect();
    }
}

/// Which of `over` an admitted change of another device rests on, directly or not.
fn needed(
    candidates: &[Candidate<'_>],
    deps: &[Vec<Option<usize>>],
    over: &[usize],
    reasons: &[Option<AsideReason>],
) -> BTreeSet<usize> {
    let mut needed = BTreeSet::new();
    let devices: BTreeSet<DeviceId> = over.iter().map(|at| candidates[*at].device).collect();
    for device in devices {
        let mut below = vec![false; candidates.len()];
        // Dependencies stand before what rests on them.
        for at in (0..candidates.len()).rev() {
            let is_others = candidates[at].device != device && reasons[at].is_none();
            if below[at] || is_others {
                for dep in deps[at].iter().flatten().filter(|dep| **dep < at) {
                    below[*dep] = true;
                }
            }
        }
        let own = over.iter().filter(|at| candidates[**at].device == device);
        needed.extend(own.filter(|at| below[**at]));
    }
    needed
}
